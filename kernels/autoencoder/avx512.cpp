// SPDX-License-Identifier: BSD-3-Clause
// Autoencoder on AVX-512 without VNNI.
#include "kernels/autoencoder/halves.h"
#include "kernels/autoencoder/variants.h"
#include "kernels/mlp/pack.h"
#include "kernels/target_region.h"

#if defined(__x86_64__)

#include "kernels/x86_intrinsics.h"

namespace weir::kernels {
WEIR_TARGET_REGION_BEGIN("avx512f,avx512bw,avx512vl,avx512dq")
namespace {

// The operations come first.
// clang-format off
#include "kernels/mlp/ops_avx512.inc"
#include "kernels/mlp/blocked.inc"
// clang-format on

struct ErrorOps {
    using Words = __m512i;
    static constexpr std::uint32_t kWords = 32;
    struct Sums {
        __m512i low;
        __m512i high;
    };

    static WEIR_INLINE Words codes(const std::byte* p) { return _mm512_loadu_si512(p); }
    static WEIR_INLINE __m512i plus(__m512i sum, Words half) {
        const Words less = _mm512_xor_si512(half, _mm512_set1_epi16(-32768));
        return _mm512_add_epi32(sum, _mm512_madd_epi16(less, _mm512_set1_epi16(1)));
    }
    static WEIR_INLINE void add(Sums& sums, Words x, Words y, const std::uint16_t* weights) {
        const Words off = _mm512_sub_epi16(x, y);
        const Words square = _mm512_mullo_epi16(off, off);
        const Words w = _mm512_load_si512(weights);
        sums.low = plus(sums.low, _mm512_mullo_epi16(square, w));
        sums.high = plus(sums.high, _mm512_mulhi_epu16(square, w));
    }
    static WEIR_INLINE __m256i folded(__m512i sum) {
        return _mm256_add_epi32(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
    }
    static WEIR_INLINE std::int64_t total(const Sums& sums, std::uint32_t words) {
        const __m256i both = _mm256_hadd_epi32(folded(sums.low), folded(sums.high));
        const __m128i halves =
            _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
        const __m128i ends = _mm_hadd_epi32(halves, halves);
        return sum_of_halves(_mm_cvtsi128_si32(ends), _mm_extract_epi32(ends, 1), words);
    }
};

#include "kernels/autoencoder/blocked.inc"

}  // namespace
WEIR_TARGET_REGION_END

std::unique_ptr<Classifier> make_autoencoder_avx512(const AutoencoderSpec& spec) {
    return std::make_unique<BlockedAutoencoder>(spec);
}

}  // namespace weir::kernels

#endif
