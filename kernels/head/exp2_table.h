// SPDX-License-Identifier: BSD-3-Clause
// The table behind every head's exponential.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::kernels {

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

// 2^(-k/256) in Q31 for k = 0…256, from integer square roots of 1/2: no libm, so the same on every machine.
// Each entry is off by less than 2^-27; neighbours differ by at least 2^-10, so the table falls strictly.
inline constexpr std::array<std::uint32_t, 257> kExp2Q31 = [] {
    std::array<std::uint32_t, 257> table{};
    std::array<std::uint64_t, 9> roots{};  // roots[i] = 2^(-2^-i)
    roots[0] = std::uint64_t{1} << 30;
    for (std::size_t i = 1; i < roots.size(); ++i) {
        roots[i] = isqrt(roots[i - 1] << 31);
    }
    for (std::size_t k = 0; k < table.size(); ++k) {
        std::uint64_t product = std::uint64_t{1} << 31;
        for (std::size_t i = 0; i < roots.size(); ++i) {
            if ((k >> (8 - i) & 1U) != 0) {
                product = product * roots[i] >> 31;
            }
        }
        table[k] = static_cast<std::uint32_t>(product);
    }
    return table;
}();

static_assert(kExp2Q31[0] == 1U << 31 && kExp2Q31[128] == 1518500249U && kExp2Q31[256] == 1U << 30);
static_assert(std::is_sorted(kExp2Q31.rbegin(), kExp2Q31.rend()));

}  // namespace weir::kernels
