// SPDX-License-Identifier: BSD-3-Clause
// Sequence networks on aarch64 with the dot-product extension.
#include "kernels/mlp/pack.h"
#include "kernels/sequence/pack.h"
#include "kernels/sequence/variants.h"
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
#include "kernels/sequence/blocked.inc"
// clang-format on

}  // namespace
WEIR_TARGET_REGION_END

std::unique_ptr<Classifier> make_sequence_neon_dotprod(
    const SequenceSpec& spec, Lowering lowering) {
    return std::make_unique<BlockedSequence>(spec, lowering);
}

}  // namespace weir::kernels

#endif
