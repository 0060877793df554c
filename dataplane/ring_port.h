// SPDX-License-Identifier: BSD-3-Clause
// A port that is made of rings, for workers behind a distributor.
#pragma once

#include "config/error.h"

#include <cstdint>
#include <memory>
#include <vector>

struct rte_ring;

namespace weir::dataplane {

/// Queue pairs of single-producer, single-consumer rings behind DPDK's port interface (net_ring). Thread: main.
class RingPort {
  public:
    /// `queues` pairs of rings that hold `packets` each, rounded up to a power of two.
    [[nodiscard]] static Result<std::unique_ptr<RingPort>> create(
        std::uint32_t queues, std::uint32_t packets);
    /// Frees the packets that its rings still hold.
    ~RingPort();
    RingPort(const RingPort&) = delete;
    RingPort& operator=(const RingPort&) = delete;

    [[nodiscard]] std::uint16_t id() const noexcept { return id_; }  ///< DPDK's
    /// What comes out of RX queue `queue`.
    [[nodiscard]] rte_ring* rx(std::uint32_t queue) const noexcept { return rx_[queue]; }
    /// What goes into TX queue `queue`.
    [[nodiscard]] rte_ring* tx(std::uint32_t queue) const noexcept { return tx_[queue]; }

  private:
    RingPort() = default;
    [[nodiscard]] Result<void> start(std::uint32_t queues);

    std::uint16_t id_ = 0;
    bool open_ = false;
    std::vector<rte_ring*> rx_;
    std::vector<rte_ring*> tx_;
};

}  // namespace weir::dataplane
