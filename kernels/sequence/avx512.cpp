// SPDX-License-Identifier: BSD-3-Clause
// Sequence networks on AVX-512 without VNNI.
#include "kernels/mlp/pack.h"
#include "kernels/sequence/pack.h"
#include "kernels/sequence/variants.h"
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
#include "kernels/sequence/blocked.inc"
// clang-format on

}  // namespace
WEIR_TARGET_REGION_END

std::unique_ptr<Classifier> make_sequence_avx512(const SequenceSpec& spec, Lowering lowering) {
    return std::make_unique<BlockedSequence>(spec, lowering);
}

}  // namespace weir::kernels

#endif
