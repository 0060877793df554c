// SPDX-License-Identifier: BSD-3-Clause
// TCP resets for a flow that is blocked: built from the packet that was dropped, so that both ends take them.
#pragma once

#include "dataplane/batch.h"

#include <array>
#include <cstdint>

namespace weir::dataplane {

/// Longest frame that build_reset() writes: 14 + four tags, IPv6, TCP.
inline constexpr std::uint32_t kResetBytes = 14 + 16 + 40 + 20;

enum class ResetTo : std::uint8_t { sender, receiver };

/// Writes the RST that ends the dropped packet's connection at one of its ends. Its sequence number is exactly what that
/// end expects next, as RFC 5961 section 3.2 asks: to the sender, the number that it acknowledged (a SYN or a packet
/// without ACK: 0, with an ACK of what it sent, RFC 9293 section 3.10.7.1); to the receiver, the packet's own. IP and TCP
/// checksums are whole. `frame`: the packet's first `available` bytes. Returns the RST's length; 0 where there is none to
/// send: no TCP, a fragment, in a tunnel, behind MPLS labels (the way back has others), itself a RST, or a SYN for the
/// receiver, who has not seen it. A PPPoE session's header is the packet's, its length the RST's. Pure.
[[nodiscard]] std::uint32_t build_reset(
    const std::uint8_t* frame,
    std::uint32_t available,
    const PacketHeader& header,
    ResetTo to,
    std::array<std::uint8_t, kResetBytes>& out) noexcept;

}  // namespace weir::dataplane
