// SPDX-License-Identifier: BSD-3-Clause
// Trees walked node by node, several walks at a time: a walk alone waits for memory at every step.
#pragma once

#include "kernels/forest/pack.h"

#include <cstddef>
#include <cstdint>

namespace weir::kernels {

/// out[output] += the leaf that `row` reaches, for every tree of row_walks().
void walk_row(const ForestPacked& forest, const std::uint8_t* row, std::int32_t* out) noexcept;

/// Scores n rows by walk_row() alone: needs a forest without row pieces.
void walk_rows(
    const ForestPacked& forest,
    const std::uint8_t* rows,
    std::size_t stride,
    std::uint32_t n,
    std::int32_t* out) noexcept;

/// What a variant without row pieces does with few rows (sliced.inc).
struct WalkFewRows {
    static constexpr std::size_t kFewScratchBytes = 0;
    static void score_few(
        const ForestPacked& forest,
        const std::uint8_t* rows,
        std::size_t stride,
        std::uint32_t n,
        std::int32_t* out,
        std::byte* /*scratch*/) noexcept {
        walk_rows(forest, rows, stride, n, out);
    }
};

/// sums[r] += the leaf of `tree` that row r reaches, for n rows.
void walk_block(
    const ForestPacked& forest,
    const ForestWalkTree& tree,
    const std::uint8_t* rows,
    std::size_t stride,
    std::uint32_t n,
    std::int32_t* sums) noexcept;

}  // namespace weir::kernels
