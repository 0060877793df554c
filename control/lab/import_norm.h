// SPDX-License-Identifier: BSD-3-Clause
// Within weirlab import: a Normalizer in front of a model, in floats and as the gateway's columns.
#pragma once

#include "control/lab/train_convert.h"
#include "kernels/normalized/normalized.h"

#include <cstdint>
#include <span>
#include <vector>

namespace weir::lab {

/// Where a quotient's codes lie: code = zero + ⌊quotient · gain⌋, and a code stands for the middle of its quotients.
struct NormGrid {
    std::uint32_t gain_q8 = 256;
    std::int32_t zero = 0;

    [[nodiscard]] double gain() const noexcept { return gain_q8 / 256.0; }
    [[nodiscard]] double value(double code) const noexcept { return (code - zero + 0.5) / gain(); }
};

/// The grid whose inner codes cover `low` to `high`, each in −1…1, by at most 252 steps; no finer than 1/`finest`.
[[nodiscard]] NormGrid norm_grid(double low, double high, double finest);

/// Of each column scale · code + shift is taken, and the row divided by its norm.
struct InputNorm {
    kernels::RowNorm norm = kernels::RowNorm::max;
    std::vector<double> scale{1.0};  ///< one, or one a column
    std::vector<double> shift{0.0};  ///< as many
    std::vector<NormGrid>
        grid;  ///< of columns that trees split on, which they fix; a network's come from its rows
    std::vector<float>
        after_offset;  ///< in front of trees: (quotient − offset) · scale; empty: nothing
    std::vector<float> after_scale;
};

/// The quotients of a row of codes, in double. All 0 where the norm is 0, as ONNX says: "if the divisor is zero, Y == X".
[[nodiscard]] std::vector<double> quotients(
    const InputNorm& norm, std::span<const std::uint8_t> codes);

/// The gateway's columns: values in 2^-21 of the largest that any column and code has, each with its grid.
[[nodiscard]] std::vector<kernels::NormColumn> norm_columns(
    const InputNorm& norm, std::span<const NormGrid> grid);

/// Logits of a forest on quotients, by FloatTree::cuts.
void float_logits(
    const FloatForest& forest,
    const InputNorm& norm,
    std::span<const double> quotients,
    double* logits);

/// The grids that cover the quotients of calibration rows (rows × columns codes).
[[nodiscard]] std::vector<NormGrid> grids_of_rows(
    const InputNorm& norm, std::span<const std::uint8_t> codes, std::size_t columns);

/// The codes of calibration rows behind the normalizer.
[[nodiscard]] std::vector<std::uint8_t> normalized_codes(
    const kernels::NormalizedSpec& spec, std::span<const std::uint8_t> codes);

}  // namespace weir::lab
