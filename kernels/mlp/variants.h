// SPDX-License-Identifier: BSD-3-Clause
// The MLP family's variants: one a supported ISA, all equal to the reference bit for bit.
#pragma once

#include "kernels/classifier.h"
#include "kernels/mlp/mlp.h"

#include <memory>
#include <span>

namespace weir::kernels {

/// ISAs that this build has an MLP variant for, ascending; the machine may support fewer.
[[nodiscard]] std::span<const Isa> mlp_isas() noexcept;

/// Packs `spec` for `isa`. Needs validate(spec) and isa_supported(isa); nullptr if the family has no such variant.
/// Thread: control; allocates.
[[nodiscard]] std::unique_ptr<Classifier> make_mlp_classifier(const MlpSpec& spec, Isa isa);

/// Predicted worst-case cycles a row at batch 64; an ISA without a variant costs as the next lower one has.
[[nodiscard]] double mlp_cycles_per_row(const MlpSpec& spec, Isa isa) noexcept;

/// The variants themselves, one a file; call through make_mlp_classifier().
[[nodiscard]] std::unique_ptr<Classifier> make_mlp_reference(const MlpSpec& spec);
[[nodiscard]] std::unique_ptr<Classifier> make_mlp_avx2(const MlpSpec& spec);
[[nodiscard]] std::unique_ptr<Classifier> make_mlp_avx512(const MlpSpec& spec);
[[nodiscard]] std::unique_ptr<Classifier> make_mlp_avx512_vnni(const MlpSpec& spec);
[[nodiscard]] std::unique_ptr<Classifier> make_mlp_neon_dotprod(const MlpSpec& spec);

}  // namespace weir::kernels
