// SPDX-License-Identifier: BSD-3-Clause
// What a convolution costs, direct and expanded (pack.h): packing takes the cheaper one.
#pragma once

#include "kernels/isa.h"
#include "kernels/sequence/sequence.h"

#include <cstdint>

namespace weir::kernels {

/// Channels in scratch: whole units of the MLP's packing, which are 1, 2 or 4 registers, or several of 4. Always whole
/// 16 bytes of codes, which pooling and padding take at once: registers of 4 lanes go by fours.
[[nodiscard]] std::uint32_t padded_channels(std::uint32_t channels, std::uint32_t lanes) noexcept;

/// Patches to multiply for so many positions, `full` of which fill a tile: a tile that is more than half full costs no
/// more than the small ones that would share its work.
[[nodiscard]] std::uint32_t patches_to_run(std::uint32_t positions, std::uint32_t full) noexcept;

/// Predicted cycles a row at batch 64 of `layer` over `given` positions of `channels` codes, padded ones counted,
/// without pooling. A variant's own ISA.
[[nodiscard]] double direct_cycles(
    const Convolution& layer, std::uint32_t given, std::uint32_t channels, Isa isa) noexcept;
[[nodiscard]] double expanded_cycles(
    const Convolution& layer, std::uint32_t given, std::uint32_t channels, Isa isa) noexcept;

}  // namespace weir::kernels
