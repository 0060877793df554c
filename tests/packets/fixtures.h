// SPDX-License-Identifier: BSD-3-Clause
// Packets with the verdict that parse must give beside them.
#pragma once

#include "dataplane/parse.h"
#include "tests/packets/packet_builder.h"

#include <cstdint>
#include <span>
#include <vector>

namespace weir::test {

/// The endpoints of the header that is to be scored, from the sender's view.
struct Ends {
    Address4 src4 = kAlice4;
    Address4 dst4 = kBob4;
    Address6 src6 = kAlice6;
    Address6 dst6 = kBob6;
    std::uint16_t src_port = 40000;
    std::uint16_t dst_port = 443;

    [[nodiscard]] Ends reversed() const { return {dst4, src4, dst6, src6, dst_port, src_port}; }
};

/// TOS of inner headers.
inline constexpr std::uint8_t kInnerTos = 0x28;
/// The echo identifier of pings.
inline constexpr std::uint16_t kEchoId = 0x2a2b;

enum class Ports : std::uint8_t { both, none, echo, fixed };

/// What parse must find.
struct Expect {
    std::uint8_t version = 4;
    std::uint8_t proto = 6;
    Ports ports = Ports::both;
    std::uint16_t port = 0;  ///< both ports, if they are fixed
    std::uint32_t l3 = 14;
    std::uint32_t l4 = 34;  ///< 0: none
    std::uint32_t ip_bytes = 0;
    std::uint32_t payload = 0;
    std::uint32_t outer_l3 = 0;  ///< 0: no IP tunnel
    std::uint32_t tunnel = 0;
    std::uint8_t tags = 0;
    std::uint16_t vlan = 0;
    std::uint16_t inner_vlan = 0;
    bool fragment = false;
    bool later = false;
    bool options = false;
};

/// A packet that belongs to a flow. `build` makes it with these endpoints in the header to be scored, and this TOS in the
/// header to be marked; so it also tells what marking must make of it.
struct Fixture {
    const char* name;
    Bytes (*build)(const Ends& ends, std::uint8_t tos);
    Expect expect;
};

/// A packet that belongs to none.
struct Refused {
    const char* name;
    dataplane::ParseResult result;
    Bytes frame;
};

[[nodiscard]] std::span<const Fixture> link_fixtures();
[[nodiscard]] std::span<const Fixture> ip_fixtures();
[[nodiscard]] std::span<const Fixture> tunnel_fixtures();
/// Tunnels of which the outer flow is what counts.
[[nodiscard]] std::span<const Fixture> fallback_fixtures();
[[nodiscard]] std::span<const Refused> refused_packets();

/// All of the above that are flows.
[[nodiscard]] std::vector<Fixture> all_fixtures();

// Packets that many fixtures carry.
[[nodiscard]] Bytes tcp4(const Ends& ends, std::uint8_t tos, std::size_t payload = 9);
[[nodiscard]] Bytes udp4(const Ends& ends, std::uint8_t tos, std::size_t payload = 9);
[[nodiscard]] Bytes tcp6(const Ends& ends, std::uint8_t tos, std::size_t payload = 9);
[[nodiscard]] Bytes udp6(const Ends& ends, std::uint8_t tos, std::size_t payload = 9);
/// A packet with these endpoints that carries `payload`.
[[nodiscard]] Bytes with4(
    const Ends& ends, std::uint8_t tos, std::uint8_t proto, const Bytes& payload);
[[nodiscard]] Bytes with6(
    const Ends& ends, std::uint8_t tos, std::uint8_t next, const Bytes& payload);
/// The packet of a tunnel between kNear and kFar.
[[nodiscard]] Bytes outer4(std::uint8_t tos, std::uint8_t proto, const Bytes& payload);
[[nodiscard]] Bytes outer6(std::uint8_t tos, std::uint8_t next, const Bytes& payload);

}  // namespace weir::test
