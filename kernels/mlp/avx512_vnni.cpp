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

// The operations come first.
// clang-format off
#include "kernels/mlp/ops_avx512_vnni.inc"
#include "kernels/mlp/blocked.inc"
// clang-format on

}  // namespace
WEIR_TARGET_REGION_END

std::unique_ptr<Classifier> make_mlp_avx512_vnni(const MlpSpec& spec) {
    return std::make_unique<BlockedMlp>(spec);
}

}  // namespace weir::kernels

#endif
