// SPDX-License-Identifier: BSD-3-Clause
// Layers below IP: Ethernet, VLAN tags (IEEE 802.1Q), MPLS (RFC 3032, 4385), PPPoE and PPP (RFC 2516,
// 1661).
#include "dataplane/parse_walk.h"

#include <algorithm>

namespace weir::dataplane {

namespace {

constexpr std::uint32_t kMaxVlanTags = 4;  // of all Ethernet headers together
constexpr std::uint32_t kMaxLabels = 8;
constexpr std::uint16_t kVlanIdMask = 0x0fff;

[[nodiscard]] bool is_vlan(std::uint16_t type) noexcept {
    return type == kEtherVlan || type == kEtherQinq || type == kEtherVlanOld;
}

void add_tag(FrameWalk& walk, std::uint16_t tag) noexcept {
    const auto id = static_cast<std::uint16_t>(tag & kVlanIdMask);
    if (walk.header.vlan_tags == 0) {
        walk.key.vlan = id;
    } else if (walk.header.vlan_tags == 1) {
        walk.key.inner_vlan = id;
    }
    ++walk.header.vlan_tags;
}

// Behind a control word, or behind a label without one: the label stack does not say that it is Ethernet, so that what
// does not look like it is no fault of the frame.
[[nodiscard]] ParseResult walk_pseudowire(FrameWalk& walk, Extent layer) noexcept {
    const ParseResult result = walk_ethernet(walk, layer);
    return result == ParseResult::flow || result == ParseResult::unsupported ? result
                                                                             : ParseResult::other;
}

// Labels name a path, not a tenant, and differ by direction (RFC 3031, 3.1): they stay out of the key.
[[nodiscard]] ParseResult walk_mpls(FrameWalk& walk, Extent layer) noexcept {
    constexpr std::uint32_t kLabelBytes = 4;
    constexpr std::uint8_t kBottom = 0x01;
    if (!enter(walk)) {
        return ParseResult::unsupported;
    }
    bool bottom = false;
    for (std::uint32_t labels = 0; !bottom; ++labels) {
        if (labels == kMaxLabels) {
            return ParseResult::unsupported;
        }
        if (!readable(walk, layer, kLabelBytes)) {
            return shortage(walk, layer, kLabelBytes);
        }
        bottom = (walk.data[layer.begin + 2] & kBottom) != 0;
        layer = layer.after(kLabelBytes);
    }
    if (!readable(walk, layer, 1)) {
        return shortage(walk, layer, 1);
    }
    constexpr std::uint32_t kControlWordBytes = 4;
    constexpr std::uint8_t kControlWord = 0;
    constexpr std::uint8_t kChannel = 1;  // associated channel: OAM, no user's packet
    switch (walk.data[layer.begin] >> 4U) {
        case 4:
            return walk_ipv4(walk, layer);
        case 6:
            return walk_ipv6(walk, layer);
        case kControlWord:
            if (!readable(walk, layer, kControlWordBytes)) {
                return shortage(walk, layer, kControlWordBytes);
            }
            return walk_pseudowire(walk, layer.after(kControlWordBytes));
        case kChannel:
            return ParseResult::other;
        default:
            return walk_pseudowire(walk, layer);
    }
}

[[nodiscard]] ParseResult walk_pppoe(FrameWalk& walk, Extent layer) noexcept {
    constexpr std::uint32_t kPppoeBytes = 6;
    constexpr std::uint8_t kVersionType = 0x11;
    constexpr std::uint8_t kSessionData = 0;
    if (!enter(walk)) {
        return ParseResult::unsupported;
    }
    if (!readable(walk, layer, kPppoeBytes)) {
        return shortage(walk, layer, kPppoeBytes);
    }
    const std::uint8_t* const pppoe = walk.data + layer.begin;
    const std::uint32_t length = be16(pppoe + 4);
    if (pppoe[0] != kVersionType) {
        return ParseResult::malformed;
    }
    if (pppoe[1] != kSessionData) {
        return ParseResult::other;
    }
    if (length == 0) {
        return ParseResult::malformed;
    }
    if (kPppoeBytes + length > layer.bytes()) {
        return shortage(walk, layer, kPppoeBytes + length);
    }
    walk.key.tunnel_id = be16(pppoe + 2);
    return walk_ppp(walk, {layer.begin + kPppoeBytes, layer.begin + kPppoeBytes + length});
}

}  // namespace

ParseResult walk_ethertype(FrameWalk& walk, Extent layer, std::uint16_t type) noexcept {
    while (is_vlan(type)) {
        if (walk.header.vlan_tags == kMaxVlanTags) {
            return ParseResult::unsupported;
        }
        if (!readable(walk, layer, kVlanBytes)) {
            return shortage(walk, layer, kVlanBytes);
        }
        add_tag(walk, be16(walk.data + layer.begin));
        type = be16(walk.data + layer.begin + 2);
        layer = layer.after(kVlanBytes);
    }
    switch (type) {
        case kEtherIpv4:
            return walk_ipv4(walk, layer);
        case kEtherIpv6:
            return walk_ipv6(walk, layer);
        case kEtherMpls:
        case kEtherMplsUpstream:
            return walk_mpls(walk, layer);
        case kEtherPppoeSession:
            return walk_pppoe(walk, layer);
        default:
            return ParseResult::other;
    }
}

// The protocol may be one byte, then odd (RFC 1661, 6.5), and address and control may be left out (6.6).
ParseResult walk_ppp(FrameWalk& walk, Extent layer) noexcept {
    constexpr std::uint16_t kAddressControl = 0xff03;
    constexpr std::uint32_t kFieldBytes = 2;
    constexpr std::uint16_t kPppIpv4 = 0x0021;
    constexpr std::uint16_t kPppIpv6 = 0x0057;
    if (readable(walk, layer, kFieldBytes) && be16(walk.data + layer.begin) == kAddressControl) {
        layer = layer.after(kFieldBytes);
    }
    if (!readable(walk, layer, 1)) {
        return shortage(walk, layer, 1);
    }
    const std::uint8_t* const ppp = walk.data + layer.begin;
    const std::uint32_t bytes = (ppp[0] & 1U) != 0 ? 1 : kFieldBytes;
    if (!readable(walk, layer, bytes)) {
        return shortage(walk, layer, bytes);
    }
    switch (bytes == 1 ? ppp[0] : be16(ppp)) {
        case kPppIpv4:
            return walk_ipv4(walk, layer.after(bytes));
        case kPppIpv6:
            return walk_ipv6(walk, layer.after(bytes));
        default:
            return ParseResult::other;
    }
}

ParseResult walk_ethernet(FrameWalk& walk, Extent layer) noexcept {
    if (!readable(walk, layer, kEthernetBytes)) {
        return shortage(walk, layer, kEthernetBytes);
    }
    const std::uint16_t type = be16(walk.data + layer.begin + kEthernetBytes - 2);
    return walk_ethertype(walk, layer.after(kEthernetBytes), type);
}

ParseResult walk_frame(
    const std::uint8_t* data,
    std::uint32_t available,
    std::uint32_t frame_bytes,
    FlowKey& key,
    PacketHeader& header) noexcept {
    key = FlowKey{};
    header = PacketHeader{};
    header.frame_bytes = frame_bytes;
    FrameWalk walk{data, std::min({available, frame_bytes, kParseBytes}), frame_bytes, key, header};
    const ParseResult result = walk_ethernet(walk, {0, frame_bytes});
    if (result != ParseResult::flow) {
        key = FlowKey{};
    }
    return result;
}

}  // namespace weir::dataplane
