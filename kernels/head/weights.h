// SPDX-License-Identifier: BSD-3-Clause
// The weight of a class, 2^(-distance·scale): what every variant of the head computes, in the same integers.
//
// With e = distance·scale in Q16, h its whole part, k the next 5 bits and r the last 11:
//     q = (r·(kSlope − (r·kCurve >> 8))) >> 16          1 − 2^(-r/65536) in Q20, < 2^15
//     w = (kExp2[k] − ((kExp2[k] >> 8)·q >> 12)) >> h   Q25; 0 from h = 26 on
// All products are below 2^32. The relative error is at most 2^-19.9 before the last shift; w falls strictly in k·2048 + r and
// meets half of kExp2[0] from above, so it never rises with distance.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::kernels::head_weights {

inline constexpr std::uint32_t kMaxClasses = 64;
inline constexpr std::uint32_t kWhole = 1U
                                        << 25;  ///< weight of the winner; 64 of them fit in 32 bits
inline constexpr std::uint32_t kSlope = 726823;  ///< ln 2 · 2^20, fitted for the least error
inline constexpr std::uint32_t kCurve = 974;     ///< (ln 2)²/2 · 2^12, fitted with it
inline constexpr std::uint32_t kZeroExponent =
    32U << 16;  ///< Q16; every exponent from here on has weight 0

constexpr std::uint64_t isqrt(std::uint64_t value) {
    std::uint64_t root = 0;
    for (std::uint64_t bit = std::uint64_t{1} << 31; bit != 0; bit >>= 1) {
        const std::uint64_t trial = root + bit;
        if (trial * trial <= value) {
            root = trial;
        }
    }
    return root;
}

/// 2^(-k/32) in Q25 for k = 0…31, from integer square roots of 1/2: no libm, so the same on every machine.
inline constexpr std::array<std::uint32_t, 32> kExp2 = [] {
    std::array<std::uint32_t, 32> table{};
    std::array<std::uint64_t, 6> roots{};  // roots[i] = 2^(-2^-i) in Q31
    roots[0] = std::uint64_t{1} << 30;
    for (std::size_t i = 1; i < roots.size(); ++i) {
        roots[i] = isqrt(roots[i - 1] << 31);
    }
    for (std::size_t k = 0; k < table.size(); ++k) {
        std::uint64_t product = std::uint64_t{1} << 31;
        for (std::size_t i = 1; i < roots.size(); ++i) {
            if ((k >> (5 - i) & 1U) != 0) {
                product = product * roots[i] >> 31;
            }
        }
        table[k] = static_cast<std::uint32_t>((product + 32) >> 6);
    }
    return table;
}();

static_assert(kExp2[0] == kWhole && kExp2[16] == 23726566U && kExp2[31] > kWhole / 2);

/// The least distance at which the weight is 0: distances are cut to it, so that distance·scale stays below 2^32.
constexpr std::uint32_t zero_distance(std::int32_t scale_q16) {
    const auto scale = static_cast<std::uint32_t>(scale_q16);
    return (kZeroExponent + scale - 1) / scale;
}

/// Weight in Q25 of a class whose raw output is `distance` below the best.
constexpr std::uint32_t weight(std::uint32_t distance, std::uint32_t scale, std::uint32_t zero) {
    const std::uint32_t exponent = std::min(distance, zero) * scale;
    const std::uint32_t halvings = exponent >> 16;
    const std::uint32_t entry = kExp2[exponent >> 11 & 31];
    const std::uint32_t rest = exponent & 0x7ff;
    const std::uint32_t fall = rest * (kSlope - (rest * kCurve >> 8)) >> 16;
    return halvings > 31 ? 0 : (entry - ((entry >> 8) * fall >> 12)) >> halvings;
}

}  // namespace weir::kernels::head_weights
