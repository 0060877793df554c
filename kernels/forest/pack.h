// SPDX-License-Identifier: BSD-3-Clause
// A forest as the bit-sliced variants read it.
//
// A block of up to 512 rows is scored at once. Every distinct (feature, threshold) of the ensemble is compared once
// with all rows of the block, which gives one bit a row: a bit row. A tree is then a multiplexer over bit rows that
// gives the bits of each row's leaf number, and the leaf number looks up the leaf.
//
// The unit of that is a piece: a complete tree of up to 6 levels, so 64 leaves, which is what one byte shuffle looks
// up. Larger trees are cut into pieces; each but the first then counts only for the rows that its mask row names.
// Trees that would need too many pieces are walked node by node instead.
#pragma once

#include "kernels/forest/forest.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace weir::kernels {

inline constexpr std::uint32_t kPieceLevels = 6;
inline constexpr std::uint32_t kPieceLeaves = 1U << kPieceLevels;
/// Pieces whose leaf numbers are kept before they look up: they stay in the first-level cache.
inline constexpr std::uint32_t kForestChunk = 32;
/// Columns that one transposing step takes from every row.
inline constexpr std::uint32_t kForestColumns = 16;

/// A place among the bit rows, for a block of 64 rows in bytes; blocks of W rows use W/64 times as much.
using BitRow = std::uint32_t;
inline constexpr BitRow kBitRowStep = 8;
inline constexpr std::uint32_t kRowsOfBitRowUnit = 64;

/// Heap order: node 1 is the root, node i leads to 2i and 2i + 1, leaf l is "node" 64 + l. A piece of fewer levels uses
/// the first nodes only and repeats its leaves. What is not there at all leads to the same leaf on either side.
/// Leaves are u16: the tree's smallest leaf is taken off and stands in the base.
/// `rows` holds each level by pairs, see pair_place().
struct alignas(64) ForestPiece {
    std::array<BitRow, kPieceLeaves> rows{};        ///< [0]: the mask, if the run is masked
    std::array<std::uint8_t, kPieceLeaves> low{};   ///< low bytes of the leaves
    std::array<std::uint8_t, kPieceLeaves> high{};  ///< high bytes
};

/// Where heap node `node`'s row stands in ForestPiece::rows: a level's nodes that differ in the path's first bit only are
/// neighbours, as that bit selects between them first.
[[nodiscard]] constexpr std::uint32_t pair_place(std::uint32_t node) noexcept {
    std::uint32_t level = 0;
    while ((node >> level) > 1) {
        ++level;
    }
    if (level == 0) {
        return node;
    }
    const std::uint32_t path = node - (1U << level);
    const std::uint32_t first_bit = path >> (level - 1);
    return (1U << level) + ((path << 1) & ((1U << level) - 1)) + first_bit;
}

/// What a variant that scores few rows row by row needs of a one-piece tree.
struct alignas(64) ForestRowPiece {
    std::array<std::uint8_t, kPieceLeaves> feature{};    ///< heap order
    std::array<std::uint8_t, kPieceLeaves> threshold{};  ///< heap order
    std::array<std::uint16_t, kPieceLeaves> leaves{};
};

/// left = from and not condition; right = from and condition.
struct ForestMaskOp {
    BitRow condition = 0;
    BitRow from = 0;
    BitRow left = 0;
    BitRow right = 0;
};

/// Consecutive pieces of one output, all masked or none.
struct ForestRun {
    std::uint32_t output = 0;
    bool masked = false;
    std::uint32_t first = 0;  ///< piece
    std::uint32_t count = 0;
};

/// A used feature's thresholds, ascending; their bit rows follow each other from `row`.
struct ForestFeature {
    std::uint32_t column = 0;  ///< within its ForestColumnBlock
    std::uint32_t first = 0;   ///< index into thresholds()
    std::uint32_t count = 0;
    BitRow row = 0;
    std::array<std::uint8_t, 16> of_high{};  ///< how many have each high nibble
};

/// Columns from `at` on that hold used features: kForestColumns of them, or all if the rows are shorter.
struct ForestColumnBlock {
    std::uint32_t at = 0;
    std::uint32_t first = 0;  ///< index into features()
    std::uint32_t count = 0;
};

/// A threshold's two nibbles as places in the tables of 16 bit rows.
struct ForestThreshold {
    std::uint8_t high = 0;  ///< (threshold >> 4)·kBitRowStep
    std::uint8_t low = 0;   ///< (threshold & 15)·kBitRowStep
};

inline constexpr std::uint32_t kForestThresholdPadding = 8;

/// One step of a walk: at = child + (code[feature] > threshold). A leaf leads to itself.
struct ForestWalkNode {
    std::uint32_t child = 0;  ///< relative to the tree's first
    std::uint8_t feature = 0;
    std::uint8_t threshold = 255;
    std::int16_t leaf = 0;
};
static_assert(sizeof(ForestWalkNode) == 8);

struct ForestWalkTree {
    std::uint32_t first = 0;  ///< node
    std::uint32_t steps = 0;  ///< enough for every leaf
    std::uint32_t output = 0;
};

/// What the parts of a block cost, in cycles.
struct ForestCosts {
    float feature = 0;    ///< a ForestFeature, its column's transposing included
    float threshold = 0;  ///< one of its thresholds
    std::array<float, kPieceLevels + 1> piece{};  ///< a piece of so many levels
    float masked = 0;                             ///< what a masked piece costs more
    float mask_op = 0;                            ///< a ForestMaskOp
    float output = 0;                             ///< an output
};

/// What a variant can do and what it costs it.
struct ForestPackShape {
    std::uint32_t max_width = 0;  ///< rows of its widest block: 64, 128, 256 or 512
    bool row_pieces = false;      ///< few rows: by ForestRowPiece rather than by walking
    ForestCosts narrow;           ///< of a block of 64 rows
    ForestCosts wide;             ///< of a block of max_width rows
    float walk_step = 0;          ///< one step of one row
    float row_piece = 0;          ///< a row piece for one of several rows
};

/// A forest packed for one shape. Immutable.
class ForestPacked {
  public:
    /// Needs validate(spec). Allocates.
    ForestPacked(const ForestSpec& spec, const ForestPackShape& shape);

    [[nodiscard]] std::uint32_t inputs() const noexcept { return inputs_; }
    [[nodiscard]] std::uint32_t outputs() const noexcept {
        return static_cast<std::uint32_t>(block_base_.size());
    }
    /// Rows of the widest block whose bit rows stay within the second-level cache.
    [[nodiscard]] std::uint32_t width() const noexcept { return width_; }
    /// Up to so many rows are scored one by one.
    [[nodiscard]] std::uint32_t row_limit() const noexcept { return row_limit_; }
    /// Bit rows of a block: thresholds, then all ones, then masks.
    [[nodiscard]] std::uint32_t bit_rows() const noexcept { return bit_rows_; }
    [[nodiscard]] BitRow ones() const noexcept { return ones_; }

    [[nodiscard]] std::span<const ForestColumnBlock> column_blocks() const noexcept {
        return column_blocks_;
    }
    [[nodiscard]] std::span<const ForestFeature> features() const noexcept { return features_; }
    /// kForestThresholdPadding more may be read.
    [[nodiscard]] const ForestThreshold* thresholds() const noexcept { return thresholds_.data(); }

    // Blocks: base, then every run, then every walked tree.
    [[nodiscard]] std::span<const std::int32_t> block_base() const noexcept { return block_base_; }
    [[nodiscard]] std::span<const ForestRun> runs() const noexcept { return runs_; }
    [[nodiscard]] const ForestPiece* pieces() const noexcept { return pieces_.data(); }
    [[nodiscard]] std::uint32_t levels(std::uint32_t piece) const noexcept {
        return levels_[piece];
    }
    /// What to do before a piece of a masked run.
    [[nodiscard]] std::span<const ForestMaskOp> mask_ops(std::uint32_t piece) const noexcept {
        return std::span(mask_ops_).subspan(
            op_begin_[piece], op_begin_[piece + 1] - op_begin_[piece]);
    }
    [[nodiscard]] std::span<const ForestWalkTree> block_walks() const noexcept {
        return block_walks_;
    }

    // Few rows: base, then every row piece, then every walked tree.
    [[nodiscard]] std::span<const std::int32_t> row_base() const noexcept { return row_base_; }
    [[nodiscard]] std::span<const ForestRowPiece> row_pieces() const noexcept {
        return row_pieces_;
    }
    [[nodiscard]] std::span<const std::uint8_t> row_piece_outputs() const noexcept {
        return row_piece_outputs_;
    }
    [[nodiscard]] std::span<const ForestWalkTree> row_walks() const noexcept { return row_walks_; }
    [[nodiscard]] const ForestWalkNode* walk_nodes() const noexcept { return walk_nodes_.data(); }

    /// Predicted cycles of a block of 64 rows, walks included.
    [[nodiscard]] double narrow_cycles() const noexcept { return narrow_cycles_; }

  private:
    friend class ForestPacker;
    friend class ForestTreeWriter;

    std::uint32_t inputs_ = 0;
    std::uint32_t width_ = 0;
    std::uint32_t row_limit_ = 0;
    double narrow_cycles_ = 0;
    std::uint32_t bit_rows_ = 0;
    BitRow ones_ = 0;
    std::vector<ForestColumnBlock> column_blocks_;
    std::vector<ForestFeature> features_;
    std::vector<ForestThreshold> thresholds_;
    std::vector<std::int32_t> block_base_;
    std::vector<ForestRun> runs_;
    std::vector<ForestPiece> pieces_;
    std::vector<std::uint8_t> levels_;
    std::vector<std::uint32_t> op_begin_;
    std::vector<ForestMaskOp> mask_ops_;
    std::vector<ForestWalkTree> block_walks_;
    std::vector<std::int32_t> row_base_;
    std::vector<ForestRowPiece> row_pieces_;
    std::vector<std::uint8_t> row_piece_outputs_;
    std::vector<ForestWalkTree> row_walks_;
    std::vector<ForestWalkNode> walk_nodes_;
};

}  // namespace weir::kernels
