// SPDX-License-Identifier: BSD-3-Clause
// What every classifier family offers the packet path: rows of u8 feature codes in, raw s32 outputs out.
#pragma once

#include "config/error.h"
#include "kernels/autoencoder/autoencoder.h"
#include "kernels/forest/forest.h"
#include "kernels/isa.h"
#include "kernels/linear/linear.h"
#include "kernels/mlp/mlp.h"
#include "kernels/normalized/normalized.h"
#include "kernels/onednn/onednn.h"
#include "kernels/sequence/sequence.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>

namespace weir::kernels {

/// Largest number of rows of one score call.
inline constexpr std::uint32_t kMaxRows = 512;
/// Largest number of input codes of any model.
inline constexpr std::uint32_t kMaxInputs = 256;
/// Largest number of raw outputs (classes) of any model.
inline constexpr std::uint32_t kMaxOutputs = 64;

/// A model bound to one ISA variant, its weights packed for it. Immutable after construction.
/// Thread: any number may call score() at once, each with scratch of its own.
class Classifier {
  public:
    Classifier() = default;
    Classifier(const Classifier&) = delete;
    Classifier& operator=(const Classifier&) = delete;
    virtual ~Classifier() = default;

    /// Number of u8 codes a row.
    [[nodiscard]] virtual std::uint32_t inputs() const noexcept = 0;
    /// Number of s32 raw outputs a row.
    [[nodiscard]] virtual std::uint32_t outputs() const noexcept = 0;
    /// Bytes of scratch that score() needs for any n ≤ kMaxRows; to be 64-byte aligned.
    [[nodiscard]] virtual std::size_t scratch_bytes() const noexcept = 0;
    [[nodiscard]] virtual Isa isa() const noexcept = 0;

    /// Scores `n` rows, 0 ≤ n ≤ kMaxRows.
    /// `rows`: row-major u8 codes, row r at rows + r*stride, stride ≥ inputs(); any alignment; never read past
    /// the last row's inputs(). `out`: n × outputs() s32, row-major, nothing written beyond.
    /// No allocation, no system call; the answer equals the family's reference bit for bit (OnednnF32: within a bound).
    virtual void score(
        const std::uint8_t* rows,
        std::size_t stride,
        std::uint32_t n,
        std::int32_t* out,
        std::byte* scratch) const noexcept = 0;
};

/// A network of any family, validated for shape by its family's validate().
using Network = std::variant<
    MlpSpec,
    ForestSpec,
    LinearSpec,
    AutoencoderSpec,
    SequenceSpec,
    OnednnSpec,
    NormalizedSpec>;

/// Builds the classifier for the best ISA of this machine, or for `isa` if given (an Error if the machine
/// cannot run it or the family has no such variant: then the next lower variant is *not* taken silently).
/// Thread: control; allocates.
[[nodiscard]] Result<std::unique_ptr<Classifier>> make_classifier(
    const Network& network, std::optional<Isa> isa = std::nullopt);

/// Worst-case cycles a row at batch size 64, predicted from the shape for the given variant.
[[nodiscard]] double predicted_cycles_per_row(const Network& network, Isa isa) noexcept;

}  // namespace weir::kernels
