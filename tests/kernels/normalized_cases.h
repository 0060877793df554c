// SPDX-License-Identifier: BSD-3-Clause
// Normalized networks for tests: random columns, and such that reach every bound.
#pragma once

#include "kernels/normalized/normalized.h"
#include "tests/kernels/mlp_cases.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace weir::testing {

inline constexpr kernels::RowNorm kAllNorms[] = {
    kernels::RowNorm::l1, kernels::RowNorm::l2, kernels::RowNorm::max};

/// What code 0 and code 255 stand for lies within ±2^30; `values` as of an MLP's weights.
inline kernels::NormColumn make_norm_column(
    kernels::RowNorm norm, Values values, std::mt19937& random) {
    constexpr std::int32_t kMost = 1 << 30;
    const auto draw = [&](std::int32_t low, std::int32_t high) {
        return std::uniform_int_distribution<std::int32_t>(low, high)(random);
    };
    const std::int32_t least = norm == kernels::RowNorm::max ? 0 : -kMost;
    kernels::NormColumn column;
    if (values == Values::random || values == Values::trained) {
        const std::int32_t spread = values == Values::trained ? kMost >> draw(0, 20) : kMost;
        column.offset = draw(std::max(least, -spread), spread);
        const std::int32_t last = draw(std::max(least, -spread), spread);
        column.scale = static_cast<std::int32_t>((std::int64_t{last} - column.offset) / 255);
        column.gain_q8 = static_cast<std::uint32_t>(draw(1, 1 << draw(1, 28)));
        column.zero = draw(-300, 300);
        return column;
    }
    const bool rises = values == Values::highest || (values == Values::mixed && draw(0, 1) != 0);
    column.offset = values == Values::lowest ? least : rises ? least : kMost;
    column.scale = values == Values::lowest ? 0
                   : rises ? static_cast<std::int32_t>((std::int64_t{kMost} - least) / 255)
                           : static_cast<std::int32_t>((std::int64_t{least} - kMost) / 255);
    column.gain_q8 = draw(0, 1) != 0 ? 1U << 28 : 128U << 8;
    column.zero = column.gain_q8 == 1U << 28 ? draw(-(1 << 21), 1 << 21) : 128;
    return column;
}

inline kernels::NormalizedSpec make_normalized(
    kernels::RowNorm norm,
    const std::vector<std::uint32_t>& widths,
    Values values,
    std::mt19937& random) {
    kernels::NormalizedSpec spec;
    spec.norm = norm;
    for (std::uint32_t k = 0; k < widths.front(); ++k) {
        spec.columns.push_back(make_norm_column(norm, values, random));
    }
    spec.network = make_spec(widths, Values::trained, random);
    return spec;
}

}  // namespace weir::testing
