// SPDX-License-Identifier: BSD-3-Clause
// The linear family's variants: the MLP's, given one layer.
#pragma once

#include "kernels/classifier.h"
#include "kernels/linear/linear.h"

#include <memory>
#include <span>

namespace weir::kernels {

/// ISAs that this build has a linear variant for, ascending; the machine may support fewer.
[[nodiscard]] std::span<const Isa> linear_isas() noexcept;

/// Packs `spec` for `isa`. Needs validate(spec) and isa_supported(isa); nullptr if the family has no such variant.
/// Thread: control; allocates.
[[nodiscard]] std::unique_ptr<Classifier> make_linear_classifier(const LinearSpec& spec, Isa isa);

/// Predicted worst-case cycles a row at batch 64; an ISA without a variant costs as the next lower one has.
[[nodiscard]] double linear_cycles_per_row(const LinearSpec& spec, Isa isa) noexcept;

}  // namespace weir::kernels
