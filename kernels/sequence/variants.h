// SPDX-License-Identifier: BSD-3-Clause
// The sequence family's variants: one a supported ISA, all equal to the reference bit for bit.
#pragma once

#include "kernels/classifier.h"
#include "kernels/sequence/sequence.h"

#include <cstdint>
#include <memory>
#include <span>

namespace weir::kernels {

/// How the vector variants run convolutions (pack.h); all but `cheaper` are for tests and benchmarks.
enum class Lowering : std::uint8_t { cheaper, direct, expanded };

/// ISAs that this build has a sequence variant for, ascending; the machine may support fewer.
[[nodiscard]] std::span<const Isa> sequence_isas() noexcept;

/// Packs `spec` for `isa`. Needs validate(spec) and isa_supported(isa); nullptr if the family has no such variant.
/// Thread: control; allocates.
[[nodiscard]] std::unique_ptr<Classifier> make_sequence_classifier(
    const SequenceSpec& spec, Isa isa, Lowering lowering = Lowering::cheaper);

/// Predicted worst-case cycles a row at batch 64; an ISA without a variant costs as the next lower one has.
[[nodiscard]] double sequence_cycles_per_row(const SequenceSpec& spec, Isa isa) noexcept;

/// The variants themselves, one a file; call through make_sequence_classifier().
[[nodiscard]] std::unique_ptr<Classifier> make_sequence_reference(const SequenceSpec& spec);
[[nodiscard]] std::unique_ptr<Classifier> make_sequence_avx2(
    const SequenceSpec& spec, Lowering lowering);
[[nodiscard]] std::unique_ptr<Classifier> make_sequence_avx512(
    const SequenceSpec& spec, Lowering lowering);
[[nodiscard]] std::unique_ptr<Classifier> make_sequence_avx512_vnni(
    const SequenceSpec& spec, Lowering lowering);
[[nodiscard]] std::unique_ptr<Classifier> make_sequence_neon_dotprod(
    const SequenceSpec& spec, Lowering lowering);

}  // namespace weir::kernels
