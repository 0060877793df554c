// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/reset.h"

#include "dataplane/byte_order.h"

#include <cstring>

namespace weir::dataplane {

namespace {

constexpr std::uint32_t kIpv4Bytes = 20;
constexpr std::uint32_t kIpv6Bytes = 40;
constexpr std::uint32_t kTcpBytes = 20;
constexpr std::uint32_t kPppoeBytes = 6;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint32_t kFin = 0x01;
constexpr std::uint32_t kSyn = 0x02;
constexpr std::uint32_t kRst = 0x04;
constexpr std::uint32_t kAck = 0x10;

[[nodiscard]] std::uint32_t sum(
    const std::uint8_t* data, std::uint32_t bytes, std::uint32_t from) noexcept {
    for (std::uint32_t i = 0; i < bytes; i += 2) {  // all that is summed here has even length
        from += static_cast<std::uint32_t>(data[i]) << 8U | data[i + 1];
    }
    return from;
}

[[nodiscard]] std::uint32_t folded(std::uint32_t value) noexcept {
    constexpr std::uint32_t kMask = 0xffff;
    value = (value & kMask) + (value >> 16U);
    value = (value & kMask) + (value >> 16U);
    return ~value & kMask;
}

// What `frame` has before its IP header at `l3` fits another packet too: Ethernet and tags, or a PPPoE session behind them,
// whose header counts what follows it and is at *pppoe then.
[[nodiscard]] bool link_fits(
    const std::uint8_t* frame, std::uint32_t l3, std::uint32_t& pppoe) noexcept {
    constexpr std::uint32_t kTagBytes = 4;
    constexpr std::uint32_t kSession = 0x8864;
    std::uint32_t at = 12;
    std::uint32_t type = get16(frame + at);
    while ((type == 0x8100 || type == 0x88a8 || type == 0x9100) && at + 2 + kTagBytes <= l3) {
        at += kTagBytes;
        type = get16(frame + at);
    }
    at += 2;
    pppoe = type == kSession && at + kPppoeBytes < l3 ? at : 0;
    return pppoe != 0 || at == l3;
}

// The IP header at `ip`, addresses swapped if `swap`; returns its length.
std::uint32_t put_ip(
    const std::uint8_t* from, std::uint8_t version, bool swap, std::uint8_t* ip) noexcept {
    constexpr std::uint8_t kTtl = 64;
    const std::uint32_t at = version == 4 ? 12 : 8;
    const std::uint32_t bytes = version == 4 ? 4 : 16;
    if (version == 4) {
        std::memset(ip, 0, kIpv4Bytes);
        ip[0] = 0x45;
        put16(ip + 2, kIpv4Bytes + kTcpBytes);
        ip[6] = 0x40;  // don't fragment: its identification of 0 needs be nobody's (RFC 6864)
        ip[8] = kTtl;
        ip[9] = kTcp;
    } else {
        std::memset(ip, 0, kIpv6Bytes);
        ip[0] = 0x60;
        put16(ip + 4, kTcpBytes);
        ip[6] = kTcp;
        ip[7] = kTtl;
    }
    std::memcpy(ip + at, from + at + (swap ? bytes : 0), bytes);
    std::memcpy(ip + at + bytes, from + at + (swap ? 0 : bytes), bytes);
    if (version == 4) {
        put16(ip + 10, folded(sum(ip, kIpv4Bytes, 0)));
        return kIpv4Bytes;
    }
    return kIpv6Bytes;
}

void put_tcp(
    const PacketHeader& header, ResetTo to, const std::uint8_t* ip, std::uint8_t* tcp) noexcept {
    const bool back = to == ResetTo::sender;
    const bool acked = (header.tcp_flags & kAck) != 0;
    std::memset(tcp, 0, kTcpBytes);
    put16(tcp, back ? header.dst_port : header.src_port);
    put16(tcp + 2, back ? header.src_port : header.dst_port);
    tcp[12] = kTcpBytes / 4 << 4U;
    tcp[13] = kRst;
    if (!back) {
        put32(tcp + 4, header.tcp_seq);
    } else if (acked) {
        put32(tcp + 4, header.tcp_ack);
    } else {
        const std::uint32_t sent = header.payload_bytes +
                                   ((header.tcp_flags & kSyn) != 0 ? 1U : 0U) +
                                   ((header.tcp_flags & kFin) != 0 ? 1U : 0U);
        put32(tcp + 8, header.tcp_seq + sent);
        tcp[13] = kRst | kAck;
    }
    // The pseudo-header: addresses, protocol and length (RFC 9293 section 3.1, RFC 8200 section 8.1).
    const bool v4 = header.ip_version == 4;
    const std::uint32_t pseudo = sum(ip + (v4 ? 12 : 8), v4 ? 8 : 32, kTcp + kTcpBytes);
    put16(tcp + 16, folded(sum(tcp, kTcpBytes, pseudo)));
}

}  // namespace

std::uint32_t build_reset(
    const std::uint8_t* frame,
    std::uint32_t available,
    const PacketHeader& header,
    ResetTo to,
    std::array<std::uint8_t, kResetBytes>& out) noexcept {
    constexpr std::uint32_t kMostLinkBytes = 14 + 16;
    const std::uint32_t l3 = header.l3_offset;
    const std::uint32_t address_end = l3 + (header.ip_version == 4 ? kIpv4Bytes : kIpv6Bytes);
    const bool opening = (header.tcp_flags & (kSyn | kAck)) == kSyn;
    if (header.proto != kTcp || header.fragment || header.l4_offset == 0 ||
        (header.tcp_flags & kRst) != 0 || l3 != header.outer_l3_offset || l3 < 14 ||
        l3 > kMostLinkBytes || available < address_end || (to == ResetTo::receiver && opening)) {
        return 0;
    }
    std::uint32_t pppoe = 0;
    if (!link_fits(frame, l3, pppoe)) {
        return 0;
    }
    std::memcpy(out.data(), frame, l3);
    if (to == ResetTo::sender) {
        constexpr std::uint32_t kMac = 6;
        std::memcpy(out.data(), frame + kMac, kMac);
        std::memcpy(out.data() + kMac, frame, kMac);
    }
    std::uint8_t* const ip = out.data() + l3;
    const std::uint32_t ip_bytes = put_ip(frame + l3, header.ip_version, to == ResetTo::sender, ip);
    put_tcp(header, to, ip, ip + ip_bytes);
    if (pppoe != 0) {
        put16(out.data() + pppoe + 4, l3 - pppoe - kPppoeBytes + ip_bytes + kTcpBytes);
    }
    return l3 + ip_bytes + kTcpBytes;
}

}  // namespace weir::dataplane
