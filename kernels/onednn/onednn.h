// SPDX-License-Identifier: BSD-3-Clause
// Dense networks too large or too unusual for the native kernels, run by oneDNN: the contract. reference.cpp beside this
// file defines the answers.
#pragma once

#include "config/error.h"
#include "kernels/mlp/mlp.h"

#include <cstdint>
#include <variant>
#include <vector>

namespace weir::kernels {

inline constexpr std::uint32_t kOnednnMaxWidth = 4096;
inline constexpr std::uint32_t kOnednnMaxLayers = 16;

/// Int8: the MLP's arithmetic (MlpLayer) at greater widths. The answer equals the reference bit for bit: oneDNN only
/// sums u8·s8 products into s32, which 2^24 + 4096·255·127 < 2^28 never overflows; bias, shift, clamps and multipliers
/// are ours. That needs VNNI: without it oneDNN's sums go through vpmaddubsw, which saturates, so there is no such
/// variant there.
struct OnednnInt8 {
    std::vector<MlpLayer>
        layers;  ///< 1…kOnednnMaxLayers; inputs 1…kMaxInputs, widths 1…kOnednnMaxWidth, outputs 1…kMaxOutputs
};

/// One f32 dense layer: y[j] = bias[j] + Σ_k x[k]·weights[j·in + k]; hidden layers: max(0, y).
struct OnednnF32Layer {
    std::uint32_t in = 0;
    std::uint32_t out = 0;
    std::vector<float> weights;  ///< [out][in], finite
    std::vector<float> bias;     ///< [out], finite
};

/// f32: x = the codes as they are; raw[j] = y[j]·raw_scale of the last layer, rounded to nearest (ties to even) and
/// clamped to ±2^30. oneDNN may sum in any order, so the answer is bounded, not exact: with u = 2^-24 and
/// γ = (in + 2)·u / (1 − (in + 2)·u), a layer adds γ·(|bias| + Σ|weight|·|x|) to the errors that reach it, and
///   |raw − reference| ≤ 1 + raw_scale·(error of the last layer) + u·|raw|.
/// On one machine it is the same to the bit from run to run, and for a row wherever it stands in whatever batch.
struct OnednnF32 {
    std::vector<OnednnF32Layer> layers;  ///< as many and as wide as those of OnednnInt8
    float raw_scale = 1.0F;              ///< 2^-20…2^20
};

struct OnednnSpec {
    std::variant<OnednnInt8, OnednnF32> network;

    [[nodiscard]] std::uint32_t inputs() const noexcept;
    [[nodiscard]] std::uint32_t outputs() const noexcept;
};

/// Checks shapes and bounds; f32: also that no activation can exceed 10^30. Names the layer and field at fault.
[[nodiscard]] Result<void> validate(const OnednnSpec& spec);

}  // namespace weir::kernels
