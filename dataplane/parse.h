// SPDX-License-Identifier: BSD-3-Clause
// Stage 2: headers into columns.
#pragma once

#include "dataplane/batch.h"

#include <cstdint>

namespace weir::dataplane {

/// Parses one frame. `data`: its first `available` contiguous bytes (all of a single-segment frame, or a linear copy
/// of the first kParseBytes of a segmented one); `frame_bytes`: length of the whole frame. Sets `key` (but for
/// `pair`) and `header` when the result is `flow`; `header.frame_bytes`, and what was parsed so far, in any case.
/// Pure: no DPDK, reads only `available` bytes, bounded time. Sources: IEEE 802.1Q/802.1ad, RFC 791, 8200, 9293, 768, 9260.
[[nodiscard]] ParseResult parse_frame(
    const std::uint8_t* data,
    std::uint32_t available,
    std::uint32_t frame_bytes,
    FlowKey& key,
    PacketHeader& header) noexcept;

/// No header of a supported stack lies beyond this many bytes.
inline constexpr std::uint32_t kParseBytes = 512;

/// Fills key, header and parsed of packets [0, batch.size). `pair_of_port[rx_port]` goes into the key.
void parse(Batch& batch, const std::uint16_t* pair_of_port) noexcept;

}  // namespace weir::dataplane
