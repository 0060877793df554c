// SPDX-License-Identifier: BSD-3-Clause
// The forest family's variants: one a supported ISA, all equal to the reference bit for bit.
#pragma once

#include "kernels/classifier.h"
#include "kernels/forest/forest.h"

#include <memory>
#include <span>

namespace weir::kernels {

/// ISAs that this build has a forest variant for, ascending; the machine may support fewer.
[[nodiscard]] std::span<const Isa> forest_isas() noexcept;

/// Packs `spec` for `isa`. Needs validate(spec) and isa_supported(isa); nullptr if the family has no such variant.
/// Thread: control; allocates.
[[nodiscard]] std::unique_ptr<Classifier> make_forest_classifier(const ForestSpec& spec, Isa isa);

/// Predicted worst-case cycles a row at batch 64; an ISA without a variant costs as the next lower one has.
[[nodiscard]] double forest_cycles_per_row(const ForestSpec& spec, Isa isa) noexcept;

/// The variants themselves, one a file; call through make_forest_classifier().
[[nodiscard]] std::unique_ptr<Classifier> make_forest_reference(const ForestSpec& spec);
[[nodiscard]] std::unique_ptr<Classifier> make_forest_avx2(const ForestSpec& spec);
[[nodiscard]] std::unique_ptr<Classifier> make_forest_avx512(const ForestSpec& spec);
[[nodiscard]] std::unique_ptr<Classifier> make_forest_avx512_gfni(const ForestSpec& spec);
[[nodiscard]] std::unique_ptr<Classifier> make_forest_neon_dotprod(const ForestSpec& spec);

}  // namespace weir::kernels
