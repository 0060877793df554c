// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/forest/split.h"

namespace weir::kernels {
namespace {

constexpr std::uint8_t kNeverRight = 255;
constexpr std::uint32_t kSmallestPiece = 3;  // fewer levels cost no less
// A mask costs its operation on the way down to the cut, about one a level of half a piece.
constexpr float kOpsOfCut = 3;

}  // namespace

FoldedTree::FoldedTree(const ForestTree& tree)
    : nodes(tree.nodes), root(tree.nodes.empty() ? ~0 : 0) {
    const auto folded = [&](std::int32_t child) {
        while (child >= 0 && tree.nodes[static_cast<std::size_t>(child)].threshold == kNeverRight) {
            child = tree.nodes[static_cast<std::size_t>(child)].left;
        }
        return child;
    };
    root = folded(root);
    for (ForestNode& node : nodes) {
        node.left = folded(node.left);
        node.right = folded(node.right);
    }
}

ForestSplit::ForestSplit(const FoldedTree& tree, const ForestPackShape& costs)
    : tree_(tree), shape_(costs), costs_(tree.nodes.size()) {
    weigh(tree_.root);
}

float ForestSplit::whole(std::int32_t child) const {
    return child < 0 ? (shape_.wide.piece[kSmallestPiece] + shape_.wide.masked)
                     : costs_[static_cast<std::size_t>(child)].whole;
}

float ForestSplit::within(std::int32_t child, std::uint32_t levels) const {
    return child < 0 ? 0 : costs_[static_cast<std::size_t>(child)].within[levels];
}

void ForestSplit::weigh(std::int32_t child) {
    if (child < 0) {
        return;
    }
    const ForestNode& node = tree_.nodes[static_cast<std::size_t>(child)];
    weigh(node.left);
    weigh(node.right);
    Costs& costs = costs_[static_cast<std::size_t>(child)];
    // What stays within a piece does not depend on this node's own choice, but a cut here does.
    std::array<float, kPieceLevels + 1> kept{};
    for (std::uint32_t levels = 1; levels <= kPieceLevels; ++levels) {
        kept[levels] = within(node.left, levels - 1) + within(node.right, levels - 1);
    }
    costs.levels = 0;
    costs.whole = shape_.wide.mask_op + whole(node.left) + whole(node.right);
    for (std::uint32_t levels = kSmallestPiece; levels <= kPieceLevels; ++levels) {
        const float piece = shape_.wide.piece[levels] + shape_.wide.masked + kept[levels];
        if (piece < costs.whole) {
            costs.whole = piece;
            costs.levels = static_cast<std::uint8_t>(levels);
        }
    }
    const float cut = costs.whole + kOpsOfCut * shape_.wide.mask_op;
    costs.within[0] = cut;
    for (std::uint32_t levels = 1; levels <= kPieceLevels; ++levels) {
        costs.within[levels] = kept[levels] < cut ? kept[levels] : cut;
    }
}

bool ForestSplit::is_masks(std::int32_t child) const {
    return child >= 0 && costs_[static_cast<std::size_t>(child)].levels == 0;
}

std::uint32_t ForestSplit::piece_levels(std::int32_t child) const {
    return child < 0 ? kSmallestPiece : costs_[static_cast<std::size_t>(child)].levels;
}

bool ForestSplit::is_cut(std::int32_t child, std::uint32_t levels) const {
    if (child < 0) {
        return false;
    }
    const Costs& costs = costs_[static_cast<std::size_t>(child)];
    // weigh() gave both the same float if it cut, and a smaller one if it did not.
    return costs.within[levels] == costs.within[0];
}

bool ForestSplit::has_cut(std::int32_t child, std::uint32_t levels) const {
    if (child < 0) {
        return false;
    }
    if (is_cut(child, levels)) {
        return true;
    }
    const ForestNode& node = tree_.nodes[static_cast<std::size_t>(child)];
    return has_cut(node.left, levels - 1) || has_cut(node.right, levels - 1);
}

}  // namespace weir::kernels
