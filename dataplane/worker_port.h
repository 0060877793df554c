// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace weir::dataplane {

inline constexpr std::uint8_t kNoPeer = 0xff;

/// Link states as control last saw them, by port index. Written by control, read by workers.
using LinkStates = std::array<std::atomic<bool>, 32>;

/// A port as one worker uses it: its own queue pair.
struct WorkerPort {
    std::uint16_t port_id = 0;    ///< DPDK's
    std::uint16_t queue = 0;      ///< RX and TX queue index
    std::uint8_t peer = kNoPeer;  ///< index of the port that frames leave by; kNoPeer: a tap
    std::uint16_t domain = 0;     ///< goes into the flow key: one per pair or tap
    std::uint16_t rx_ring = 0;    ///< descriptors of the RX queue; 0: not known
};

}  // namespace weir::dataplane
