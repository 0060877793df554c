// SPDX-License-Identifier: BSD-3-Clause
// Stage 1: packets from the ports' queues into the batch.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/clock.h"
#include "dataplane/worker_port.h"
#include "dataplane/worker_stats.h"

#include <cstdint>
#include <span>

namespace weir::dataplane {

/// Where packet times come from.
struct RxTime {
    const TscClock* clock = nullptr;  ///< live: one reading a receive call
    int timestamp_offset = -1;  ///< capture: offset of the mbuf's timestamp field (microseconds) …
    std::uint64_t timestamp_flag = 0;  ///< … valid if ol_flags has this bit
};

/// How much is taken at once.
struct RxLimits {
    std::uint16_t burst = 64;         ///< packets a receive call
    std::uint64_t gather_cycles = 0;  ///< of the TSC: how long further bursts may join the batch
};

/// Receives up to `burst` packets from each port in turn while the batch has room; and again, for `gather_cycles` at most
/// and never waiting, while some port's bursts come back full: kernels work best on many rows. Sets size, rounds,
/// full_ports, mbuf, time_ns, rx_port and counts. Returns the batch's size.
[[nodiscard]] std::uint32_t rx(
    std::span<const WorkerPort> ports,
    const RxLimits& limits,
    const RxTime& time,
    Batch& batch,
    WorkerStats& stats) noexcept;

}  // namespace weir::dataplane
