// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/onnx_ensemble.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace weir::lab {
namespace {

std::optional<Mode> mode_of(const std::string& text) {
    static const std::map<std::string, Mode, std::less<>> modes{
        {"LEAF", Mode::leaf},
        {"BRANCH_LEQ", Mode::at_most},
        {"BRANCH_LT", Mode::below},
        {"BRANCH_GTE", Mode::at_least},
        {"BRANCH_GT", Mode::above}};
    const auto found = modes.find(text);
    return found == modes.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

bool holds(Mode mode, float value, float threshold) noexcept {
    switch (mode) {
        case Mode::at_most:
            return value <= threshold;
        case Mode::below:
            return value < threshold;
        case Mode::at_least:
            return value >= threshold;
        case Mode::above:
            return value > threshold;
        case Mode::leaf:
            break;
    }
    return false;
}

Result<Ensemble> read_nodes(const onnx::Node& node) {
    const Attributes attributes(node);
    const auto trees = attributes.ints("nodes_treeids");
    const auto ids = attributes.ints("nodes_nodeids");
    const auto features = attributes.ints("nodes_featureids");
    const auto values = attributes.floats("nodes_values");
    const auto modes = attributes.strings("nodes_modes");
    const auto yes = attributes.ints("nodes_truenodeids");
    const auto no = attributes.ints("nodes_falsenodeids");
    const std::size_t n = trees.size();
    if (n == 0 || ids.size() != n || features.size() != n || values.size() != n ||
        modes.size() != n || yes.size() != n || no.size() != n) {
        return refuse(node, "has nodes_ lists missing or of unequal length");
    }
    std::map<std::pair<std::int64_t, std::int64_t>, std::size_t> place;
    for (std::size_t i = 0; i < n; ++i) {
        if (!place.try_emplace({trees[i], ids[i]}, i).second) {
            return refuse(node, "has node " + std::to_string(ids[i]) + " twice in a tree");
        }
    }
    Ensemble out;
    out.nodes.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
        const auto mode = mode_of(modes[i]);
        if (!mode) {
            return refuse(
                node,
                "has nodes_modes '" + modes[i].substr(0, 16) + "'",
                "use BRANCH_LEQ, BRANCH_LT, BRANCH_GTE, BRANCH_GT and LEAF");
        }
        Split& split = out.nodes[i];
        split = {features[i], values[i], *mode, 0, 0, {}};
        out.trees[trees[i]].push_back(i);
        if (*mode == Mode::leaf) {
            continue;
        }
        const auto to_yes = place.find({trees[i], yes[i]});
        const auto to_no = place.find({trees[i], no[i]});
        if (to_yes == place.end() || to_no == place.end() || features[i] < 0 ||
            features[i] >= std::int64_t{kernels::kForestMaxInputs} || !std::isfinite(values[i])) {
            return refuse(node, "has a split with a child, input or value that does not exist");
        }
        split.yes = to_yes->second;
        split.no = to_no->second;
        out.inputs = std::max(out.inputs, static_cast<std::uint32_t>(features[i]) + 1);
    }
    return out;
}

Result<void> read_leaves(const onnx::Node& node, const std::string& kind, Ensemble& ensemble) {
    const Attributes attributes(node);
    const auto trees = attributes.ints(kind + "_treeids");
    const auto ids = attributes.ints(kind + "_nodeids");
    const auto outputs = attributes.ints(kind + "_ids");
    const auto weights = attributes.floats(kind + "_weights");
    const auto all_trees = attributes.ints("nodes_treeids");
    const auto all_ids = attributes.ints("nodes_nodeids");
    if (trees.empty() || ids.size() != trees.size() || outputs.size() != trees.size() ||
        weights.size() != trees.size()) {
        return refuse(node, "has " + kind + "_ lists missing or of unequal length");
    }
    std::map<std::pair<std::int64_t, std::int64_t>, std::size_t> place;
    for (std::size_t i = 0; i < all_ids.size(); ++i) {
        place.try_emplace({all_trees[i], all_ids[i]}, i);
    }
    for (std::size_t i = 0; i < trees.size(); ++i) {
        const auto at = place.find({trees[i], ids[i]});
        if (at == place.end() || outputs[i] < 0 ||
            outputs[i] >= std::int64_t{kernels::kForestMaxOutputs} || !std::isfinite(weights[i])) {
            return refuse(node, "has a leaf weight of no node, output or finite value");
        }
        const auto output = static_cast<std::uint32_t>(outputs[i]);
        ensemble.nodes[at->second].weights[output] += static_cast<double>(weights[i]);
        ensemble.outputs = std::max(ensemble.outputs, output + 1);
    }
    return {};
}

}  // namespace weir::lab
