// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/classifier.h"
#include "kernels/forest/forest.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

namespace weir::kernels {
namespace {

constexpr std::int64_t kMaxAbsBase = std::int64_t{1} << 30;
constexpr std::size_t kMaxNodes = (std::size_t{1} << kForestMaxDepth) - 1;

// With every bound at its end a raw output stays in s32.
static_assert(kMaxAbsBase + std::int64_t{kForestMaxTrees} * 32768 < (1LL << 31));
static_assert(kForestMaxInputs == kMaxInputs && kForestMaxOutputs == kMaxOutputs);

std::string indexed(const char* name, std::size_t index) {
    return std::string(name) + "[" + std::to_string(index) + "]";
}

tl::unexpected<Error> fail_tree(
    std::size_t tree, const std::string& field, std::string what, std::string fix) {
    return fail(
        "", "forest." + indexed("trees", tree) + "." + field, std::move(what), std::move(fix));
}

tl::unexpected<Error> fail_node(
    std::size_t tree, std::size_t node, const char* field, std::string what, std::string fix) {
    return fail_tree(tree, indexed("nodes", node) + "." + field, std::move(what), std::move(fix));
}

/// Walks one tree from its root with a stack of its own, so that no input can deepen ours; every node is pushed at most
/// once, so time and memory are linear in the tree's size.
class TreeCheck {
  public:
    TreeCheck(std::size_t index, const ForestTree& tree)
        : index_(index),
          tree_(tree),
          node_reached_(tree.nodes.size(), false),
          leaf_reached_(tree.leaves.size(), false) {}

    Result<void> run() {
        if (tree_.nodes.empty()) {
            return {};
        }
        node_reached_[0] = true;
        todo_.push_back({0, 0});
        while (!todo_.empty()) {
            const auto [node, depth] = todo_.back();
            todo_.pop_back();
            const ForestNode& at = tree_.nodes[node];
            if (auto reached = reach(node, "left", at.left, depth + 1); !reached) {
                return reached;
            }
            if (auto reached = reach(node, "right", at.right, depth + 1); !reached) {
                return reached;
            }
        }
        return all_reached();
    }

  private:
    struct Visit {
        std::size_t node;
        std::uint32_t depth;  ///< inner nodes above it
    };

    Result<void> reach(
        std::size_t parent, const char* field, std::int32_t child, std::uint32_t depth) {
        const bool is_leaf = child < 0;
        const auto target = static_cast<std::size_t>(is_leaf ? ~child : child);
        std::vector<bool>& reached = is_leaf ? leaf_reached_ : node_reached_;
        const std::string name = is_leaf ? "leaf " : "node ";
        if (target >= reached.size()) {
            return fail_node(
                index_,
                parent,
                field,
                "leads to " + name + std::to_string(target) + " of " +
                    std::to_string(reached.size()),
                "give the index of a node, or ~ the index of a leaf");
        }
        if (reached[target]) {
            return fail_node(
                index_,
                parent,
                field,
                "leads to " + name + std::to_string(target) + ", which is reached already",
                "give every node and leaf exactly one parent");
        }
        reached[target] = true;
        if (is_leaf) {
            return {};
        }
        if (depth >= kForestMaxDepth) {
            return fail_node(
                index_,
                parent,
                field,
                "makes the tree deeper than " + std::to_string(kForestMaxDepth),
                "train with a smaller depth");
        }
        todo_.push_back({target, depth});
        return {};
    }

    [[nodiscard]] Result<void> all_reached() const {
        for (std::size_t i = 0; i < node_reached_.size(); ++i) {
            if (!node_reached_[i]) {
                return fail_tree(
                    index_, indexed("nodes", i), "is not reached from the root", "remove it");
            }
        }
        for (std::size_t i = 0; i < leaf_reached_.size(); ++i) {
            if (!leaf_reached_[i]) {
                return fail_tree(
                    index_, indexed("leaves", i), "is not reached from the root", "remove it");
            }
        }
        return {};
    }

    std::size_t index_;
    const ForestTree& tree_;
    std::vector<bool> node_reached_;
    std::vector<bool> leaf_reached_;
    std::vector<Visit> todo_;
};

Result<void> check_features(std::size_t index, const ForestTree& tree, std::uint32_t inputs) {
    for (std::size_t i = 0; i < tree.nodes.size(); ++i) {
        if (tree.nodes[i].feature >= inputs) {
            return fail_node(
                index,
                i,
                "feature",
                "is " + std::to_string(tree.nodes[i].feature) + ", but the forest has " +
                    std::to_string(inputs) + " inputs",
                "use 0 to " + std::to_string(inputs - 1));
        }
    }
    return {};
}

Result<void> check_tree(std::size_t index, const ForestTree& tree, const ForestSpec& spec) {
    if (tree.output >= spec.base.size()) {
        return fail_tree(
            index,
            "output",
            "is " + std::to_string(tree.output) + ", but the forest has " +
                std::to_string(spec.base.size()) + " raw outputs",
            "use 0 to " + std::to_string(spec.base.size() - 1));
    }
    if (tree.nodes.size() > kMaxNodes) {
        return fail_tree(
            index,
            "nodes",
            "holds " + std::to_string(tree.nodes.size()) + " nodes",
            "use at most " + std::to_string(kMaxNodes));
    }
    if (tree.leaves.size() != tree.nodes.size() + 1) {
        return fail_tree(
            index,
            "leaves",
            "holds " + std::to_string(tree.leaves.size()) + " values where " +
                std::to_string(tree.nodes.size()) + " nodes make " +
                std::to_string(tree.nodes.size() + 1) + " leaves",
            "give one value a leaf");
    }
    return check_features(index, tree, spec.inputs).and_then([&] {
        return TreeCheck(index, tree).run();
    });
}

Result<void> check_heads(const ForestSpec& spec) {
    if (spec.inputs < 1 || spec.inputs > kForestMaxInputs) {
        return fail(
            "",
            "forest.inputs",
            std::to_string(spec.inputs) + " is out of range",
            "use 1 to " + std::to_string(kForestMaxInputs));
    }
    if (spec.base.empty() || spec.base.size() > kForestMaxOutputs) {
        return fail(
            "",
            "forest.base",
            "gives " + std::to_string(spec.base.size()) + " raw outputs",
            "use 1 to " + std::to_string(kForestMaxOutputs));
    }
    for (std::size_t i = 0; i < spec.base.size(); ++i) {
        if (std::abs(std::int64_t{spec.base[i]}) > kMaxAbsBase) {
            return fail(
                "",
                "forest." + indexed("base", i),
                std::to_string(spec.base[i]) + " is out of range",
                "use -2^30 to 2^30");
        }
    }
    if (spec.trees.size() > kForestMaxTrees) {
        return fail(
            "",
            "forest.trees",
            "has " + std::to_string(spec.trees.size()) + " trees",
            "use at most " + std::to_string(kForestMaxTrees));
    }
    return {};
}

std::uint32_t depth_below(const ForestTree& tree, std::int32_t child) noexcept {
    if (child < 0) {
        return 0;
    }
    const ForestNode& node = tree.nodes[static_cast<std::size_t>(child)];
    return 1 + std::max(depth_below(tree, node.left), depth_below(tree, node.right));
}

}  // namespace

std::uint32_t tree_depth(const ForestTree& tree) noexcept {
    return tree.nodes.empty() ? 0 : depth_below(tree, 0);
}

Result<void> validate(const ForestSpec& spec) {
    if (auto checked = check_heads(spec); !checked) {
        return checked;
    }
    for (std::size_t i = 0; i < spec.trees.size(); ++i) {
        if (auto checked = check_tree(i, spec.trees[i], spec); !checked) {
            return checked;
        }
    }
    return {};
}

}  // namespace weir::kernels
