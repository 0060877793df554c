// SPDX-License-Identifier: BSD-3-Clause
// A choice that is never a branch.
#pragma once

#include <concepts>

namespace weir::dataplane {

/// `yes ? a : b`, by a mask. For what is as good as random from packet to packet, such as directions: compilers make
/// branches of some conditional expressions, and half of those are predicted wrongly.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T select(bool yes, T a, T b) noexcept {
    const auto mask = static_cast<T>(T{0} - static_cast<T>(yes));
    return static_cast<T>(b ^ ((a ^ b) & mask));
}

}  // namespace weir::dataplane
