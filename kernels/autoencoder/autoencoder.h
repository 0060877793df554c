// SPDX-License-Identifier: BSD-3-Clause
// Autoencoder scored by its reconstruction error: the contract. reference.cpp beside this file defines the answer.
#pragma once

#include "config/error.h"
#include "kernels/mlp/mlp.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::kernels {

/// An MLP that gives its input back, trained on what is normal; what it reconstructs badly is anomalous.
/// For row x (u8):
///   x̂      = the last layer's codes: every layer requantized to u8 as MlpLayer's hidden layers are, the last one too
///   e[k]   = (x[k] − x̂[k])²·weights[k]      (u32: 255²·65535 < 2^32)
///   error  = (Σ_k e[k]) >> shift              (Σ ≤ 256·255²·65535 < 2^40; validate() sees to error < 2^31)
///   raw[0] = error − offset                   (s32: both are in 0…2^31 − 1)
/// One raw output, for HeadKind::sigmoid and two classes: class 0 is what the training rows are ("benign"), class 1,
/// anomalous, wins where error > offset.
struct AutoencoderSpec {
    std::vector<MlpLayer>
        layers;  ///< 1…kMlpMaxLayers; widths 1…kMlpMaxWidth, the last as wide as the first's input
    std::vector<std::uint16_t> weights;  ///< one an input; 0 leaves its feature out of the error
    std::uint8_t shift = 0;              ///< 0…24
    std::int32_t offset = 0;             ///< ≥ 0

    [[nodiscard]] std::uint32_t inputs() const noexcept {
        return layers.empty() ? 0 : layers.front().in;
    }
    [[nodiscard]] static constexpr std::uint32_t outputs() noexcept { return 1; }
};

/// Checks shapes and bounds; names the layer and field at fault.
[[nodiscard]] Result<void> validate(const AutoencoderSpec& spec);

/// What each feature adds to a row's error, for explanations: e[k] of `n` rows, laid out as Classifier::score() takes
/// them, to `out`, n × inputs, row-major. (Σ_k e[k] >> shift) − offset is the raw output. Needs validate(spec).
/// Thread: any, off the packet path: plain code.
void reconstruction_errors(
    const AutoencoderSpec& spec,
    const std::uint8_t* rows,
    std::size_t stride,
    std::uint32_t n,
    std::uint32_t* out) noexcept;

}  // namespace weir::kernels
