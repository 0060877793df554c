// SPDX-License-Identifier: BSD-3-Clause
// What a dense layer costs, for the families that are made of them.
#pragma once

#include "kernels/isa.h"
#include "kernels/mlp/mlp.h"

#include <cstdint>

namespace weir::kernels {

/// Predicted cycles a row at batch 64 of one layer of `in` codes and `out` neurons, which gives raw outputs if it is the
/// `last`, else codes; without what a call costs beside its layers.
[[nodiscard]] double dense_layer_cycles(
    std::uint32_t in, std::uint32_t out, bool last, Isa isa) noexcept;

/// What a call costs beside its layers, for rows of `inputs` codes.
[[nodiscard]] double dense_call_cycles(std::uint32_t inputs, Isa isa) noexcept;

}  // namespace weir::kernels
