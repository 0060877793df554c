// SPDX-License-Identifier: BSD-3-Clause
// Events on their way out: control hands records over and never waits; a thread an exporter does the rest.
#pragma once

#include "config/export.h"
#include "control/export/counters.h"
#include "control/export/eve.h"
#include "control/export/flow_event.h"
#include "dataplane/worker_stats.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weir::control {

/// Thread: one (control), but for what says otherwise.
class Exporter {
  public:
    /// Opens what the configuration names and starts a thread for each; they inherit the caller's CPU affinity.
    /// `slots`: names by index. `totals` must outlive the result.
    [[nodiscard]] static Result<std::unique_ptr<Exporter>> start(
        const config::Export& exports, std::vector<std::string> slots, ExportTotals& totals);
    /// Writes what is queued, for two seconds at most, and ends the threads.
    ~Exporter();
    Exporter(const Exporter&) = delete;
    Exporter& operator=(const Exporter&) = delete;

    /// Learns which model a reference stands for; to be called before records that may name it.
    void learn(const dataplane::Snapshot& snapshot);
    /// Queues the records for each exporter, as far as there is room.
    void add(std::span<const dataplane::FlowRecord> records);
    /// True once export.eve.stats_s have passed since it last was, if stats are wanted at all.
    [[nodiscard]] bool stats_due(std::uint64_t unix_s);
    void add_stats(StatsSample sample);
    /// Files are opened by their names anew, sockets connected anew: at a reload, after a rotation by others.
    void reopen();

  private:
    class Pipeline;

    Exporter() = default;

    std::vector<std::unique_ptr<Pipeline>> pipelines_;
    std::shared_ptr<const EventNames> names_;
    std::uint64_t generation_ = ~std::uint64_t{0};
    std::uint32_t stats_s_ = 0;  ///< 0: not wanted
    std::uint64_t stats_last_ = 0;
};

/// Sums over workers, for add_stats(). Thread: any.
[[nodiscard]] StatsSample sample_stats(
    std::span<const dataplane::WorkerStats* const> workers,
    std::span<const std::string> slots,
    std::uint64_t unix_ns,
    std::uint64_t uptime_s);

}  // namespace weir::control
