// SPDX-License-Identifier: BSD-3-Clause
// A normalizer's columns as the vector variants read them.
#pragma once

#include "kernels/normalized/normalized.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::kernels {

/// Fields apart, each padded to a multiple of kNormBlock by columns whose value and code are 0.
struct NormColumns {
    explicit NormColumns(const NormalizedSpec& spec);

    RowNorm norm;
    std::uint32_t inputs;
    std::uint32_t padded;
    std::vector<std::int32_t> scale;
    std::vector<std::int32_t> offset;
    std::vector<double> gain;
    std::vector<std::int32_t> zero;
};

/// Columns that a step takes at most.
inline constexpr std::uint32_t kNormBlock = 16;

/// As normalize_rows(); writes whole blocks: `out_stride` ≥ padded, and what lies behind a row's inputs is overwritten.
using NormalizeRows = void (*)(
    const NormColumns& columns,
    const std::uint8_t* rows,
    std::size_t stride,
    std::uint32_t n,
    std::uint8_t* out,
    std::size_t out_stride) noexcept;

#if defined(__x86_64__)
void normalize_rows_avx2(
    const NormColumns& columns,
    const std::uint8_t* rows,
    std::size_t stride,
    std::uint32_t n,
    std::uint8_t* out,
    std::size_t out_stride) noexcept;
void normalize_rows_avx512(
    const NormColumns& columns,
    const std::uint8_t* rows,
    std::size_t stride,
    std::uint32_t n,
    std::uint8_t* out,
    std::size_t out_stride) noexcept;
#endif

}  // namespace weir::kernels
