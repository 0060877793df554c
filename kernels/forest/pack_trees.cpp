// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/forest/pack_trees.h"

#include <algorithm>

namespace weir::kernels {
namespace {

/// A subtree that other pieces hold adds 0 here, whatever its nodes would say.
void fill_cut(
    std::uint32_t at,
    std::uint32_t levels,
    BitRow above,
    ForestPiece& piece,
    std::uint16_t* leaves) {
    for (std::uint32_t level = 0; level < levels; ++level) {
        for (std::uint32_t i = 0; i < 1U << level; ++i) {
            piece.rows[pair_place((at << level) + i)] = above;
        }
    }
    std::fill_n(leaves, 1U << levels, std::uint16_t{0});
}

}  // namespace

const ForestNode& ForestTreeWriter::node_at(std::int32_t child) const {
    return plan_->folded.nodes[static_cast<std::size_t>(child)];
}

BitRow ForestTreeWriter::row_of(const ForestNode& node) const {
    return row_of_[node.feature * kForestCodes + node.threshold];
}

std::int16_t ForestTreeWriter::leaf_at(std::int32_t child) const {
    const std::int32_t leaf = ~child;
    return (*plan_->leaves)[static_cast<std::size_t>(leaf)];
}

std::uint16_t ForestTreeWriter::leaf_value(std::int32_t child) const {
    return static_cast<std::uint16_t>(leaf_at(child) - plan_->smallest);
}

ForestMaskOp ForestTreeWriter::split_mask(const ForestNode& node, BitRow mask) {
    const ForestMaskOp op{row_of(node), mask, next_mask_, next_mask_ + kBitRowStep};
    next_mask_ += 2 * kBitRowStep;
    out_.mask_ops_.push_back(op);
    return op;
}

void ForestTreeWriter::write_pieces(const TreePlan& plan) {
    plan_ = &plan;
    next_mask_ = out_.ones_ + kBitRowStep;
    emit(plan.folded.root, out_.ones_);
    out_.bit_rows_ = std::max(out_.bit_rows_, next_mask_ / kBitRowStep);
    out_.block_base_[plan.output] += plan.smallest;
}

void ForestTreeWriter::finish_pieces() {
    out_.op_begin_.push_back(static_cast<std::uint32_t>(out_.mask_ops_.size()));
}

/// The pieces of the subtree at `child`, for the rows in `mask`. A tree's masks are all apart, so any order will do that
/// makes a mask before it is used.
void ForestTreeWriter::emit(std::int32_t child, BitRow mask) {
    if (plan_->split->is_masks(child)) {
        const ForestNode& node = node_at(child);
        const ForestMaskOp op = split_mask(node, mask);
        emit(node.left, op.left);
        emit(node.right, op.right);
        return;
    }
    const std::uint32_t levels = plan_->split->piece_levels(child);
    Cuts cuts;
    mask_cuts(child, levels, mask, cuts);
    emit_piece(child, levels, mask);
    for (const auto& [cut, cut_mask] : cuts) {
        emit(cut, cut_mask);
    }
}

void ForestTreeWriter::mask_cuts(
    std::int32_t child, std::uint32_t levels, BitRow mask, Cuts& cuts) {
    if (!plan_->split->has_cut(child, levels)) {
        return;
    }
    if (plan_->split->is_cut(child, levels)) {
        cuts.emplace_back(child, mask);
        return;
    }
    const ForestNode& node = node_at(child);
    const ForestMaskOp op = split_mask(node, mask);
    mask_cuts(node.left, levels - 1, op.left, cuts);
    mask_cuts(node.right, levels - 1, op.right, cuts);
}

void ForestTreeWriter::emit_piece(std::int32_t child, std::uint32_t levels, BitRow mask) {
    ForestPiece piece;
    piece.rows[0] = mask;
    std::array<std::uint16_t, kPieceLeaves> leaves{};
    fill(child, 1, levels, out_.ones_, piece, leaves.data());
    const std::uint32_t count = 1U << levels;
    for (std::uint32_t l = 0; l < kPieceLeaves; ++l) {
        piece.low[l] = static_cast<std::uint8_t>(leaves[l % count]);
        piece.high[l] = static_cast<std::uint8_t>(leaves[l % count] >> 8);
    }
    out_.pieces_.push_back(piece);
    out_.levels_.push_back(static_cast<std::uint8_t>(levels));
    out_.op_begin_.push_back(ops_done_);
    ops_done_ = static_cast<std::uint32_t>(out_.mask_ops_.size());
}

// `levels` are left below heap node `at`; `above` is a bit row that is at hand anyway.
void ForestTreeWriter::fill(
    std::int32_t child,
    std::uint32_t at,
    std::uint32_t levels,
    BitRow above,
    ForestPiece& piece,
    std::uint16_t* leaves) const {
    if (plan_->split->is_cut(child, levels)) {
        fill_cut(at, levels, above, piece, leaves);
        return;
    }
    if (levels == 0) {
        *leaves = leaf_value(child);
        return;
    }
    const BitRow row = child < 0 ? above : row_of(node_at(child));
    piece.rows[pair_place(at)] = row;
    const std::uint32_t half = 1U << (levels - 1);
    fill(child < 0 ? child : node_at(child).left, 2 * at, levels - 1, row, piece, leaves);
    fill(
        child < 0 ? child : node_at(child).right,
        2 * at + 1,
        levels - 1,
        row,
        piece,
        leaves + half);
}

void ForestTreeWriter::write_row_piece(const TreePlan& plan) {
    plan_ = &plan;
    ForestRowPiece piece;
    fill_row(plan.folded.root, 1, kPieceLevels, piece);
    out_.row_pieces_.push_back(piece);
    out_.row_piece_outputs_.push_back(static_cast<std::uint8_t>(plan.output));
    out_.row_base_[plan.output] += plan.smallest;
}

void ForestTreeWriter::fill_row(
    std::int32_t child, std::uint32_t at, std::uint32_t levels, ForestRowPiece& piece) const {
    if (levels == 0) {
        piece.leaves[at - kPieceLeaves] = leaf_value(child);
        return;
    }
    if (child >= 0) {
        piece.feature[at] = node_at(child).feature;
        piece.threshold[at] = node_at(child).threshold;
    }
    fill_row(child < 0 ? child : node_at(child).left, 2 * at, levels - 1, piece);
    fill_row(child < 0 ? child : node_at(child).right, 2 * at + 1, levels - 1, piece);
}

// Breadth first: the top of a tree shares cache lines.
void ForestTreeWriter::write_walk(const TreePlan& plan) {
    plan_ = &plan;
    const auto first = static_cast<std::uint32_t>(out_.walk_nodes_.size());
    std::vector<std::int32_t> children{plan.folded.root};
    for (std::size_t i = 0; i < children.size(); ++i) {
        const std::int32_t child = children[i];
        ForestWalkNode node;
        if (child < 0) {
            node.child = static_cast<std::uint32_t>(i);
            node.leaf = leaf_at(child);
        } else {
            node.child = static_cast<std::uint32_t>(children.size());
            node.feature = node_at(child).feature;
            node.threshold = node_at(child).threshold;
            children.push_back(node_at(child).left);
            children.push_back(node_at(child).right);
        }
        out_.walk_nodes_.push_back(node);
    }
    const ForestWalkTree tree{first, plan.steps, plan.output};
    out_.row_walks_.push_back(tree);
    if (plan.walked) {
        out_.block_walks_.push_back(tree);
    }
}

}  // namespace weir::kernels
