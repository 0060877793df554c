// SPDX-License-Identifier: BSD-3-Clause
// The autoencoder family's variants: one a supported ISA, all equal to the reference bit for bit.
#pragma once

#include "kernels/autoencoder/autoencoder.h"
#include "kernels/classifier.h"

#include <memory>
#include <span>

namespace weir::kernels {

/// ISAs that this build has an autoencoder variant for, ascending; the machine may support fewer.
[[nodiscard]] std::span<const Isa> autoencoder_isas() noexcept;

/// Packs `spec` for `isa`. Needs validate(spec) and isa_supported(isa); nullptr if the family has no such variant.
/// Thread: control; allocates.
[[nodiscard]] std::unique_ptr<Classifier> make_autoencoder_classifier(
    const AutoencoderSpec& spec, Isa isa);

/// Predicted worst-case cycles a row at batch 64; an ISA without a variant costs as the next lower one has.
[[nodiscard]] double autoencoder_cycles_per_row(const AutoencoderSpec& spec, Isa isa) noexcept;

/// The variants themselves, one a file; call through make_autoencoder_classifier().
[[nodiscard]] std::unique_ptr<Classifier> make_autoencoder_reference(const AutoencoderSpec& spec);
[[nodiscard]] std::unique_ptr<Classifier> make_autoencoder_avx2(const AutoencoderSpec& spec);
[[nodiscard]] std::unique_ptr<Classifier> make_autoencoder_avx512(const AutoencoderSpec& spec);
[[nodiscard]] std::unique_ptr<Classifier> make_autoencoder_avx512_vnni(const AutoencoderSpec& spec);
[[nodiscard]] std::unique_ptr<Classifier> make_autoencoder_neon_dotprod(
    const AutoencoderSpec& spec);

}  // namespace weir::kernels
