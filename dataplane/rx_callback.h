// SPDX-License-Identifier: BSD-3-Clause
// A receive callback that ends with its owner.
#pragma once

#include <cstdint>

struct rte_eth_rxtx_callback;
struct rte_mbuf;

namespace weir::dataplane {

/// ethdev's rte_rx_callback_fn: port, queue, packets, how many, room, data; returns how many are left.
using RxFunction = std::uint16_t (*)(
    std::uint16_t, std::uint16_t, rte_mbuf*[], std::uint16_t, std::uint16_t, void*);

/// ethdev keeps a callback beyond its device, for the next one that gets the port's number; this takes it back. Declare
/// it after the Ports it is for, and what it reads before it. Thread: the one that polls the port, or any while none does.
class RxCallback {
  public:
    RxCallback() = default;
    ~RxCallback() { remove(); }
    RxCallback(const RxCallback&) = delete;
    RxCallback& operator=(const RxCallback&) = delete;

    /// Calls `function` with `data` for each burst of the port's first queue. False if ethdev refuses. One at a time.
    [[nodiscard]] bool add(std::uint16_t port, RxFunction function, void* data = nullptr) noexcept;
    void remove() noexcept;

  private:
    std::uint16_t port_ = 0;
    const rte_eth_rxtx_callback* callback_ = nullptr;
};

}  // namespace weir::dataplane
