// SPDX-License-Identifier: BSD-3-Clause
// Marks beside the outermost IP header's: the VLAN tag's priority, and a tunnel's inner header.
#pragma once

#include "dataplane/batch.h"

#include <cstdint>

namespace weir::dataplane {

/// User priority of a DSCP by RFC 8325, section 4.3 (its downstream table): EF and VA 6, CS5 5, AF4x and CS4 4, CS3 and
/// AF3x 4, AF2x 3, CS2, AF1x and DF 0, CS1 and LE 1, CS6 and CS7 7; what the table does not name 0.
[[nodiscard]] std::uint8_t user_priority(std::uint8_t dscp) noexcept;

/// Writes `pcp` (0…7) into the tag right behind the MAC addresses, its DEI and VLAN id untouched. True if a byte changed;
/// false, and nothing written, in an untagged frame. No checksum covers the tag but the FCS, which the card makes.
bool rewrite_pcp(std::uint8_t* frame, std::uint32_t available, std::uint8_t pcp) noexcept;

/// Offset of the inner IP header if it may be rewritten: the packet is one encapsulation (IP in IP, GRE with IP within and
/// no checksum, VXLAN in IPv4 with UDP checksum 0 and an untagged frame within), whose inner header lies where `header`
/// says. 0: none, or something around it would have to be summed anew.
[[nodiscard]] std::uint32_t inner_header(
    const std::uint8_t* frame, std::uint32_t available, const PacketHeader& header) noexcept;

}  // namespace weir::dataplane
