// SPDX-License-Identifier: BSD-3-Clause
// The normalizer on AVX-512: 16 columns a step; sums of squares in 64-bit integers, quotients eight doubles at a time.
#include "kernels/normalized/columns.h"
#include "kernels/target_region.h"

#include <algorithm>
#include <cmath>

#if defined(__x86_64__)

#include "kernels/x86_intrinsics.h"

namespace weir::kernels {

WEIR_TARGET_REGION_BEGIN("avx512f,avx512bw,avx512vl,avx512dq")
namespace {

constexpr std::uint32_t kMostBlocks = kNormMaxColumns / kNormBlock;

// Values of a block's columns; those behind the row's end are 0.
WEIR_INLINE __m512i
values(const NormColumns& c, const std::uint8_t* row, std::uint32_t first) noexcept {
    const std::uint32_t left = std::min(c.inputs - first, kNormBlock);
    const auto present = static_cast<__mmask16>((1U << left) - 1);
    const __m512i codes = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(present, row + first));
    const __m512i scaled = _mm512_mullo_epi32(codes, _mm512_loadu_si512(&c.scale[first]));
    return _mm512_srai_epi32(_mm512_add_epi32(scaled, _mm512_loadu_si512(&c.offset[first])), 8);
}

// The row's values into `v`, its norm's sum or largest value returned.
template <RowNorm kNorm>
WEIR_INLINE std::int64_t take_values(
    const NormColumns& c, const std::uint8_t* row, __m512i* v) noexcept {
    __m512i sum = _mm512_setzero_si512();
    for (std::uint32_t first = 0; first < c.padded; first += kNormBlock) {
        const __m512i block = values(c, row, first);
        v[first / kNormBlock] = block;
        if constexpr (kNorm == RowNorm::l1) {
            sum = _mm512_add_epi32(sum, _mm512_abs_epi32(block));
        } else if constexpr (kNorm == RowNorm::max) {
            sum = _mm512_max_epi32(sum, block);
        } else {
            const __m512i odd = _mm512_srli_epi64(block, 32);
            sum = _mm512_add_epi64(sum, _mm512_mul_epi32(block, block));
            sum = _mm512_add_epi64(sum, _mm512_mul_epi32(odd, odd));
        }
    }
    if constexpr (kNorm == RowNorm::l1) {
        return _mm512_reduce_add_epi32(sum);
    } else if constexpr (kNorm == RowNorm::max) {
        return _mm512_reduce_max_epi32(sum);
    } else {
        return _mm512_reduce_add_epi64(sum);
    }
}

WEIR_INLINE __m256i quotient_steps(__m256i v, __m512d reciprocal, const double* gain) noexcept {
    const __m512d quotient = _mm512_mul_pd(_mm512_cvtepi32_pd(v), reciprocal);
    return _mm512_cvt_roundpd_epi32(
        _mm512_mul_pd(quotient, _mm512_loadu_pd(gain)), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}

template <RowNorm kNorm>
void rows_of(
    const NormColumns& c,
    const std::uint8_t* rows,
    std::size_t stride,
    std::uint32_t n,
    std::uint8_t* out,
    std::size_t out_stride) noexcept {
    __m512i v[kMostBlocks];
    for (std::uint32_t r = 0; r < n; ++r) {
        const auto exact = static_cast<double>(take_values<kNorm>(c, rows + r * stride, v));
        const double norm = kNorm == RowNorm::l2 ? std::sqrt(exact) : exact;
        const __m512d reciprocal = _mm512_set1_pd(norm > 0.0 ? 1.0 / norm : 0.0);
        for (std::uint32_t first = 0; first < c.padded; first += kNormBlock) {
            const __m512i block = v[first / kNormBlock];
            const __m256i low =
                quotient_steps(_mm512_castsi512_si256(block), reciprocal, &c.gain[first]);
            const __m256i high =
                quotient_steps(_mm512_extracti64x4_epi64(block, 1), reciprocal, &c.gain[first + 8]);
            const __m512i steps = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
            const __m512i codes = _mm512_max_epi32(
                _mm512_add_epi32(steps, _mm512_loadu_si512(&c.zero[first])),
                _mm512_setzero_si512());
            _mm_storeu_si128(
                reinterpret_cast<__m128i*>(out + r * out_stride + first),
                _mm512_cvtusepi32_epi8(codes));
        }
    }
}

}  // namespace

void normalize_rows_avx512(
    const NormColumns& columns,
    const std::uint8_t* rows,
    std::size_t stride,
    std::uint32_t n,
    std::uint8_t* out,
    std::size_t out_stride) noexcept {
    switch (columns.norm) {
        case RowNorm::l1:
            return rows_of<RowNorm::l1>(columns, rows, stride, n, out, out_stride);
        case RowNorm::l2:
            return rows_of<RowNorm::l2>(columns, rows, stride, n, out, out_stride);
        case RowNorm::max:
            return rows_of<RowNorm::max>(columns, rows, stride, n, out, out_stride);
    }
}

WEIR_TARGET_REGION_END

}  // namespace weir::kernels

#endif
