// SPDX-License-Identifier: BSD-3-Clause
// Packets that come at their times, and how late a worker is with each.
#pragma once

#include "dataplane/latency.h"
#include "dataplane/rx_callback.h"
#include "dataplane/worker.h"

#include <cstdint>

struct rte_mbuf;

namespace weir::perf {

class Trace;

/// A receive callback's state: of the packets that net_null offers it lets through those that are due by now, and frees
/// the others. Packets wait for as long as the worker takes: what it cannot take at once counts as delay, not as loss.
class PacedSource {
  public:
    explicit PacedSource(Trace& trace) : trace_(trace) {}

    /// Packets come every `interval` ticks from tick `now` on; 0: as many as are taken.
    void pace(double interval, std::uint64_t now) noexcept;
    /// How many of `count` packets are let through at tick `now`; their due times are noted.
    [[nodiscard]] std::uint16_t admit(std::uint16_t count, std::uint64_t now) noexcept;
    /// Counts the delay of the packets of the last poll, which has ended at tick `now`.
    void finish(std::uint64_t now) noexcept;
    /// Delays by bucket since the last call, in ticks.
    [[nodiscard]] dataplane::LatencyCounts take() noexcept;

    /// The callback itself; `source` is a PacedSource.
    static std::uint16_t receive(
        std::uint16_t,
        std::uint16_t,
        rte_mbuf* packets[],
        std::uint16_t count,
        std::uint16_t,
        void* source);

  private:
    Trace& trace_;
    double interval_ = 0;
    double due_ = 0;  ///< ticks after begin_ of the next packet
    std::uint64_t begin_ = 0;
    double first_ = 0;  ///< of the last poll's packets
    std::uint16_t admitted_ = 0;
    dataplane::LatencyCounts delays_{};
};

/// What delays are measured with. The callback is of the port, with `source`.
struct DelaySetup {
    dataplane::Worker& worker;
    PacedSource& source;
    dataplane::RxCallback& callback;
    std::uint16_t port = 0;
    double ns_per_tick = 1;
    int rounds = 1;
};

/// Prints rows (print_row): the rate without loss, of `free_ns` nanoseconds a packet; delays from a packet's due time to
/// the end of the poll that sent it, at 10, 50, 80 and 95 % of that rate, medians of the rounds' quantiles; beside them
/// the same of a loop that does nothing; and how late a packet is received that finds the worker asleep. Takes the
/// callback away.
void measure_delays(const DelaySetup& setup, double free_ns);

}  // namespace weir::perf
