// SPDX-License-Identifier: BSD-3-Clause
// An autoencoder as the variant reads it that takes four rows a register: lane r of 128 bits belongs to row r.
//
// Codes: 16 of each of four rows a register, a quad. Accumulators: four neurons of each row. So a dot step multiplies 4
// codes of every row, repeated within its lane, by 4 neurons' weights, which stand in all lanes; and four accumulators,
// packed twice, are a quad of 16 neurons again: codes never leave their lane.
#pragma once

#include "kernels/autoencoder/autoencoder.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::kernels {

inline constexpr std::uint32_t kQuadRows = 4;
inline constexpr std::uint32_t kQuadCodes = 16;  ///< of each row
inline constexpr std::size_t kLaneBytes = 16;

/// Dot steps of 4 inputs that a layer takes: 2, or a multiple of 4.
[[nodiscard]] std::uint32_t quad_steps(std::uint32_t inputs) noexcept;
/// Accumulators of the block in which `neurons` are left: 1, 2 or 4.
[[nodiscard]] std::uint32_t quad_groups(std::uint32_t neurons) noexcept;

/// 16 neurons or, the last of a layer, the rest. In memory, 16 bytes each:
///   bias        s32, [groups][4 neurons]
///   multiplier  s16, [groups / 2, rounded up][4 neurons of one group, 4 of the next; of one group alone, twice]
///   weights     s8, [steps][groups][4 neurons][4 inputs], zero where there is no input or no neuron
struct QuadBlock {
    std::uint32_t groups = 0;  ///< quad_groups()
    const std::byte* bias = nullptr;
    const std::byte* multiplier = nullptr;
    const std::byte* weights = nullptr;
};

struct QuadLayer {
    std::uint32_t steps = 0;  ///< quad_steps()
    std::int32_t shift = 0;
    std::vector<QuadBlock> blocks;
};

/// Movable, immutable.
class AutoencoderQuads {
  public:
    /// Needs validate(spec). Allocates.
    explicit AutoencoderQuads(const AutoencoderSpec& spec);

    [[nodiscard]] std::uint32_t inputs() const noexcept { return inputs_; }
    [[nodiscard]] const std::vector<QuadLayer>& layers() const noexcept { return layers_; }
    /// Of 16 inputs: s16 low bytes of weights 0…7 and of 8…15, then high bytes likewise; 64 bytes for each 16 inputs.
    [[nodiscard]] const std::byte* error_weights() const noexcept { return error_weights_; }
    [[nodiscard]] std::uint64_t weight_sum() const noexcept { return weight_sum_; }
    [[nodiscard]] std::uint32_t shift() const noexcept { return shift_; }
    [[nodiscard]] std::int32_t offset() const noexcept { return offset_; }

  private:
    struct alignas(64) Line {
        std::byte bytes[64];
    };

    void pack_block(
        const MlpLayer& layer, std::uint32_t first, std::uint32_t steps, QuadBlock& block);
    void pack_error(const AutoencoderSpec& spec);
    [[nodiscard]] std::byte* take(std::size_t bytes) noexcept;

    std::uint32_t inputs_ = 0;
    std::vector<Line> arena_;
    std::size_t taken_ = 0;
    std::vector<QuadLayer> layers_;
    const std::byte* error_weights_ = nullptr;
    std::uint64_t weight_sum_ = 0;
    std::uint32_t shift_ = 0;
    std::int32_t offset_ = 0;
};

}  // namespace weir::kernels
