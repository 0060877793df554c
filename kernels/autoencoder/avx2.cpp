// SPDX-License-Identifier: BSD-3-Clause
// Autoencoder on AVX2.
#include "kernels/autoencoder/halves.h"
#include "kernels/autoencoder/variants.h"
#include "kernels/mlp/pack.h"
#include "kernels/target_region.h"

#if defined(__x86_64__)

#include "kernels/x86_intrinsics.h"

namespace weir::kernels {
WEIR_TARGET_REGION_BEGIN("avx2")
namespace {

// The operations come first.
// clang-format off
#include "kernels/mlp/ops_avx2.inc"
#include "kernels/mlp/blocked.inc"
// clang-format on

struct ErrorOps {
    using Words = __m256i;
    static constexpr std::uint32_t kWords = 16;
    struct Sums {
        __m256i low;
        __m256i high;
    };

    static WEIR_INLINE Words codes(const std::byte* p) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    }
    static WEIR_INLINE __m256i pairs(Words half) {
        const Words less = _mm256_xor_si256(half, _mm256_set1_epi16(-32768));
        return _mm256_madd_epi16(less, _mm256_set1_epi16(1));
    }
    static WEIR_INLINE void add(Sums& sums, Words x, Words y, const std::uint16_t* weights) {
        const Words off = _mm256_sub_epi16(x, y);
        const Words square = _mm256_mullo_epi16(off, off);
        const Words w = _mm256_load_si256(reinterpret_cast<const __m256i*>(weights));
        sums.low = _mm256_add_epi32(sums.low, pairs(_mm256_mullo_epi16(square, w)));
        sums.high = _mm256_add_epi32(sums.high, pairs(_mm256_mulhi_epu16(square, w)));
    }
    static WEIR_INLINE std::int64_t total(const Sums& sums, std::uint32_t words) {
        const __m256i both = _mm256_hadd_epi32(sums.low, sums.high);
        const __m128i halves =
            _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
        const __m128i ends = _mm_hadd_epi32(halves, halves);
        return sum_of_halves(_mm_cvtsi128_si32(ends), _mm_extract_epi32(ends, 1), words);
    }
};

#include "kernels/autoencoder/blocked.inc"

}  // namespace
WEIR_TARGET_REGION_END

std::unique_ptr<Classifier> make_autoencoder_avx2(const AutoencoderSpec& spec) {
    return std::make_unique<BlockedAutoencoder>(spec);
}

}  // namespace weir::kernels

#endif
