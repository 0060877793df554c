// SPDX-License-Identifier: BSD-3-Clause
// Writes single trees into a ForestPacked: as pieces, as a row piece, or as nodes to walk.
#pragma once

#include "kernels/forest/pack.h"
#include "kernels/forest/split.h"

#include <memory>
#include <utility>
#include <vector>

namespace weir::kernels {

inline constexpr std::uint32_t kForestCodes = 256;

/// One tree on its way into a ForestPacked.
struct TreePlan {
    std::uint32_t output = 0;
    FoldedTree folded;
    const std::vector<std::int16_t>* leaves = nullptr;
    std::unique_ptr<ForestSplit> split;  // refers to `folded`
    std::uint32_t steps = 0;
    std::int16_t smallest = 0;
    bool one_piece = false;
    bool walked = false;  // in blocks
};

class ForestTreeWriter {
  public:
    /// `row_of`: where each threshold's bit row is, [feature][threshold].
    ForestTreeWriter(ForestPacked& out, const std::vector<BitRow>& row_of)
        : out_(out), row_of_(row_of) {}

    /// Appends the tree's pieces and mask operations, and makes room for its masks.
    void write_pieces(const TreePlan& plan);
    /// After the last write_pieces().
    void finish_pieces();
    /// Needs a tree of one piece.
    void write_row_piece(const TreePlan& plan);
    /// For few rows, and for blocks if the plan says so.
    void write_walk(const TreePlan& plan);

  private:
    using Cuts = std::vector<std::pair<std::int32_t, BitRow>>;

    [[nodiscard]] const ForestNode& node_at(std::int32_t child) const;
    [[nodiscard]] BitRow row_of(const ForestNode& node) const;
    [[nodiscard]] std::int16_t leaf_at(std::int32_t child) const;
    [[nodiscard]] std::uint16_t leaf_value(std::int32_t child) const;
    ForestMaskOp split_mask(const ForestNode& node, BitRow mask);
    void emit(std::int32_t child, BitRow mask);
    void mask_cuts(std::int32_t child, std::uint32_t levels, BitRow mask, Cuts& cuts);
    void emit_piece(std::int32_t child, std::uint32_t levels, BitRow mask);
    void fill(
        std::int32_t child,
        std::uint32_t at,
        std::uint32_t levels,
        BitRow above,
        ForestPiece& piece,
        std::uint16_t* leaves) const;
    void fill_row(
        std::int32_t child, std::uint32_t at, std::uint32_t levels, ForestRowPiece& piece) const;

    ForestPacked& out_;
    const std::vector<BitRow>& row_of_;
    const TreePlan* plan_ = nullptr;
    BitRow next_mask_ = 0;
    std::uint32_t ops_done_ = 0;
};

}  // namespace weir::kernels
