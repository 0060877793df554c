// SPDX-License-Identifier: BSD-3-Clause
// Heads of 16 rows at a time: a lane a row. Integers as in kernels/head/head.cpp, whose comments give the meaning;
// quotients by double precision, which is exact here (see quotient()).
#include "dataplane/heads.h"
#include "kernels/head/exp2_table.h"
#include "kernels/target_region.h"

#if defined(__x86_64__)

#include "kernels/x86_intrinsics.h"

#include <algorithm>

namespace weir::dataplane {
WEIR_TARGET_REGION_BEGIN("avx512f,avx512bw,avx512vl,avx512dq")
namespace {

using kernels::HeadKind;
using kernels::HeadSpec;
using kernels::HeadVerdict;

constexpr std::uint32_t kWidth = 16;
constexpr std::uint32_t kMostOutputs = 64;
constexpr int kOne = 65535;
constexpr auto kWinner = static_cast<int>(0x80000000U);  // the best class's weight: 2^31, unsigned

// Sixteen whole numbers below 2^53.
struct Wide {
    __m512d low;
    __m512d high;
};

WEIR_INLINE Wide widen(__m512i unsigned32) {
    return {
        _mm512_cvtepu32_pd(_mm512_castsi512_si256(unsigned32)),
        _mm512_cvtepu32_pd(_mm512_extracti64x4_epi64(unsigned32, 1))};
}

WEIR_INLINE __m512d floor_half(__m512d whole) {
    return _mm512_roundscale_pd(
        _mm512_mul_pd(whole, _mm512_set1_pd(0.5)), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}

// floor(a / b) of whole numbers, for quotients below 2^16 and b ≤ 2^37: a quotient that is not whole is at least
// 2^-37 below the next one, more than half a unit in its last place (2^-38), so rounding never reaches it.
WEIR_INLINE __m512i quotient(const Wide& a, const Wide& b) {
    const __m256i low = _mm512_cvttpd_epi32(_mm512_div_pd(a.low, b.low));
    const __m256i high = _mm512_cvttpd_epi32(_mm512_div_pd(a.high, b.high));
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

// weight · 65535 / total, to nearest.
WEIR_INLINE __m512i share(__m512i weight, const Wide& total) {
    const __m512d one = _mm512_set1_pd(kOne);
    const Wide part = widen(weight);
    return quotient(
        {_mm512_add_pd(_mm512_mul_pd(part.low, one), floor_half(total.low)),
         _mm512_add_pd(_mm512_mul_pd(part.high, one), floor_half(total.high))},
        total);
}

struct Scale {
    explicit Scale(std::int32_t scale_q16)
        : scale(_mm512_set1_epi32(scale_q16)),
          gone(_mm512_set1_epi32(((1 << 21) + scale_q16 - 1) / scale_q16)) {}
    __m512i scale;
    __m512i gone;  // the least distance with 32 halvings; below it, distance · scale < 2^21
};

WEIR_INLINE __m512i weight(__m512i distance, const Scale& by) {
    const __m512i byte = _mm512_set1_epi32(0xff);
    const __mmask16 counts = _mm512_cmplt_epu32_mask(distance, by.gone);
    const __m512i exponent = _mm512_maskz_mullo_epi32(counts, distance, by.scale);
    const __m512i entry = _mm512_and_si512(_mm512_srli_epi32(exponent, 8), byte);
    const auto* const table = kernels::kExp2Q31.data();
    const __m512i high = _mm512_i32gather_epi32(entry, table, 4);
    const __m512i low = _mm512_i32gather_epi32(entry, table + 1, 4);
    const __m512i between =
        _mm512_mullo_epi32(_mm512_sub_epi32(high, low), _mm512_and_si512(exponent, byte));
    const __m512i value = _mm512_sub_epi32(high, _mm512_srli_epi32(between, 8));
    return _mm512_maskz_srlv_epi32(counts, value, _mm512_srli_epi32(exponent, 16));
}

// The confidences a verdict needs.
struct Confidences {
    __m512i cls;
    __m512i best;
    __m512i benign;
};

WEIR_INLINE Confidences
softmax(const HeadSpec& spec, const __m512i* column, std::uint32_t outputs, int benign) {
    __m512i best = column[0];
    __m512i cls = _mm512_setzero_si512();
    for (std::uint32_t o = 1; o < outputs; ++o) {
        const __mmask16 above = _mm512_cmpgt_epi32_mask(column[o], best);
        best = _mm512_mask_mov_epi32(best, above, column[o]);
        cls = _mm512_mask_mov_epi32(cls, above, _mm512_set1_epi32(static_cast<int>(o)));
    }
    const Scale scale(spec.scale_q16);
    Wide total{_mm512_setzero_pd(), _mm512_setzero_pd()};
    __m512i benign_weight = _mm512_setzero_si512();
    for (std::uint32_t o = 0; o < outputs; ++o) {
        const __m512i of_class = weight(_mm512_sub_epi32(best, column[o]), scale);
        const Wide wide = widen(of_class);
        total.low = _mm512_add_pd(total.low, wide.low);
        total.high = _mm512_add_pd(total.high, wide.high);
        benign_weight = static_cast<int>(o) == benign ? of_class : benign_weight;
    }
    Confidences out{cls, share(_mm512_set1_epi32(kWinner), total), _mm512_setzero_si512()};
    if (benign >= 0) {
        out.benign = share(benign_weight, total);
    }
    return out;
}

WEIR_INLINE Confidences sigmoid(const HeadSpec& spec, __m512i raw, int benign) {
    const __m512i winner = _mm512_set1_epi32(kWinner);
    const __m512i other = weight(_mm512_abs_epi32(raw), Scale(spec.scale_q16));
    const Wide one = widen(winner);
    const Wide two = widen(other);
    const __m512i larger =
        share(winner, {_mm512_add_pd(one.low, two.low), _mm512_add_pd(one.high, two.high)});
    const __m512i cls =
        _mm512_maskz_set1_epi32(_mm512_cmpgt_epi32_mask(raw, _mm512_setzero_si512()), 1);
    const __mmask16 is_benign = _mm512_cmpeq_epi32_mask(cls, _mm512_set1_epi32(benign));
    const __m512i smaller = _mm512_sub_epi32(_mm512_set1_epi32(kOne), larger);
    return {cls, larger, _mm512_mask_mov_epi32(smaller, is_benign, larger)};
}

WEIR_INLINE __m512i calibrate(const HeadSpec& spec, __m512i in) {
    const std::size_t points = spec.calibration.size();
    if (points == 0) {
        return in;
    }
    static_assert(sizeof(kernels::CalibrationPoint) == 4);
    const __m512i half = _mm512_set1_epi32(0xffff);
    const __m512i one = _mm512_set1_epi32(1);
    __m512i left = _mm512_setzero_si512();
    for (std::size_t p = 1; p + 1 < points; ++p) {
        const __mmask16 beyond =
            _mm512_cmpgt_epi32_mask(in, _mm512_set1_epi32(spec.calibration[p].in));
        left = _mm512_mask_add_epi32(left, beyond, left, one);
    }
    const __m512i a = _mm512_i32gather_epi32(left, spec.calibration.data(), 4);
    const __m512i b = _mm512_i32gather_epi32(left, spec.calibration.data() + 1, 4);
    const __m512i a_in = _mm512_and_si512(a, half);
    const __m512i a_out = _mm512_srli_epi32(a, 16);
    const __m512i run = _mm512_sub_epi32(_mm512_and_si512(b, half), a_in);
    const __m512i rise = _mm512_sub_epi32(_mm512_srli_epi32(b, 16), a_out);
    const Wide grown = widen(_mm512_mullo_epi32(rise, _mm512_sub_epi32(in, a_in)));
    const Wide round = widen(_mm512_srli_epi32(run, 1));
    const __m512i steps = quotient(
        {_mm512_add_pd(grown.low, round.low), _mm512_add_pd(grown.high, round.high)}, widen(run));
    return _mm512_add_epi32(a_out, steps);
}

struct Lanes {
    alignas(16) std::uint8_t cls[kWidth];
    alignas(32) std::uint16_t confidence[kWidth];
    alignas(32) std::uint16_t not_benign[kWidth];
};

WEIR_INLINE void verdicts(
    const HeadSpec& spec, const Confidences& of, std::uint32_t classes, int benign, Lanes& out) {
    __m512i confidence = of.best;
    __m512i not_benign = _mm512_setzero_si512();
    if (benign < 0) {
        confidence = calibrate(spec, confidence);
    } else {
        const __m512i one = _mm512_set1_epi32(kOne);
        not_benign = calibrate(spec, _mm512_sub_epi32(one, of.benign));
        if (classes == 2) {
            const __mmask16 is_benign = _mm512_cmpeq_epi32_mask(of.cls, _mm512_set1_epi32(benign));
            confidence = _mm512_mask_sub_epi32(not_benign, is_benign, one, not_benign);
        }
    }
    _mm_store_si128(reinterpret_cast<__m128i*>(out.cls), _mm512_cvtepi32_epi8(of.cls));
    _mm256_store_si256(
        reinterpret_cast<__m256i*>(out.confidence), _mm512_cvtepi32_epi16(confidence));
    _mm256_store_si256(
        reinterpret_cast<__m256i*>(out.not_benign), _mm512_cvtepi32_epi16(not_benign));
}

}  // namespace

void apply_heads_avx512(
    const HeadSpec& spec,
    const std::int32_t* raw,
    std::uint32_t outputs,
    std::uint32_t n,
    int benign,
    HeadVerdict* out) noexcept {
    const bool is_sigmoid = spec.kind == HeadKind::sigmoid;
    const __m512i offset = _mm512_mullo_epi32(
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
        _mm512_set1_epi32(static_cast<int>(outputs)));
    __m512i column[kMostOutputs];
    Lanes lanes;
    for (std::uint32_t row = 0; row < n; row += kWidth) {
        const std::uint32_t rows = std::min(kWidth, n - row);
        const auto here = static_cast<__mmask16>((1U << rows) - 1);
        const std::int32_t* const first = raw + std::size_t{row} * outputs;
        for (std::uint32_t o = 0; o < outputs; ++o) {
            column[o] =
                _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), here, offset, first + o, 4);
        }
        const Confidences of =
            is_sigmoid ? sigmoid(spec, column[0], benign) : softmax(spec, column, outputs, benign);
        verdicts(spec, of, is_sigmoid ? 2 : outputs, benign, lanes);
        for (std::uint32_t r = 0; r < rows; ++r) {
            out[row + r] = {lanes.cls[r], lanes.confidence[r], lanes.not_benign[r]};
        }
    }
}

WEIR_TARGET_REGION_END
}  // namespace weir::dataplane

#else

namespace weir::dataplane {

void apply_heads_avx512(
    const kernels::HeadSpec& spec,
    const std::int32_t* raw,
    std::uint32_t outputs,
    std::uint32_t n,
    int benign,
    kernels::HeadVerdict* out) noexcept {
    kernels::apply_head(spec, raw, outputs, n, benign, out);
}

}  // namespace weir::dataplane

#endif
