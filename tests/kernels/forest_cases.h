// SPDX-License-Identifier: BSD-3-Clause
// Forest specs and rows for tests: random, extreme, and of every shape.
#pragma once

#include "kernels/forest/forest.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace weir::testing {

enum class Growth {
    level_wise,  ///< shallowest leaf first: complete but for the last level
    leaf_wise,   ///< a random leaf each time, the latest ones more often: unbalanced
    chain        ///< always the newest leaf: as deep as it gets
};

enum class Thresholds {
    any,   ///< 0…255 evenly
    few,   ///< four values, so nodes share them
    ends,  ///< 0 and 255 only
    bins   ///< 0…63, for codes of 64 bins
};

enum class Leaves {
    any,      ///< −32767…32767 evenly
    highest,  ///< 32767
    lowest,   ///< −32767
    ends,     ///< ±32767, 0 and ±1
    trained   ///< small, as a boosted ensemble has them
};

struct ForestShape {
    std::uint32_t inputs = 16;
    std::uint32_t outputs = 1;
    std::uint32_t trees = 10;
    std::uint32_t leaves = 64;  ///< of each tree; 1: a tree without nodes
    std::uint32_t depth = kernels::kForestMaxDepth;
    Growth growth = Growth::level_wise;
    Thresholds thresholds = Thresholds::any;
    Leaves leaf_values = Leaves::any;
};

class ForestMaker {
  public:
    explicit ForestMaker(std::mt19937& random) : random_(random) {}

    kernels::ForestSpec make(const ForestShape& shape) {
        kernels::ForestSpec spec;
        spec.inputs = shape.inputs;
        for (std::uint32_t o = 0; o < shape.outputs; ++o) {
            const int ends[] = {-(1 << 30), 1 << 30, 0, draw(-100000, 100000)};
            spec.base.push_back(ends[draw(0, 3)]);
        }
        for (std::uint32_t t = 0; t < shape.trees; ++t) {
            spec.trees.push_back(tree(shape));
            spec.trees.back().output = below(shape.outputs);
        }
        return spec;
    }

    /// One tree of `shape`, its nodes and leaves numbered in random order behind the root.
    kernels::ForestTree tree(const ForestShape& shape) {
        struct Open {
            std::int32_t parent;
            bool right;
            std::uint32_t depth;
        };
        std::vector<kernels::ForestNode> nodes(shape.leaves - 1);
        std::vector<std::int32_t> names(nodes.size());
        std::iota(names.begin(), names.end(), 0);
        if (!names.empty()) {
            std::shuffle(names.begin() + 1, names.end(), random_);
        }
        std::deque<Open> open{{-1, false, 0}};
        std::vector<Open> closed;
        std::size_t used = 0;
        while (used + 1 < shape.leaves && !open.empty()) {
            const Open taken = take(shape.growth, open);
            if (taken.depth >= shape.depth) {
                closed.push_back(taken);
                continue;
            }
            const std::int32_t node = names[used++];
            nodes[static_cast<std::size_t>(node)] = split(shape);
            hang(nodes, taken.parent, taken.right, node);
            const bool swap = draw(0, 1) != 0;
            open.push_back({node, swap, taken.depth + 1});
            open.push_back({node, !swap, taken.depth + 1});
        }
        open.insert(open.end(), closed.begin(), closed.end());
        std::shuffle(open.begin(), open.end(), random_);
        kernels::ForestTree out;
        for (const Open& leaf : open) {
            hang(nodes, leaf.parent, leaf.right, ~static_cast<std::int32_t>(out.leaves.size()));
            out.leaves.push_back(leaf_value(shape.leaf_values));
        }
        compact(nodes, names, used);
        out.nodes = std::move(nodes);
        return out;
    }

  private:
    int draw(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
    std::uint32_t below(std::uint32_t count) {
        return static_cast<std::uint32_t>(draw(0, static_cast<int>(count) - 1));
    }

    template <typename Open>
    Open take(Growth growth, std::deque<Open>& open) {
        if (growth == Growth::level_wise) {
            const Open taken = open.front();
            open.pop_front();
            return taken;
        }
        if (growth == Growth::leaf_wise && draw(0, 1) != 0) {
            std::swap(open.back(), open[below(static_cast<std::uint32_t>(open.size()))]);
        }
        const Open taken = open.back();
        open.pop_back();
        return taken;
    }

    kernels::ForestNode split(const ForestShape& shape) {
        kernels::ForestNode node;
        node.feature = static_cast<std::uint8_t>(below(shape.inputs));
        switch (shape.thresholds) {
            case Thresholds::any:
                node.threshold = static_cast<std::uint8_t>(draw(0, 255));
                break;
            case Thresholds::few:
                node.threshold = static_cast<std::uint8_t>(50 * draw(0, 3) + 50);
                break;
            case Thresholds::ends:
                node.threshold = static_cast<std::uint8_t>(255 * draw(0, 1));
                break;
            case Thresholds::bins:
                node.threshold = static_cast<std::uint8_t>(draw(0, 63));
                break;
        }
        return node;
    }

    std::int16_t leaf_value(Leaves leaves) {
        constexpr int kEnds[] = {32767, -32767, 0, 1, -1};
        switch (leaves) {
            case Leaves::any:
                return static_cast<std::int16_t>(draw(-32767, 32767));
            case Leaves::highest:
                return 32767;
            case Leaves::lowest:
                return -32767;
            case Leaves::ends:
                return static_cast<std::int16_t>(kEnds[draw(0, 4)]);
            case Leaves::trained:
                return static_cast<std::int16_t>(draw(-300, 300));
        }
        return 0;
    }

    static void hang(
        std::vector<kernels::ForestNode>& nodes,
        std::int32_t parent,
        bool right,
        std::int32_t child) {
        if (parent >= 0) {
            auto& node = nodes[static_cast<std::size_t>(parent)];
            (right ? node.right : node.left) = child;
        }
    }

    // A depth limit may leave fewer nodes than asked for: close the gaps between their names.
    static void compact(
        std::vector<kernels::ForestNode>& nodes,
        const std::vector<std::int32_t>& names,
        std::size_t used) {
        std::vector<bool> taken(nodes.size(), false);
        for (std::size_t i = 0; i < used; ++i) {
            taken[static_cast<std::size_t>(names[i])] = true;
        }
        std::vector<std::int32_t> moved(nodes.size(), 0);
        std::size_t next = 0;
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            if (taken[i]) {
                moved[i] = static_cast<std::int32_t>(next);
                nodes[next++] = nodes[i];
            }
        }
        nodes.resize(next);
        for (kernels::ForestNode& node : nodes) {
            for (std::int32_t* child : {&node.left, &node.right}) {
                *child = *child < 0 ? *child : moved[static_cast<std::size_t>(*child)];
            }
        }
    }

    std::mt19937& random_;
};

enum class Codes {
    any,
    zero,  ///< all 0
    full,  ///< all 255
    ends,  ///< 0 and 255
    bins   ///< 0…63
};

inline std::uint8_t forest_code(Codes codes, std::mt19937& random) {
    switch (codes) {
        case Codes::any:
            return static_cast<std::uint8_t>(random());
        case Codes::zero:
            return 0;
        case Codes::full:
            return 255;
        case Codes::ends:
            return (random() & 1U) != 0 ? 255 : 0;
        case Codes::bins:
            return static_cast<std::uint8_t>(random() & 63U);
    }
    return 0;
}

}  // namespace weir::testing
