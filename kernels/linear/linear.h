// SPDX-License-Identifier: BSD-3-Clause
// Linear classifier on u8 codes, logistic by its head: the contract. The MLP's reference.cpp defines the answer.
#pragma once

#include "config/error.h"
#include "kernels/mlp/mlp.h"

#include <cstdint>

namespace weir::kernels {

/// One dense layer whose raw outputs go straight to the head. For row x (u8) and output j, as MlpLayer says:
///   acc    = bias[j] + Σ_k x[k]·weights[j·in + k]         (s32; |acc| < 2^25, as validate() sees to)
///   raw[j] = (clamp(acc >> shift, −32768, 32767)·multiplier[j] + 2^14) >> 15
/// So it is the arithmetic of a one-layer MLP, and runs on the MLP's kernels, every variant of them. With HeadKind::
/// sigmoid over one output it is logistic regression, with softmax over several multinomial regression; `multiplier`
/// brings the outputs' scales (one a weight row) to that of the head.
struct LinearSpec {
    MlpLayer layer;  ///< in 1…kMlpMaxWidth, out 1…kMaxOutputs

    [[nodiscard]] std::uint32_t inputs() const noexcept { return layer.in; }
    [[nodiscard]] std::uint32_t outputs() const noexcept { return layer.out; }
};

/// Checks shape and bounds; names the field at fault ("linear.weights[3]").
[[nodiscard]] Result<void> validate(const LinearSpec& spec);

}  // namespace weir::kernels
