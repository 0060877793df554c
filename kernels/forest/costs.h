// SPDX-License-Identifier: BSD-3-Clause
// What each bit-sliced variant can do, and what its parts cost: a tree is cut, and rows are scored one by one or in
// blocks, by these; forest_cycles_per_row() adds them up.
//
// Fitted on Zen 5: 90 random forests a variant (2 to 200 inputs, 1 to 600 trees of 1 to 10 levels or grown leaf-wise to
// 16, 1 to 12 outputs), the fastest of many calls of 64 and of the widest block's rows each, non-negative least squares
// on the relative error of the sum of parts; the median error of the fit is 5 % or less. Then brought down,
// AVX2 and GFNI by a tenth and AVX-512 by a twentieth, with calls and features of the first and features of the last
// dearer, as 72 other forests took on an undisturbed core. A bit-sliced block costs the same whatever its codes are, so this
// is the worst case as well. Walking steps and row pieces: the same, 8 rows a call.
#pragma once

#include "kernels/forest/pack.h"

namespace weir::kernels {

// clang-format off
inline constexpr ForestPackShape kForestAvx2{
    .max_width = 256, .row_pieces = false,
    .narrow = {.feature = 175, .threshold = 1.1F, .piece = {0, 0, 0, 31, 36, 52, 82}, .masked = 6.3F, .mask_op = 4.5F, .output = 300},
    .wide = {.feature = 176, .threshold = 1.7F, .piece = {0, 0, 0, 109, 116, 162, 211}, .masked = 2.7F, .mask_op = 3.6F, .output = 332},
    .walk_step = 2.2F, .row_piece = 0};
inline constexpr ForestPackShape kForestAvx512{
    .max_width = 512, .row_pieces = false,
    .narrow = {.feature = 85, .threshold = 0.57F, .piece = {0, 0, 0, 12.4F, 19, 26.6F, 47.5F}, .masked = 2.9F, .mask_op = 5.7F, .output = 116},
    .wide = {.feature = 243, .threshold = 2.3F, .piece = {0, 0, 0, 61, 73, 88, 137}, .masked = 25.7F, .mask_op = 5.7F, .output = 420},
    .walk_step = 2.4F, .row_piece = 0};
inline constexpr ForestPackShape kForestAvx512Gfni{
    .max_width = 512, .row_pieces = true,
    .narrow = {.feature = 76, .threshold = 0.45F, .piece = {0, 0, 0, 10.7F, 16, 23, 44.5F}, .masked = 1.8F, .mask_op = 5.3F, .output = 131},
    .wide = {.feature = 117, .threshold = 2.3F, .piece = {0, 0, 0, 34, 39, 51, 92}, .masked = 19.6F, .mask_op = 3.6F, .output = 462},
    .walk_step = 2.1F, .row_piece = 1.7F};
// Not measured on hardware: the instructions that each part takes, two a cycle. Under an emulator 100 trees of 6 levels
// took 938 instructions a row in blocks of 64 and 591 in blocks of 256.
inline constexpr ForestPackShape kForestNeonDotprod{
    .max_width = 256, .row_pieces = false,
    .narrow = {.feature = 150, .threshold = 2.7F, .piece = {0, 0, 0, 48, 62, 90, 140}, .masked = 2, .mask_op = 6, .output = 120},
    .wide = {.feature = 280, .threshold = 5, .piece = {0, 0, 0, 150, 185, 250, 440}, .masked = 8, .mask_op = 8, .output = 400},
    .walk_step = 4.5F, .row_piece = 0};
// clang-format on

}  // namespace weir::kernels
