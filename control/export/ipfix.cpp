// SPDX-License-Identifier: BSD-3-Clause
#include "control/export/ipfix.h"

#include <algorithm>
#include <array>

namespace weir::control {

namespace {

constexpr std::uint16_t kVersion = 10;
constexpr std::size_t kHeaderBytes = 16;
constexpr std::size_t kSetHeaderBytes = 4;
constexpr std::uint16_t kTemplateSet = 2;
constexpr std::uint16_t kEnterpriseBit = 0x8000;
constexpr std::uint16_t kVariable = 0xffff;
constexpr std::uint32_t kReverse = 29305;  // RFC 5103 section 6.1
constexpr std::uint64_t kNsPerMs = 1'000'000;

/// IANA's names and numbers of information elements.
enum Element : std::uint16_t {
    octetDeltaCount = 1,
    packetDeltaCount = 2,
    protocolIdentifier = 4,
    sourceTransportPort = 7,
    sourceIPv4Address = 8,
    destinationTransportPort = 11,
    destinationIPv4Address = 12,
    sourceIPv6Address = 27,
    destinationIPv6Address = 28,
    postIpClassOfService = 55,
    vlanId = 58,
    forwardingStatus = 89,
    flowEndReason = 136,
    flowId = 148,
    flowStartMilliseconds = 152,
    flowEndMilliseconds = 153,
    biflowDirection = 239,
};

void put(std::string& out, std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = bytes; i-- > 0;) {
        out += static_cast<char>(value >> (8 * i) & 0xff);
    }
}

void set_u16(std::string& out, std::size_t at, std::size_t value) {
    out[at] = static_cast<char>(value >> 8 & 0xff);
    out[at + 1] = static_cast<char>(value & 0xff);
}

/// Variable length, one byte of it (RFC 7011 section 7).
void put_name(std::string& out, const std::string& text) {
    const std::size_t size = std::min(text.size(), IpfixEncoder::kMostName);
    put(out, size, 1);
    out.append(text, 0, size);
}

struct Field {
    std::uint16_t id;
    std::uint16_t bytes;
    std::uint32_t enterprise;  ///< 0: IANA's
};

/// The order of data_record().
std::vector<Field> fields(bool v4, bool marked, std::size_t slots, std::uint32_t enterprise) {
    const std::uint16_t address = v4 ? 4 : 16;
    std::vector<Field> out{
        {v4 ? sourceIPv4Address : sourceIPv6Address, address, 0},
        {v4 ? destinationIPv4Address : destinationIPv6Address, address, 0},
        {sourceTransportPort, 2, 0},
        {destinationTransportPort, 2, 0},
        {protocolIdentifier, 1, 0},
        {flowStartMilliseconds, 8, 0},
        {flowEndMilliseconds, 8, 0},
        {octetDeltaCount, 8, 0},
        {packetDeltaCount, 8, 0},
        {octetDeltaCount, 8, kReverse},
        {packetDeltaCount, 8, kReverse},
        {biflowDirection, 1, 0},
        {flowEndReason, 1, 0},
        {forwardingStatus, 1, 0},
        {vlanId, 2, 0},
        {flowId, 8, 0}};
    if (marked) {
        out.push_back({postIpClassOfService, 1, 0});
    }
    const auto ours = [&](VerdictElement element, std::uint16_t bytes) {
        out.push_back({static_cast<std::uint16_t>(element), bytes, enterprise});
    };
    for (std::size_t s = 0; s < slots; ++s) {
        ours(VerdictElement::slot, kVariable);
        ours(VerdictElement::class_name, kVariable);
        ours(VerdictElement::score, 2);
        ours(VerdictElement::model, kVariable);
        ours(VerdictElement::version, 4);
        ours(VerdictElement::decided_at_packet, 4);
    }
    return out;
}

std::uint16_t template_of(const FlowEvent& event) {
    return event.ip_version == 4 ? (event.dscp ? kTemplateV4Marked : kTemplateV4)
                                 : (event.dscp ? kTemplateV6Marked : kTemplateV6);
}

/// IANA's flowEndReason.
std::uint8_t end_reason(dataplane::FlowEnd end) {
    switch (end) {
        case dataplane::FlowEnd::closed:
            return 3;  // end of flow detected
        case dataplane::FlowEnd::evicted:
            return 5;  // lack of resources
        case dataplane::FlowEnd::shutdown:
            return 4;  // forced end
        default:
            return 1;  // idle timeout
    }
}

std::string data_record(const FlowEvent& event, std::size_t slots) {
    constexpr std::uint64_t kInitiator = 1;     // biflowDirection
    constexpr std::uint64_t kForwarded = 0x40;  // forwardingStatus, RFC 7270 section 4.12
    constexpr std::uint64_t kDropped = 0x80;
    constexpr int kDscpShift = 2;
    std::string out;
    for (const auto* address : {&event.source, &event.destination}) {
        out.append(reinterpret_cast<const char*>(address->data()), event.address_bytes());
    }
    put(out, event.source_port, 2);
    put(out, event.destination_port, 2);
    put(out, event.proto, 1);
    put(out, event.first_ns / kNsPerMs, 8);
    put(out, event.last_ns / kNsPerMs, 8);
    put(out, event.bytes[0], 8);
    put(out, event.packets[0], 8);
    put(out, event.bytes[1], 8);
    put(out, event.packets[1], 8);
    put(out, kInitiator, 1);
    put(out, end_reason(event.end), 1);
    put(out, event.dropped ? kDropped : kForwarded, 1);
    put(out, event.vlan, 2);
    put(out, event.id, 8);
    if (event.dscp) {
        put(out, std::uint64_t{*event.dscp} << kDscpShift, 1);
    }
    static const EventVerdict kNone;
    for (std::size_t s = 0; s < slots; ++s) {
        const EventVerdict& verdict = s < event.verdicts.size() ? event.verdicts[s] : kNone;
        put_name(out, verdict.slot);
        put_name(out, verdict.cls);
        put(out, verdict.score, 2);
        put_name(out, verdict.model);
        put(out, verdict.version, 4);
        put(out, verdict.decided_at_packet, 4);
    }
    return out;
}

}  // namespace

std::string IpfixEncoder::begin(std::uint32_t unix_s) const {
    std::string out;
    put(out, kVersion, 2);
    put(out, 0, 2);  // length, once it is known
    put(out, unix_s, 4);
    put(out, sequence_, 4);
    put(out, options_.domain, 4);
    return out;
}

std::string IpfixEncoder::template_record(std::uint16_t id) const {
    const bool v4 = id == kTemplateV4 || id == kTemplateV4Marked;
    const bool marked = id == kTemplateV4Marked || id == kTemplateV6Marked;
    const auto list = fields(v4, marked, options_.slots, options_.enterprise);
    std::string out;
    put(out, id, 2);
    put(out, list.size(), 2);
    for (const Field& field : list) {
        put(out, field.enterprise != 0 ? field.id | kEnterpriseBit : field.id, 2);
        put(out, field.bytes, 2);
        if (field.enterprise != 0) {
            put(out, field.enterprise, 4);
        }
    }
    return out;
}

std::vector<std::string> IpfixEncoder::templates(std::uint32_t unix_s) const {
    std::vector<std::string> out;
    for (const auto id : {kTemplateV4, kTemplateV4Marked, kTemplateV6, kTemplateV6Marked}) {
        const std::string record = template_record(id);
        if (out.empty() || out.back().size() + record.size() > options_.message_bytes) {
            out.push_back(begin(unix_s));
            put(out.back(), kTemplateSet, 2);
            put(out.back(), 0, 2);
        }
        out.back() += record;
    }
    for (std::string& message : out) {
        set_u16(message, 2, message.size());
        set_u16(message, kHeaderBytes + 2, message.size() - kHeaderBytes);
    }
    return out;
}

std::vector<std::string> IpfixEncoder::records(
    std::span<const FlowEvent> events, std::uint32_t unix_s) {
    std::vector<std::string> out;
    std::size_t set_at = 0;
    std::uint16_t set_id = 0;
    for (const FlowEvent& event : events) {
        const std::string record = data_record(event, options_.slots);
        const std::uint16_t id = template_of(event);
        if (out.empty() ||
            out.back().size() + record.size() + kSetHeaderBytes > options_.message_bytes) {
            out.push_back(begin(unix_s));
            set_id = 0;
        }
        std::string& message = out.back();
        if (id != set_id) {
            set_id = id;
            set_at = message.size();
            put(message, id, 2);
            put(message, 0, 2);
        }
        message += record;
        set_u16(message, 2, message.size());
        set_u16(message, set_at + 2, message.size() - set_at);
        ++sequence_;
    }
    return out;
}

}  // namespace weir::control
