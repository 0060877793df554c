// SPDX-License-Identifier: BSD-3-Clause
// Int8 multi-layer perceptron: the contract. reference.cpp beside this file defines the answer.
#pragma once

#include "config/error.h"

#include <cstdint>
#include <vector>

namespace weir::kernels {

inline constexpr std::uint32_t kMlpMaxWidth = 256;
inline constexpr std::uint32_t kMlpMaxLayers = 6;

/// One dense layer. For sample x (u8) and neuron j:
///   acc = bias[j] + Σ_k x[k]·weights[j·in + k]                    (s32; |acc| < 2^31 is checked by validate())
///   v   = clamp(acc >> shift, −32768, 32767)                       (arithmetic shift)
///   t   = (v·multiplier[j] + 2^14) >> 15                           (pmulhrsw / sqrdmulh)
/// hidden layers: y = clamp(t, 0, 255) as u8 (ReLU by saturation); last layer: raw output = t (s32).
struct MlpLayer {
    std::uint32_t in = 0;
    std::uint32_t out = 0;
    std::vector<std::int8_t> weights;      ///< [out][in], −127…127
    std::vector<std::int32_t> bias;        ///< [out], |bias| ≤ 2^24
    std::uint8_t shift = 0;                ///< 0…16
    std::vector<std::int16_t> multiplier;  ///< [out], 0…32767: per-channel scale, Q15
};

struct MlpSpec {
    std::vector<MlpLayer>
        layers;  ///< 1…kMlpMaxLayers; widths 1…kMlpMaxWidth, the last 1…kMaxOutputs

    [[nodiscard]] std::uint32_t inputs() const noexcept {
        return layers.empty() ? 0 : layers.front().in;
    }
    [[nodiscard]] std::uint32_t outputs() const noexcept {
        return layers.empty() ? 0 : layers.back().out;
    }
};

/// Checks shapes and bounds; names the layer and field at fault.
[[nodiscard]] Result<void> validate(const MlpSpec& spec);

}  // namespace weir::kernels
