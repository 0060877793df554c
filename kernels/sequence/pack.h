// SPDX-License-Identifier: BSD-3-Clause
// A sequence network as the vector variants run it: every convolution a matrix of the MLP's kernels.
//
// Codes of a row stay in scratch position by position, so the patch that a position reads is one run of codes, and the
// patches of a row are rows `stride` positions apart: a convolution multiplies them as they lie (direct). Or it is
// written out as one dense layer from all positions to all positions (expanded): more products, of zeros, but fuller
// tiles where there are few positions. Both are the same sums of s32, so the same answer.
#pragma once

#include "kernels/mlp/pack.h"
#include "kernels/sequence/sequence.h"
#include "kernels/sequence/variants.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::kernels {

/// What a variant's registers and rows of codes look like.
struct SequenceShape {
    Isa isa = Isa::scalar;
    MlpPackShape dots;
    std::uint32_t code_bytes = 0;
    std::uint32_t tile = 0;  ///< accumulators of a full tile
    std::uint32_t block_rows = 0;
    std::uint32_t spare_rows = 0;  ///< that tiles may read or write past a block's end
};

/// Rows of codes in scratch, `pitch` bytes apart. Position p begins at begin + p·step; the positions of padding that
/// the next layer reads around them hold what is unseen.
struct SequenceRows {
    std::uint32_t begin = 0;      ///< bytes; a multiple of 64
    std::uint32_t step = 0;       ///< bytes: channels, padded to whole registers, as codes
    std::uint32_t positions = 0;  ///< pooled
    std::uint32_t margin = 0;     ///< bytes of padding on either side
    std::size_t pitch = 0;        ///< a multiple of 64
};

struct SequenceStage {
    MlpPacked matrix;  ///< one layer
    bool expanded = false;
    std::uint32_t patch_begin = 0;  ///< of the first patch in a row given, in bytes
    std::uint32_t patch_step = 0;   ///< bytes between patches
    std::uint32_t run = 0;  ///< patches to multiply: the positions, or somewhat more to fill a tile
    std::uint32_t pool = 1;
    SequenceRows to;
};

/// A sequence network packed for one shape. Movable, immutable.
class SequencePacked {
  public:
    /// Needs validate(spec). Allocates.
    SequencePacked(const SequenceSpec& spec, const SequenceShape& shape, Lowering lowering);

    [[nodiscard]] std::uint32_t steps() const noexcept { return steps_; }
    [[nodiscard]] std::uint32_t inputs() const noexcept { return kSequenceChannels * steps_ - 1; }
    [[nodiscard]] std::uint32_t outputs() const noexcept { return dense_.outputs(); }
    [[nodiscard]] SequencePooling pooling() const noexcept { return pooling_; }
    /// Where the input row's codes are arranged, and the convolutions over it.
    [[nodiscard]] const SequenceRows& given() const noexcept { return given_; }
    [[nodiscard]] const std::vector<SequenceStage>& stages() const noexcept { return stages_; }
    [[nodiscard]] const MlpPacked& dense() const noexcept { return dense_; }
    /// Bytes of scratch, a multiple of 64, that hold any layer's rows; two are needed.
    [[nodiscard]] std::size_t rows_bytes() const noexcept { return rows_bytes_; }

  private:
    void add_stage(
        const Convolution& layer,
        bool expand,
        std::uint32_t next_padding,
        const SequenceShape& shape);
    void grow(const SequenceRows& rows, std::size_t reach, const SequenceShape& shape);

    std::uint32_t steps_;
    SequencePooling pooling_;
    SequenceRows given_;
    std::vector<SequenceStage> stages_;
    MlpPacked dense_;
    std::size_t rows_bytes_ = 0;
};

}  // namespace weir::kernels
