// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

namespace weir::dataplane {

/// The canonical bidirectional flow key: of the two endpoints, `lo` is the one that compares lower as bytes
/// (address, then port), so both directions of a flow give the same key. IPv4 addresses are IPv4-mapped IPv6.
/// No padding: compared and hashed as 48 bytes. Network byte order where a header has it.
struct alignas(16) FlowKey {
    std::array<std::uint8_t, 16> addr_lo{};
    std::array<std::uint8_t, 16> addr_hi{};
    std::uint16_t port_lo = 0;     ///< big endian; ICMP: the echo identifier in both, else 0
    std::uint16_t port_hi = 0;     ///< big endian
    std::uint32_t tunnel_id = 0;   ///< host order; 0 outside tunnels
    std::uint16_t vlan = 0;        ///< outermost VLAN id, 0 if untagged
    std::uint8_t proto = 0;        ///< IP protocol of the transport
    std::uint8_t ip_version = 0;   ///< 4 or 6; 0 = key not set
    std::uint16_t pair = 0;        ///< port pair (or tap) the packet came through
    std::uint16_t inner_vlan = 0;  ///< second VLAN id, 0 if none

    [[nodiscard]] bool operator==(const FlowKey& other) const noexcept {
        return std::memcmp(this, &other, sizeof(FlowKey)) == 0;
    }
};
static_assert(sizeof(FlowKey) == 48);

}  // namespace weir::dataplane
