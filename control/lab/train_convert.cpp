// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/train_convert.h"

#include "control/lab/labels_csv.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <nlohmann/json.hpp>

namespace weir::lab {
namespace {

using Json = nlohmann::json;

constexpr const char* kWhere = "xgboost model";

/// The columns of one tree as XGBoost saves them.
struct Columns {
    std::vector<std::int32_t> left;
    std::vector<std::int32_t> right;
    std::vector<std::int32_t> feature;
    std::vector<float> value;  ///< split condition, or the leaf's value
};

/// Builds a FloatTree from the columns, root first, folding splits that send every u8 code one way.
class TreeBuilder {
  public:
    TreeBuilder(const Columns& columns, std::uint32_t inputs)
        : columns_(columns), inputs_(inputs) {}

    Result<FloatTree> build(std::uint32_t output) {
        tree_.output = output;
        const auto root = add(0, 0);
        if (!root) {
            return tl::unexpected(root.error());
        }
        return std::move(tree_);
    }

  private:
    /// Adds the subtree at `at`; returns its child code. `depth` guards against cycles in a damaged model.
    Result<std::int32_t> add(std::int32_t at, std::uint32_t depth) {
        const auto i = static_cast<std::size_t>(at);
        if (at < 0 || i >= columns_.left.size() || depth > kernels::kForestMaxDepth) {
            return fail(
                kWhere,
                "trees",
                "child out of range or tree deeper than 16",
                "train with a smaller depth");
        }
        if (columns_.left[i] < 0) {
            tree_.leaves.push_back(columns_.value[i]);
            return ~static_cast<std::int32_t>(tree_.leaves.size() - 1);
        }
        if (columns_.feature[i] < 0 || static_cast<std::uint32_t>(columns_.feature[i]) >= inputs_) {
            return fail(kWhere, "trees.split_indices", "names no input");
        }
        const double threshold = std::ceil(static_cast<double>(columns_.value[i])) - 1.0;
        if (!(threshold >= 0.0)) {  // no code is left of it, nor of NaN
            return add(columns_.right[i], depth + 1);
        }
        if (threshold >= 255.0) {
            return add(columns_.left[i], depth + 1);
        }
        const auto node = tree_.nodes.size();
        tree_.nodes.push_back(
            {static_cast<std::uint8_t>(columns_.feature[i]),
             static_cast<std::uint8_t>(threshold),
             0,
             0});
        const auto left = add(columns_.left[i], depth + 1);
        if (!left) {
            return left;
        }
        const auto right = add(columns_.right[i], depth + 1);
        if (!right) {
            return right;
        }
        tree_.nodes[node].left = *left;
        tree_.nodes[node].right = *right;
        return static_cast<std::int32_t>(node);
    }

    const Columns& columns_;
    std::uint32_t inputs_;
    FloatTree tree_;
};

Result<FloatTree> parse_tree(const Json& json, std::uint32_t inputs, std::uint32_t output) {
    for (const auto& type : json.at("split_type")) {
        if (type.get<int>() != 0) {
            return fail(
                kWhere,
                "trees.split_type",
                "a categorical split",
                "train on numerical features only");
        }
    }
    Columns columns{
        json.at("left_children").get<std::vector<std::int32_t>>(),
        json.at("right_children").get<std::vector<std::int32_t>>(),
        json.at("split_indices").get<std::vector<std::int32_t>>(),
        json.at("split_conditions").get<std::vector<float>>()};
    const auto n = columns.left.size();
    if (n == 0 || columns.right.size() != n || columns.feature.size() != n ||
        columns.value.size() != n) {
        return fail(kWhere, "trees", "columns of unequal length");
    }
    return TreeBuilder(columns, inputs).build(output);
}

Result<FloatForest> parse(const Json& json, std::uint32_t rounds) {
    const Json& learner = json.at("learner");
    const Json& parameters = learner.at("learner_model_param");
    const auto booster = learner.at("gradient_booster").at("name").get<std::string>();
    if (booster != "gbtree") {
        return fail(
            kWhere,
            "gradient_booster.name",
            in_quotes(booster) + " is not supported",
            "use gbtree");
    }
    const Json& model = learner.at("gradient_booster").at("model");
    FloatForest forest;
    forest.inputs =
        static_cast<std::uint32_t>(std::stoul(parameters.at("num_feature").get<std::string>()));
    forest.outputs = std::max(
        1U, static_cast<std::uint32_t>(std::stoul(parameters.at("num_class").get<std::string>())));
    if (forest.inputs == 0 || forest.inputs > kernels::kForestMaxInputs ||
        forest.outputs > kernels::kForestMaxOutputs) {
        return fail(kWhere, "learner_model_param", "more inputs or classes than a forest takes");
    }
    forest.base.assign(forest.outputs, std::stod(parameters.at("base_score").get<std::string>()));
    const auto output_of_tree = model.at("tree_info").get<std::vector<std::uint32_t>>();
    const Json& trees = model.at("trees");
    std::size_t count = std::min(trees.size(), output_of_tree.size());
    if (rounds != 0) {
        count = std::min(count, std::size_t{rounds} * forest.outputs);
    }
    for (std::size_t t = 0; t < count; ++t) {
        if (output_of_tree[t] >= forest.outputs) {
            return fail(kWhere, "tree_info", "names no class");
        }
        auto tree = parse_tree(trees[t], forest.inputs, output_of_tree[t]);
        if (!tree) {
            return tl::unexpected(tree.error());
        }
        forest.trees.push_back(std::move(*tree));
    }
    return forest;
}

/// Largest |leaf| and the number of trees of the busiest output.
std::pair<double, std::uint32_t> extent(const FloatForest& forest) {
    double largest = 0.0;
    std::vector<std::uint32_t> trees(forest.outputs, 0);
    for (const auto& tree : forest.trees) {
        ++trees[tree.output];
        for (const float leaf : tree.leaves) {
            largest = std::max(largest, std::abs(static_cast<double>(leaf)));
        }
    }
    return {largest, *std::max_element(trees.begin(), trees.end())};
}

}  // namespace

Result<FloatForest> parse_xgboost_json(const std::string& text, std::uint32_t rounds) {
    const auto document = Json::parse(text, nullptr, false);
    if (document.is_discarded()) {
        return fail(kWhere, "", "is not JSON", "save the model as JSON with XGBoost 1.7");
    }
    return parse_xgboost(document, rounds);
}

Result<FloatForest> parse_xgboost(const Json& document, std::uint32_t rounds) {
    try {
        return parse(document, rounds);
    } catch (const std::exception& error) {
        return fail(kWhere, "", error.what(), "save the model as JSON with XGBoost 1.7");
    }
}

void float_logits(const FloatForest& forest, const std::uint8_t* codes, double* logits) noexcept {
    std::copy(forest.base.begin(), forest.base.end(), logits);
    for (const auto& tree : forest.trees) {
        std::int32_t at = tree.nodes.empty() ? ~0 : 0;
        while (at >= 0) {
            const auto& node = tree.nodes[static_cast<std::size_t>(at)];
            at = codes[node.feature] > node.threshold ? node.right : node.left;
        }
        logits[tree.output] += static_cast<double>(tree.leaves[static_cast<std::size_t>(~at)]);
    }
}

Result<QuantizedForest> quantize(const FloatForest& forest, double temperature) {
    if (!(temperature > 0.0) || !std::isfinite(temperature) || forest.outputs == 0) {
        return fail(kWhere, "temperature", "must be above 0");
    }
    const auto [largest, trees] = extent(forest);
    // One raw unit is `step` of logit: log2(e) · step / temperature = scale / 2^16.
    const double unit = temperature / (std::numbers::log2e * 65536.0);
    const double scale = std::max(1.0, std::ceil(largest / (32767.0 * unit)));
    if (!(scale <= 1 << 24)) {
        return fail(
            kWhere,
            "trees",
            "a leaf is not finite or too large to quantize",
            "lower the learning rate");
    }
    QuantizedForest out;
    out.scale_q16 = static_cast<std::int32_t>(scale);
    out.logit_per_raw = scale * unit;
    out.logit_error = 0.5 * out.logit_per_raw * (trees + 1);
    out.spec.inputs = forest.inputs;
    for (const double base : forest.base) {
        const double raw = std::nearbyint(base / out.logit_per_raw);
        if (!(std::abs(raw) <= 1 << 30)) {
            return fail(kWhere, "base_score", "is too large to quantize");
        }
        out.spec.base.push_back(static_cast<std::int32_t>(raw));
    }
    for (const auto& tree : forest.trees) {
        kernels::ForestTree quantized{tree.output, tree.nodes, {}};
        for (const float leaf : tree.leaves) {
            const double raw = std::nearbyint(static_cast<double>(leaf) / out.logit_per_raw);
            quantized.leaves.push_back(
                static_cast<std::int16_t>(std::clamp(raw, -32767.0, 32767.0)));
        }
        out.spec.trees.push_back(std::move(quantized));
    }
    return out;
}

}  // namespace weir::lab
