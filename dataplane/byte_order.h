// SPDX-License-Identifier: BSD-3-Clause
// Whole numbers of frames, in network byte order, at any alignment.
#pragma once

#include <cstdint>

namespace weir::dataplane {

/// The two bytes at `at`.
[[nodiscard]] inline std::uint32_t get16(const std::uint8_t* at) noexcept {
    return static_cast<std::uint32_t>(at[0]) << 8U | at[1];
}

/// The lower 16 bits of `value` to `at` and the byte after.
inline void put16(std::uint8_t* at, std::uint32_t value) noexcept {
    at[0] = static_cast<std::uint8_t>(value >> 8U);
    at[1] = static_cast<std::uint8_t>(value);
}

/// All of `value` to `at` and the three bytes after.
inline void put32(std::uint8_t* at, std::uint32_t value) noexcept {
    put16(at, value >> 16U);
    put16(at + 2, value);
}

}  // namespace weir::dataplane
