// SPDX-License-Identifier: BSD-3-Clause
// Normalized networks by instruction set: the normalizer's variant in front of the network's.
#pragma once

#include "kernels/classifier.h"
#include "kernels/normalized/normalized.h"

#include <memory>
#include <span>

namespace weir::kernels {

/// ISAs that the network behind has a variant for, ascending; the normalizer takes its own best up to that one.
[[nodiscard]] std::span<const Isa> normalized_isas(const NormalizedSpec& spec) noexcept;

/// Packs `spec` for `isa`. Needs validate(spec) and isa_supported(isa); nullptr if the network has no such variant.
/// Thread: control; allocates.
[[nodiscard]] std::unique_ptr<Classifier> make_normalized_classifier(
    const NormalizedSpec& spec, Isa isa);

/// Predicted worst-case cycles a row at batch 64, normalizer and network.
[[nodiscard]] double normalized_cycles_per_row(const NormalizedSpec& spec, Isa isa) noexcept;

}  // namespace weir::kernels
