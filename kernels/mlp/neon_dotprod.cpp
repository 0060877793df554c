// SPDX-License-Identifier: BSD-3-Clause
// MLP on aarch64 with the dot-product extension: sdot adds four s8·s8 products to each s32 lane, without saturation.
#include "kernels/mlp/pack.h"
#include "kernels/mlp/variants.h"
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

}  // namespace
WEIR_TARGET_REGION_END

std::unique_ptr<Classifier> make_mlp_neon_dotprod(const MlpSpec& spec) {
    return std::make_unique<BlockedMlp>(spec);
}

}  // namespace weir::kernels

#endif
