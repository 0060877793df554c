// SPDX-License-Identifier: BSD-3-Clause
// Tunnels over IP: IP-in-IP (RFC 2003, 2473, 4213), GRE (RFC 2784, 2890) with ERSPAN, PPTP (RFC 2637), VXLAN (RFC 7348), GENEVE (RFC 8926),
// GTP-U (3GPP TS 29.281), Teredo (RFC 4380), MPLS (RFC 4023, 7510).
#include "dataplane/parse_walk.h"

namespace weir::dataplane {

namespace {

// What an inner walk says when there is no inner packet to speak of: the outer flow stands.
constexpr ParseResult kNoTunnel = ParseResult::other;

constexpr std::uint32_t kVniShift = 8;

[[nodiscard]] ParseResult walk_erspan(
    FrameWalk& walk, Extent layer, std::uint16_t type, bool sequence) noexcept {
    constexpr std::uint32_t kErspan2Bytes = 8;
    constexpr std::uint32_t kErspan3Bytes = 12;
    constexpr std::uint32_t kSubheaderBytes = 8;
    constexpr std::uint16_t kSessionMask = 0x03ff;
    if (type == kEtherErspan2 && !sequence) {
        return walk_ethernet(walk, layer);  // type I: GRE, then the frame
    }
    std::uint32_t header_bytes = type == kEtherErspan2 ? kErspan2Bytes : kErspan3Bytes;
    if (!readable(walk, layer, header_bytes)) {
        return kNoTunnel;
    }
    const std::uint8_t* const erspan = walk.data + layer.begin;
    const unsigned version = erspan[0] >> 4U;
    if (version != (type == kEtherErspan2 ? 1U : 2U)) {
        return kNoTunnel;
    }
    if (type == kEtherErspan3 && (erspan[kErspan3Bytes - 1] & 1U) != 0) {
        header_bytes += kSubheaderBytes;
    }
    if (header_bytes > layer.bytes()) {
        return kNoTunnel;
    }
    walk.key.tunnel_id = be16(erspan + 2) & kSessionMask;
    return walk_ethernet(walk, layer.after(header_bytes));
}

// GRE of version 1. The call id is the receiver's choice, another in each direction: it stays out of the key.
[[nodiscard]] ParseResult walk_pptp(FrameWalk& walk, Extent layer) noexcept {
    constexpr std::uint16_t kKeyAndSequence = 0x3000;
    constexpr std::uint16_t kAcknowledgment = 0x0080;
    constexpr std::uint32_t kPptpBytes = 12;  // with the sequence number that data has
    constexpr std::uint32_t kAcknowledgmentBytes = 4;
    if (!readable(walk, layer, kPptpBytes)) {
        return kNoTunnel;
    }
    const std::uint8_t* const gre = walk.data + layer.begin;
    const std::uint16_t flags = be16(gre);
    const std::uint32_t length = be16(gre + 4);
    const std::uint32_t header_bytes =
        kPptpBytes + ((flags & kAcknowledgment) != 0 ? kAcknowledgmentBytes : 0);
    if ((flags & kKeyAndSequence) != kKeyAndSequence || be16(gre + 2) != kEtherPpp ||
        header_bytes + length > layer.bytes()) {
        return kNoTunnel;
    }
    const Extent packet = layer.after(header_bytes);
    return walk_ppp(walk, {packet.begin, packet.begin + length});
}

[[nodiscard]] ParseResult walk_gre(FrameWalk& walk, Extent layer) noexcept {
    constexpr std::uint16_t kChecksum = 0x8000;
    constexpr std::uint16_t kRouting = 0x4000;
    constexpr std::uint16_t kKey = 0x2000;
    constexpr std::uint16_t kSequence = 0x1000;
    constexpr std::uint16_t kVersion = 0x0007;
    constexpr std::uint32_t kWord = 4;
    if (!readable(walk, layer, kWord)) {
        return kNoTunnel;
    }
    const std::uint8_t* const gre = walk.data + layer.begin;
    const std::uint16_t flags = be16(gre);
    // Routing is long gone (RFC 2784, 2.3).
    if ((flags & (kRouting | kVersion)) != 0) {
        return (flags & (kRouting | kVersion)) == 1 ? walk_pptp(walk, layer) : kNoTunnel;
    }
    const bool with_key = (flags & kKey) != 0;
    const bool sequence = (flags & kSequence) != 0;
    const std::uint32_t key_at = (flags & kChecksum) != 0 ? 2 * kWord : kWord;
    const std::uint32_t header_bytes = key_at + (with_key ? kWord : 0) + (sequence ? kWord : 0);
    if (!readable(walk, layer, header_bytes)) {
        return kNoTunnel;
    }
    if (with_key) {
        walk.key.tunnel_id = be32(gre + key_at);
    }
    const std::uint16_t type = be16(gre + 2);
    const Extent packet = layer.after(header_bytes);
    switch (type) {
        case kEtherTeb:
            return walk_ethernet(walk, packet);
        case kEtherPpp:
            return walk_ppp(walk, packet);
        case kEtherErspan2:
        case kEtherErspan3:
            return walk_erspan(walk, packet, type, sequence);
        default:
            return walk_ethertype(walk, packet, type);
    }
}

[[nodiscard]] ParseResult walk_vxlan(FrameWalk& walk, Extent layer) noexcept {
    constexpr std::uint32_t kVxlanBytes = 8;
    constexpr std::uint8_t kHasVni = 0x08;
    if (!readable(walk, layer, kVxlanBytes)) {
        return kNoTunnel;
    }
    const std::uint8_t* const vxlan = walk.data + layer.begin;
    if ((vxlan[0] & kHasVni) == 0) {
        return kNoTunnel;
    }
    walk.key.tunnel_id = be32(vxlan + 4) >> kVniShift;
    return walk_ethernet(walk, layer.after(kVxlanBytes));
}

[[nodiscard]] ParseResult walk_geneve(FrameWalk& walk, Extent layer) noexcept {
    constexpr std::uint32_t kGeneveBytes = 8;
    constexpr std::uint8_t kOptionsMask = 0x3f;
    constexpr std::uint8_t kControl = 0x80;
    if (!readable(walk, layer, kGeneveBytes)) {
        return kNoTunnel;
    }
    const std::uint8_t* const geneve = walk.data + layer.begin;
    const std::uint32_t header_bytes = kGeneveBytes + (geneve[0] & kOptionsMask) * 4U;
    if (geneve[0] >> 6U != 0 || (geneve[1] & kControl) != 0 || header_bytes > layer.bytes()) {
        return kNoTunnel;
    }
    walk.key.tunnel_id = be32(geneve + 4) >> kVniShift;
    const std::uint16_t type = be16(geneve + 2);
    const Extent packet = layer.after(header_bytes);
    return type == kEtherTeb ? walk_ethernet(walk, packet) : walk_ethertype(walk, packet, type);
}

// Moves `layer` behind GTP-U's extension headers. False if they do not fit.
[[nodiscard]] bool skip_gtp_extensions(
    const FrameWalk& walk, Extent& layer, std::uint8_t type) noexcept {
    constexpr std::uint32_t kUnit = 4;
    while (type != 0) {
        if (!readable(walk, layer, kUnit)) {
            return false;
        }
        const std::uint32_t bytes = walk.data[layer.begin] * kUnit;
        if (bytes == 0 || !readable(walk, layer, bytes)) {
            return false;
        }
        type = walk.data[layer.begin + bytes - 1];
        layer = layer.after(bytes);
    }
    return true;
}

[[nodiscard]] ParseResult walk_gtp(FrameWalk& walk, Extent layer) noexcept {
    constexpr std::uint32_t kGtpBytes = 8;
    constexpr std::uint32_t kOptionalBytes = 4;
    constexpr std::uint8_t kVersionMask = 0xf0;  // version, protocol type
    constexpr std::uint8_t kGtpU1 = 0x30;
    constexpr std::uint8_t kOptional = 0x07;
    constexpr std::uint8_t kExtension = 0x04;
    constexpr std::uint8_t kUserData = 255;
    if (!readable(walk, layer, kGtpBytes)) {
        return kNoTunnel;
    }
    const std::uint8_t* const gtp = walk.data + layer.begin;
    const std::uint32_t length = be16(gtp + 2);
    if ((gtp[0] & kVersionMask) != kGtpU1 || gtp[1] != kUserData ||
        kGtpBytes + length > layer.bytes()) {
        return kNoTunnel;
    }
    Extent packet{layer.begin + kGtpBytes, layer.begin + kGtpBytes + length};
    if ((gtp[0] & kOptional) != 0) {
        if (!readable(walk, packet, kOptionalBytes)) {
            return kNoTunnel;
        }
        packet = packet.after(kOptionalBytes);
        const bool extended = (gtp[0] & kExtension) != 0;
        if (extended && !skip_gtp_extensions(walk, packet, gtp[kGtpBytes + 3])) {
            return kNoTunnel;
        }
    }
    walk.key.tunnel_id = be32(gtp + 4);
    return walk_ip(walk, packet);
}

// Nothing in Teredo says that it is Teredo: only an IPv6 packet of exactly the datagram's length counts.
[[nodiscard]] ParseResult walk_teredo(FrameWalk& walk, Extent layer) noexcept {
    constexpr std::uint32_t kIndicatorBytes = 2;
    constexpr std::uint32_t kOriginBytes = 8;
    constexpr std::uint32_t kAuthenticationBytes = 13;  // and the two lengths' worth
    constexpr std::uint16_t kOrigin = 0;
    constexpr std::uint16_t kAuthentication = 1;
    if (readable(walk, layer, 4) && be16(walk.data + layer.begin) == kAuthentication) {
        const std::uint8_t* const at = walk.data + layer.begin;
        const std::uint32_t bytes = kAuthenticationBytes + at[2] + at[3];
        if (bytes > layer.bytes()) {
            return kNoTunnel;
        }
        layer = layer.after(bytes);
    }
    if (readable(walk, layer, kIndicatorBytes) && be16(walk.data + layer.begin) == kOrigin) {
        if (kOriginBytes > layer.bytes()) {
            return kNoTunnel;
        }
        layer = layer.after(kOriginBytes);
    }
    if (!readable(walk, layer, kIpv6Bytes) || walk.data[layer.begin] >> 4U != 6 ||
        kIpv6Bytes + be16(walk.data + layer.begin + 4) != layer.bytes()) {
        return kNoTunnel;
    }
    return walk_ipv6(walk, layer);
}

[[nodiscard]] ParseResult walk_udp_tunnel(FrameWalk& walk, Extent payload) noexcept {
    switch (walk.header.dst_port) {
        case kPortVxlan:
            return walk_vxlan(walk, payload);
        case kPortGeneve:
            return walk_geneve(walk, payload);
        case kPortGtpU:
            return walk_gtp(walk, payload);
        case kPortMpls:
            return walk_ethertype(walk, payload, kEtherMpls);
        default:
            return walk_teredo(walk, payload);
    }
}

[[nodiscard]] ParseResult walk_inner(FrameWalk& walk, Extent payload) noexcept {
    switch (walk.header.proto) {
        case kIpUdp:
            return walk_udp_tunnel(walk, payload);
        case kIpIpv4:
            return walk_ipv4(walk, payload);
        case kIpIpv6:
            return walk_ipv6(walk, payload);
        case kIpGre:
            return walk_gre(walk, payload);
        case kIpMpls:
            return walk_ethertype(walk, payload, kEtherMpls);
        case kIpEthernet:
            return walk_ethernet(walk, payload);
        default:
            return kNoTunnel;
    }
}

[[nodiscard]] bool may_be_tunnel(const PacketHeader& header) noexcept {
    switch (header.proto) {
        case kIpUdp:
            return is_tunnel_port(header.src_port, header.dst_port);
        case kIpIpv4:
        case kIpIpv6:
        case kIpGre:
        case kIpMpls:
        case kIpEthernet:
            return true;
        default:
            return false;
    }
}

}  // namespace

// The outer packet is whole, and it is what the network carries: nothing wrong within it can take its flow away. A port
// number is a guess, and a guess must not make a good packet a malformed one. Only what nests deeper than the limits is
// reported, so that hiding behind tunnels is an owner's choice to allow.
ParseResult walk_tunnel(FrameWalk& walk, Extent payload) noexcept {
    if (!may_be_tunnel(walk.header)) {
        return ParseResult::flow;
    }
    const FlowKey outer_key = walk.key;
    const PacketHeader outer = walk.header;
    const ParseResult inner = enter(walk) ? walk_inner(walk, payload) : ParseResult::unsupported;
    if (inner != ParseResult::flow && inner != ParseResult::unsupported) {
        walk.key = outer_key;
        walk.header = outer;
        return ParseResult::flow;
    }
    return inner;
}

}  // namespace weir::dataplane
