// SPDX-License-Identifier: BSD-3-Clause
// Checks of int8 dense layers, for every family that has them.
#pragma once

#include "config/error.h"
#include "kernels/mlp/mlp.h"

#include <cstdint>
#include <vector>

namespace weir::kernels {

struct LayerLimits {
    const char* family;  ///< first part of the names in errors: "mlp"
    std::uint32_t layers;
    std::uint32_t width;
};

/// Shapes, counts, ranges and how layers follow each other; names the layer and field at fault.
[[nodiscard]] Result<void> check_layers(
    const std::vector<MlpLayer>& layers, const LayerLimits& limits);

}  // namespace weir::kernels
