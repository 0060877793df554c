// SPDX-License-Identifier: BSD-3-Clause
// Cuts one tree into pieces of up to 6 levels, at the least cost.
#pragma once

#include "kernels/forest/forest.h"
#include "kernels/forest/pack.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::kernels {

/// A tree without the nodes that no code passes (threshold 255). Children as in ForestNode.
struct FoldedTree {
    std::vector<ForestNode> nodes;  ///< those not reachable from `root` are left over
    std::int32_t root = ~0;

    explicit FoldedTree(const ForestTree& tree);
};

/// How a tree is cut. A subtree is either a piece, or a node whose two subtrees get a mask each; below a piece, what
/// does not fit is a subtree again.
class ForestSplit {
  public:
    /// Needs a tree that validate() passed: recursion goes as deep as the tree. Allocates.
    ForestSplit(const FoldedTree& tree, const ForestPackShape& costs);

    /// Cycles for a block of the widest kind.
    [[nodiscard]] float cost() const { return whole(tree_.root); }
    /// Whether one unmasked piece holds the whole tree.
    [[nodiscard]] bool is_one_piece() const {
        return !is_masks(tree_.root) && !cuts_in_piece(tree_.root);
    }

    /// Whether the subtree's root is a mask node rather than a piece's root.
    [[nodiscard]] bool is_masks(std::int32_t child) const;
    /// Levels of the piece that is rooted at `child`.
    [[nodiscard]] std::uint32_t piece_levels(std::int32_t child) const;
    /// Whether a piece that has `levels` left below it leaves `child` to other pieces.
    [[nodiscard]] bool is_cut(std::int32_t child, std::uint32_t levels) const;
    /// Whether anything at or below `child` is left to other pieces.
    [[nodiscard]] bool has_cut(std::int32_t child, std::uint32_t levels) const;

  private:
    [[nodiscard]] bool cuts_in_piece(std::int32_t child) const {
        return has_cut(child, piece_levels(child));
    }
    [[nodiscard]] float whole(std::int32_t child) const;
    [[nodiscard]] float within(std::int32_t child, std::uint32_t levels) const;
    void weigh(std::int32_t child);

    struct Costs {
        float whole = 0;  ///< of the subtree, from its mask on
        std::array<float, kPieceLevels + 1>
            within{};             ///< of its cuts, inside a piece with that many levels left
        std::uint8_t levels = 0;  ///< of its piece; 0: a mask node
    };
    const FoldedTree& tree_;
    const ForestPackShape& shape_;
    std::vector<Costs> costs_;  // by node
};

}  // namespace weir::kernels
