// SPDX-License-Identifier: BSD-3-Clause
// One dense layer as MlpLayer defines it, for the references of every family that has some. Slow; allocates nothing.
#pragma once

#include "kernels/mlp/mlp.h"

#include <cstdint>

namespace weir::kernels {

/// Neuron j of `layer`, which passed validate_layer(), on `layer.in` codes: t.
[[nodiscard]] std::int32_t reference_neuron(
    const MlpLayer& layer, std::uint32_t j, const std::uint8_t* x) noexcept;

/// All of a hidden layer: `layer.in` codes at x to `layer.out` codes at y, which do not overlap.
void reference_hidden(const MlpLayer& layer, const std::uint8_t* x, std::uint8_t* y) noexcept;

}  // namespace weir::kernels
