// SPDX-License-Identifier: BSD-3-Clause
// Finishing a bundle made in code: golden vectors, then a signature.
#pragma once

#include "config/error.h"
#include "kernels/model/bundle.h"
#include "kernels/model/verify.h"

#include <cstdint>
#include <span>

namespace weir::kernels {

struct GoldenOptions {
    std::uint32_t random_rows = 48;  ///< beside the extreme rows; the total is capped at 1024
    std::uint64_t seed = 1;          ///< equal seed and bundle, equal rows
};

/// Replaces `bundle.golden`: rows of all 0, all 255, alternating, each of the first inputs alone at 255, rows on
/// both sides of a forest's thresholds, and random ones; raw outputs by the scalar reference, which defines them.
/// Fails where the network fails its validate(). Thread: any; allocates.
[[nodiscard]] Result<void> compute_golden(Bundle& bundle, const GoldenOptions& options = {});

/// Golden vectors, all checks a gateway makes of a bundle's own contents, then serializing and signing.
/// `secret` may be null: an unsigned file, for `weirlab sign` later. Thread: any; allocates.
[[nodiscard]] Result<Bytes> build_bundle(
    Bundle bundle, const SecretKey* secret, const GoldenOptions& options = {});

}  // namespace weir::kernels
