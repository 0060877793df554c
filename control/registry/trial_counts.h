// SPDX-License-Identifier: BSD-3-Clause
// What workers counted of models under watch, summed over workers.
#pragma once

#include "control/registry/types.h"
#include "dataplane/runtime.h"
#include "dataplane/worker_stats.h"

#include <array>
#include <cstdint>
#include <memory>
#include <span>

namespace weir::control {

/// Sums of dataplane::ModelOutcomes.
struct Outcomes {
    std::uint64_t rows = 0;
    std::uint64_t alarms = 0;
    std::uint64_t drops = 0;
    std::uint64_t saturated = 0;
    std::uint64_t packets = 0;
    std::uint64_t packets_dropped = 0;

    /// What was gained since `base`.
    [[nodiscard]] Outcomes since(const Outcomes& base) const noexcept;
};

/// Rows by the active model's class and the trial's; index kMaxClasses: undecided.
using PairCounts =
    std::array<std::array<std::uint64_t, dataplane::kMaxClasses + 1>, dataplane::kMaxClasses + 1>;
using ClassCounts = std::array<std::uint64_t, dataplane::kMaxClasses>;

// Thread: any; counters are read as they stand.
[[nodiscard]] Outcomes read_outcomes(
    std::span<const dataplane::WorkerInfo> workers, std::size_t slot, std::uint8_t block);
[[nodiscard]] PairCounts read_pairs(
    std::span<const dataplane::WorkerInfo> workers, std::size_t slot, std::uint8_t pair_block);
[[nodiscard]] ClassCounts read_classes(
    std::span<const dataplane::WorkerInfo> workers, std::size_t slot, std::uint8_t block);

/// Off the diagonal.
[[nodiscard]] std::uint64_t disagreements(const PairCounts& pairs) noexcept;

/// Counters are never reset: what a trial counts from.
struct TrialBase {
    Outcomes outcomes;
    PairCounts pairs{};
};

/// A model on trial for readers. Immutable.
struct TrialView {
    ModelInfo info;
    std::uint8_t block = 0;
    std::uint8_t pair_block = 0;
    std::shared_ptr<const TrialBase> base;
};

}  // namespace weir::control
