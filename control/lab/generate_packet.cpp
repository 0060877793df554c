// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/generate_packet.h"

#include "control/lab/generate_random.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include <arpa/inet.h>

namespace weir::lab::synth {
namespace {

constexpr std::size_t kEthernetBytes = 14;
constexpr std::size_t kMinFrameBytes = 60;

// Appends big-endian fields to a frame that is long enough.
class Writer {
  public:
    explicit Writer(Frame& frame) noexcept : frame_(frame) { frame_.size = 0; }
    void u8(std::uint32_t value) noexcept {
        frame_.bytes[frame_.size++] = static_cast<std::uint8_t>(value);
    }
    void u16(std::uint32_t value) noexcept {
        u8(value >> 8U);
        u8(value & 0xffU);
    }
    void u32(std::uint32_t value) noexcept {
        u16(value >> 16U);
        u16(value & 0xffffU);
    }
    void bytes(Bytes data) noexcept {
        std::copy(data.begin(), data.end(), frame_.bytes.begin() + frame_.size);
        frame_.size += data.size();
    }
    void put_u16(std::size_t where, std::uint32_t value) noexcept {
        frame_.bytes[where] = static_cast<std::uint8_t>(value >> 8U);
        frame_.bytes[where + 1] = static_cast<std::uint8_t>(value);
    }
    [[nodiscard]] std::size_t size() const noexcept { return frame_.size; }
    [[nodiscard]] Bytes from(std::size_t where) const noexcept {
        return frame_.view().subspan(where);
    }

  private:
    Frame& frame_;
};

[[nodiscard]] std::uint64_t add_words(std::uint64_t sum, Bytes data) noexcept {
    std::size_t i = 0;
    for (; i + 1 < data.size(); i += 2) {
        sum += (std::uint32_t{data[i]} << 8U) | data[i + 1];
    }
    return i < data.size() ? sum + (std::uint32_t{data[i]} << 8U) : sum;
}

[[nodiscard]] std::uint32_t fold(std::uint64_t sum) noexcept {
    while (sum > 0xffff) {
        sum = (sum & 0xffffU) + (sum >> 16U);
    }
    return static_cast<std::uint32_t>(~sum & 0xffffU);
}

// A host's card by its address; a group's by RFC 1112 and RFC 2464.
void write_mac(Writer& out, const Address& host) noexcept {
    const auto& b = host.bytes;
    if (host.multicast() && host.v6) {
        out.u16(0x3333);
        out.bytes(Bytes(b).last(4));
    } else if (host.multicast()) {
        out.u16(0x0100);
        out.u8(0x5e);
        out.u8(b[13] & 0x7fU);
        out.bytes(Bytes(b).last(2));
    } else {
        std::uint64_t hash = host.v6 ? 6 : 4;
        for (const auto byte : b) {
            hash = mix64(hash ^ byte);
        }
        out.u8(0x02);  // locally administered
        out.u8(static_cast<std::uint32_t>(hash >> 32U) & 0xffU);
        out.u32(static_cast<std::uint32_t>(hash));
    }
}

[[nodiscard]] std::size_t option_bytes(const TcpHeader& tcp) noexcept {
    std::size_t bytes = 0;
    if (tcp.mss != 0) {
        bytes += 4 + 4 + (tcp.sack_permitted ? 4 : 0);
    }
    return bytes + (tcp.timestamps ? 12 : 0) + (tcp.sack_from != tcp.sack_to ? 12 : 0);
}

void write_tcp(Writer& out, const Packet& packet, std::uint16_t from, std::uint16_t to) noexcept {
    const TcpHeader& tcp = packet.tcp;
    out.u16(from);
    out.u16(to);
    out.u32(tcp.seq);
    out.u32(tcp.ack);
    out.u8(static_cast<std::uint32_t>((20 + option_bytes(tcp)) / 4) << 4U);
    out.u8(tcp.flags);
    out.u16(tcp.window);
    out.u32(0);  // checksum, urgent pointer
    if (tcp.mss != 0) {
        out.u16(0x0204);
        out.u16(tcp.mss);
        if (tcp.sack_permitted) {
            out.u32(0x01010402);
        }
        out.u32(0x01030300U | tcp.window_shift);
    }
    if (tcp.timestamps) {
        out.u32(0x0101080a);
        out.u32(tcp.ts_value);
        out.u32(tcp.ts_echo);
    }
    if (tcp.sack_from != tcp.sack_to) {
        out.u32(0x0101050a);
        out.u32(tcp.sack_from);
        out.u32(tcp.sack_to);
    }
}

[[nodiscard]] std::size_t transport_bytes(const Packet& packet) noexcept {
    return packet.tuple.proto == kTcp ? 20 + option_bytes(packet.tcp) : 8;
}

void write_ip(Writer& out, const Packet& p, const Address& src, const Address& dst) noexcept {
    const std::size_t above = transport_bytes(p) + p.payload.size();
    if (src.v6) {
        std::uint64_t label = p.tuple.initiator_port;
        label = mix64((label << 24U) ^ (std::uint64_t{p.tuple.responder_port} << 8U) ^ at(p.from));
        out.u32(0x60000000U | static_cast<std::uint32_t>(label & 0xfffffU));
        out.u16(static_cast<std::uint32_t>(above));
        out.u8(p.tuple.proto);
        out.u8(p.ttl);
        out.bytes(src.wire());
        out.bytes(dst.wire());
        return;
    }
    const std::size_t start = out.size();
    out.u16(0x4500);
    out.u16(static_cast<std::uint32_t>(above + 20));
    out.u16(p.ip_id);
    out.u16(p.tuple.proto == kTcp ? 0x4000 : 0);  // don't fragment
    out.u8(p.ttl);
    out.u8(p.tuple.proto);
    out.u16(0);
    out.bytes(src.wire());
    out.bytes(dst.wire());
    out.put_u16(start + 10, fold(add_words(0, out.from(start))));
}

void write_transport(Writer& out, const Packet& p, std::uint16_t from, std::uint16_t to) noexcept {
    if (p.tuple.proto == kTcp) {
        write_tcp(out, p, from, to);
    } else if (p.tuple.proto == kUdp) {
        out.u16(from);
        out.u16(to);
        out.u16(static_cast<std::uint32_t>(8 + p.payload.size()));
        out.u16(0);
    } else {
        out.u8(p.icmp.type);
        out.u8(p.icmp.code);
        out.u16(0);
        out.u32(p.icmp.rest);
    }
}

[[nodiscard]] std::size_t checksum_offset(std::uint8_t proto) noexcept {
    return proto == kTcp ? 16 : proto == kUdp ? 6 : 2;
}

}  // namespace

std::string Address::text() const {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    inet_ntop(v6 ? AF_INET6 : AF_INET, wire().data(), buffer.data(), buffer.size());
    return buffer.data();
}

std::size_t header_bytes(const Packet& packet) noexcept {
    return (packet.tuple.initiator.v6 ? 40 : 20) + transport_bytes(packet);
}

void build_frame(const Packet& packet, Frame& frame) noexcept {
    assert(header_bytes(packet) + packet.payload.size() <= kMaxIpBytes);
    const Tuple& tuple = packet.tuple;
    const bool forward = packet.from == Side::initiator;
    const Address& src = forward ? tuple.initiator : tuple.responder;
    const Address& dst = forward ? tuple.responder : tuple.initiator;
    Writer out(frame);
    write_mac(out, dst);
    write_mac(out, src);
    out.u16(src.v6 ? 0x86dd : 0x0800);
    write_ip(out, packet, src, dst);
    const std::size_t start = out.size();
    write_transport(
        out,
        packet,
        forward ? tuple.initiator_port : tuple.responder_port,
        forward ? tuple.responder_port : tuple.initiator_port);
    out.bytes(packet.payload);
    std::uint64_t sum = add_words(0, out.from(start));
    if (tuple.proto != kIcmp) {  // all but ICMPv4 cover a pseudo-header
        sum = add_words(add_words(sum, src.wire()), dst.wire());
        sum += tuple.proto + (out.size() - start);
    }
    std::uint32_t checksum = fold(sum);
    if (tuple.proto == kUdp && checksum == 0) {
        checksum = 0xffff;  // 0 says "no checksum"
    }
    out.put_u16(start + checksum_offset(tuple.proto), checksum);
    while (out.size() < kMinFrameBytes) {
        out.u8(0);
    }
    static_assert(kEthernetBytes + kMaxIpBytes == kMaxFrameBytes);
}

}  // namespace weir::lab::synth
