// SPDX-License-Identifier: BSD-3-Clause
// The flows of one capture file, keyed by the gateway's own parser.
#pragma once

#include "config/error.h"

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::lab {

/// One end of a flow; IPv4 addresses are IPv4-mapped.
struct Endpoint {
    std::array<std::uint8_t, 16> address{};
    std::uint16_t port = 0;
    auto operator<=>(const Endpoint&) const = default;
    /// Dotted or colon text of the address.
    [[nodiscard]] std::string text() const;
};

/// A capture's flow: `a` sent its first packet.
struct CaptureFlow {
    Endpoint a;
    Endpoint b;
    std::uint8_t proto = 0;
    std::vector<std::uint32_t> packets;  ///< numbers in the file, from 1
};

/// Reads a pcap or pcapng file of Ethernet frames. Frames that take part in no IP flow are passed over.
[[nodiscard]] Result<std::vector<CaptureFlow>> list_flows(const std::string& path);

/// Parses an address; false if it is none.
[[nodiscard]] bool parse_address(std::string_view text, std::array<std::uint8_t, 16>& out);

}  // namespace weir::lab
