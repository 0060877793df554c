// SPDX-License-Identifier: BSD-3-Clause
// Plain loops for GCC to vectorize: pointers of their own, since a u8 store may alias anything else.
#include "kernels/onednn/requantize.h"

#include "kernels/target_region.h"

#include <cstddef>

namespace weir::kernels {
#if defined(__x86_64__)
WEIR_TARGET_REGION_BEGIN("avx512f,avx512bw,avx512vl,avx512dq")
#endif
namespace {

WEIR_INLINE std::int32_t clamped(std::int32_t value, std::int32_t low, std::int32_t high) {
    const std::int32_t above = value < low ? low : value;
    return above > high ? high : above;
}

WEIR_INLINE std::int32_t scaled(
    std::int32_t sum, std::int32_t bias, std::int32_t shift, std::int32_t multiplier) {
    const std::int32_t v = clamped((sum + bias) >> shift, -32768, 32767);
    return (v * multiplier + (1 << 14)) >> 15;
}

void hidden_row(
    const std::int32_t* __restrict sums,
    const std::int32_t* __restrict bias,
    const std::int16_t* __restrict multiplier,
    std::int32_t shift,
    std::uint32_t width,
    std::uint8_t* __restrict to) noexcept {
    for (std::uint32_t j = 0; j < width; ++j) {
        to[j] = static_cast<std::uint8_t>(
            clamped(scaled(sums[j], bias[j], shift, multiplier[j]), 0, 255));
    }
}

void output_row(
    const std::int32_t* __restrict sums,
    const std::int32_t* __restrict bias,
    const std::int16_t* __restrict multiplier,
    std::int32_t shift,
    std::uint32_t width,
    std::int32_t* __restrict to) noexcept {
    for (std::uint32_t j = 0; j < width; ++j) {
        to[j] = scaled(sums[j], bias[j], shift, multiplier[j]);
    }
}

void hidden_rows(
    const MlpLayer& layer,
    const std::int32_t* sums,
    std::uint32_t rows,
    std::uint8_t* to) noexcept {
    for (std::uint32_t r = 0; r < rows; ++r) {
        const std::size_t at = std::size_t{r} * layer.out;
        hidden_row(
            sums + at, layer.bias.data(), layer.multiplier.data(), layer.shift, layer.out, to + at);
    }
}

void output_rows(
    const MlpLayer& layer,
    const std::int32_t* sums,
    std::uint32_t rows,
    std::int32_t* to) noexcept {
    for (std::uint32_t r = 0; r < rows; ++r) {
        const std::size_t at = std::size_t{r} * layer.out;
        output_row(
            sums + at, layer.bias.data(), layer.multiplier.data(), layer.shift, layer.out, to + at);
    }
}

}  // namespace
#if defined(__x86_64__)
WEIR_TARGET_REGION_END
#endif

void requantize_hidden(
    const MlpLayer& layer,
    const std::int32_t* sums,
    std::uint32_t rows,
    std::uint8_t* to) noexcept {
    hidden_rows(layer, sums, rows, to);
}

void requantize_output(
    const MlpLayer& layer,
    const std::int32_t* sums,
    std::uint32_t rows,
    std::int32_t* to) noexcept {
    output_rows(layer, sums, rows, to);
}

}  // namespace weir::kernels
