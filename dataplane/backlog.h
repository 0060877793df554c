// SPDX-License-Identifier: BSD-3-Clause
// How many packets wait in a worker's receive rings.
#pragma once

#include "dataplane/worker_port.h"

#include <cstdint>
#include <span>
#include <vector>

namespace weir::dataplane {

/// Asks the port where it can tell (rte_eth_rx_queue_count), or the ring behind a distributor. Of one that cannot, full receive bursts in a row stand for
/// the fill: as many packets as four rings hold, received without a burst that was not full, count as a full ring.
/// Thread: the worker.
class Backlog {
  public:
    explicit Backlog(std::span<const WorkerPort> ports);

    /// Fill of the fullest ring, 0…1000, after a poll that gave `received` packets. `full`: bit p: port p gave all that it
    /// was asked for; of others the ring was emptied.
    [[nodiscard]] std::uint32_t permille(std::uint32_t full, std::uint32_t received) noexcept;

    static constexpr std::uint32_t kRingsOfStreak = 4;

  private:
    struct Ring {
        std::uint16_t port_id = 0;
        std::uint16_t queue = 0;
        std::uint32_t size = 0;
        bool counts = false;
        const rte_ring* software = nullptr;  ///< a distributor's
        std::uint32_t streak = 0;            ///< packets of full bursts in a row
    };
    std::vector<Ring> rings_;
};

}  // namespace weir::dataplane
