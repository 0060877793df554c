// SPDX-License-Identifier: BSD-3-Clause
// From oneDNN's s32 sums to the next layer's codes, or to raw outputs: MlpLayer's arithmetic past the sum.
#pragma once

#include "kernels/mlp/mlp.h"

#include <cstdint>

namespace weir::kernels {

/// `sums`: rows × layer.out, without bias; `to`: as many u8 codes. Both contiguous, not overlapping.
/// Needs AVX-512 VNNI, as the sums do.
void requantize_hidden(
    const MlpLayer& layer, const std::int32_t* sums, std::uint32_t rows, std::uint8_t* to) noexcept;

/// The same for the last layer: s32 raw outputs.
void requantize_output(
    const MlpLayer& layer, const std::int32_t* sums, std::uint32_t rows, std::int32_t* to) noexcept;

}  // namespace weir::kernels
