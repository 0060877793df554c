// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/backlog.h"

#include <algorithm>
#include <bit>

#include <rte_ethdev.h>
#include <rte_ring.h>

namespace weir::dataplane {

namespace {

constexpr std::uint32_t kRingIfUnknown = 1024;
constexpr std::uint32_t kFull = 1000;

}  // namespace

Backlog::Backlog(std::span<const WorkerPort> ports) {
    for (const WorkerPort& port : ports) {
        rings_.push_back(
            {port.rx_id,
             port.rx_queue,
             port.rx_ring != 0 ? port.rx_ring : kRingIfUnknown,
             rte_eth_rx_queue_count(port.rx_id, port.rx_queue) >= 0,
             port.ring,
             0});
    }
}

std::uint32_t Backlog::permille(std::uint32_t full, std::uint32_t received) noexcept {
    const std::uint32_t share =
        received / std::max(static_cast<std::uint32_t>(std::popcount(full)), 1U);
    std::uint32_t most = 0;
    for (std::size_t p = 0; p < rings_.size(); ++p) {
        Ring& ring = rings_[p];
        if ((full >> p & 1U) == 0) {
            ring.streak = 0;
            continue;
        }
        std::uint32_t fill = 0;
        if (ring.counts) {
            const int waiting = rte_eth_rx_queue_count(ring.port_id, ring.queue);
            fill = kFull * static_cast<std::uint32_t>(std::max(waiting, 0)) / ring.size;
        } else if (ring.software != nullptr) {
            fill = kFull * rte_ring_count(ring.software) / ring.size;
        } else {
            const std::uint32_t streak = kRingsOfStreak * ring.size;
            ring.streak = std::min(ring.streak + share, streak);
            fill = kFull * ring.streak / streak;
        }
        most = std::max(most, std::min(fill, kFull));
    }
    return most;
}

}  // namespace weir::dataplane
