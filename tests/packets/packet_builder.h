// SPDX-License-Identifier: BSD-3-Clause
// Packets made in code, from the inside out: eth(kIpv4, ip4({.proto = 6}, tcp({}, text(5)))). Lengths and checksums are
// filled in, unless a test sets them wrong on purpose.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <vector>

namespace weir::test {

using Bytes = std::vector<std::uint8_t>;
using Address4 = std::array<std::uint8_t, 4>;
using Address6 = std::array<std::uint8_t, 16>;

inline constexpr Address4 kAlice4{10, 1, 2, 3};
inline constexpr Address4 kBob4{192, 0, 2, 200};
inline constexpr Address6 kAlice6{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x17};
inline constexpr Address6 kBob6{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0x01};
inline constexpr Address4 kNear4{172, 16, 0, 1};
inline constexpr Address4 kFar4{172, 16, 0, 2};
inline constexpr Address6 kNear6{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0a};
inline constexpr Address6 kFar6{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b};

/// `size` bytes of payload that repeat nothing.
[[nodiscard]] Bytes text(std::size_t size);
[[nodiscard]] Bytes join(std::initializer_list<Bytes> parts);
[[nodiscard]] Bytes be16(std::uint32_t value);
[[nodiscard]] Bytes be32(std::uint32_t value);

// ---- link -----------------------------------------------------------------------------------------------------------

[[nodiscard]] Bytes eth(std::uint16_t type, const Bytes& payload);
/// 802.3 with a length and an LLC header.
[[nodiscard]] Bytes llc(const Bytes& payload);
/// A tag and what it encloses; goes into eth(0x8100, vlan(…)).
[[nodiscard]] Bytes vlan(std::uint16_t tag, std::uint16_t type, const Bytes& payload);
[[nodiscard]] Bytes mpls(std::initializer_list<std::uint32_t> labels, const Bytes& payload);
[[nodiscard]] Bytes pppoe(std::uint16_t session, std::uint16_t ppp, const Bytes& payload);
/// Zeroes up to the least length of an Ethernet frame.
[[nodiscard]] Bytes padded(Bytes frame, std::size_t least = 60);

// ---- IP -------------------------------------------------------------------------------------------------------------

struct Ip4 {
    Address4 src = kAlice4;
    Address4 dst = kBob4;
    std::uint8_t proto = 6;
    std::uint8_t tos = 0;
    std::uint8_t ttl = 64;
    std::uint16_t fragment = 0;  ///< flags and offset
    Bytes options;
    std::optional<std::uint16_t> total_length;
};
[[nodiscard]] Bytes ip4(const Ip4& ip, const Bytes& payload);

struct Ip6 {
    Address6 src = kAlice6;
    Address6 dst = kBob6;
    std::uint8_t next = 6;
    std::uint8_t tos = 0;
    std::uint8_t hops = 64;
    std::uint32_t flow_label = 0x12345;
    std::optional<std::uint16_t> payload_length;
};
[[nodiscard]] Bytes ip6(const Ip6& ip, const Bytes& payload);
/// Hop-by-hop, routing, destination options and their likes: `units` of 8 bytes, and what follows.
[[nodiscard]] Bytes ext(std::uint8_t next, std::size_t units, const Bytes& payload);
[[nodiscard]] Bytes fragment6(
    std::uint8_t next, std::uint16_t offset, bool more, const Bytes& payload);
/// An authentication header with a check value of 12 bytes.
[[nodiscard]] Bytes ah(std::uint8_t next, const Bytes& payload);

// ---- transport ------------------------------------------------------------------------------------------------------

struct Tcp {
    std::uint16_t src = 40000;
    std::uint16_t dst = 443;
    std::uint32_t seq = 0x01020304;
    std::uint32_t ack = 0xa0b0c0d0;
    std::uint8_t flags = 0x18;
    std::uint16_t window = 8192;
    Bytes options;
    std::optional<std::uint8_t> data_offset;
};
[[nodiscard]] Bytes tcp(const Tcp& header, const Bytes& payload);

struct Udp {
    std::uint16_t src = 40000;
    std::uint16_t dst = 443;
    std::optional<std::uint16_t> length;
    bool checksum = true;
};
[[nodiscard]] Bytes udp(const Udp& header, const Bytes& payload);
[[nodiscard]] Bytes udp_lite(
    std::uint16_t src, std::uint16_t dst, std::uint16_t coverage, const Bytes& payload);
[[nodiscard]] Bytes sctp(std::uint16_t src, std::uint16_t dst, const Bytes& payload);
[[nodiscard]] Bytes dccp(
    std::uint16_t src, std::uint16_t dst, bool long_sequence, const Bytes& payload);
[[nodiscard]] Bytes icmp(
    std::uint8_t type, std::uint8_t code, std::uint16_t id, const Bytes& payload);

// ---- tunnels --------------------------------------------------------------------------------------------------------

struct Gre {
    std::uint16_t type = 0x0800;
    std::optional<std::uint32_t> key;
    std::optional<std::uint32_t> sequence;
    bool checksum = false;
    std::uint16_t extra_flags = 0;
};
[[nodiscard]] Bytes gre(const Gre& header, const Bytes& payload);
/// GRE of version 1 around PPP, from its address and control fields on.
[[nodiscard]] Bytes pptp(std::uint16_t call, bool acknowledgment, const Bytes& ppp);
[[nodiscard]] Bytes erspan2(std::uint16_t session, const Bytes& frame);
[[nodiscard]] Bytes erspan3(std::uint16_t session, bool subheader, const Bytes& frame);
[[nodiscard]] Bytes vxlan(std::uint32_t vni, const Bytes& frame, std::uint8_t flags = 0x08);
[[nodiscard]] Bytes geneve(
    std::uint32_t vni, std::uint16_t type, std::size_t option_words, const Bytes& payload);

struct Gtp {
    std::uint32_t teid = 0;
    std::uint8_t message = 255;
    bool sequence = false;
    std::initializer_list<std::size_t> extensions = {};  ///< units of 4 bytes each
};
[[nodiscard]] Bytes gtp(const Gtp& header, const Bytes& packet);
[[nodiscard]] Bytes teredo_origin();
[[nodiscard]] Bytes teredo_authentication(std::uint8_t id_bytes, std::uint8_t value_bytes);

// ---- checks ---------------------------------------------------------------------------------------------------------

/// One's complement sum of `size` bytes (RFC 1071), folded, not inverted.
[[nodiscard]] std::uint16_t ones_sum(
    const std::uint8_t* data, std::size_t size, std::uint32_t start = 0);
/// The IPv4 header checksum that `ip` should have, from scratch.
[[nodiscard]] std::uint16_t ip4_checksum(const std::uint8_t* ip);

}  // namespace weir::test
