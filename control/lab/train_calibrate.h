// SPDX-License-Identifier: BSD-3-Clause
// Making scores mean what they say, from predictions on sources the model has not seen.
#pragma once

#include "kernels/head/head.h"

#include <cstdint>
#include <span>
#include <vector>

namespace weir::lab {

/// Temperature T that minimizes the weighted log loss of softmax(logits / T); 0.2…5.
/// `logits`: rows × classes; `labels`, `weights`: per row.
[[nodiscard]] double fit_temperature(
    std::span<const float> logits,
    std::uint32_t classes,
    std::span<const std::uint32_t> labels,
    std::span<const float> weights);

/// One observation: a score, whether what it claims was true, and how much it counts.
struct Observation {
    double score = 0.0;  ///< 0…1
    bool truth = false;
    double weight = 1.0;
};

/// Isotonic regression on equal-weight bins as a curve for HeadSpec::calibration: `in` strictly rising from 0 to
/// 65535, `out` rising too, so that no two scores far apart become one. Fewer than two bins' worth: the identity.
[[nodiscard]] std::vector<kernels::CalibrationPoint> fit_isotonic(
    std::vector<Observation> observations, std::uint32_t bins = 24);

/// The curve at `in`, as the head computes it but in real numbers; the identity if empty.
[[nodiscard]] double apply_curve(std::span<const kernels::CalibrationPoint> curve, double in);

}  // namespace weir::lab
