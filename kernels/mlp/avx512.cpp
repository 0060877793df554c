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

// The operations come first.
// clang-format off
#include "kernels/mlp/ops_avx512.inc"
#include "kernels/mlp/blocked.inc"
// clang-format on

}  // namespace
WEIR_TARGET_REGION_END

std::unique_ptr<Classifier> make_mlp_avx512(const MlpSpec& spec) {
    return std::make_unique<BlockedMlp>(spec);
}

}  // namespace weir::kernels

#endif
