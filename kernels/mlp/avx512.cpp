// SPDX-License-Identifier: BSD-3-Clause
// MLP on AVX-512 without VNNI: codes and weights widened to 16 bits, vpmaddwd and vpaddd, as on AVX2.
#include "kernels/mlp/pack.h"
#include "kernels/mlp/variants.h"
#include "kernels/target_region.h"

#if defined(__x86_64__)

#include "kernels/x86_intrinsics.h"

namespace weir::kernels {
WEIR_TARGET_REGION_BEGIN("avx512f,avx512bw,avx512vl,avx512dq")
namespace {

struct Ops {
    using Vec = __m512i;
    using Sum = __v16si;
    using Code = std::int16_t;
    static constexpr Isa kIsa = Isa::avx512;
    static constexpr MlpPackShape kShape{16, 2, 2, 0};
    static constexpr int kTileRegisters = 16;
    static constexpr int kSmallTileRows = 2;
    static constexpr bool kSomeIsCheap = true;
    static constexpr bool kReadsCodesAsGiven = false;
    static constexpr int kPack = 2;

    static WEIR_INLINE Sum zero() { return Sum{}; }
    static WEIR_INLINE Vec load(const std::byte* p) { return _mm512_load_si512(p); }
    static WEIR_INLINE Vec broadcast(const std::byte* p) {
        std::int32_t step = 0;
        __builtin_memcpy(&step, p, sizeof step);
        return _mm512_set1_epi32(step);
    }
    // |255·127·2| < 2^31: the pair sum is exact.
    static WEIR_INLINE Sum dot(Sum acc, Vec x, Vec w) { return acc + Sum(_mm512_madd_epi16(x, w)); }

    static WEIR_INLINE Vec scaled(Vec a, Vec b, std::int32_t shift, const std::byte* multipliers) {
        const __m128i count = _mm_cvtsi32_si128(shift);
        const Vec words =
            _mm512_packs_epi32(_mm512_sra_epi32(a, count), _mm512_sra_epi32(b, count));
        return _mm512_mulhrs_epi16(words, load(multipliers));
    }

    template <int kGroups>
    static WEIR_INLINE Vec
    codes(const Vec* acc, std::int32_t shift, const std::byte* multipliers, int pair) {
        const Vec words = scaled(acc[0], acc[1], shift, multipliers + pair * sizeof(Vec));
        const Vec clamped = _mm512_min_epi16(
            _mm512_max_epi16(words, _mm512_setzero_si512()), _mm512_set1_epi16(255));
        return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), clamped);
    }

    template <int kPieces>
    static WEIR_INLINE void store(std::byte* to, std::size_t pitch, Vec codes) {
        if constexpr (kPieces == 1) {
            _mm512_store_si512(to, codes);
        } else {
            _mm256_store_si256(reinterpret_cast<__m256i*>(to), _mm512_castsi512_si256(codes));
            _mm256_store_si256(
                reinterpret_cast<__m256i*>(to + pitch), _mm512_extracti64x4_epi64(codes, 1));
        }
    }

    static WEIR_INLINE void raw(
        Vec a, Vec b, std::int32_t shift, const std::byte* multipliers, int pair, Vec* out) {
        const Vec words = scaled(a, b, shift, multipliers + pair * sizeof(Vec));
        out[0] = _mm512_srai_epi32(_mm512_unpacklo_epi16(words, words), 16);
        out[1] = _mm512_srai_epi32(_mm512_unpackhi_epi16(words, words), 16);
    }
    static WEIR_INLINE void store_raw(std::int32_t* to, Vec raw) { _mm512_storeu_si512(to, raw); }
    static WEIR_INLINE void store_some(std::int32_t* to, Vec raw, std::uint32_t count) {
        _mm512_mask_storeu_epi32(to, static_cast<__mmask16>((1U << count) - 1), raw);
    }

    static WEIR_INLINE void load_codes(
        const std::uint8_t* row, std::uint32_t inputs, std::byte* to) {
        for (std::uint32_t at = 0; at < inputs; at += 32) {
            const std::uint32_t left = inputs - at;
            const __mmask32 mask = left >= 32 ? ~__mmask32{0} : (__mmask32{1} << left) - 1;
            const __m256i codes = _mm256_maskz_loadu_epi8(mask, row + at);
            _mm512_store_si512(to + at * sizeof(Code), _mm512_cvtepu8_epi16(codes));
        }
    }
};

#include "kernels/mlp/blocked.inc"

}  // namespace
WEIR_TARGET_REGION_END

std::unique_ptr<Classifier> make_mlp_avx512(const MlpSpec& spec) {
    return std::make_unique<BlockedMlp>(spec);
}

}  // namespace weir::kernels

#endif
