// SPDX-License-Identifier: BSD-3-Clause
// The reconstruction error where 32-bit products are summed as low and high halves, each less 2^15.
#pragma once

#include <cstdint>

namespace weir::kernels {

/// The sum of `words` products, of their halves' sums. Thread: any.
[[nodiscard]] constexpr std::int64_t sum_of_halves(
    std::int64_t low, std::int64_t high, std::uint32_t words) noexcept {
    const std::int64_t less = std::int64_t{words} << 15;
    return ((high + less) << 16) + low + less;
}

}  // namespace weir::kernels
