// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/forest/pack.h"

#include "kernels/classifier.h"
#include "kernels/forest/split.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

namespace weir::kernels {
namespace {

constexpr std::size_t kMaxBitRowBytes = std::size_t{512}
                                        << 10;  // half of a common second-level cache
constexpr std::uint32_t kSmallestWidth = 64;
constexpr std::uint32_t kCodes = 256;
constexpr std::uint32_t kWalkAlways =
    8;  // rows from which on walking by blocks is no slower than by rows

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

// Depth first over what is reachable; no deeper than the tree.
template <typename OnNode, typename OnLeaf>
void visit(
    const FoldedTree& tree,
    std::int32_t child,
    std::uint32_t depth,
    const OnNode& on_node,
    const OnLeaf& on_leaf) {
    if (child < 0) {
        on_leaf(~child, depth);
        return;
    }
    const ForestNode& node = tree.nodes[static_cast<std::size_t>(child)];
    on_node(node);
    visit(tree, node.left, depth + 1, on_node, on_leaf);
    visit(tree, node.right, depth + 1, on_node, on_leaf);
}

template <typename OnNode>
void visit_nodes(const FoldedTree& tree, const OnNode& on_node) {
    visit(tree, tree.root, 0, on_node, [](std::int32_t, std::uint32_t) {});
}

}  // namespace

class ForestPacker {
  public:
    ForestPacker(const ForestSpec& spec, const ForestPackShape& shape, ForestPacked& out)
        : spec_(spec), shape_(shape), out_(out) {}

    void run() {
        out_.inputs_ = spec_.inputs;
        out_.block_base_ = spec_.base;
        out_.row_base_ = spec_.base;
        make_plans();
        choose_width();
        lay_out_thresholds();
        lay_out_runs();
        lay_out_rows();
        choose_row_limit();
    }

  private:
    void make_plans() {
        plans_.reserve(spec_.trees.size());
        for (const ForestTree& tree : spec_.trees) {
            TreePlan& plan =
                plans_.emplace_back(TreePlan{tree.output, FoldedTree(tree), &tree.leaves});
            plan.smallest = INT16_MAX;
            visit(
                plan.folded,
                plan.folded.root,
                0,
                [](const ForestNode&) {},
                [&](std::int32_t leaf, std::uint32_t depth) {
                    plan.steps = std::max(plan.steps, depth);
                    plan.smallest =
                        std::min(plan.smallest, tree.leaves[static_cast<std::size_t>(leaf)]);
                });
        }
        for (TreePlan& plan : plans_) {
            plan.split = std::make_unique<ForestSplit>(plan.folded, shape_);
            plan.one_piece = plan.split->is_one_piece();
        }
    }

    // The fewer trees are walked, the more thresholds there are: decide for the widest block, see which width then
    // fits, and decide again for that.
    void choose_width() {
        out_.width_ = shape_.max_width;
        choose_walks();
        const std::size_t rows = count_thresholds();
        while (out_.width_ > kSmallestWidth && rows * out_.width_ / 8 > kMaxBitRowBytes) {
            out_.width_ /= 2;
        }
        choose_walks();
        count_thresholds();
    }

    // The split's cost is for the widest block; a narrower one costs about in proportion to what a piece does.
    [[nodiscard]] float share_of_widest(std::uint32_t width) const {
        const float narrow = shape_.narrow.piece[kPieceLevels] / shape_.wide.piece[kPieceLevels];
        const float at = static_cast<float>(width - kSmallestWidth) /
                         static_cast<float>(shape_.max_width - kSmallestWidth);
        return narrow + (1 - narrow) * at;
    }

    void choose_walks() {
        const float share = share_of_widest(out_.width_);
        for (TreePlan& plan : plans_) {
            const float walk = shape_.walk_step * static_cast<float>(plan.steps * out_.width_);
            plan.walked = !plan.one_piece && plan.split->cost() * share > walk;
        }
    }

    std::size_t count_thresholds() {
        used_.assign(std::size_t{kCodes} * kCodes, 0);
        for (const TreePlan& plan : plans_) {
            if (!plan.walked) {
                visit_nodes(plan.folded, [&](const ForestNode& node) {
                    used_[node.feature * kCodes + node.threshold] = 1;
                });
            }
        }
        return std::accumulate(used_.begin(), used_.end(), std::size_t{0});
    }

    void lay_out_thresholds() {
        row_of_.assign(used_.size(), 0);
        for (std::uint32_t at = 0; at < spec_.inputs; at += kForestColumns) {
            const std::uint32_t end = std::min(at + kForestColumns, spec_.inputs);
            // The last block starts earlier rather than read past a row's end.
            const std::uint32_t start = spec_.inputs < kForestColumns ? 0 : end - kForestColumns;
            ForestColumnBlock block{start, static_cast<std::uint32_t>(out_.features_.size()), 0};
            for (std::uint32_t feature = at; feature < end; ++feature) {
                block.count += lay_out_feature(feature, feature - start) ? 1 : 0;
            }
            if (block.count > 0) {
                out_.column_blocks_.push_back(block);
            }
        }
        out_.ones_ = static_cast<BitRow>(out_.thresholds_.size()) * kBitRowStep;
        out_.bit_rows_ = static_cast<std::uint32_t>(out_.thresholds_.size()) + 1;
        threshold_count_ = static_cast<std::uint32_t>(out_.thresholds_.size());
        out_.thresholds_.resize(threshold_count_ + kForestThresholdPadding);
    }

    bool lay_out_feature(std::uint32_t feature, std::uint32_t column) {
        const auto first = static_cast<std::uint32_t>(out_.thresholds_.size());
        for (std::uint32_t threshold = 0; threshold < kCodes; ++threshold) {
            const std::size_t at = feature * kCodes + threshold;
            if (used_[at] != 0) {
                row_of_[at] = static_cast<BitRow>(out_.thresholds_.size()) * kBitRowStep;
                out_.thresholds_.push_back(
                    {static_cast<std::uint8_t>((threshold >> 4) * kBitRowStep),
                     static_cast<std::uint8_t>((threshold & 15) * kBitRowStep)});
            }
        }
        const auto count = static_cast<std::uint32_t>(out_.thresholds_.size()) - first;
        if (count > 0) {
            ForestFeature& added = out_.features_.emplace_back(
                ForestFeature{column, first, count, first * kBitRowStep, {}});
            for (std::uint32_t i = first; i < first + count; ++i) {
                ++added.of_high[out_.thresholds_[i].high / kBitRowStep];
            }
        }
        return count > 0;
    }

    void lay_out_runs() {
        std::vector<const TreePlan*> order;
        for (const TreePlan& plan : plans_) {
            if (!plan.walked) {
                order.push_back(&plan);
            }
        }
        const auto key = [](const TreePlan& plan) {
            const std::uint32_t levels =
                plan.one_piece ? plan.split->piece_levels(plan.folded.root) : 0;
            return std::tuple(plan.output, !plan.one_piece, levels);
        };
        std::stable_sort(order.begin(), order.end(), [&](const TreePlan* a, const TreePlan* b) {
            return key(*a) < key(*b);
        });
        for (const TreePlan* plan : order) {
            const bool masked = !plan->one_piece;
            const auto first = static_cast<std::uint32_t>(out_.pieces_.size());
            if (out_.runs_.empty() || out_.runs_.back().output != plan->output ||
                out_.runs_.back().masked != masked) {
                out_.runs_.push_back({plan->output, masked, first, 0});
            }
            plan_ = plan;
            next_mask_ = out_.ones_ + kBitRowStep;
            emit(plan->folded.root, out_.ones_);
            out_.bit_rows_ = std::max(out_.bit_rows_, next_mask_ / kBitRowStep);
            out_.runs_.back().count += static_cast<std::uint32_t>(out_.pieces_.size()) - first;
            out_.block_base_[plan->output] += plan->smallest;
        }
        out_.op_begin_.push_back(static_cast<std::uint32_t>(out_.mask_ops_.size()));
    }

    [[nodiscard]] const ForestNode& node_at(std::int32_t child) const {
        return plan_->folded.nodes[static_cast<std::size_t>(child)];
    }
    [[nodiscard]] BitRow row_of(const ForestNode& node) const {
        return row_of_[node.feature * kCodes + node.threshold];
    }
    [[nodiscard]] std::uint16_t leaf_value(std::int32_t child) const {
        const int value = (*plan_->leaves)[static_cast<std::size_t>(~child)];
        return static_cast<std::uint16_t>(value - plan_->smallest);
    }
    BitRow take_mask() {
        const BitRow mask = next_mask_;
        next_mask_ += kBitRowStep;
        return mask;
    }

    /// The pieces of the subtree at `child`, for the rows in `mask`. A tree's masks are all apart, so any order will do
    /// that makes a mask before it is used.
    void emit(std::int32_t child, BitRow mask) {
        if (plan_->split->is_masks(child)) {
            const ForestNode& node = node_at(child);
            const ForestMaskOp op{row_of(node), mask, take_mask(), take_mask()};
            out_.mask_ops_.push_back(op);
            emit(node.left, op.left);
            emit(node.right, op.right);
            return;
        }
        const std::uint32_t levels = plan_->split->piece_levels(child);
        std::vector<std::pair<std::int32_t, BitRow>> cuts;
        mask_cuts(child, levels, mask, cuts);
        emit_piece(child, levels, mask);
        for (const auto& [cut, cut_mask] : cuts) {
            emit(cut, cut_mask);
        }
    }

    void mask_cuts(
        std::int32_t child,
        std::uint32_t levels,
        BitRow mask,
        std::vector<std::pair<std::int32_t, BitRow>>& cuts) {
        if (!plan_->split->has_cut(child, levels)) {
            return;
        }
        if (plan_->split->is_cut(child, levels)) {
            cuts.emplace_back(child, mask);
            return;
        }
        const ForestNode& node = node_at(child);
        const ForestMaskOp op{row_of(node), mask, take_mask(), take_mask()};
        out_.mask_ops_.push_back(op);
        mask_cuts(node.left, levels - 1, op.left, cuts);
        mask_cuts(node.right, levels - 1, op.right, cuts);
    }

    void emit_piece(std::int32_t child, std::uint32_t levels, BitRow mask) {
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
    void fill(
        std::int32_t child,
        std::uint32_t at,
        std::uint32_t levels,
        BitRow above,
        ForestPiece& piece,
        std::uint16_t* leaves) const {
        const bool cut = plan_->split->is_cut(child, levels);
        const bool ends = child < 0 || cut;
        if (levels == 0) {
            *leaves = ends && !cut ? leaf_value(child) : std::uint16_t{0};
            return;
        }
        const BitRow row = ends ? above : row_of(node_at(child));
        piece.rows[pair_place(at)] = row;
        const std::int32_t left = ends ? child : node_at(child).left;
        const std::int32_t right = ends ? child : node_at(child).right;
        const std::uint32_t half = 1U << (levels - 1);
        if (cut) {
            return fill_cut(at, levels, above, piece, leaves);
        }
        fill(left, 2 * at, levels - 1, row, piece, leaves);
        fill(right, 2 * at + 1, levels - 1, row, piece, leaves + half);
    }

    static void fill_cut(
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

    void lay_out_rows() {
        std::vector<const TreePlan*> order;
        for (const TreePlan& plan : plans_) {
            order.push_back(&plan);
        }
        std::stable_sort(order.begin(), order.end(), [](const TreePlan* a, const TreePlan* b) {
            return a->output < b->output;
        });
        for (const TreePlan* plan : order) {
            plan_ = plan;
            const bool piece = shape_.row_pieces && plan->one_piece;
            if (piece) {
                emit_row_piece();
            }
            if (!piece || plan->walked) {
                emit_walk(!piece);
            }
        }
    }

    void emit_row_piece() {
        ForestRowPiece piece;
        fill_row(plan_->folded.root, 1, kPieceLevels, piece);
        out_.row_pieces_.push_back(piece);
        out_.row_piece_outputs_.push_back(static_cast<std::uint8_t>(plan_->output));
        out_.row_base_[plan_->output] += plan_->smallest;
    }

    void fill_row(
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

    void emit_walk(bool by_rows) {
        const auto first = static_cast<std::uint32_t>(out_.walk_nodes_.size());
        std::vector<std::int32_t> children{plan_->folded.root};
        for (std::size_t i = 0; i < children.size();
             ++i) {  // breadth first: the top of a tree shares cache lines
            const std::int32_t child = children[i];
            ForestWalkNode node;
            if (child < 0) {
                node.child = static_cast<std::uint32_t>(i);
                node.leaf = (*plan_->leaves)[static_cast<std::size_t>(~child)];
            } else {
                node.child = static_cast<std::uint32_t>(children.size());
                node.feature = node_at(child).feature;
                node.threshold = node_at(child).threshold;
                children.push_back(node_at(child).left);
                children.push_back(node_at(child).right);
            }
            out_.walk_nodes_.push_back(node);
        }
        const ForestWalkTree tree{first, plan_->steps, plan_->output};
        if (plan_->walked) {
            out_.block_walks_.push_back(tree);
        }
        if (by_rows) {
            out_.row_walks_.push_back(tree);
        }
    }

    /// Cycles of a block of 64 rows without its walks.
    [[nodiscard]] double narrow_block() const {
        const ForestCosts& costs = shape_.narrow;
        double sum = costs.feature * static_cast<double>(out_.features_.size());
        sum += costs.threshold * static_cast<double>(threshold_count_);
        sum += costs.mask_op * static_cast<double>(out_.mask_ops_.size());
        sum += costs.output * static_cast<double>(out_.outputs());
        for (const ForestRun& run : out_.runs_) {
            sum += run.masked ? costs.masked * static_cast<double>(run.count) : 0.0;
        }
        for (const std::uint8_t levels : out_.levels_) {
            sum += costs.piece[levels];
        }
        return sum;
    }

    [[nodiscard]] double walk_cycles(const std::vector<ForestWalkTree>& trees) const {
        double steps = 0;
        for (const ForestWalkTree& tree : trees) {
            steps += tree.steps;
        }
        return shape_.walk_step * steps;
    }

    void choose_row_limit() {
        const double block = narrow_block();
        const double block_walks = walk_cycles(out_.block_walks_);  // a row
        const double row = shape_.row_piece * static_cast<double>(out_.row_pieces_.size()) +
                           walk_cycles(out_.row_walks_);
        out_.narrow_cycles_ = block + kSmallestWidth * block_walks;
        // n rows cost n·row one by one, and block + n·block_walks as a block.
        const double most = kSmallestWidth - 1;
        const double limit = row > block_walks ? block / (row - block_walks) : most;
        out_.row_limit_ = static_cast<std::uint32_t>(std::min(limit, most));
        if (out_.pieces_.empty()) {
            out_.row_limit_ = kWalkAlways - 1;
        }
    }

    const ForestSpec& spec_;
    const ForestPackShape& shape_;
    ForestPacked& out_;
    std::vector<TreePlan> plans_;
    std::vector<std::uint8_t> used_;  // [feature][threshold]
    std::vector<BitRow> row_of_;      // [feature][threshold]
    const TreePlan* plan_ = nullptr;  // the tree being laid out
    BitRow next_mask_ = 0;
    std::uint32_t ops_done_ = 0;
    std::uint32_t threshold_count_ = 0;
};

ForestPacked::ForestPacked(const ForestSpec& spec, const ForestPackShape& shape) {
    ForestPacker(spec, shape, *this).run();
}

}  // namespace weir::kernels
