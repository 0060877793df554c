// SPDX-License-Identifier: BSD-3-Clause
// What the kernels' benchmark runs, family by family.
#pragma once

#include "perf/contest.h"

#include <functional>
#include <string>
#include <vector>

namespace weir::perf {

/// Makes the contest and compares its answers: an error text instead, if they differ or a library fails.
using MakeContest = std::function<Result<Contest>()>;

struct Entry {
    std::string name;  ///< model/isa/batch
    MakeContest make;
};

/// MLP, linear, autoencoder and sequence networks against oneDNN int8.
[[nodiscard]] std::vector<Entry> dense_entries();

/// Ensembles trained by XGBoost, against XGBoost, and some against if-else C.
[[nodiscard]] std::vector<Entry> forest_entries();

/// Shapes of every family that no one tuned for: predicted and measured cycles, for every variant. Prints a line each
/// and adds the worst error of each family and variant.
void bench_predictions(const TimingOptions& options, int random_shapes, Report& report);

/// What each way to lower a convolution takes.
void bench_lowerings(const TimingOptions& options, int random_shapes);

/// What turning 32 float features into codes takes, which our peers need not do and our kernels' callers must.
void bench_encoding(const TimingOptions& options, Report& report);

/// Batches of several models in turn, ragged in size, against the sum of each alone.
void bench_ragged_mix(const TimingOptions& options, Report& report);

}  // namespace weir::perf
