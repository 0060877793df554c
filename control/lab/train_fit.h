// SPDX-License-Identifier: BSD-3-Clause
// Fitting on rows of a table: choice of inputs, boosting, and source-disjoint cross-validation.
#pragma once

#include "config/error.h"
#include "control/lab/train_family.h"
#include "control/lab/train_split.h"
#include "control/lab/train_table.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weir::lab {

struct FitOptions : FamilyOptions {
    std::uint32_t max_inputs = 48;  ///< the columns of largest gain in a booster are kept
    std::uint32_t candidates = 1;   ///< networks: seeds to choose from, see best_seed()
    bool early_stop = true;         ///< at the stage of least held-out loss; else after the last
    std::uint32_t own_groups = 0xffffffffU;  ///< groups beyond are further rows, never held out
    WeightOptions weights;
    /// Ablation: held-out rows get these features' codes from one another's flows, so that they lie.
    std::vector<std::string> shuffled;
};

/// A model on some columns of a table.
struct FittedModel {
    std::unique_ptr<Fitted> model;
    std::vector<std::uint32_t> columns;  ///< of the table, rising
};

/// Boosts on every column of `rows`, then fits the family on those whose splits gained most; conv1d: on the sequence of
/// the flow's first packets, whatever it gains. Thread: any.
[[nodiscard]] Result<FittedModel> fit(
    const FeatureTable& table,
    std::span<const std::uint32_t> rows,
    std::span<const float> weights,
    const FitOptions& options);

/// The given columns of the given rows.
[[nodiscard]] CodeMatrix gather(
    const FeatureTable& table,
    std::span<const std::uint32_t> rows,
    std::span<const std::uint32_t> columns);

/// Every row's logits from a model that saw nothing of the row's source.
struct CrossValidation {
    std::uint32_t rounds = 0;           ///< early stopping: the stage of least mean held-out loss
    std::vector<double> loss_of_round;  ///< weighted log loss on held-out rows after 1, 2, … stages
    std::vector<float> logits;          ///< rows × classes at `rounds`, as Fitted::logits()
    std::vector<float> float_logits;    ///< the same models with nothing rounded
    std::vector<float> integer_logits;   ///< what the gateway's kernels make of them
    std::vector<std::uint32_t> fold_of;  ///< per group
};

/// Folds run in parallel (oneTBB); the outcome does not depend on it. `fold_of`: each group's fold, 0…folds−1; groups
/// beyond its end are in every training set and never held out, and their rows get no logits. `folds` ≥ 2.
[[nodiscard]] Result<CrossValidation> cross_validate(
    const FeatureTable& table,
    std::span<const float> weights,
    const FitOptions& options,
    std::vector<std::uint32_t> fold_of,
    std::uint32_t folds);

}  // namespace weir::lab
