// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weir::dataplane {

/// The canonical bidirectional flow key: of the two endpoints, `lo` is the one that compares lower as bytes
/// (address, then port), so both directions of a flow give the same key. IPv4 addresses are IPv4-mapped IPv6.
/// Compared and hashed as 48 bytes; the last three are always zero, and a flow keeps something else in their place.
/// Network byte order where a header has it.
struct alignas(16) FlowKey {
    /// Bytes that tell keys apart.
    static constexpr std::size_t kBytes = 45;

    std::array<std::uint8_t, 16> addr_lo{};
    std::array<std::uint8_t, 16> addr_hi{};
    std::uint16_t port_lo = 0;          ///< big endian; ICMP: the echo identifier in both, else 0
    std::uint16_t port_hi = 0;          ///< big endian
    std::uint32_t tunnel_id = 0;        ///< host order; 0 outside tunnels
    std::uint32_t vlan : 12 = 0;        ///< outermost VLAN id, 0 if untagged
    std::uint32_t inner_vlan : 12 = 0;  ///< second VLAN id, 0 if none
    std::uint8_t proto = 0;             ///< IP protocol of the transport
    std::uint8_t ip_version : 3 = 0;    ///< 4 or 6; 0 = key not set
    std::uint8_t pair : 5 = 0;          ///< port pair (or tap) the packet came through
    std::array<std::uint8_t, 3> zero{};

    [[nodiscard]] bool operator==(const FlowKey& other) const noexcept {
        return std::memcmp(this, &other, sizeof(FlowKey)) == 0;
    }
};
static_assert(sizeof(FlowKey) == 48 && offsetof(FlowKey, proto) == 43);

}  // namespace weir::dataplane
