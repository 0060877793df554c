// SPDX-License-Identifier: BSD-3-Clause
// What readers (status, metrics) may see of the gateway without asking the control thread.
#pragma once

#include "control/registry/registry.h"
#include "control/registry/types.h"
#include "control/registry/verdict_ledger.h"
#include "dataplane/runtime.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::control {

/// Guardrail breaches of a slot since start.
struct Breaches {
    std::uint64_t count = 0;
    std::string last;  ///< what it was; empty: none
};

/// Verdicts that readers of a tail were not told, since start.
struct TailLosses {
    std::uint64_t ring = 0;    ///< workers' rings had no room
    std::uint64_t reader = 0;  ///< one reader was too slow; counted for each
};

/// State as the control thread last told it. Immutable.
struct ViewState {
    std::string config_file;
    std::uint64_t generation = 0;
    std::uint64_t snapshots = 0;                            ///< published since start
    std::vector<dataplane::PortInfo> ports;                 ///< at most a second old
    std::optional<dataplane::DistributorInfo> distributor;  ///< at most a second old
    std::vector<std::string> slots;
    std::vector<std::optional<ModelInfo>> active;  ///< by slot
    std::vector<std::uint64_t> swaps;              ///< by slot
    std::vector<SlotUse> use;                      ///< by slot: trials, staleness
    std::vector<Breaches> breaches;                ///< by slot
    std::uint64_t audit_failures = 0;
    TailLosses tail_losses;
    std::vector<Override> overrides;  ///< that hold
    bool reload_ok = true;            ///< the last reload, or the start
    std::int64_t reload_ok_unix = 0;  ///< when one last succeeded
};

/// Thread: update control; all else any. Worker counters are read as they are, lock-free.
class GatewayView {
  public:
    struct Fixed {
        std::string version;
        std::span<const dataplane::WorkerInfo> workers;  ///< outlive this, as do their stats
        double tsc_hz = 0.0;
    };

    GatewayView(Fixed fixed, const VerdictLedger& ledger);

    void update(ViewState state);
    [[nodiscard]] std::shared_ptr<const ViewState> state() const;

    [[nodiscard]] const Fixed& fixed() const noexcept { return fixed_; }
    [[nodiscard]] const VerdictLedger& ledger() const noexcept { return ledger_; }
    [[nodiscard]] std::int64_t start_unix() const noexcept { return start_unix_; }
    [[nodiscard]] double uptime_seconds() const;

  private:
    Fixed fixed_;
    const VerdictLedger& ledger_;
    std::chrono::steady_clock::time_point start_;
    std::int64_t start_unix_;
    mutable std::mutex mutex_;
    std::shared_ptr<const ViewState> state_;
};

/// Seconds since the Unix epoch.
[[nodiscard]] std::int64_t unix_now();

}  // namespace weir::control
