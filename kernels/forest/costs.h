// SPDX-License-Identifier: BSD-3-Clause
// What each bit-sliced variant can do, and what its parts cost: a tree is cut, and rows are scored one by one or in
// blocks, by these; forest_cycles_per_row() adds them up.
//
// Fitted on Zen 5: 90 random forests a variant (2 to 200 inputs, 1 to 600 trees of 1 to 10 levels or grown leaf-wise to
// 16, 1 to 12 outputs), the fastest of many calls of 64 and of the widest block's rows each, non-negative least squares
// on the relative error of the sum of parts; the median error of the fit is 5 % or less. A bit-sliced block costs the
// same whatever its codes are, so this is the worst case as well. Walking steps and row pieces: the same, 8 rows a call.
#pragma once

#include "kernels/forest/pack.h"

namespace weir::kernels {

// clang-format off
inline constexpr ForestPackShape kForestAvx2{
    .max_width = 256, .row_pieces = false,
    .narrow = {.feature = 155, .threshold = 1.2F, .piece = {0, 0, 0, 34, 40, 58, 91}, .masked = 7, .mask_op = 5, .output = 173},
    .wide = {.feature = 195, .threshold = 1.9F, .piece = {0, 0, 0, 121, 129, 180, 234}, .masked = 3, .mask_op = 4, .output = 369},
    .walk_step = 2.4F, .row_piece = 0};
inline constexpr ForestPackShape kForestAvx512{
    .max_width = 512, .row_pieces = false,
    .narrow = {.feature = 73, .threshold = 0.6F, .piece = {0, 0, 0, 13, 20, 28, 50}, .masked = 3, .mask_op = 6, .output = 122},
    .wide = {.feature = 243, .threshold = 2.4F, .piece = {0, 0, 0, 64, 77, 93, 144}, .masked = 27, .mask_op = 6, .output = 442},
    .walk_step = 2.4F, .row_piece = 0};
inline constexpr ForestPackShape kForestAvx512Gfni{
    .max_width = 512, .row_pieces = true,
    .narrow = {.feature = 85, .threshold = 0.5F, .piece = {0, 0, 0, 12, 18, 26, 50}, .masked = 2, .mask_op = 6, .output = 147},
    .wide = {.feature = 131, .threshold = 2.6F, .piece = {0, 0, 0, 38, 44, 57, 103}, .masked = 22, .mask_op = 4, .output = 519},
    .walk_step = 2.4F, .row_piece = 1.9F};
// clang-format on

}  // namespace weir::kernels
