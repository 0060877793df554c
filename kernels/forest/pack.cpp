// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/forest/pack.h"

#include "kernels/classifier.h"
#include "kernels/forest/pack_trees.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>

namespace weir::kernels {
namespace {

constexpr std::size_t kMaxBitRowBytes = std::size_t{512}
                                        << 10;  // half of a common second-level cache
constexpr std::uint32_t kSmallestWidth = 64;
constexpr std::uint32_t kWalkAlways =
    8;  // rows from which on walking by blocks is no slower than by rows

// costs.h is about what the nearest caches hold; fitted beside it, to forests of up to 300 trees of 200 leaves.
constexpr double kNearBytes = 32 * 1024;
constexpr double kFarBytes = 512 * 1024;
constexpr double kNearFactor = 0.95;
constexpr double kFarPiece = 0.05;  // of a block, for each doubling of the pieces beyond kNearBytes
constexpr double kFartherPiece = 0.2;  // beyond kFarBytes
constexpr double kFarWalk = 0.3;  // of a walk, for each doubling of the nodes beyond kNearBytes

double doublings(std::size_t bytes, double beyond) {
    return std::max(0.0, std::log2(static_cast<double>(bytes) / beyond));
}

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
        used_.assign(std::size_t{kForestCodes} * kForestCodes, 0);
        for (const TreePlan& plan : plans_) {
            if (!plan.walked) {
                visit_nodes(plan.folded, [&](const ForestNode& node) {
                    used_[node.feature * kForestCodes + node.threshold] = 1;
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
        for (std::uint32_t threshold = 0; threshold < kForestCodes; ++threshold) {
            const std::size_t at = feature * kForestCodes + threshold;
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
        ForestTreeWriter writer(out_, row_of_);
        for (const TreePlan* plan : order) {
            const bool masked = !plan->one_piece;
            const auto first = static_cast<std::uint32_t>(out_.pieces_.size());
            if (out_.runs_.empty() || out_.runs_.back().output != plan->output ||
                out_.runs_.back().masked != masked) {
                out_.runs_.push_back({plan->output, masked, first, 0});
            }
            writer.write_pieces(*plan);
            out_.runs_.back().count += static_cast<std::uint32_t>(out_.pieces_.size()) - first;
        }
        writer.finish_pieces();
    }

    void lay_out_rows() {
        std::vector<const TreePlan*> order;
        for (const TreePlan& plan : plans_) {
            order.push_back(&plan);
        }
        std::stable_sort(order.begin(), order.end(), [](const TreePlan* a, const TreePlan* b) {
            return a->output < b->output;
        });
        ForestTreeWriter writer(out_, row_of_);
        for (const TreePlan* plan : order) {
            if (shape_.row_pieces && plan->one_piece) {
                writer.write_row_piece(*plan);
            } else {
                writer.write_walk(*plan);
            }
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

    // A walk waits for nodes that are not in the nearest cache.
    [[nodiscard]] double walk_cycles(const std::vector<ForestWalkTree>& trees) const {
        double steps = 0;
        for (const ForestWalkTree& tree : trees) {
            steps += tree.steps;
        }
        const double far = doublings(out_.walk_nodes_.size() * sizeof(ForestWalkNode), kNearBytes);
        return shape_.walk_step * steps * (1 + kFarWalk * far);
    }

    // How much longer a block takes whose pieces come from farther caches.
    [[nodiscard]] double far_factor() const {
        const std::size_t bytes = out_.pieces_.size() * sizeof(ForestPiece);
        return kNearFactor + kFarPiece * doublings(bytes, kNearBytes) +
               kFartherPiece * doublings(bytes, kFarBytes);
    }

    void choose_row_limit() {
        const double block = narrow_block();
        const double block_walks = walk_cycles(out_.block_walks_);  // a row
        const double row = shape_.row_piece * static_cast<double>(out_.row_pieces_.size()) +
                           walk_cycles(out_.row_walks_);
        out_.narrow_cycles_ = block * far_factor() + kSmallestWidth * block_walks;
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
    std::uint32_t threshold_count_ = 0;
};

ForestPacked::ForestPacked(const ForestSpec& spec, const ForestPackShape& shape) {
    ForestPacker(spec, shape, *this).run();
}

}  // namespace weir::kernels
