// SPDX-License-Identifier: BSD-3-Clause
// Features of 16 packets at a time. Only exact or correctly rounded operations: the scalar answer, bit for bit.
#include "dataplane/features/catalog_table.h"
#include "dataplane/features/encoders.h"
#include "dataplane/features/lanes.h"
#include "dataplane/features/state.h"
#include "kernels/target_region.h"

#if defined(__x86_64__)

#include "kernels/x86_intrinsics.h"

#define WEIR_LANES_INLINE WEIR_INLINE

namespace weir::dataplane {
WEIR_TARGET_REGION_BEGIN("avx512f,avx512bw,avx512vl,avx512dq")
namespace {

using Real = __m512;
using Whole = __m512i;
using Mask = __mmask16;

struct Ops {
    static constexpr std::size_t kWidth = 16;

    static WEIR_INLINE Real real(const float* at) { return _mm512_load_ps(at); }
    static WEIR_INLINE Whole whole(const std::uint32_t* at) { return _mm512_load_si512(at); }
    static WEIR_INLINE Real set(float value) { return _mm512_set1_ps(value); }
    static WEIR_INLINE Real to_real(Whole value) { return _mm512_cvtepu32_ps(value); }
    static WEIR_INLINE Real from_bits(Whole value) { return _mm512_castsi512_ps(value); }
    static WEIR_INLINE Real root(Real value) { return _mm512_sqrt_ps(value); }
    static WEIR_INLINE Real most(Real value, Real low) { return _mm512_max_ps(value, low); }
    static WEIR_INLINE Real least(Real value, Real high) { return _mm512_min_ps(value, high); }
    static WEIR_INLINE Mask above(Real a, Real b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
    static WEIR_INLINE Mask equal(Whole a, std::uint32_t b) {
        return _mm512_cmpeq_epi32_mask(a, _mm512_set1_epi32(static_cast<int>(b)));
    }
    static WEIR_INLINE Mask any_bit(Whole a, std::uint32_t bits) {
        return _mm512_test_epi32_mask(a, _mm512_set1_epi32(static_cast<int>(bits)));
    }
    static WEIR_INLINE Real select(Mask mask, Real yes, Real no) {
        return _mm512_mask_blend_ps(mask, no, yes);
    }
    static WEIR_INLINE Whole plus(Whole a, std::int32_t b) {
        return _mm512_add_epi32(a, _mm512_set1_epi32(b));
    }
    template <typename Count>
    static WEIR_INLINE Whole shift_left(Whole a, Count bits) {
        return _mm512_slli_epi32(a, static_cast<unsigned>(bits));
    }
    static WEIR_INLINE void put(std::uint8_t* at, Whole code) {
        _mm_store_si128(reinterpret_cast<__m128i*>(at), _mm512_cvtepi32_epi8(code));
    }
    // Of the first packet: raw values are asked of one at a time.
    static WEIR_INLINE void put_raw(float* at, Real value) { *at = _mm512_cvtss_f32(value); }
    static WEIR_INLINE void put_log(std::uint8_t* at, Real value, std::int32_t param) {
        const Whole code = plus(
            _mm512_srli_epi32(_mm512_castps_si512(value), static_cast<unsigned>(kLogShift)),
            -param);
        put(at,
            _mm512_min_epi32(
                _mm512_max_epi32(code, _mm512_setzero_si512()), _mm512_set1_epi32(255)));
    }
    static WEIR_INLINE void put_linear(std::uint8_t* at, Real value, float scale, float bias) {
        const Real scaled = value * set(scale) + set(bias);
        put(at, _mm512_cvttps_epi32(least(most(scaled, set(0.0F)), set(255.0F))));
    }
};

// The operations come first.
// clang-format off
#include "dataplane/features/lanes.inc"
// clang-format on

}  // namespace

void lanes_avx512(
    std::uint32_t groups,
    const Measures& measures,
    std::size_t rows,
    std::uint8_t* codes) noexcept {
    for (std::size_t row = 0; row < rows; row += Ops::kWidth) {
        lanes(groups, measures, Emit<false>{codes, nullptr, Measures::kRows, row});
    }
}

WEIR_TARGET_REGION_END
}  // namespace weir::dataplane

#else

namespace weir::dataplane {

void lanes_avx512(
    std::uint32_t groups,
    const Measures& measures,
    std::size_t rows,
    std::uint8_t* codes) noexcept {
    lanes_scalar(groups, measures, rows, codes);
}

}  // namespace weir::dataplane

#endif
