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

// The operations come first.
// clang-format off
#include "kernels/mlp/ops_avx2.inc"
#include "kernels/mlp/blocked.inc"
// clang-format on

}  // namespace
WEIR_TARGET_REGION_END

std::unique_ptr<Classifier> make_mlp_avx2(const MlpSpec& spec) {
    return std::make_unique<BlockedMlp>(spec);
}

}  // namespace weir::kernels

#endif
