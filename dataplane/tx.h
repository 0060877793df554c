// SPDX-License-Identifier: BSD-3-Clause
// Stage 8: out by the paired port, or freed and counted.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/worker_port.h"
#include "dataplane/worker_stats.h"

#include <cstdint>
#include <span>

namespace weir::dataplane {

/// How often a full transmit queue is offered the rest of a burst before it is dropped.
inline constexpr std::uint32_t kTxRetries = 64;

/// Sends every packet of the batch whose disposition is forward by its receiving port's peer, in order, and frees the
/// rest. Afterwards each packet is counted once: sent, or dropped by reason.
void tx(
    Batch& batch,
    std::span<const WorkerPort> ports,
    const LinkStates& links,
    WorkerStats& stats) noexcept;

/// Sends `packets` by `port`, in order; what its queue will not take is freed and counted as dropped.
void send(
    const WorkerPort& port,
    std::span<rte_mbuf*> packets,
    bool link_up,
    PortStats& counts,
    WorkerStats& stats) noexcept;

}  // namespace weir::dataplane
