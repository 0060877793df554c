// SPDX-License-Identifier: BSD-3-Clause
// MLP on AVX-512 VNNI: vpdpbusd adds four u8·s8 products to each s32 lane, without saturation.
#include "kernels/mlp/pack.h"
#include "kernels/mlp/variants.h"
#include "kernels/target_region.h"

#if defined(__x86_64__)

#include "kernels/x86_intrinsics.h"

namespace weir::kernels {
WEIR_TARGET_REGION_BEGIN("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")
namespace {

struct Ops {
    using Vec = __m512i;
    using Sum = __v16si;
    using Code = std::uint8_t;
    static constexpr Isa kIsa = Isa::avx512_vnni;
    static constexpr MlpPackShape kShape{16, 4, 1, 0};
    static constexpr int kTileRegisters = 16;
    static constexpr int kSmallTileRows = 4;
    static constexpr bool kSomeIsCheap = true;
    static constexpr bool kReadsCodesAsGiven = true;
    static constexpr int kPack = 4;

    static WEIR_INLINE Sum zero() { return Sum{}; }
    static WEIR_INLINE Vec load(const std::byte* p) { return _mm512_load_si512(p); }
    static WEIR_INLINE Vec broadcast(const std::byte* p) {
        std::int32_t step = 0;
        __builtin_memcpy(&step, p, sizeof step);
        return _mm512_set1_epi32(step);
    }
    static WEIR_INLINE Sum dot(Sum acc, Vec x, Vec w) {
        return Sum(_mm512_dpbusd_epi32(Vec(acc), x, w));
    }

    static WEIR_INLINE Vec scaled(Vec a, Vec b, __m128i shift, const std::byte* multipliers) {
        const Vec words =
            _mm512_packs_epi32(_mm512_sra_epi32(a, shift), _mm512_sra_epi32(b, shift));
        return _mm512_mulhrs_epi16(words, load(multipliers));
    }

    template <int kGroups>
    static WEIR_INLINE Vec
    codes(const Vec* acc, std::int32_t shift, const std::byte* multipliers, int /*pair*/) {
        const __m128i count = _mm_cvtsi32_si128(shift);
        const std::byte* second = multipliers + (kGroups == 4 ? sizeof(Vec) : 0);
        const Vec bytes = _mm512_packus_epi16(
            scaled(acc[0], acc[1], count, multipliers), scaled(acc[2], acc[3], count, second));
        const Vec order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        return _mm512_permutexvar_epi32(order, bytes);
    }

    template <int kPieces>
    static WEIR_INLINE void store(std::byte* to, std::size_t pitch, Vec codes) {
        if constexpr (kPieces == 1) {
            _mm512_store_si512(to, codes);
        } else if constexpr (kPieces == 2) {
            _mm256_store_si256(reinterpret_cast<__m256i*>(to), _mm512_castsi512_si256(codes));
            _mm256_store_si256(
                reinterpret_cast<__m256i*>(to + pitch), _mm512_extracti64x4_epi64(codes, 1));
        } else {
            store_quarter(to, _mm512_castsi512_si128(codes));
            store_quarter(to + pitch, _mm512_extracti32x4_epi32(codes, 1));
            store_quarter(to + 2 * pitch, _mm512_extracti32x4_epi32(codes, 2));
            store_quarter(to + 3 * pitch, _mm512_extracti32x4_epi32(codes, 3));
        }
    }
    static WEIR_INLINE void store_quarter(std::byte* to, __m128i codes) {
        _mm_store_si128(reinterpret_cast<__m128i*>(to), codes);
    }

    static WEIR_INLINE void raw(
        Vec a, Vec b, std::int32_t shift, const std::byte* multipliers, int pair, Vec* out) {
        const Vec words = scaled(a, b, _mm_cvtsi32_si128(shift), multipliers + pair * sizeof(Vec));
        out[0] = _mm512_srai_epi32(_mm512_unpacklo_epi16(words, words), 16);
        out[1] = _mm512_srai_epi32(_mm512_unpackhi_epi16(words, words), 16);
    }
    static WEIR_INLINE void store_raw(std::int32_t* to, Vec raw) { _mm512_storeu_si512(to, raw); }
    static WEIR_INLINE void store_some(std::int32_t* to, Vec raw, std::uint32_t count) {
        _mm512_mask_storeu_epi32(to, static_cast<__mmask16>((1U << count) - 1), raw);
    }

    static WEIR_INLINE void load_codes(
        const std::uint8_t* row, std::uint32_t inputs, std::byte* to) {
        for (std::uint32_t at = 0; at < inputs; at += 64) {
            const std::uint32_t left = inputs - at;
            const __mmask64 mask = left >= 64 ? ~__mmask64{0} : (__mmask64{1} << left) - 1;
            _mm512_store_si512(to + at, _mm512_maskz_loadu_epi8(mask, row + at));
        }
    }
};

#include "kernels/mlp/blocked.inc"

}  // namespace
WEIR_TARGET_REGION_END

std::unique_ptr<Classifier> make_mlp_avx512_vnni(const MlpSpec& spec) {
    return std::make_unique<BlockedMlp>(spec);
}

}  // namespace weir::kernels

#endif
