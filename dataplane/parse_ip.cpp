// SPDX-License-Identifier: BSD-3-Clause
// IPv4 (RFC 791) and IPv6 (RFC 8200, 2675, 4302) with all that comes before the transport header.
#include "dataplane/parse_walk.h"

namespace weir::dataplane {

namespace {

constexpr std::uint32_t kMaxExtensionHeaders = 8;

// Begins the facts of an IP header anew; what lies around it stays.
void begin_ip(
    FrameWalk& walk, const Extent& layer, std::uint8_t version, std::uint8_t tos) noexcept {
    const PacketHeader around = walk.header;
    PacketHeader& header = walk.header;
    header = PacketHeader{};
    header.frame_bytes = around.frame_bytes;
    header.vlan_tags = around.vlan_tags;
    header.l3_offset = static_cast<std::uint16_t>(layer.begin);
    header.outer_l3_offset = walk.in_ip ? around.outer_l3_offset : header.l3_offset;
    header.ip_version = version;
    header.tos = tos;
    header.outer_tos = walk.in_ip ? around.outer_tos : tos;
    walk.in_ip = true;
}

// Fragment `offset`, bit 0 of `more`: more follow. False if the whole would be longer than any packet can be.
[[nodiscard]] bool set_fragment(
    PacketHeader& header, std::uint32_t offset, bool more, std::uint32_t bytes) noexcept {
    header.fragment = header.fragment || offset != 0 || more;
    header.later_fragment = offset != 0;
    return offset == 0 || offset + bytes <= kMaxLength16;
}

// What a header of the chain is, and where it ends.
struct Extension {
    std::uint32_t bytes = 0;  ///< 0: no extension header
    std::uint32_t least = 0;  ///< shorter contradicts its definition
};

[[nodiscard]] Extension extension(std::uint8_t proto, const std::uint8_t* at) noexcept {
    constexpr std::uint32_t kUnit = 8;
    switch (proto) {
        case kIpHopByHop:
        case kIpRouting:
        case kIpDestinationOptions:
        case kIpMobility:
        case kIpHip:
        case kIpShim6:
            return {(at[1] + 1U) * kUnit, kUnit};
        case kIpFragment:
            return {kUnit, kUnit};
        case kIpAh:
            return {(at[1] + 2U) * 4U, 12};
        default:
            return {};
    }
}

// IPv4 knows but one: the authentication header.
[[nodiscard]] bool is_extension(const PacketHeader& header) noexcept {
    constexpr std::uint8_t kShortest[2] = {0, 0};
    return header.ip_version == 4 ? header.proto == kIpAh
                                  : extension(header.proto, kShortest).bytes != 0;
}

// Moves `layer` behind the extension headers, header.proto to what follows them. `flow`: all is well.
[[nodiscard]] ParseResult skip_extensions(FrameWalk& walk, Extent& layer) noexcept {
    constexpr std::uint32_t kFixedBytes = 8;  // every extension header is as long
    PacketHeader& header = walk.header;
    for (std::uint32_t n = 0; is_extension(header); ++n) {
        if (n == kMaxExtensionHeaders) {
            return ParseResult::unsupported;
        }
        if (!readable(walk, layer, kFixedBytes)) {
            return shortage(walk, layer, kFixedBytes);
        }
        const std::uint8_t* const at = walk.data + layer.begin;
        const Extension one = extension(header.proto, at);
        if (one.bytes < one.least || one.bytes > layer.bytes()) {
            return one.bytes < one.least ? ParseResult::malformed
                                         : shortage(walk, layer, one.bytes);
        }
        layer = layer.after(one.bytes);
        const bool fragment = header.proto == kIpFragment;
        header.proto = at[0];
        if (!fragment) {
            continue;
        }
        constexpr std::uint16_t kOffsetMask = 0xfff8;
        const std::uint16_t field = be16(at + 2);
        header.fragment_id = be32(at + 4);
        if (!set_fragment(header, field & kOffsetMask, (field & 1U) != 0, layer.bytes())) {
            return ParseResult::malformed;
        }
        if (header.later_fragment) {
            break;
        }
    }
    return ParseResult::flow;
}

// Length of the jumbo payload option in the hop-by-hop header at `layer`, 0 if there is none (RFC 2675).
[[nodiscard]] std::uint32_t jumbo_length(const FrameWalk& walk, const Extent& layer) noexcept {
    constexpr std::uint8_t kPad1 = 0;
    constexpr std::uint8_t kJumbo = 0xc2;
    constexpr std::uint8_t kJumboBytes = 4;
    if (!readable(walk, layer, 8)) {
        return 0;
    }
    const std::uint8_t* const at = walk.data + layer.begin;
    const std::uint32_t bytes = (at[1] + 1U) * 8U;
    if (!readable(walk, layer, bytes)) {
        return 0;
    }
    for (std::uint32_t i = 2; i < bytes;) {
        if (at[i] == kPad1) {
            ++i;
            continue;
        }
        if (i + 2 > bytes || i + 2U + at[i + 1] > bytes) {
            return 0;
        }
        if (at[i] == kJumbo && at[i + 1] == kJumboBytes) {
            return be32(at + i + 2);
        }
        i += 2U + at[i + 1];
    }
    return 0;
}

// The length of what follows the IPv6 header, or more than there is room for.
[[nodiscard]] std::uint32_t ipv6_payload(const FrameWalk& walk, const Extent& layer) noexcept {
    const std::uint8_t* const ip = walk.data + layer.begin;
    const std::uint32_t length = be16(ip + 4);
    if (length != 0) {
        return length;
    }
    const Extent behind = layer.after(kIpv6Bytes);
    if (ip[6] == kIpHopByHop) {
        const std::uint32_t jumbo = jumbo_length(walk, behind);
        if (jumbo > kMaxLength16) {
            return jumbo;
        }
    }
    // What segmentation offload joined and 16 bits cannot tell.
    return behind.bytes() > kMaxLength16 ? behind.bytes() : 0;
}

// `layer`: what follows the IP header.
[[nodiscard]] ParseResult finish_ip(FrameWalk& walk, Extent layer, Endpoints& ends) noexcept {
    if (!walk.header.later_fragment) {
        if (const ParseResult result = skip_extensions(walk, layer); result != ParseResult::flow) {
            return result;
        }
    }
    return walk_transport(walk, layer, ends);
}

}  // namespace

ParseResult walk_ipv4(FrameWalk& walk, Extent layer) noexcept {
    constexpr std::uint16_t kMoreFragments = 0x2000;
    constexpr std::uint16_t kOffsetMask = 0x1fff;
    constexpr std::uint32_t kOffsetUnit = 8;
    if (!readable(walk, layer, kIpv4Bytes)) {
        return shortage(walk, layer, kIpv4Bytes);
    }
    const std::uint8_t* const ip = walk.data + layer.begin;
    const std::uint32_t header_bytes = (ip[0] & 0x0fU) * 4U;
    if (ip[0] >> 4U != 4 || header_bytes < kIpv4Bytes) {
        return ParseResult::malformed;
    }
    begin_ip(walk, layer, 4, ip[1]);
    PacketHeader& header = walk.header;
    header.ip_bytes = be16(ip + 2);
    // What segmentation offload joined and 16 bits cannot tell. A 0 in a shorter packet is only wrong: routers drop it.
    if (header.ip_bytes == 0 && layer.bytes() > kMaxLength16) {
        header.ip_bytes = layer.bytes();
    }
    if (header.ip_bytes < header_bytes) {
        return ParseResult::malformed;
    }
    if (header.ip_bytes > layer.bytes()) {
        return shortage(walk, layer, header.ip_bytes);
    }
    layer.end = layer.begin + header.ip_bytes;
    header.ip_options = header_bytes > kIpv4Bytes;
    header.ttl = ip[8];
    header.proto = ip[9];
    const std::uint16_t fragment = be16(ip + 6);
    header.fragment_id = be16(ip + 4);
    if (!set_fragment(
            header,
            (fragment & kOffsetMask) * kOffsetUnit,
            (fragment & kMoreFragments) != 0,
            header.ip_bytes)) {
        return ParseResult::malformed;
    }
    Endpoints ends{{0, mapped_word(raw32(ip + 12))}, {0, mapped_word(raw32(ip + 16))}};
    return finish_ip(walk, layer.after(header_bytes), ends);
}

ParseResult walk_ipv6(FrameWalk& walk, Extent layer) noexcept {
    if (!readable(walk, layer, kIpv6Bytes)) {
        return shortage(walk, layer, kIpv6Bytes);
    }
    const std::uint8_t* const ip = walk.data + layer.begin;
    if (ip[0] >> 4U != 6) {
        return ParseResult::malformed;
    }
    begin_ip(walk, layer, 6, static_cast<std::uint8_t>(be16(ip) >> 4U));
    PacketHeader& header = walk.header;
    const std::uint32_t payload = ipv6_payload(walk, layer);
    header.ttl = ip[7];
    header.proto = ip[6];
    const Extent behind = layer.after(kIpv6Bytes);
    if (payload > behind.bytes()) {
        return shortage(walk, behind, payload);
    }
    header.ip_bytes = kIpv6Bytes + payload;
    header.ip_options = is_extension(header);
    Endpoints ends{{raw64(ip + 8), raw64(ip + 16)}, {raw64(ip + 24), raw64(ip + 32)}};
    return finish_ip(walk, {behind.begin, behind.begin + payload}, ends);
}

ParseResult walk_ip(FrameWalk& walk, Extent layer) noexcept {
    if (!readable(walk, layer, 1)) {
        return shortage(walk, layer, 1);
    }
    switch (walk.data[layer.begin] >> 4U) {
        case 4:
            return walk_ipv4(walk, layer);
        case 6:
            return walk_ipv6(walk, layer);
        default:
            return ParseResult::other;
    }
}

}  // namespace weir::dataplane
