// SPDX-License-Identifier: BSD-3-Clause
// How much a test draws at random: all of it here, a share where a cross build's tests run under an emulator.
#pragma once

#include <cstdint>

namespace weir::testing {

#if defined(WEIR_TESTS_EMULATED)
inline constexpr bool kEmulated = true;
#else
inline constexpr bool kEmulated = false;
#endif

/// `full` rounds, rows or shapes; under an emulator a sixteenth, but at least one.
constexpr std::uint32_t effort(std::uint32_t full) {
    return kEmulated ? (full + 15) / 16 : full;
}

/// Step of a sweep over every length or width: 1; under an emulator 7, which meets every residue of a register's size.
inline constexpr std::uint32_t kSweepStep = kEmulated ? 7 : 1;

}  // namespace weir::testing
