// SPDX-License-Identifier: BSD-3-Clause
// The head on AVX-512: 16 rows side by side, a class at a time, so that no step waits for a row's own maximum or sum.
#include "kernels/head/variants.h"
#include "kernels/head/weights.h"
#include "kernels/target_region.h"

#include <algorithm>
#include <array>
#include <cstddef>

#if defined(__x86_64__)

#include "kernels/x86_intrinsics.h"

namespace weir::kernels {

// The variant writes verdicts as 16-bit words and reads curve points as 32-bit ones.
static_assert(sizeof(HeadVerdict) == 6 && offsetof(HeadVerdict, cls) == 0);
static_assert(offsetof(HeadVerdict, confidence) == 2 && offsetof(HeadVerdict, not_benign) == 4);
static_assert(sizeof(CalibrationPoint) == 4 && offsetof(CalibrationPoint, out) == 2);

WEIR_TARGET_REGION_BEGIN("avx512f,avx512bw,avx512vl,avx512dq")
namespace {

constexpr std::uint32_t kRows = 16;
constexpr std::int32_t kOne = 65535;

/// Raw outputs of 16 rows, a register a class.
struct Columns {
    __m512i of[head_weights::kMaxClasses];
};

// Registers of 16 × 32 bits: a row each in, a column each out.
WEIR_INLINE void transpose(__m512i* m) {
    __m512i t[16];
    WEIR_UNROLL for (std::size_t i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(m[i], m[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(m[i], m[i + 1]);
    }
    WEIR_UNROLL for (std::size_t i = 0; i < 16; i += 4) {
        m[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        m[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        m[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        m[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    // m[4g + c]: columns c, c+4, c+8, c+12 of rows 4g…4g+3, a quarter each.
    WEIR_UNROLL for (std::size_t c = 0; c < 4; ++c) {
        const __m512i low01 = _mm512_shuffle_i32x4(m[c], m[4 + c], 0x88);
        const __m512i high01 = _mm512_shuffle_i32x4(m[c], m[4 + c], 0xdd);
        const __m512i low23 = _mm512_shuffle_i32x4(m[8 + c], m[12 + c], 0x88);
        const __m512i high23 = _mm512_shuffle_i32x4(m[8 + c], m[12 + c], 0xdd);
        t[c] = _mm512_shuffle_i32x4(low01, low23, 0x88);
        t[8 + c] = _mm512_shuffle_i32x4(low01, low23, 0xdd);
        t[4 + c] = _mm512_shuffle_i32x4(high01, high23, 0x88);
        t[12 + c] = _mm512_shuffle_i32x4(high01, high23, 0xdd);
    }
    WEIR_UNROLL for (std::size_t i = 0; i < 16; ++i) {
        m[i] = t[i];
    }
}

// `rows` ≤ 16 rows; the rest is 0.
WEIR_INLINE void load(
    const std::int32_t* raw, std::uint32_t outputs, std::uint32_t rows, Columns& columns) {
    for (std::uint32_t first = 0; first < outputs; first += 16) {
        const std::uint32_t count = std::min(outputs - first, 16U);
        const auto mask = static_cast<__mmask16>((1U << count) - 1);
        __m512i* block = columns.of + first;
        WEIR_UNROLL for (std::uint32_t r = 0; r < kRows; ++r) {
            const __mmask16 present = r < rows ? mask : __mmask16{0};
            const std::uint32_t row = r < rows ? r : 0;
            block[r] = _mm512_maskz_loadu_epi32(present, raw + std::size_t{row} * outputs + first);
        }
        transpose(block);
    }
}

/// What stays the same for all rows.
struct Constants {
    __m512i scale;
    __m512i zero;
    __m512i low;   ///< kExp2[0…15]
    __m512i high;  ///< kExp2[16…31]
};

// head_weights::weight of 16 distances. A shift by 32 or more gives 0.
WEIR_INLINE __m512i weights(const Constants& c, __m512i distance) {
    const __m512i exponent = _mm512_mullo_epi32(_mm512_min_epu32(distance, c.zero), c.scale);
    const __m512i entry = _mm512_permutex2var_epi32(c.low, _mm512_srli_epi32(exponent, 11), c.high);
    const __m512i rest = _mm512_and_si512(exponent, _mm512_set1_epi32(0x7ff));
    const __m512i curve = _mm512_srli_epi32(
        _mm512_mullo_epi32(rest, _mm512_set1_epi32(std::int32_t{head_weights::kCurve})), 8);
    const __m512i slope =
        _mm512_sub_epi32(_mm512_set1_epi32(std::int32_t{head_weights::kSlope}), curve);
    const __m512i fall = _mm512_srli_epi32(_mm512_mullo_epi32(rest, slope), 16);
    const __m512i drop = _mm512_mullo_epi32(_mm512_srli_epi32(entry, 8), fall);
    return _mm512_srlv_epi32(
        _mm512_sub_epi32(entry, _mm512_srli_epi32(drop, 12)), _mm512_srli_epi32(exponent, 16));
}

WEIR_INLINE __m512d low_half(__m512i x) {
    return _mm512_cvtepu32_pd(_mm512_castsi512_si256(x));
}
WEIR_INLINE __m512d high_half(__m512i x) {
    return _mm512_cvtepu32_pd(_mm512_extracti64x4_epi64(x, 1));
}
WEIR_INLINE __m512i join(__m512d low, __m512d high) {
    return _mm512_inserti64x4(
        _mm512_castsi256_si512(_mm512_cvttpd_epu32(low)), _mm512_cvttpd_epu32(high), 1);
}

/// Divides by one total of each row, rounding down, exactly: (a + ½)/total lies at least 2^-32 from a whole number where
/// total ≤ 2^31, and the product with a rounded reciprocal is off by less than 2^-35 where the quotient is ≤ 2^16.
class Totals {
  public:
    explicit WEIR_INLINE Totals(__m512i total)
        : low_inverse_(_mm512_div_pd(_mm512_set1_pd(1.0), low_half(total))),
          high_inverse_(_mm512_div_pd(_mm512_set1_pd(1.0), high_half(total))),
          low_rest_(_mm512_add_pd(low_half(_mm512_srli_epi32(total, 1)), _mm512_set1_pd(0.5))),
          high_rest_(_mm512_add_pd(high_half(_mm512_srli_epi32(total, 1)), _mm512_set1_pd(0.5))) {}

    /// (factor·weight + total/2) / total.
    WEIR_INLINE __m512i share(__m512i weight) const {
        const __m512d one = _mm512_set1_pd(kOne);
        return join(
            _mm512_mul_pd(_mm512_fmadd_pd(low_half(weight), one, low_rest_), low_inverse_),
            _mm512_mul_pd(_mm512_fmadd_pd(high_half(weight), one, high_rest_), high_inverse_));
    }

  private:
    __m512d low_inverse_;
    __m512d high_inverse_;
    __m512d low_rest_;
    __m512d high_rest_;
};

// (rise·along + run/2) / run: below 2^33, and quotients of whole numbers up to 2^16 round down alike.
WEIR_INLINE __m512i along_segment(__m512i rise, __m512i along, __m512i run) {
    const __m512i half = _mm512_srli_epi32(run, 1);
    return join(
        _mm512_div_pd(
            _mm512_fmadd_pd(low_half(rise), low_half(along), low_half(half)), low_half(run)),
        _mm512_div_pd(
            _mm512_fmadd_pd(high_half(rise), high_half(along), high_half(half)), high_half(run)));
}

WEIR_INLINE __m512i point(const CalibrationPoint* p) {
    std::int32_t word = 0;
    __builtin_memcpy(&word, p, sizeof word);
    return _mm512_set1_epi32(word);
}

WEIR_INLINE __m512i calibrate(const std::vector<CalibrationPoint>& curve, __m512i in) {
    if (curve.empty()) {
        return in;
    }
    const __m512i at = _mm512_slli_epi32(in, 16);
    __m512i left = point(curve.data());
    __m512i next = point(curve.data() + 1);
    __m512i right = next;
    for (std::size_t i = 1; i + 1 < curve.size(); ++i) {
        const __m512i here = next;
        next = point(curve.data() + i + 1);
        // in and out change places: the word is below at just where the point's in is below.
        const __mmask16 beyond = _mm512_cmplt_epu32_mask(_mm512_rol_epi32(here, 16), at);
        left = _mm512_mask_mov_epi32(left, beyond, here);
        right = _mm512_mask_mov_epi32(right, beyond, next);
    }
    const __m512i word = _mm512_set1_epi32(0xffff);
    const __m512i left_in = _mm512_and_si512(left, word);
    const __m512i left_out = _mm512_srli_epi32(left, 16);
    const __m512i rise = _mm512_sub_epi32(_mm512_srli_epi32(right, 16), left_out);
    const __m512i run = _mm512_sub_epi32(_mm512_and_si512(right, word), left_in);
    return _mm512_add_epi32(left_out, along_segment(rise, _mm512_sub_epi32(in, left_in), run));
}

/// Verdicts of 16 rows, a row a lane.
struct Verdicts {
    __m512i cls;
    __m512i confidence;
    __m512i benign;  ///< confidence of class `benign`, if there is one
};

WEIR_INLINE Verdicts
softmax(const Constants& c, const Columns& columns, std::uint32_t outputs, int benign) {
    __m512i best = columns.of[0];
    __m512i cls = _mm512_setzero_si512();
    for (std::uint32_t o = 1; o < outputs; ++o) {
        const __mmask16 better = _mm512_cmpgt_epi32_mask(columns.of[o], best);
        best = _mm512_max_epi32(best, columns.of[o]);
        cls = _mm512_mask_mov_epi32(cls, better, _mm512_set1_epi32(static_cast<int>(o)));
    }
    __m512i total = _mm512_setzero_si512();
    for (std::uint32_t o = 0; o < outputs; ++o) {
        total = _mm512_add_epi32(total, weights(c, _mm512_sub_epi32(best, columns.of[o])));
    }
    const Totals totals(total);
    const __m512i own = benign < 0 ? total : weights(c, _mm512_sub_epi32(best, columns.of[benign]));
    return {
        cls,
        totals.share(_mm512_set1_epi32(std::int32_t{head_weights::kWhole})),
        benign < 0 ? total : totals.share(own)};
}

WEIR_INLINE Verdicts sigmoid(const Constants& c, __m512i raw, int benign) {
    const __m512i whole = _mm512_set1_epi32(std::int32_t{head_weights::kWhole});
    const __m512i loser = weights(c, _mm512_abs_epi32(raw));
    const __m512i larger = Totals(_mm512_add_epi32(whole, loser)).share(whole);
    const __m512i smaller = _mm512_sub_epi32(_mm512_set1_epi32(kOne), larger);
    const __m512i cls = _mm512_maskz_mov_epi32(
        _mm512_cmpgt_epi32_mask(raw, _mm512_setzero_si512()), _mm512_set1_epi32(1));
    const __mmask16 wins = _mm512_cmpeq_epi32_mask(cls, _mm512_set1_epi32(benign));
    return {cls, larger, _mm512_mask_mov_epi32(smaller, wins, larger)};
}

// cls, confidence and not_benign of each row in turn, 16 bits each.
WEIR_INLINE void store(
    __m512i cls, __m512i confidence, __m512i not_benign, std::uint32_t rows, HeadVerdict* out) {
    alignas(64) static constexpr auto kOrder = [] {
        std::array<std::uint16_t, 64> order{};
        for (std::uint16_t row = 0; row < kRows; ++row) {
            order[3U * row] = static_cast<std::uint16_t>(2 * row);
            order[3U * row + 1] = static_cast<std::uint16_t>(2 * row + 1);
            order[3U * row + 2] = static_cast<std::uint16_t>(32 + 2 * row);
        }
        return order;
    }();
    const __m512i pairs = _mm512_or_si512(cls, _mm512_slli_epi32(confidence, 16));
    const __m512i first =
        _mm512_permutex2var_epi16(pairs, _mm512_load_si512(kOrder.data()), not_benign);
    const __m512i second =
        _mm512_permutex2var_epi16(pairs, _mm512_load_si512(kOrder.data() + 32), not_benign);
    const std::uint64_t words = (std::uint64_t{1} << 3 * rows) - 1;
    auto* to = reinterpret_cast<std::int16_t*>(out);  // for the intrinsic, which may alias
    _mm512_mask_storeu_epi16(to, static_cast<__mmask32>(words), first);
    _mm512_mask_storeu_epi16(to + 32, static_cast<__mmask32>(words >> 32), second);
}

WEIR_INLINE void finish(
    const HeadSpec& spec,
    const Verdicts& v,
    bool two,
    int benign,
    std::uint32_t rows,
    HeadVerdict* out) {
    const __m512i one = _mm512_set1_epi32(kOne);
    if (benign < 0) {
        store(v.cls, calibrate(spec.calibration, v.confidence), _mm512_setzero_si512(), rows, out);
        return;
    }
    const __m512i not_benign = calibrate(spec.calibration, _mm512_sub_epi32(one, v.benign));
    const __mmask16 wins = _mm512_cmpeq_epi32_mask(v.cls, _mm512_set1_epi32(benign));
    const __m512i of_two =
        _mm512_mask_mov_epi32(not_benign, wins, _mm512_sub_epi32(one, not_benign));
    store(v.cls, two ? of_two : v.confidence, not_benign, rows, out);
}

void apply(
    const HeadSpec& spec,
    const std::int32_t* raw,
    std::uint32_t outputs,
    std::uint32_t n,
    int benign,
    HeadVerdict* out) noexcept {
    const bool is_sigmoid = spec.kind == HeadKind::sigmoid;
    const Constants constants{
        _mm512_set1_epi32(spec.scale_q16),
        _mm512_set1_epi32(static_cast<int>(head_weights::zero_distance(spec.scale_q16))),
        _mm512_loadu_si512(head_weights::kExp2.data()),
        _mm512_loadu_si512(head_weights::kExp2.data() + 16)};
    Columns columns;
    for (std::uint32_t at = 0; at < n; at += kRows) {
        const std::uint32_t rows = std::min(n - at, kRows);
        const std::int32_t* from = raw + std::size_t{at} * outputs;
        if (is_sigmoid) {
            const auto mask = static_cast<__mmask16>((1U << rows) - 1);
            const __m512i row = _mm512_maskz_loadu_epi32(mask, from);
            finish(spec, sigmoid(constants, row, benign), true, benign, rows, out + at);
            continue;
        }
        load(from, outputs, rows, columns);
        finish(
            spec,
            softmax(constants, columns, outputs, benign),
            outputs == 2,
            benign,
            rows,
            out + at);
    }
}

}  // namespace
WEIR_TARGET_REGION_END

void apply_head_avx512(
    const HeadSpec& spec,
    const std::int32_t* raw,
    std::uint32_t outputs,
    std::uint32_t n,
    int benign,
    HeadVerdict* out) noexcept {
    apply(spec, raw, outputs, n, benign, out);
}

}  // namespace weir::kernels

#endif
