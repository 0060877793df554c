// SPDX-License-Identifier: BSD-3-Clause
// Transport headers: TCP (RFC 9293), UDP (RFC 768), UDP-Lite (RFC 3828), SCTP (RFC 9260), DCCP (RFC 4340), ICMP (RFC 792)
// and ICMPv6 (RFC 4443). Any other protocol makes a flow without ports.
#include "dataplane/parse_walk.h"

namespace weir::dataplane {

namespace {

// How far a transport header goes, or why it does not.
struct Transport {
    ParseResult result = ParseResult::flow;
    std::uint32_t header_bytes = 0;
};

[[nodiscard]] Transport parse_tcp(FrameWalk& walk, const Extent& layer, Endpoints& ends) noexcept {
    if (!readable(walk, layer, kTcpBytes)) {
        return {shortage(walk, layer, kTcpBytes)};
    }
    const std::uint8_t* const tcp = walk.data + layer.begin;
    const std::uint32_t header_bytes = (tcp[12] >> 4U) * 4U;
    if (header_bytes < kTcpBytes || header_bytes > layer.bytes()) {
        return {ParseResult::malformed};
    }
    ends.src_port = raw16(tcp);
    ends.dst_port = raw16(tcp + 2);
    walk.header.tcp_seq = be32(tcp + 4);
    walk.header.tcp_ack = be32(tcp + 8);
    walk.header.tcp_flags = tcp[13];
    walk.header.tcp_window = be16(tcp + 14);
    return {ParseResult::flow, header_bytes};
}

// `datagram` is cut to the UDP length. Of a fragmented datagram only the first part is here. In a jumbogram the length
// is 0 (RFC 2675, 4).
[[nodiscard]] Transport parse_udp(
    const FrameWalk& walk, const Extent& layer, Endpoints& ends, Extent& datagram) noexcept {
    if (!readable(walk, layer, kUdpBytes)) {
        return {shortage(walk, layer, kUdpBytes)};
    }
    const std::uint8_t* const udp = walk.data + layer.begin;
    const std::uint32_t length = be16(udp + 4);
    ends.src_port = raw16(udp);
    ends.dst_port = raw16(udp + 2);
    if (walk.header.fragment ? length >= kUdpBytes : length == 0 && layer.bytes() > kMaxLength16) {
        return {ParseResult::flow, kUdpBytes};
    }
    if (length < kUdpBytes || length > layer.bytes()) {
        return {ParseResult::malformed};
    }
    datagram.end = layer.begin + length;
    return {ParseResult::flow, kUdpBytes};
}

// Coverage 0: the whole; it never ends inside the header.
[[nodiscard]] Transport parse_udp_lite(
    const FrameWalk& walk, const Extent& layer, Endpoints& ends) noexcept {
    if (!readable(walk, layer, kUdpBytes)) {
        return {shortage(walk, layer, kUdpBytes)};
    }
    const std::uint8_t* const udp = walk.data + layer.begin;
    const std::uint32_t coverage = be16(udp + 4);
    if ((coverage != 0 && coverage < kUdpBytes) ||
        (!walk.header.fragment && coverage > layer.bytes())) {
        return {ParseResult::malformed};
    }
    ends.src_port = raw16(udp);
    ends.dst_port = raw16(udp + 2);
    return {ParseResult::flow, kUdpBytes};
}

[[nodiscard]] Transport parse_sctp(
    const FrameWalk& walk, const Extent& layer, Endpoints& ends) noexcept {
    constexpr std::uint32_t kSctpBytes = 12;
    if (!readable(walk, layer, kSctpBytes)) {
        return {shortage(walk, layer, kSctpBytes)};
    }
    ends.src_port = raw16(walk.data + layer.begin);
    ends.dst_port = raw16(walk.data + layer.begin + 2);
    return {ParseResult::flow, kSctpBytes};
}

[[nodiscard]] Transport parse_dccp(
    const FrameWalk& walk, const Extent& layer, Endpoints& ends) noexcept {
    constexpr std::uint32_t kShortBytes = 12;
    constexpr std::uint32_t kLongBytes = 16;  // with 48-bit sequence numbers
    if (!readable(walk, layer, kShortBytes)) {
        return {shortage(walk, layer, kShortBytes)};
    }
    const std::uint8_t* const dccp = walk.data + layer.begin;
    const std::uint32_t header_bytes = dccp[4] * 4U;
    const std::uint32_t least = (dccp[8] & 1U) != 0 ? kLongBytes : kShortBytes;
    if (header_bytes < least || header_bytes > layer.bytes()) {
        return {ParseResult::malformed};
    }
    ends.src_port = raw16(dccp);
    ends.dst_port = raw16(dccp + 2);
    return {ParseResult::flow, header_bytes};
}

// The identifier makes a ping a flow of its own. Errors keep 0: what they embed is someone else's flow.
[[nodiscard]] Transport parse_icmp(FrameWalk& walk, const Extent& layer, Endpoints& ends) noexcept {
    constexpr std::uint32_t kIcmpBytes = 8;
    if (!readable(walk, layer, kIcmpBytes)) {
        return {shortage(walk, layer, kIcmpBytes)};
    }
    const std::uint8_t* const icmp = walk.data + layer.begin;
    walk.header.icmp_type = icmp[0];
    walk.header.icmp_code = icmp[1];
    const bool echo = walk.header.proto == kIpIcmp ? icmp[0] == 8 || icmp[0] == 0
                                                   : icmp[0] == 128 || icmp[0] == 129;
    if (echo) {
        ends.src_port = raw16(icmp + 4);
        ends.dst_port = ends.src_port;
    }
    return {ParseResult::flow, kIcmpBytes};
}

[[nodiscard]] Transport parse_transport(
    FrameWalk& walk, const Extent& layer, Endpoints& ends, Extent& datagram) noexcept {
    switch (walk.header.proto) {
        case kIpTcp:
            return parse_tcp(walk, layer, ends);
        case kIpUdp:
            return parse_udp(walk, layer, ends, datagram);
        case kIpUdpLite:
            return parse_udp_lite(walk, layer, ends);
        case kIpSctp:
            return parse_sctp(walk, layer, ends);
        case kIpDccp:
            return parse_dccp(walk, layer, ends);
        case kIpIcmp:
        case kIpIcmp6:
            return parse_icmp(walk, layer, ends);
        default:
            return {};
    }
}

}  // namespace

ParseResult walk_transport(FrameWalk& walk, Extent layer, Endpoints& ends) noexcept {
    PacketHeader& header = walk.header;
    Extent datagram = layer;
    Transport transport;  // a later fragment has none: all it carries is payload
    if (!header.later_fragment) {
        transport = parse_transport(walk, layer, ends, datagram);
        header.l4_offset = static_cast<std::uint16_t>(layer.begin);
    }
    if (transport.result != ParseResult::flow) {
        return transport.result;
    }
    header.payload_bytes = layer.bytes() - transport.header_bytes;
    header.src_port = swap16(ends.src_port);
    header.dst_port = swap16(ends.dst_port);
    header.src_is_hi = set_endpoints(walk.key, ends);
    walk.key.proto = header.proto;
    walk.key.ip_version = header.ip_version;
    if (header.fragment) {
        return ParseResult::flow;  // a tunnel's inner packet is not all here
    }
    return walk_tunnel(walk, datagram.after(transport.header_bytes));
}

}  // namespace weir::dataplane
