// SPDX-License-Identifier: BSD-3-Clause
// Autoencoder on aarch64 with the dot-product extension.
#include "kernels/autoencoder/variants.h"
#include "kernels/mlp/pack.h"
#include "kernels/target_region.h"

#if defined(__aarch64__)

#include <arm_neon.h>

namespace weir::kernels {
#if defined(__clang__)
WEIR_TARGET_REGION_BEGIN("dotprod")
#else
WEIR_TARGET_REGION_BEGIN("arch=armv8.2-a+dotprod")
#endif
namespace {

// The operations come first.
// clang-format off
#include "kernels/mlp/ops_neon_dotprod.inc"
#include "kernels/mlp/blocked.inc"
// clang-format on

// Products of 32 bits are added in pairs to sums of 64, so no half is summed apart. The difference of two codes is that
// of the same two less 128.
struct ErrorOps {
    using Words = int8x16_t;
    static constexpr std::uint32_t kWords = 16;
    struct Sums {
        uint64x2_t even;
        uint64x2_t odd;
    };

    static WEIR_INLINE Words codes(const std::byte* p) {
        return vld1q_s8(reinterpret_cast<const std::int8_t*>(p));
    }
    static WEIR_INLINE void add_eight(Sums& sums, uint16x8_t square, const std::uint16_t* weights) {
        const uint16x8_t w = vld1q_u16(weights);
        const uint32x4_t first = vmull_u16(vget_low_u16(square), vget_low_u16(w));
        sums.even = vpadalq_u32(sums.even, first);
        sums.odd = vpadalq_u32(sums.odd, vmull_high_u16(square, w));
    }
    static WEIR_INLINE void add(Sums& sums, Words x, Words y, const std::uint16_t* weights) {
        const uint8x16_t off = vreinterpretq_u8_s8(vabdq_s8(x, y));
        add_eight(sums, vmull_u8(vget_low_u8(off), vget_low_u8(off)), weights);
        add_eight(sums, vmull_high_u8(off, off), weights + 8);
    }
    static WEIR_INLINE std::int64_t total(const Sums& sums, std::uint32_t /*words*/) {
        return static_cast<std::int64_t>(vaddvq_u64(vaddq_u64(sums.even, sums.odd)));
    }
};

#include "kernels/autoencoder/blocked.inc"

}  // namespace
WEIR_TARGET_REGION_END

std::unique_ptr<Classifier> make_autoencoder_neon_dotprod(const AutoencoderSpec& spec) {
    return std::make_unique<BlockedAutoencoder>(spec);
}

}  // namespace weir::kernels

#endif
