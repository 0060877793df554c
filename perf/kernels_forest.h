// SPDX-License-Identifier: BSD-3-Clause
// Forests: ns and cycles a row for every variant, and the ratio to XGBoost in the same run.
#pragma once

#include "perf/cpu_peak.h"
#include "perf/report.h"

#include <string>

namespace weir::perf {

struct ForestBenchOptions {
    int rounds = 41;         ///< paired rounds a figure
    double round_us = 1000;  ///< microseconds a round and side
    std::string only;        ///< ensembles whose name holds this
};

/// Trains the ensembles, compares every variant's answers with the reference, then times. False if an answer differs or
/// XGBoost fails. Thread: one that is pinned; XGBoost is held to one thread too.
[[nodiscard]] bool bench_forest(
    const Peak& peak, const ForestBenchOptions& options, Report& report);

}  // namespace weir::perf
