// SPDX-License-Identifier: BSD-3-Clause
// Packets that come at their times, and how late a worker is with each.
#pragma once

#include "dataplane/rx_callback.h"
#include "dataplane/worker.h"

#include <cstddef>
#include <cstdint>
#include <vector>

struct rte_mbuf;

namespace weir::perf {

class Trace;

/// A receive callback's state: of the packets that net_null offers it lets through those that are due by now, and frees
/// the others. Packets wait for as long as the worker takes: what it cannot take at once counts as delay, not as loss.
class PacedSource {
  public:
    explicit PacedSource(Trace& trace) : trace_(trace) {}

    /// Packets come every `interval` ticks from tick `now` on; 0: as many as are taken. The delays of `packets` of them,
    /// at most, will be noted.
    void pace(double interval, std::uint64_t now, std::size_t packets = 0);
    /// How many of `count` packets are let through at tick `now`, each at its due time.
    [[nodiscard]] std::uint16_t admit(std::uint16_t count, std::uint64_t now) noexcept;
    /// Notes the delays of all packets let through since the last call: the poll that took them has ended at tick `now`.
    void finish(std::uint64_t now) noexcept;
    /// Delays since pace(), in ticks, by due time.
    [[nodiscard]] const std::vector<std::uint64_t>& delays() const noexcept { return delays_; }

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
    std::uint64_t begin_ = 0;
    std::uint64_t let_through_ = 0;  ///< packets, in all
    std::uint64_t noted_ = 0;        ///< those whose poll has ended
    std::vector<std::uint64_t> delays_;
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
/// the end of the poll that sent it, at 10, 50, 80 and 95 % of that rate, medians of the rounds' quantiles; the median of
/// the 99.9 % quantiles of each millisecond's packets, which most of what takes the CPU away does not reach; beside them the
/// same of a loop that does nothing; and how late a packet is received that finds the worker asleep. Takes the callback
/// away.
void measure_delays(const DelaySetup& setup, double free_ns);

}  // namespace weir::perf
