// SPDX-License-Identifier: BSD-3-Clause
// The definition of a forest's answer: plain scalar code, compiled without the vectorizer.
#include "kernels/forest/variants.h"

#include <algorithm>
#include <vector>

namespace weir::kernels {
namespace {

// A node or a leaf. A leaf sends every row back to itself, so a walk may go on for as many steps as its tree is deep:
// what a row costs does not depend on the row, and no traffic makes it slower.
struct Step {
    std::uint8_t feature;
    std::uint8_t threshold;
    std::int16_t value;  // a leaf's
    std::uint32_t left;
    std::uint32_t right;
};

struct Walk {
    std::uint32_t output;
    std::uint32_t depth;
    std::vector<Step> steps;  // nodes in the tree's order, then its leaves
};

Walk walk_of(const ForestTree& tree) {
    const auto nodes = static_cast<std::uint32_t>(tree.nodes.size());
    const auto step_of = [&](std::int32_t child) {
        return child >= 0 ? static_cast<std::uint32_t>(child)
                          : nodes + static_cast<std::uint32_t>(~child);
    };
    Walk walk{tree.output, tree_depth(tree), {}};
    walk.steps.reserve(nodes + tree.leaves.size());
    for (const ForestNode& node : tree.nodes) {
        walk.steps.push_back(
            {node.feature, node.threshold, 0, step_of(node.left), step_of(node.right)});
    }
    for (std::uint32_t leaf = 0; leaf < tree.leaves.size(); ++leaf) {
        walk.steps.push_back({0, 0, tree.leaves[leaf], nodes + leaf, nodes + leaf});
    }
    return walk;
}

std::int32_t reached_value(const Walk& walk, const std::uint8_t* row) noexcept {
    const Step* const steps = walk.steps.data();
    std::uint32_t at = 0;
    for (std::uint32_t d = 0; d < walk.depth; ++d) {
        const Step& step = steps[at];
        at = row[step.feature] > step.threshold ? step.right : step.left;
    }
    return steps[at].value;
}

class ReferenceForest final : public Classifier {
  public:
    explicit ReferenceForest(const ForestSpec& spec) : inputs_(spec.inputs), base_(spec.base) {
        walks_.reserve(spec.trees.size());
        for (const ForestTree& tree : spec.trees) {
            walks_.push_back(walk_of(tree));
        }
    }

    [[nodiscard]] std::uint32_t inputs() const noexcept override { return inputs_; }
    [[nodiscard]] std::uint32_t outputs() const noexcept override {
        return static_cast<std::uint32_t>(base_.size());
    }
    [[nodiscard]] std::size_t scratch_bytes() const noexcept override { return 0; }
    [[nodiscard]] Isa isa() const noexcept override { return Isa::scalar; }

    void score(
        const std::uint8_t* rows,
        std::size_t stride,
        std::uint32_t n,
        std::int32_t* out,
        std::byte* /*scratch*/) const noexcept override {
        for (std::uint32_t r = 0; r < n; ++r) {
            const std::uint8_t* row = rows + r * stride;
            std::int32_t* raw = out + std::size_t{r} * outputs();
            std::copy(base_.begin(), base_.end(), raw);
            for (const Walk& walk : walks_) {
                raw[walk.output] += reached_value(walk, row);
            }
        }
    }

  private:
    std::uint32_t inputs_;
    std::vector<std::int32_t> base_;
    std::vector<Walk> walks_;
};

}  // namespace

std::unique_ptr<Classifier> make_forest_reference(const ForestSpec& spec) {
    return std::make_unique<ReferenceForest>(spec);
}

}  // namespace weir::kernels
