// SPDX-License-Identifier: BSD-3-Clause
// The steps of training that are not oneDNN's: pooling as the kernels pool, and losses. Rows are row-major.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace weir::lab {

/// Largest of each `window` positions, channel by channel; positions beyond the last whole window are dropped. `from`:
/// per value of `to`, its place in `in`.
void max_pool(
    const std::vector<float>& in,
    std::uint32_t rows,
    std::uint32_t positions,
    std::uint32_t channels,
    std::uint32_t window,
    std::vector<float>& to,
    std::vector<std::uint32_t>& from);
/// Gradients back to where the largest values were; the rest gets 0.
void max_pool_back(
    const std::vector<float>& given,
    const std::vector<std::uint32_t>& from,
    std::vector<float>& to);

/// Mean over positions of codes of `scale` each, to the nearest code as SequencePooling::average has it.
void mean_code(
    const std::vector<float>& in,
    std::uint32_t positions,
    std::uint32_t channels,
    float scale,
    std::vector<float>& to);
/// Gradients of the mean's inputs, its rounding left out of account.
void spread_mean(
    std::uint32_t positions,
    std::uint32_t channels,
    const std::vector<float>& given,
    std::vector<float>& to);

/// −log of the label's share under softmax; the gradient divided by `batch`.
double cross_entropy(
    std::uint32_t label,
    std::span<const float> logits,
    std::uint32_t batch,
    std::span<float> gradient);
/// Mean over inputs of weighted squared differences between codes and the codes that `given` rounds to; the gradient goes
/// straight through rounding and clipping, so that what is clipped is pushed back.
double squared_errors(
    std::span<const std::uint8_t> codes,
    std::span<const float> given,
    std::span<const float> weights,
    std::uint32_t batch,
    std::span<float> gradient);

}  // namespace weir::lab
