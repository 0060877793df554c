// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

struct rte_ring;

namespace weir::dataplane {

inline constexpr std::uint8_t kNoPeer = 0xff;
inline constexpr std::uint16_t kSamePort = 0xffff;

/// Link states as control last saw them, by port index. Written by control, read by workers.
using LinkStates = std::array<std::atomic<bool>, 32>;

/// A port as one worker uses it: its own queue pair. Behind a distributor it receives from a ring, as from a port
/// (net_ring), and sends by its own queue of the port, or by another ring where the port has too few.
struct WorkerPort {
    std::uint16_t port_id = 0;        ///< DPDK's, to send by
    std::uint16_t queue = 0;          ///< TX queue index, and RX's if rx_id is kSamePort
    std::uint8_t peer = kNoPeer;      ///< index of the port that frames leave by; kNoPeer: a tap
    std::uint16_t domain = 0;         ///< goes into the flow key: one per pair or tap
    std::uint16_t rx_ring = 0;        ///< descriptors of the RX queue; 0: not known
    std::uint16_t rx_id = kSamePort;  ///< to receive from; Worker::create() fills these three in
    std::uint16_t rx_queue = 0;
    std::uint16_t device = kSamePort;  ///< the port itself
    const rte_ring* ring = nullptr;    ///< what it receives from, if that is a ring
};

}  // namespace weir::dataplane
