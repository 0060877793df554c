// SPDX-License-Identifier: BSD-3-Clause
// MLP on AVX2: codes and weights widened to 16 bits, so vpmaddwd's pair sums are exact. (vpmaddubsw saturates.)
#include "kernels/mlp/pack.h"
#include "kernels/mlp/variants.h"
#include "kernels/target_region.h"

#if defined(__x86_64__)

#include "kernels/x86_intrinsics.h"

namespace weir::kernels {
WEIR_TARGET_REGION_BEGIN("avx2")
namespace {

struct Ops {
    using Vec = __m256i;
    using Sum = __v8si;
    using Code = std::int16_t;
    static constexpr Isa kIsa = Isa::avx2;
    static constexpr MlpPackShape kShape{8, 2, 2, 0};
    static constexpr int kTileRegisters = 8;
    static constexpr int kSmallTileRows = 2;
    static constexpr bool kSomeIsCheap =
        false;  // vpmaskmovd to memory is microcode on AMD before Zen 5
    static constexpr bool kReadsCodesAsGiven = false;
    static constexpr int kPack = 2;

    static WEIR_INLINE Sum zero() { return Sum{}; }
    static WEIR_INLINE Vec load(const std::byte* p) {
        return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
    }
    static WEIR_INLINE Vec broadcast(const std::byte* p) {
        std::int32_t step = 0;
        __builtin_memcpy(&step, p, sizeof step);
        return _mm256_set1_epi32(step);
    }
    // |255·127·2| < 2^31: the pair sum is exact.
    static WEIR_INLINE Sum dot(Sum acc, Vec x, Vec w) { return acc + Sum(_mm256_madd_epi16(x, w)); }

    static WEIR_INLINE Vec scaled(Vec a, Vec b, std::int32_t shift, const std::byte* multipliers) {
        const __m128i count = _mm_cvtsi32_si128(shift);
        const Vec words =
            _mm256_packs_epi32(_mm256_sra_epi32(a, count), _mm256_sra_epi32(b, count));
        return _mm256_mulhrs_epi16(words, load(multipliers));
    }

    template <int kGroups>
    static WEIR_INLINE Vec
    codes(const Vec* acc, std::int32_t shift, const std::byte* multipliers, int pair) {
        const Vec words = scaled(acc[0], acc[1], shift, multipliers + pair * sizeof(Vec));
        const Vec clamped = _mm256_min_epi16(
            _mm256_max_epi16(words, _mm256_setzero_si256()), _mm256_set1_epi16(255));
        return _mm256_permute4x64_epi64(clamped, 0b11'01'10'00);
    }

    template <int kPieces>
    static WEIR_INLINE void store(std::byte* to, std::size_t pitch, Vec codes) {
        if constexpr (kPieces == 1) {
            _mm256_store_si256(reinterpret_cast<__m256i*>(to), codes);
        } else {
            _mm_store_si128(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(codes));
            _mm_store_si128(
                reinterpret_cast<__m128i*>(to + pitch), _mm256_extracti128_si256(codes, 1));
        }
    }

    static WEIR_INLINE void raw(
        Vec a, Vec b, std::int32_t shift, const std::byte* multipliers, int pair, Vec* out) {
        const Vec words = scaled(a, b, shift, multipliers + pair * sizeof(Vec));
        out[0] = _mm256_srai_epi32(_mm256_unpacklo_epi16(words, words), 16);
        out[1] = _mm256_srai_epi32(_mm256_unpackhi_epi16(words, words), 16);
    }
    static WEIR_INLINE void store_raw(std::int32_t* to, Vec raw) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), raw);
    }
    static WEIR_INLINE void store_some(std::int32_t* to, Vec raw, std::uint32_t count) {
        std::int32_t copy[kShape.lanes];
        store_raw(copy, raw);
        for (std::uint32_t i = 0; i < count; ++i) {
            to[i] = copy[i];
        }
    }

    static WEIR_INLINE void widen16(const std::uint8_t* from, std::byte* to) {
        const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_cvtepu8_epi16(codes));
    }
    // Beyond the row scratch keeps what it held: weights there are zero.
    static WEIR_INLINE void load_codes(
        const std::uint8_t* row, std::uint32_t inputs, std::byte* to) {
        if (inputs < 16) {
            auto* codes = reinterpret_cast<Code*>(to);
            for (std::uint32_t i = 0; i < inputs; ++i) {
                codes[i] = row[i];
            }
            return;
        }
        std::uint32_t at = 0;
        for (; at + 16 <= inputs; at += 16) {
            widen16(row + at, to + at * sizeof(Code));
        }
        if (at < inputs) {
            widen16(row + inputs - 16, to + (inputs - 16) * sizeof(Code));
        }
    }
};

#include "kernels/mlp/blocked.inc"

}  // namespace
WEIR_TARGET_REGION_END

std::unique_ptr<Classifier> make_mlp_avx2(const MlpSpec& spec) {
    return std::make_unique<BlockedMlp>(spec);
}

}  // namespace weir::kernels

#endif
