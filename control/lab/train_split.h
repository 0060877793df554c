// SPDX-License-Identifier: BSD-3-Clause
// Weights and source-disjoint folds.
#pragma once

#include "control/lab/train_table.h"

#include <cstdint>
#include <vector>

namespace weir::lab {

/// How much a class and a source count, whatever number of flows they happen to have.
struct WeightOptions {
    double class_power =
        0.5;  ///< a class's share ∝ (its sources' sum)^power; 0 = all classes equal
    double group_power = 0.5;   ///< a source's share of its class ∝ flows^power
    double benign_share = 0.5;  ///< share of class "benign", where there is one
    double final_share =
        0.3;  ///< of a flow's weight, what its last row gets; the rest is spread evenly
    std::uint32_t max_flows = 0;  ///< of a source and class, spread evenly over its flows; 0 = all
};

/// Weight of each row; the mean is 1. Rows of flows beyond `max_flows` weigh 0: nothing is trained on them.
[[nodiscard]] std::vector<float> row_weights(
    const FeatureTable& table, const WeightOptions& options);

/// Fold (0…folds−1) of each group: rare classes are spread first, so that each fold tests as many classes as the
/// sources allow. Deterministic. A class that has a single source is in one fold only and absent from its training.
[[nodiscard]] std::vector<std::uint32_t> assign_folds(
    const FeatureTable& table, std::uint32_t folds);

}  // namespace weir::lab
