// SPDX-License-Identifier: BSD-3-Clause
// Which seed of a network's training to keep: chosen among the rows that are trained on, by source.
#pragma once

#include "control/lab/train_fit.h"

#include <cstdint>
#include <span>

namespace weir::lab {

/// Of `options.candidates` seeds from options.network.seed on, the one whose networks judge best the last rows of flows
/// whose sources they did not learn from: by ROC AUC of "not benign" where there is a class benign, else by macro F1, all
/// folds of `rows` together. Rows outside of `rows` are not looked at, so held-out figures of what is trained with the
/// seed stay what they are. `columns`: what the network reads. Thread: any.
[[nodiscard]] Result<std::uint64_t> best_seed(
    const FeatureTable& table,
    std::span<const std::uint32_t> rows,
    std::span<const float> weights,
    std::span<const std::uint32_t> columns,
    const FitOptions& options);

}  // namespace weir::lab
