// SPDX-License-Identifier: BSD-3-Clause
// What quantization costs, on rows with labels.
#pragma once

#include "config/error.h"
#include "control/lab/train_table.h"
#include "kernels/model/bundle.h"

#include <cstdint>
#include <functional>

namespace weir::lab {

/// A model before and after, by the verdicts at every row.
struct QuantizationCost {
    std::uint64_t rows = 0;
    double agreement = 0.0;    ///< share of rows whose likeliest class is the same
    double worst_logit = 0.0;  ///< largest |difference| of a logit
    double float_macro_f1 = 0.0;
    double macro_f1 = 0.0;
    double float_auc =
        0.0;  ///< of "not benign", or without a class benign the mean of each class against the rest
    double auc = 0.0;
};

/// `logits` computes the float model's logits of one row of `table`, whose features are the bundle's inputs in order.
/// Thread: any.
[[nodiscard]] Result<QuantizationCost> quantization_cost(
    const FeatureTable& table,
    const kernels::Bundle& bundle,
    double logit_per_raw,
    const std::function<void(const std::uint8_t* codes, double* logits)>& logits);

}  // namespace weir::lab
