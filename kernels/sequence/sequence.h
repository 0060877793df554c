// SPDX-License-Identifier: BSD-3-Clause
// Convolution over a flow's first packets: the contract. reference.cpp beside this file defines the answer.
#pragma once

#include "config/error.h"
#include "kernels/mlp/mlp.h"

#include <array>
#include <cstdint>
#include <vector>

namespace weir::kernels {

inline constexpr std::uint32_t kSequenceMaxSteps = 16;
/// Of the input: a packet's signed length, and the gap before it.
inline constexpr std::uint32_t kSequenceChannels = 2;
/// What a packet that was not seen has in each channel: length 0 (signed, so the middle code), and no gap. Stands for
/// the gap of packet 1, which does not exist, and for what a convolution reads before the first and after the last.
inline constexpr std::array<std::uint8_t, kSequenceChannels> kSequenceUnseen{128, 0};
inline constexpr std::uint32_t kSequenceMaxConvolutions = 3;
inline constexpr std::uint32_t kSequenceMaxChannels = 32;
inline constexpr std::uint32_t kSequenceMaxKernel = 5;
inline constexpr std::uint32_t kSequenceMaxStride = 4;
inline constexpr std::uint32_t kSequenceMaxPool = 4;
inline constexpr std::uint32_t kSequenceMaxDense = 4;
inline constexpr std::uint32_t kSequenceMaxDenseWidth = 128;

/// One convolution, ReLU, requantization and max pooling over `positions` × `in` codes x. For position p and channel j:
///   acc     = bias[j] + Σ_i Σ_c x[p·stride + i − padding][c]·weights[(j·kernel + i)·in + c]     (s32, |acc| < 2^25)
///   y[p][j] = clamp((clamp(acc >> shift, −32768, 32767)·multiplier[j] + 2^14) >> 15, 0, 255)    (as MlpLayer's hidden)
///   z[q][j] = max of y[q·pool … q·pool + pool − 1][j]
/// Outside of x, the first convolution reads kSequenceUnseen, later ones 0. There are
///   P = (positions + 2·padding − kernel) / stride + 1     of y, ⌊P / pool⌋ ≥ 1 of z; y's rest is dropped.
struct Convolution {
    std::uint32_t in = 0;       ///< kSequenceChannels, later the out of the one before
    std::uint32_t out = 0;      ///< 1…kSequenceMaxChannels
    std::uint32_t kernel = 0;   ///< 1, 3 or 5
    std::uint32_t stride = 1;   ///< 1…kSequenceMaxStride
    std::uint32_t padding = 0;  ///< positions read before the first and after the last: 0…kernel/2
    std::uint32_t pool = 1;     ///< 1…kSequenceMaxPool; 1 is none
    std::vector<std::int8_t> weights;      ///< [out][kernel][in], −127…127
    std::vector<std::int32_t> bias;        ///< [out], |bias| ≤ 2^24
    std::uint8_t shift = 0;                ///< 0…16
    std::vector<std::int16_t> multiplier;  ///< [out], 0…32767: per-channel scale, Q15

    /// Positions before pooling, and after it, that `given` positions become; 0 if they are too few.
    [[nodiscard]] std::uint32_t convolved(std::uint32_t given) const noexcept {
        const std::uint32_t read = given + 2 * padding;
        return read < kernel || stride == 0 ? 0 : (read - kernel) / stride + 1;
    }
    [[nodiscard]] std::uint32_t pooled(std::uint32_t given) const noexcept {
        return pool == 0 ? 0 : convolved(given) / pool;
    }
};

/// How P positions × C channels z become the input of the dense layers.
enum class SequencePooling : std::uint8_t {
    flatten,  ///< all P·C, position by position
    max,      ///< C: the largest over the positions
    average   ///< C: ⌊(Σ_p z[p][c] + ⌊P/2⌋) / P⌋, the mean to nearest
};

/// The input row holds 2·steps − 1 codes: the signed lengths of packets 1…steps, then the gaps of packets 2…steps, in
/// the order of the feature catalog. Position t of the first convolution has the length of packet t + 1 in channel 0
/// and its gap in channel 1; packet 1 has the gap of kSequenceUnseen. The dense layers are an MLP: hidden ones
/// requantize to u8, the last gives the raw outputs.
struct SequenceSpec {
    std::uint32_t steps = kSequenceMaxSteps;  ///< 1…kSequenceMaxSteps
    std::vector<Convolution> convolutions;    ///< 1…kSequenceMaxConvolutions
    SequencePooling pooling = SequencePooling::flatten;
    std::vector<MlpLayer>
        dense;  ///< 1…kSequenceMaxDense; out 1…kSequenceMaxDenseWidth, last 1…kMaxOutputs

    [[nodiscard]] std::uint32_t inputs() const noexcept {
        return steps == 0 ? 0 : kSequenceChannels * steps - 1;
    }
    [[nodiscard]] std::uint32_t outputs() const noexcept {
        return dense.empty() ? 0 : dense.back().out;
    }
};

/// Checks shapes and bounds; names the layer and field at fault.
[[nodiscard]] Result<void> validate(const SequenceSpec& spec);

}  // namespace weir::kernels
