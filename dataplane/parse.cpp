// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/parse.h"

#include "dataplane/parse_walk.h"

#include <algorithm>
#include <cstring>

#include <rte_mbuf.h>
#include <rte_prefetch.h>

namespace weir::dataplane {

namespace {

// ---- the shortcut ---------------------------------------------------------------------------------------------------
// Ethernet, up to two tags, IPv4 without options or IPv6 without extension headers, whole TCP or UDP. It says yes or
// "look again": whatever is unusual or wrong is the walk's to judge. Conditions are gathered with | so that only what
// real traffic seldom does costs a branch.

struct Link {
    std::uint32_t l3 = kEthernetBytes;
    std::uint16_t type = 0;
    std::uint16_t vlan = 0;
    std::uint16_t inner_vlan = 0;
    std::uint8_t tags = 0;
};

[[nodiscard]] bool is_tag(std::uint16_t type) noexcept {
    return type == kEtherVlan || type == kEtherQinq;
}

// Reads 22 bytes at most.
[[nodiscard]] Link straight_link(const std::uint8_t* data) noexcept {
    constexpr std::uint16_t kVlanIdMask = 0x0fff;
    Link link;
    link.type = be16(data + 12);
    if (is_tag(link.type)) {
        link.vlan = be16(data + 14) & kVlanIdMask;
        link.type = be16(data + 16);
        link.l3 += kVlanBytes;
        link.tags = 1;
        if (is_tag(link.type)) {
            link.inner_vlan = be16(data + 18) & kVlanIdMask;
            link.type = be16(data + 20);
            link.l3 += kVlanBytes;
            link.tags = 2;
        }
    }
    return link;
}

// The addresses in canonical order. True if the sender is `hi`.
template <std::uint8_t kVersion>
[[nodiscard, gnu::always_inline]] inline bool straight_endpoints(
    const std::uint8_t* ip, std::uint16_t src_port, std::uint16_t dst_port, FlowKey& key) noexcept {
    Endpoints ends{{0, 0}, {0, 0}, src_port, dst_port};
    if constexpr (kVersion == 4) {
        ends.src[1] = mapped_word(raw32(ip + 12));
        ends.dst[1] = mapped_word(raw32(ip + 16));
    } else {
        ends.src[0] = raw64(ip + 8);
        ends.src[1] = raw64(ip + 16);
        ends.dst[0] = raw64(ip + 24);
        ends.dst[1] = raw64(ip + 32);
    }
    return set_endpoints(key, ends);
}

// TCP or UDP behind the IP header, `room` bytes in all, of which kTcpBytes may be read. False: look again.
template <std::uint8_t kVersion>
[[nodiscard, gnu::always_inline]] inline bool straight_transport(
    const std::uint8_t* ip,
    std::uint32_t room,
    const Link& link,
    FlowKey& key,
    PacketHeader& header) noexcept {
    constexpr std::uint32_t kIpBytes = kVersion == 4 ? kIpv4Bytes : kIpv6Bytes;
    const std::uint8_t* const l4 = ip + kIpBytes;
    const std::uint8_t proto = kVersion == 4 ? ip[9] : ip[6];
    // The two protocols alternate as they like: masks instead of branches, kept from the compiler, which would branch.
    std::uint32_t tcp = 0 - static_cast<std::uint32_t>(proto == kIpTcp);
    __asm__("" : "+r"(tcp));
    const std::uint16_t src_port = be16(l4);
    const std::uint16_t dst_port = be16(l4 + 2);
    const std::uint32_t header_bytes = ((l4[12] >> 4U) * 4U & tcp) | (kUdpBytes & ~tcp);
    const std::uint32_t udp_length = (be16(l4 + 4) & ~tcp) | (kUdpBytes & tcp);
    const std::uint32_t least = (kTcpBytes & tcp) | (kUdpBytes & ~tcp);
    const std::uint32_t tunnel = static_cast<std::uint32_t>(is_tunnel_port(src_port, dst_port));
    const std::uint32_t unknown = static_cast<std::uint32_t>(proto != kIpUdp);
    const std::uint32_t doubt = (~tcp & (unknown | tunnel)) |
                                static_cast<std::uint32_t>(header_bytes < least) |
                                static_cast<std::uint32_t>(header_bytes > room) |
                                static_cast<std::uint32_t>(udp_length < kUdpBytes) |
                                static_cast<std::uint32_t>(udp_length > room);
    if (doubt != 0) {
        return false;
    }
    header.src_port = src_port;
    header.dst_port = dst_port;
    // UDP has none of these.
    header.tcp_seq = be32(l4 + 4) & tcp;
    header.tcp_ack = be32(l4 + 8) & tcp;
    header.tcp_flags = static_cast<std::uint8_t>(l4[13] & tcp);
    header.tcp_window = static_cast<std::uint16_t>(be16(l4 + 14) & tcp);
    header.payload_bytes = room - header_bytes;
    header.ip_bytes = kIpBytes + room;
    header.l3_offset = static_cast<std::uint16_t>(link.l3);
    header.outer_l3_offset = static_cast<std::uint16_t>(link.l3);
    header.l4_offset = static_cast<std::uint16_t>(link.l3 + kIpBytes);
    const auto tos = kVersion == 4 ? ip[1] : static_cast<std::uint8_t>(be16(ip) >> 4U);
    header.tos = tos;
    header.outer_tos = tos;
    header.ttl = kVersion == 4 ? ip[8] : ip[7];
    header.proto = proto;
    header.ip_version = kVersion;
    header.vlan_tags = link.tags;
    header.src_is_hi = straight_endpoints<kVersion>(ip, raw16(l4), raw16(l4 + 2), key);
    key.tunnel_id = 0;
    key.vlan = link.vlan;
    key.proto = proto;
    key.ip_version = kVersion;
    key.pair = 0;
    key.inner_vlan = link.inner_vlan;
    return true;
}

// `room`: from the IP header to the end of the frame.
[[nodiscard]] bool straight_ipv4(
    const std::uint8_t* ip,
    std::uint32_t room,
    const Link& link,
    FlowKey& key,
    PacketHeader& header) noexcept {
    constexpr std::uint8_t kNoOptions = 0x45;
    constexpr std::uint16_t kFragmentMask = 0x3fff;
    const std::uint32_t bytes = be16(ip + 2);
    const unsigned doubt = static_cast<unsigned>(ip[0] != kNoOptions) |
                           static_cast<unsigned>((be16(ip + 6) & kFragmentMask) != 0) |
                           static_cast<unsigned>(bytes < kIpv4Bytes) |
                           static_cast<unsigned>(bytes > room);
    return doubt == 0 && straight_transport<4>(ip, bytes - kIpv4Bytes, link, key, header);
}

[[nodiscard]] bool straight_ipv6(
    const std::uint8_t* ip,
    std::uint32_t room,
    const Link& link,
    FlowKey& key,
    PacketHeader& header) noexcept {
    const std::uint32_t payload = be16(ip + 4);
    const unsigned doubt = static_cast<unsigned>(ip[0] >> 4U != 6) |
                           static_cast<unsigned>(kIpv6Bytes + payload > room);
    return doubt == 0 && straight_transport<6>(ip, payload, link, key, header);
}

[[nodiscard]] bool parse_straight(
    const std::uint8_t* data,
    std::uint32_t readable,
    std::uint32_t frame_bytes,
    FlowKey& key,
    PacketHeader& header) noexcept {
    constexpr std::uint32_t kLinkBytes = kEthernetBytes + 2 * kVlanBytes;
    if (readable < kLinkBytes) {
        return false;
    }
    const Link link = straight_link(data);
    const std::uint8_t* const ip = data + link.l3;
    const std::uint32_t room = frame_bytes - link.l3;
    if (link.type == kEtherIpv4) {
        return readable >= link.l3 + kIpv4Bytes + kTcpBytes &&
               straight_ipv4(ip, room, link, key, header);
    }
    return link.type == kEtherIpv6 && readable >= link.l3 + kIpv6Bytes + kTcpBytes &&
           straight_ipv6(ip, room, link, key, header);
}

// ---- segmented frames -----------------------------------------------------------------------------------------------

// The first kParseBytes may lie in several segments. Drivers have told lengths that their chains did not hold: the chain
// is what counts (rte_pktmbuf_read believes the length).
[[gnu::noinline, gnu::cold]] ParseResult parse_segmented(
    const rte_mbuf& mbuf, FlowKey& key, PacketHeader& header) noexcept {
    std::uint8_t copy[kParseBytes];
    std::uint32_t copied = 0;
    for (const rte_mbuf* segment = &mbuf; segment != nullptr && copied < kParseBytes;
         segment = segment->next) {
        const std::uint32_t part = std::min<std::uint32_t>(segment->data_len, kParseBytes - copied);
        std::memcpy(copy + copied, rte_pktmbuf_mtod(segment, const std::uint8_t*), part);
        copied += part;
    }
    return parse_frame(copy, copied, mbuf.pkt_len, key, header);
}

}  // namespace

ParseResult parse_frame(
    const std::uint8_t* data,
    std::uint32_t available,
    std::uint32_t frame_bytes,
    FlowKey& key,
    PacketHeader& header) noexcept {
    header = PacketHeader{};
    header.frame_bytes = frame_bytes;
    if (parse_straight(data, std::min(available, frame_bytes), frame_bytes, key, header)) {
        return ParseResult::flow;
    }
    return walk_frame(data, available, frame_bytes, key, header);
}

void parse(Batch& batch, const std::uint16_t* pair_of_port) noexcept {
    constexpr std::uint32_t kAhead = 4;
    batch.fragments = 0;
    for (std::uint32_t i = 0; i < batch.size; ++i) {
        if (i + kAhead < batch.size) {
            rte_prefetch0(rte_pktmbuf_mtod(batch.mbuf[i + kAhead], const void*));
        }
        const rte_mbuf& mbuf = *batch.mbuf[i];
        FlowKey& key = batch.key[i];
        PacketHeader& header = batch.header[i];
        if (mbuf.data_len < kParseBytes && mbuf.pkt_len > mbuf.data_len) {
            batch.parsed[i] = parse_segmented(mbuf, key, header);
        } else {
            batch.parsed[i] = parse_frame(
                rte_pktmbuf_mtod(&mbuf, const std::uint8_t*),
                mbuf.data_len,
                mbuf.pkt_len,
                key,
                header);
        }
        key.pair = pair_of_port[batch.rx_port[i]];
        batch.fragments += static_cast<std::uint32_t>(header.fragment);
    }
}

}  // namespace weir::dataplane
