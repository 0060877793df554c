// SPDX-License-Identifier: BSD-3-Clause
// ai.onnx.ml TreeEnsembleClassifier and TreeEnsembleRegressor on codes.
#include "control/lab/onnx_ensemble.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>

namespace weir::lab {
namespace {

constexpr std::uint32_t kCodes = 256;
constexpr std::size_t kMaxNodes = std::size_t{1} << 22;  ///< of all trees made

// One tree of one output, splits in codes.
class TreeMaker {
  public:
    TreeMaker(
        const onnx::Node& node,
        const Ensemble& ensemble,
        const InputScaling& scaling,
        std::span<const NormGrid> grid,
        std::uint32_t output)
        : node_(node), ensemble_(ensemble), scaling_(scaling), grid_(grid) {
        tree_.output = output;
    }

    Result<FloatTree> make(std::size_t root) {
        const auto made = add(root, 0);
        if (!made) {
            return tl::unexpected(made.error());
        }
        return std::move(tree_);
    }

  private:
    float scaled(std::uint32_t code, std::size_t feature) const noexcept {
        auto value = grid_.empty() ? static_cast<float>(code)
                                   : static_cast<float>(grid_[feature].value(code));
        if (!scaling_.scale.empty()) {
            const std::size_t i = scaling_.scale.size() == 1 ? 0 : feature;
            value = (value - scaling_.offset[i]) * scaling_.scale[i];
        }
        return value;
    }

    // What the split does to each code, as the kernel's "code > threshold goes right". A comparison of a monotone
    // function changes once at most.
    Result<std::int32_t> add(std::size_t at, std::uint32_t depth) {
        if (depth > kernels::kForestMaxDepth || !met_.insert(at).second) {
            return refuse(
                node_,
                depth > kernels::kForestMaxDepth ? "has a tree deeper than 16"
                                                 : "has a node with two parents",
                "train with a smaller depth");
        }
        const Split& split = ensemble_.nodes[at];
        if (split.mode == Mode::leaf) {
            const auto weight = split.weights.find(tree_.output);
            tree_.leaves.push_back(
                weight == split.weights.end() ? 0.0F : static_cast<float>(weight->second));
            return ~static_cast<std::int32_t>(tree_.leaves.size() - 1);
        }
        const auto feature = static_cast<std::size_t>(split.feature);
        const bool first = holds(split.mode, scaled(0, feature), split.value);
        std::uint32_t same = 1;
        while (same < kCodes && holds(split.mode, scaled(same, feature), split.value) == first) {
            ++same;
        }
        if (same == kCodes) {
            return add(first ? split.yes : split.no, depth + 1);
        }
        const std::size_t node = tree_.nodes.size();
        tree_.nodes.push_back(
            {static_cast<std::uint8_t>(feature), static_cast<std::uint8_t>(same - 1), 0, 0});
        if (!grid_.empty()) {
            const bool with = split.mode == Mode::at_most || split.mode == Mode::above;
            tree_.cuts.push_back(
                with ? split.value
                     : std::nextafter(split.value, -std::numeric_limits<float>::infinity()));
        }
        const auto left = add(first ? split.yes : split.no, depth + 1);
        if (!left) {
            return left;
        }
        const auto right = add(first ? split.no : split.yes, depth + 1);
        if (!right) {
            return right;
        }
        tree_.nodes[node].left = *left;
        tree_.nodes[node].right = *right;
        return static_cast<std::int32_t>(node);
    }

    const onnx::Node& node_;
    const Ensemble& ensemble_;
    const InputScaling& scaling_;
    std::span<const NormGrid> grid_;  ///< of quotients; empty: codes are split
    FloatTree tree_;
    std::set<std::size_t> met_;
};

// What the ensemble's sums mean.
struct Scores {
    std::uint32_t classes = 0;  ///< as the file counts them
    std::string transform;
    bool classifier = false;
    double factor = 1.0;  ///< of the sums
    double shift = 0.0;   ///< added to each
    bool single = false;  ///< one sum, for the second of two classes
};

Result<Scores> read_scores(const onnx::Node& node, const Ensemble& ensemble) {
    const Attributes attributes(node);
    Scores out;
    out.classifier = node.op_type() == "TreeEnsembleClassifier";
    out.transform = attributes.text("post_transform", "NONE");
    std::set<std::uint32_t> used;
    bool positive = true;
    for (const Split& split : ensemble.nodes) {
        for (const auto& [output, weight] : split.weights) {
            used.insert(output);
            positive = positive && weight >= 0.0;
        }
    }
    if (out.classifier) {
        out.classes = static_cast<std::uint32_t>(std::max(
            attributes.ints("classlabels_int64s").size(),
            attributes.strings("classlabels_strings").size()));
        out.single = out.classes == 2 && used.size() == 1;
    } else {
        out.classes = static_cast<std::uint32_t>(
            std::clamp<std::int64_t>(attributes.whole("n_targets", 1), 0, 1 << 16));
        out.single = out.classes == 1;
        const std::string aggregate = attributes.text("aggregate_function", "SUM");
        if (aggregate == "AVERAGE") {
            out.factor = 1.0 / static_cast<double>(ensemble.trees.size());
        } else if (aggregate != "SUM") {
            return refuse(node, "has aggregate_function " + aggregate, "use SUM or AVERAGE");
        }
    }
    const bool known = out.transform == "NONE" || out.transform == "SOFTMAX" ||
                       (out.transform == "LOGISTIC" && out.single);
    if (!known || (out.single && out.transform == "SOFTMAX")) {
        return refuse(
            node,
            "has post_transform " + out.transform + " for " + std::to_string(out.classes) +
                " classes",
            "use NONE or SOFTMAX, or LOGISTIC for two classes");
    }
    if (out.single && out.classifier && out.transform == "NONE") {
        // The scores are 1 − p and p where no weight is negative, else −s and s.
        out.factor = 2.0;
        out.shift = positive ? -1.0 : 0.0;
    }
    if (out.classes < (out.single ? 1U : 2U) || out.classes > kernels::kForestMaxOutputs ||
        ensemble.outputs > std::max(out.classes, 2U)) {
        return refuse(node, "has " + std::to_string(out.classes) + " classes", "use 2 to 64");
    }
    return out;
}

// The one node from which all of a tree's are reached.
std::optional<std::size_t> root_of(
    const Ensemble& ensemble, const std::vector<std::size_t>& members) {
    std::set<std::size_t> children;
    for (const std::size_t member : members) {
        const Split& split = ensemble.nodes[member];
        if (split.mode != Mode::leaf) {
            children.insert({split.yes, split.no});
        }
    }
    const auto root = std::find_if(members.begin(), members.end(), [&](std::size_t member) {
        return !children.contains(member);
    });
    if (root == members.end()) {
        return std::nullopt;
    }
    std::set<std::size_t> reached{*root};
    std::vector<std::size_t> open{*root};
    while (!open.empty()) {
        const Split& split = ensemble.nodes[open.back()];
        open.pop_back();
        for (const std::size_t child : {split.yes, split.no}) {
            if (split.mode != Mode::leaf && reached.insert(child).second) {
                open.push_back(child);
            }
        }
    }
    return reached.size() == members.size() ? std::optional(*root) : std::nullopt;
}

// One tree of the forest for each output of each tree of the ensemble.
Result<void> make_trees(
    const onnx::Node& node,
    const Ensemble& ensemble,
    const InputScaling& scaling,
    std::span<const NormGrid> grid,
    const Scores& scores,
    FloatForest& forest) {
    std::size_t nodes = 0;
    for (const auto& [id, members] : ensemble.trees) {
        const auto root = root_of(ensemble, members);
        if (!root) {
            return refuse(node, "has a tree of more or less than one root");
        }
        std::set<std::uint32_t> outputs;
        for (const std::size_t member : members) {
            for (const auto& [output, weight] : ensemble.nodes[member].weights) {
                outputs.insert(output);
            }
        }
        nodes += members.size() * outputs.size();
        if (nodes > kMaxNodes || forest.trees.size() + outputs.size() > kernels::kForestMaxTrees) {
            return refuse(node, "has more trees than the gateway takes", "train fewer trees");
        }
        for (const std::uint32_t output : outputs) {
            auto tree = TreeMaker(node, ensemble, scaling, grid, output).make(*root);
            if (!tree) {
                return tl::unexpected(tree.error());
            }
            tree->output = scores.single ? 1 : output;
            for (float& leaf : tree->leaves) {
                leaf = static_cast<float>(scores.factor * static_cast<double>(leaf));
            }
            forest.trees.push_back(std::move(*tree));
        }
    }
    return {};
}

// Grids that cover the quotients at which each column is split; without a split, any.
Result<std::vector<NormGrid>> grids_of_splits(
    const onnx::Node& node, const Ensemble& ensemble, const InputScaling& scaling) {
    const auto falls = [](float scale) { return scale < 0.0F; };
    if (std::any_of(scaling.scale.begin(), scaling.scale.end(), falls)) {
        return refuse(
            node,
            "is behind a Normalizer and a Scaler with a scale below 0",
            "leave the Scaler out: trees need none");
    }
    constexpr double kFinest = 1 << 20;
    std::vector<double> low(ensemble.inputs, 1.0);
    std::vector<double> high(ensemble.inputs, -1.0);
    for (const Split& split : ensemble.nodes) {
        if (split.mode == Mode::leaf) {
            continue;
        }
        const auto k = static_cast<std::size_t>(split.feature);
        double quotient = static_cast<double>(split.value);
        if (!scaling.scale.empty()) {
            const std::size_t i = scaling.scale.size() == 1 ? 0 : k;
            const double scale = static_cast<double>(scaling.scale[i]);
            quotient =
                scale > 0.0 ? quotient / scale + static_cast<double>(scaling.offset[i]) : 0.0;
        }
        quotient = std::clamp(quotient, -1.0, 1.0);
        low[k] = std::min(low[k], quotient);
        high[k] = std::max(high[k], quotient);
    }
    std::vector<NormGrid> out;
    for (std::size_t k = 0; k < low.size(); ++k) {
        out.push_back(norm_grid(std::min(low[k], high[k]), high[k], kFinest));
    }
    return out;
}

}  // namespace

Result<OnnxModel> read_trees(
    const onnx::Node& node, const InputScaling& scaling, const std::optional<InputNorm>& norm) {
    const Attributes attributes(node);
    for (const onnx::Attribute& attribute : node.attribute()) {
        if (attribute.name().ends_with("_as_tensor")) {
            return refuse(node, "has values in double precision", "export in single precision");
        }
    }
    auto ensemble = read_nodes(node);
    if (!ensemble) {
        return tl::unexpected(ensemble.error());
    }
    const bool classifier = node.op_type() == "TreeEnsembleClassifier";
    if (auto ok = read_leaves(node, classifier ? "class" : "target", *ensemble); !ok) {
        return tl::unexpected(ok.error());
    }
    const auto scores = read_scores(node, *ensemble);
    if (!scores) {
        return tl::unexpected(scores.error());
    }
    if (scaling.scale.size() > 1) {
        if (scaling.scale.size() < ensemble->inputs) {
            return refuse(node, "splits on inputs that the Scaler in front does not have");
        }
        ensemble->inputs = static_cast<std::uint32_t>(scaling.scale.size());
    }
    FloatForest forest;
    forest.inputs = ensemble->inputs;
    forest.outputs = scores->single ? 2 : scores->classes;
    forest.base.assign(forest.outputs, 0.0);
    const auto base = attributes.floats("base_values");
    if (!base.empty() && base.size() != (scores->single ? base.size() : forest.outputs)) {
        return refuse(node, "has base_values for another number of classes");
    }
    for (std::size_t i = 0; i < base.size(); ++i) {
        if (!std::isfinite(base[i])) {
            return refuse(node, "has base_values that are not finite");
        }
        forest.base[scores->single ? 1 : i] = scores->factor * static_cast<double>(base[i]);
    }
    forest.base[forest.outputs - 1] += scores->shift;
    OnnxModel model;
    if (norm) {
        auto grid = grids_of_splits(node, *ensemble, scaling);
        if (!grid) {
            return tl::unexpected(grid.error());
        }
        model.norm = norm;
        model.norm->grid = std::move(*grid);
        model.norm->after_offset = scaling.offset;
        model.norm->after_scale = scaling.scale;
    }
    const std::span<const NormGrid> grid =
        model.norm ? std::span<const NormGrid>(model.norm->grid) : std::span<const NormGrid>();
    if (auto ok = make_trees(node, *ensemble, scaling, grid, *scores, forest); !ok) {
        return tl::unexpected(ok.error());
    }
    model.probabilities = scores->transform == "NONE";
    model.network = std::move(forest);
    return model;
}

}  // namespace weir::lab
