// SPDX-License-Identifier: BSD-3-Clause
// The checks of dense layers, for every family that has some.
#pragma once

#include "config/error.h"
#include "kernels/mlp/mlp.h"

#include <cstdint>
#include <span>
#include <string>

namespace weir::kernels {

/// Widest input that a layer of any family may have: with every bound at its end, sums still fit s32.
inline constexpr std::uint32_t kMaxLayerIn = 1 << 16;

/// One layer by itself: 1 ≤ in ≤ max_in (at most kMaxLayerIn), 1 ≤ out ≤ max_out, counts that fit them, and every value's bound as MlpLayer
/// states it. Errors name `path`.field.
[[nodiscard]] Result<void> validate_layer(
    const std::string& path, const MlpLayer& layer, std::uint32_t max_in, std::uint32_t max_out);

struct LayerLimits {
    std::uint32_t layers = 0;  ///< 1 to this many
    std::uint32_t in = 0;      ///< widest input of the first
    std::uint32_t width = 0;   ///< widest layer between
    std::uint32_t out = 0;     ///< widest output of the last
};

/// A chain of layers, each by itself and its input against the output before. Errors name `path`[i].field.
[[nodiscard]] Result<void> validate_layers(
    const std::string& path, std::span<const MlpLayer> layers, const LayerLimits& limits);

}  // namespace weir::kernels
