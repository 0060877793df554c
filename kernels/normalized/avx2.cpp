// SPDX-License-Identifier: BSD-3-Clause
// The normalizer on AVX2: eight columns a step, quotients four doubles at a time.
#include "kernels/normalized/columns.h"
#include "kernels/target_region.h"

#include <cmath>
#include <cstring>

#if defined(__x86_64__)

#include "kernels/x86_intrinsics.h"

namespace weir::kernels {

WEIR_TARGET_REGION_BEGIN("avx2")
namespace {

constexpr std::uint32_t kLanes = 8;
constexpr std::uint32_t kMostSteps = kNormMaxColumns / kLanes;

WEIR_INLINE __m256i load(const std::int32_t* from) noexcept {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

WEIR_INLINE std::int64_t sum_of_words(__m256i words) noexcept {
    std::int64_t lane[4];
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(lane), words);
    return lane[0] + lane[1] + lane[2] + lane[3];
}

// The values of the row's codes into `v`, its norm's sum or largest value returned. `row` holds `padded` codes.
template <RowNorm kNorm>
WEIR_INLINE std::int64_t take_values(
    const NormColumns& c, const std::uint8_t* row, __m256i* v) noexcept {
    __m256i sum = _mm256_setzero_si256();
    for (std::uint32_t first = 0; first < c.padded; first += kLanes) {
        const __m256i codes =
            _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(row + first)));
        const __m256i scaled = _mm256_mullo_epi32(codes, load(&c.scale[first]));
        const __m256i value =
            _mm256_srai_epi32(_mm256_add_epi32(scaled, load(&c.offset[first])), 8);
        v[first / kLanes] = value;
        if constexpr (kNorm == RowNorm::l1) {
            sum = _mm256_add_epi32(sum, _mm256_abs_epi32(value));
        } else if constexpr (kNorm == RowNorm::max) {
            sum = _mm256_max_epi32(sum, value);
        } else {
            const __m256i odd = _mm256_srli_epi64(value, 32);
            sum = _mm256_add_epi64(sum, _mm256_mul_epi32(value, value));
            sum = _mm256_add_epi64(sum, _mm256_mul_epi32(odd, odd));
        }
    }
    if constexpr (kNorm == RowNorm::l2) {
        return sum_of_words(sum);
    }
    __m128i four = _mm256_castsi256_si128(sum);
    const __m128i upper = _mm256_extracti128_si256(sum, 1);
    const auto join = [](__m128i a, __m128i b) noexcept {
        return kNorm == RowNorm::l1 ? _mm_add_epi32(a, b) : _mm_max_epi32(a, b);
    };
    four = join(four, upper);
    four = join(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(join(four, _mm_shuffle_epi32(four, 0xb1)));
}

WEIR_INLINE __m128i quotient_steps(__m128i v, __m256d reciprocal, const double* gain) noexcept {
    const __m256d quotient = _mm256_mul_pd(_mm256_cvtepi32_pd(v), reciprocal);
    return _mm256_cvtpd_epi32(_mm256_floor_pd(_mm256_mul_pd(quotient, _mm256_loadu_pd(gain))));
}

WEIR_INLINE void store_codes(
    const NormColumns& c,
    const __m256i* v,
    __m256d reciprocal,
    std::uint32_t first,
    std::uint8_t* out) noexcept {
    const __m256i value = v[first / kLanes];
    const __m128i low = quotient_steps(_mm256_castsi256_si128(value), reciprocal, &c.gain[first]);
    const __m128i high =
        quotient_steps(_mm256_extracti128_si256(value, 1), reciprocal, &c.gain[first + 4]);
    const __m256i zero = load(&c.zero[first]);
    const __m128i words = _mm_packs_epi32(
        _mm_add_epi32(low, _mm256_castsi256_si128(zero)),
        _mm_add_epi32(high, _mm256_extracti128_si256(zero, 1)));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out + first), _mm_packus_epi16(words, words));
}

template <RowNorm kNorm>
void rows_of(
    const NormColumns& c,
    const std::uint8_t* rows,
    std::size_t stride,
    std::uint32_t n,
    std::uint8_t* out,
    std::size_t out_stride) noexcept {
    std::uint8_t row[kNormMaxColumns] = {};
    __m256i v[kMostSteps];
    for (std::uint32_t r = 0; r < n; ++r) {
        std::memcpy(row, rows + r * stride, c.inputs);
        const auto exact = static_cast<double>(take_values<kNorm>(c, row, v));
        const double norm = kNorm == RowNorm::l2 ? std::sqrt(exact) : exact;
        const __m256d reciprocal = _mm256_set1_pd(norm > 0.0 ? 1.0 / norm : 0.0);
        for (std::uint32_t first = 0; first < c.padded; first += kLanes) {
            store_codes(c, v, reciprocal, first, out + r * out_stride);
        }
    }
}

}  // namespace

void normalize_rows_avx2(
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
