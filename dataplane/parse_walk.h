// SPDX-License-Identifier: BSD-3-Clause
// One frame taken apart layer by layer: the whole of what parse_frame promises, without its shortcut. Private to parse;
// tests hold the shortcut against it.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/parse.h"

#include <bit>
#include <cstdint>
#include <cstring>

namespace weir::dataplane {

/// Values of headers as they lie in memory: loads are unaligned, `be16` … are in host order.
[[nodiscard]] inline std::uint16_t raw16(const std::uint8_t* at) noexcept {
    std::uint16_t value = 0;
    std::memcpy(&value, at, sizeof(value));
    return value;
}
[[nodiscard]] inline std::uint32_t raw32(const std::uint8_t* at) noexcept {
    std::uint32_t value = 0;
    std::memcpy(&value, at, sizeof(value));
    return value;
}
[[nodiscard]] inline std::uint64_t raw64(const std::uint8_t* at) noexcept {
    std::uint64_t value = 0;
    std::memcpy(&value, at, sizeof(value));
    return value;
}
static_assert(std::endian::native == std::endian::little, "the swaps below");
[[nodiscard]] constexpr std::uint16_t swap16(std::uint16_t value) noexcept {
    return __builtin_bswap16(value);
}
[[nodiscard]] inline std::uint16_t be16(const std::uint8_t* at) noexcept {
    return swap16(raw16(at));
}
[[nodiscard]] inline std::uint32_t be32(const std::uint8_t* at) noexcept {
    return __builtin_bswap32(raw32(at));
}

inline constexpr std::uint32_t kEthernetBytes = 14;
inline constexpr std::uint32_t kVlanBytes = 4;
inline constexpr std::uint32_t kIpv4Bytes = 20;
inline constexpr std::uint32_t kIpv6Bytes = 40;
inline constexpr std::uint32_t kTcpBytes = 20;
inline constexpr std::uint32_t kUdpBytes = 8;
/// What the 16-bit lengths of IPv4, IPv6 and UDP can tell.
inline constexpr std::uint32_t kMaxLength16 = 65535;

/// EtherTypes.
inline constexpr std::uint16_t kEtherIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherTeb = 0x6558;  ///< transparent Ethernet bridging
inline constexpr std::uint16_t kEtherVlan = 0x8100;
inline constexpr std::uint16_t kEtherIpv6 = 0x86dd;
inline constexpr std::uint16_t kEtherPpp = 0x880b;  ///< in GRE
inline constexpr std::uint16_t kEtherMpls = 0x8847;
inline constexpr std::uint16_t kEtherMplsUpstream = 0x8848;
inline constexpr std::uint16_t kEtherPppoeSession = 0x8864;
inline constexpr std::uint16_t kEtherQinq = 0x88a8;
inline constexpr std::uint16_t kEtherErspan2 = 0x88be;  ///< types I and II
inline constexpr std::uint16_t kEtherErspan3 = 0x22eb;
inline constexpr std::uint16_t kEtherVlanOld = 0x9100;  ///< QinQ before 802.1ad

/// IP protocol numbers.
inline constexpr std::uint8_t kIpHopByHop = 0;
inline constexpr std::uint8_t kIpIcmp = 1;
inline constexpr std::uint8_t kIpIpv4 = 4;
inline constexpr std::uint8_t kIpTcp = 6;
inline constexpr std::uint8_t kIpUdp = 17;
inline constexpr std::uint8_t kIpDccp = 33;
inline constexpr std::uint8_t kIpIpv6 = 41;
inline constexpr std::uint8_t kIpRouting = 43;
inline constexpr std::uint8_t kIpFragment = 44;
inline constexpr std::uint8_t kIpGre = 47;
inline constexpr std::uint8_t kIpAh = 51;
inline constexpr std::uint8_t kIpIcmp6 = 58;
inline constexpr std::uint8_t kIpDestinationOptions = 60;
inline constexpr std::uint8_t kIpSctp = 132;
inline constexpr std::uint8_t kIpMobility = 135;
inline constexpr std::uint8_t kIpUdpLite = 136;
inline constexpr std::uint8_t kIpMpls = 137;  ///< RFC 4023
inline constexpr std::uint8_t kIpHip = 139;
inline constexpr std::uint8_t kIpShim6 = 140;
inline constexpr std::uint8_t kIpEthernet = 143;  ///< RFC 8986

/// UDP ports of tunnels.
inline constexpr std::uint16_t kPortGtpU = 2152;
inline constexpr std::uint16_t kPortTeredo = 3544;
inline constexpr std::uint16_t kPortVxlan = 4789;
inline constexpr std::uint16_t kPortGeneve = 6081;
inline constexpr std::uint16_t kPortMpls = 6635;

/// Does a UDP port hint at a tunnel? VXLAN, GENEVE, GTP-U and MPLS are known by their destination (RFC 7348, 5; RFC
/// 8926, 3.3; TS 29.281, 4.4.2; RFC 7510, 3), Teredo by either port.
[[nodiscard]] inline bool is_tunnel_port(std::uint16_t src, std::uint16_t dst) noexcept {
    const int hit = static_cast<int>(dst == kPortVxlan) | static_cast<int>(dst == kPortGeneve) |
                    static_cast<int>(dst == kPortGtpU) | static_cast<int>(dst == kPortTeredo) |
                    static_cast<int>(dst == kPortMpls) | static_cast<int>(src == kPortTeredo);
    return hit != 0;
}

/// The walk over one frame.
struct FrameWalk {
    const std::uint8_t* data = nullptr;
    std::uint32_t readable = 0;     ///< bytes of `data` that may be read, at most kParseBytes
    std::uint32_t frame_bytes = 0;  ///< length of the frame, ≥ readable
    FlowKey& key;
    PacketHeader& header;
    std::uint32_t nested = 0;  ///< encapsulations entered so far
    bool in_ip = false;        ///< an IP header has been seen
};

/// Where a layer lies: from its first byte to the end that the layer around it gives; end ≤ frame_bytes.
struct Extent {
    std::uint32_t begin;
    std::uint32_t end;

    [[nodiscard]] std::uint32_t bytes() const noexcept { return end - begin; }
    [[nodiscard]] Extent after(std::uint32_t header_bytes) const noexcept {
        return {begin + header_bytes, end};
    }
};

/// May the layer's first `bytes` be read?
[[nodiscard]] inline bool readable(
    const FrameWalk& walk, const Extent& layer, std::uint32_t bytes) noexcept {
    return bytes <= layer.bytes() && layer.begin + bytes <= walk.readable;
}

/// Why they may not: the frame is over, the layer around says it is over, or parse looks no further.
[[nodiscard]] inline ParseResult shortage(
    const FrameWalk& walk, const Extent& layer, std::uint32_t bytes) noexcept {
    if (bytes > walk.frame_bytes - layer.begin) {
        return ParseResult::truncated;
    }
    if (bytes > layer.bytes()) {
        return ParseResult::malformed;
    }
    return walk.readable < kParseBytes ? ParseResult::truncated : ParseResult::unsupported;
}

/// An encapsulation more; false if that is one too many.
[[nodiscard]] inline bool enter(FrameWalk& walk) noexcept {
    constexpr std::uint32_t kMaxNested = 4;
    return walk.nested++ < kMaxNested;
}

/// The endpoints of a packet as its headers have them.
struct Endpoints {
    std::uint64_t src[2] = {};  ///< IPv6 or IPv4-mapped, as in memory
    std::uint64_t dst[2] = {};
    std::uint16_t src_port = 0;  ///< big endian
    std::uint16_t dst_port = 0;  ///< big endian
};

/// The two words of an IPv4-mapped address, `address` as in memory.
[[nodiscard]] inline std::uint64_t mapped_word(std::uint32_t address) noexcept {
    return std::uint64_t{address} << 32U | 0xffff0000U;
}

/// Puts the endpoints into the key in canonical order, without a branch that depends on them. True if the sender is
/// `hi`.
inline bool set_endpoints(FlowKey& key, const Endpoints& ends) noexcept {
    const std::uint64_t s0 = __builtin_bswap64(ends.src[0]);
    const std::uint64_t s1 = __builtin_bswap64(ends.src[1]);
    const std::uint64_t d0 = __builtin_bswap64(ends.dst[0]);
    const std::uint64_t d1 = __builtin_bswap64(ends.dst[1]);
    const unsigned above0 = s0 > d0 ? 1 : 0;
    const unsigned equal0 = s0 == d0 ? 1 : 0;
    const unsigned above1 = s1 > d1 ? 1 : 0;
    const unsigned equal1 = s1 == d1 ? 1 : 0;
    const unsigned above_port = swap16(ends.src_port) > swap16(ends.dst_port) ? 1 : 0;
    const unsigned hi = above0 | (equal0 & (above1 | (equal1 & above_port)));

    const std::uint64_t mask = 0 - std::uint64_t{hi};
    const std::uint64_t swap_0 = (ends.src[0] ^ ends.dst[0]) & mask;
    const std::uint64_t swap_1 = (ends.src[1] ^ ends.dst[1]) & mask;
    const auto swap_port =
        static_cast<std::uint16_t>((ends.src_port ^ ends.dst_port) & static_cast<unsigned>(mask));
    const std::uint64_t lo[2] = {ends.src[0] ^ swap_0, ends.src[1] ^ swap_1};
    const std::uint64_t high[2] = {ends.dst[0] ^ swap_0, ends.dst[1] ^ swap_1};
    std::memcpy(key.addr_lo.data(), lo, sizeof(lo));
    std::memcpy(key.addr_hi.data(), high, sizeof(high));
    key.port_lo = static_cast<std::uint16_t>(ends.src_port ^ swap_port);
    key.port_hi = static_cast<std::uint16_t>(ends.dst_port ^ swap_port);
    return hi != 0;
}

// Each parses the layer that begins at `layer` and all within it.

[[nodiscard]] ParseResult walk_ethernet(FrameWalk& walk, Extent layer) noexcept;
[[nodiscard]] ParseResult walk_ethertype(
    FrameWalk& walk, Extent layer, std::uint16_t type) noexcept;
/// PPP from its protocol field on, or from its address and control fields.
[[nodiscard]] ParseResult walk_ppp(FrameWalk& walk, Extent layer) noexcept;
[[nodiscard]] ParseResult walk_ipv4(FrameWalk& walk, Extent layer) noexcept;
[[nodiscard]] ParseResult walk_ipv6(FrameWalk& walk, Extent layer) noexcept;
/// IPv4 or IPv6, by the first nibble; `other` if it is neither.
[[nodiscard]] ParseResult walk_ip(FrameWalk& walk, Extent layer) noexcept;
/// `layer`: from the transport header (in later fragments: the payload) to the end of the IP packet. The header's IP
/// fields are set; sets the key.
[[nodiscard]] ParseResult walk_transport(FrameWalk& walk, Extent layer, Endpoints& ends) noexcept;
/// Key and header are those of a whole flow; becomes its inner flow if it is a tunnel that has one. `payload`: what
/// the transport header, or the IP header if there is no transport, carries.
[[nodiscard]] ParseResult walk_tunnel(FrameWalk& walk, Extent payload) noexcept;

/// parse_frame, without the shortcut.
[[nodiscard]] ParseResult walk_frame(
    const std::uint8_t* data,
    std::uint32_t available,
    std::uint32_t frame_bytes,
    FlowKey& key,
    PacketHeader& header) noexcept;

}  // namespace weir::dataplane
