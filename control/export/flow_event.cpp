// SPDX-License-Identifier: BSD-3-Clause
#include "control/export/flow_event.h"

#include "dataplane/snapshot_build.h"

#include <algorithm>

#include <arpa/inet.h>

namespace weir::control {

namespace {

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kSctp = 132;

/// FNV-1a, 64 bits.
class Mix {
  public:
    void add(std::span<const std::uint8_t> bytes) {
        for (const std::uint8_t byte : bytes) {
            value_ = (value_ ^ byte) * 0x100000001b3ULL;
        }
    }
    void add(std::uint64_t number) {
        for (int shift = 0; shift < 64; shift += 8) {
            value_ = (value_ ^ (number >> shift & 0xff)) * 0x100000001b3ULL;
        }
    }
    /// What a JSON number holds exactly.
    [[nodiscard]] std::uint64_t below_2_53() const { return (value_ ^ value_ >> 53) >> 11; }

  private:
    std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

std::array<std::uint8_t, 16> plain(
    const std::array<std::uint8_t, 16>& mapped, std::uint8_t version) {
    std::array<std::uint8_t, 16> out{};
    constexpr std::ptrdiff_t kV4Offset = 12;
    std::copy(mapped.begin() + (version == 4 ? kV4Offset : 0), mapped.end(), out.begin());
    return out;
}

std::uint64_t event_id(const FlowEvent& event) {
    Mix mix;
    mix.add(event.source);
    mix.add(event.destination);
    mix.add(std::uint64_t{event.source_port} << 16 | event.destination_port);
    mix.add(std::uint64_t{event.proto} << 32 | std::uint64_t{event.vlan} << 16 | event.inner_vlan);
    mix.add(event.tunnel_id);
    mix.add(event.first_ns);
    return mix.below_2_53();
}

/// All that an id is made of, addresses as they are.
void set_identity(const dataplane::FlowRecord& record, FlowEvent& event) {
    const dataplane::FlowKey& key = record.key;
    const bool hi = record.initiator_is_hi;
    event.ip_version = key.ip_version;
    event.source = plain(hi ? key.addr_hi : key.addr_lo, key.ip_version);
    event.destination = plain(hi ? key.addr_lo : key.addr_hi, key.ip_version);
    event.source_port = ntohs(hi ? key.port_hi : key.port_lo);
    event.destination_port = ntohs(hi ? key.port_lo : key.port_hi);
    event.proto = key.proto;
    event.vlan = key.vlan;
    event.inner_vlan = key.inner_vlan;
    event.tunnel_id = key.tunnel_id;
    event.first_ns = record.first_ns;
}

EventVerdict name_verdict(
    const std::string& slot, const dataplane::Verdict& verdict, const EventNames& names) {
    EventVerdict out;
    out.slot = slot;
    if (verdict.cls == dataplane::kNoClass) {
        return out;
    }
    out.cls = dataplane::class_name(slot, verdict.cls);
    out.score = verdict.score;
    out.decided_at_packet = verdict.decided_at_packet;
    out.alarm = slot == "anomaly" && out.cls != "benign";
    if (const auto model = names.models.find(verdict.model_ref); model != names.models.end()) {
        out.model = model->second.name;
        out.version = model->second.version;
    }
    return out;
}

}  // namespace

bool FlowEvent::has_ports() const noexcept {
    return proto == kTcp || proto == kUdp || proto == kSctp;
}

const EventVerdict* FlowEvent::alarm() const noexcept {
    const auto at =
        std::find_if(verdicts.begin(), verdicts.end(), [](const auto& v) { return v.alarm; });
    return at == verdicts.end() ? nullptr : &*at;
}

std::optional<FlowEvent> make_event(
    const dataplane::FlowRecord& record, const EventNames& names, CryptoPan* pan) {
    FlowEvent event;
    set_identity(record, event);
    if (pan != nullptr &&
        (!pan->replace(std::span(event.source).first(event.address_bytes())) ||
         !pan->replace(std::span(event.destination).first(event.address_bytes())))) {
        return std::nullopt;
    }
    event.last_ns = record.last_ns;
    event.bytes = record.bytes;
    event.packets = {record.packets[0], record.packets[1]};
    event.end = record.end;
    if (record.dscp != dataplane::FlowRecord::kKeepDscpRecord) {
        event.dscp = record.dscp;
    }
    event.dropped = record.dropped;
    for (std::size_t s = 0; s < names.slots.size() && s < record.verdicts.size(); ++s) {
        event.verdicts.push_back(name_verdict(names.slots[s], record.verdicts[s], names));
    }
    event.id = event_id(event);
    return event;
}

std::uint64_t flow_id(const dataplane::FlowRecord& record) {
    FlowEvent event;
    set_identity(record, event);
    return event_id(event);
}

std::string event_address(const std::array<std::uint8_t, 16>& address, std::uint8_t ip_version) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    return ::inet_ntop(
        ip_version == 4 ? AF_INET : AF_INET6, address.data(), text.data(), text.size());
}

}  // namespace weir::control
