// SPDX-License-Identifier: BSD-3-Clause
// Forest on AVX-512 without GFNI and VBMI: mask registers carry bits to bytes and back, word shuffles look leaves up.
#include "kernels/forest/costs.h"
#include "kernels/forest/pack.h"
#include "kernels/forest/variants.h"
#include "kernels/forest/walk.h"
#include "kernels/target_region.h"

#include <span>

#if defined(__x86_64__)

#include "kernels/x86_intrinsics.h"

namespace weir::kernels {
WEIR_TARGET_REGION_BEGIN("avx512f,avx512bw,avx512vl,avx512dq")
namespace {

#include "kernels/forest/avx512_bits.inc"

struct Ops : Avx512Ops, WalkFewRows {
    static constexpr Isa kIsa = Isa::avx512;
    static constexpr const ForestPackShape& kShape = kForestAvx512;

    static WEIR_INLINE __mmask64 load_mask(const std::byte* p) {
        std::uint64_t bits = 0;
        __builtin_memcpy(&bits, p, sizeof bits);
        return bits;
    }

    template <std::size_t kWidth>
    static WEIR_INLINE void planes(const std::uint8_t* column, typename Bits<kWidth>::T* planes) {
        alignas(64) std::byte rows[8 * kWidth / 8];
        WEIR_UNROLL for (std::size_t g = 0; g < kWidth / 64; ++g) {
            Vec codes = _mm512_load_si512(column + g * 64);
            WEIR_UNROLL for (std::size_t i = 0; i < 8; ++i) {
                const std::size_t p = 7 - i;
                const std::uint64_t bits = _mm512_movepi8_mask(codes);
                __builtin_memcpy(rows + p * kWidth / 8 + g * 8, &bits, sizeof bits);
                codes = _mm512_add_epi8(codes, codes);
            }
        }
        WEIR_UNROLL for (std::size_t p = 0; p < 8; ++p) {
            planes[p] = Bits<kWidth>::load(rows + p * kWidth / 8);
        }
    }

    template <std::size_t kWidth, int kLevels, bool kMasked>
    static WEIR_INLINE void store_numbers(
        const typename Bits<kWidth>::T* path, typename Bits<kWidth>::T mask, std::uint8_t* to) {
        constexpr std::size_t kBytes = kWidth / 8;
        alignas(64) std::byte rows[(kLevels + 1) * kBytes];
        WEIR_UNROLL for (std::size_t i = 0; i < kLevels; ++i) {
            Bits<kWidth>::store(rows + i * kBytes, path[i]);
        }
        if constexpr (kMasked) {
            Bits<kWidth>::store(rows + kLevels * kBytes, mask);
        }
        WEIR_UNROLL for (std::size_t g = 0; g < kWidth / 64; ++g) {
            Vec number = _mm512_maskz_mov_epi8(
                load_mask(rows + g * 8), _mm512_set1_epi8(1 << (kLevels - 1)));
            WEIR_UNROLL for (std::size_t i = 1; i < kLevels; ++i) {
                const Vec bit = _mm512_set1_epi8(static_cast<char>(1 << (kLevels - 1 - i)));
                number =
                    _mm512_mask_add_epi8(number, load_mask(rows + i * kBytes + g * 8), number, bit);
            }
            if constexpr (kMasked) {
                const Vec bit = _mm512_set1_epi8(static_cast<char>(0x80));
                number = _mm512_mask_add_epi8(
                    number, load_mask(rows + kLevels * kBytes + g * 8), number, bit);
            }
            _mm512_store_si512(to + g * 64, number);
        }
    }

    static constexpr std::uint32_t kTogether = 4;
    /// Of the words of both halves of each 16 rows: the sum modulo 2^16, and that of the high bytes.
    struct Sum {
        __v32hu all[2] = {};
        __v32hu high[2] = {};
    };
    /// Leaves as words, in two registers.
    struct Tables {
        Vec first;
        Vec last;
    };
    static WEIR_INLINE Vec words(Vec low, Vec high) { return low | _mm512_slli_epi16(high, 8); }
    static WEIR_INLINE Vec widened(const std::uint8_t* bytes) {
        return _mm512_cvtepu8_epi16(_mm256_load_si256(reinterpret_cast<const __m256i*>(bytes)));
    }
    static WEIR_INLINE Tables tables(const ForestPiece& piece) {
        return {
            words(widened(piece.low.data()), widened(piece.high.data())),
            words(widened(piece.low.data() + 32), widened(piece.high.data() + 32))};
    }

    // A word permutation minds the lowest six bits only.
    template <bool kMasked>
    static WEIR_INLINE void add(Sum& sum, const std::uint8_t* numbers, const Tables& tables) {
        const Vec number = _mm512_load_si512(numbers);
        const Vec half[2] = {
            _mm512_unpacklo_epi8(number, _mm512_setzero_si512()),
            _mm512_unpackhi_epi8(number, _mm512_setzero_si512())};
        WEIR_UNROLL for (std::size_t h = 0; h < 2; ++h) {
            Vec leaf = _mm512_permutex2var_epi16(tables.first, half[h], tables.last);
            if constexpr (kMasked) {
                const __mmask32 mask = _mm512_test_epi16_mask(half[h], _mm512_set1_epi16(0x80));
                leaf = _mm512_maskz_mov_epi16(mask, leaf);
            }
            sum.all[h] += __v32hu(leaf);
            sum.high[h] += __v32hu(leaf) >> 8;
        }
    }

    static WEIR_INLINE void flush(const Sum& sum, std::int32_t* to) {
        WEIR_UNROLL for (std::size_t h = 0; h < 2; ++h) {
            const auto low = Vec(low_sum(sum.all[h], sum.high[h]));
            const auto high = Vec(sum.high[h]);
            add_pairs(to + 32 * h, _mm512_unpacklo_epi16(low, high));
            add_pairs(to + 32 * h + 16, _mm512_unpackhi_epi16(low, high));
        }
    }
};

#include "kernels/forest/sliced.inc"

}  // namespace
WEIR_TARGET_REGION_END

std::unique_ptr<Classifier> make_forest_avx512(const ForestSpec& spec) {
    return std::make_unique<SlicedForest>(spec);
}

}  // namespace weir::kernels

#endif
