// SPDX-License-Identifier: BSD-3-Clause
// Weights of an MLP as the vector variants read them.
#pragma once

#include "kernels/mlp/mlp.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::kernels {

/// What a variant's registers look like.
struct MlpPackShape {
    std::uint32_t lanes = 0;      ///< s32 accumulators a register, each of one neuron
    std::uint32_t taps = 0;       ///< inputs that one dot step adds to each lane
    std::uint32_t tap_bytes = 0;  ///< 1: s8 weights and u8 codes; 2: s16 weights and i16 codes
    std::int32_t code_offset =
        0;  ///< subtracted from every code before the dot step (128 where it takes s8 codes)
};

/// Neurons that one tile computes side by side: 1, 2 or 4 registers of accumulators.
/// In memory, each part starting at a multiple of the register size:
///   bias        s32 [groups][lanes], what code_offset took off added back
///   multiplier  s16 [1 or 2][pairs of groups as the packing steps interleave them]
///   weights     s8 or s16 [steps, rounded up to 4][groups][lanes][taps], zero where there is no input or no neuron
struct MlpUnit {
    std::uint32_t first = 0;   ///< its first neuron
    std::uint32_t groups = 0;  ///< 1, 2 or 4
    const std::byte* bias = nullptr;
    const std::byte* multiplier = nullptr;
    const std::byte* weights = nullptr;
};

struct MlpPackedLayer {
    std::uint32_t steps = 0;  ///< dot steps: inputs / taps, rounded up
    std::uint32_t out = 0;    ///< neurons, without the padding
    std::int32_t shift = 0;
    std::vector<MlpUnit> units;
};

/// An MLP packed for one shape. Movable, immutable.
class MlpPacked {
  public:
    /// Needs validate(spec). Allocates.
    MlpPacked(const MlpSpec& spec, const MlpPackShape& shape);

    [[nodiscard]] const std::vector<MlpPackedLayer>& layers() const noexcept { return layers_; }
    [[nodiscard]] std::uint32_t inputs() const noexcept { return inputs_; }
    [[nodiscard]] std::uint32_t outputs() const noexcept { return layers_.back().out; }

  private:
    struct alignas(64) Line {
        std::byte bytes[64];
    };

    void pack_unit(
        const MlpLayer& layer, const MlpPackShape& shape, const MlpUnit& unit, std::byte* to) const;

    std::uint32_t inputs_ = 0;
    std::vector<Line> arena_;
    std::vector<MlpPackedLayer> layers_;
};

}  // namespace weir::kernels
