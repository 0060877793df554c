// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/import.h"

#include "control/lab/import_document.h"
#include "control/lab/labels_csv.h"
#include "control/lab/quantize_mlp.h"
#include "dataplane/features/catalog.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

namespace weir::lab {
namespace {

constexpr const char* kWhere = "import";
constexpr std::string_view kCodeEnding = "_code";
constexpr double kFixedPoint =
    1.0 / 64;  ///< of a code: quotients of values in 2^-21 of the largest

/// Values beyond 0…255 are no codes: such a model was trained on raw values, or on other codes.
Result<void> check_thresholds(const nlohmann::json& document) {
    for (const auto& tree : document.at("learner").at("gradient_booster").at("model").at("trees")) {
        const auto& left = tree.at("left_children");
        const auto& conditions = tree.at("split_conditions");
        for (std::size_t node = 0; node < left.size(); ++node) {
            const double at = conditions.at(node).get<double>();
            if (left.at(node).get<int>() >= 0 && !(at >= 0.0 && at <= 256.0)) {
                return fail(
                    kWhere,
                    "split_conditions",
                    "has " + std::to_string(at) + ", which no code in 0…255 is near",
                    "train on the NAME_code columns of `weir extract`, not on raw values");
            }
        }
    }
    return {};
}

Result<void> check_objective(const nlohmann::json& document) {
    const auto objective = document.at("learner").at("objective").at("name").get<std::string>();
    if (objective != "multi:softprob" && objective != "multi:softmax") {
        return fail(
            kWhere,
            "objective",
            "'" + objective + "' is not supported",
            "train with multi:softprob, also for two classes");
    }
    return {};
}

/// The names in the model, if it has any.
std::vector<std::string> names_in(const nlohmann::json& document) {
    std::vector<std::string> names;
    const auto pointer = nlohmann::json::json_pointer("/learner/feature_names");
    if (document.contains(pointer) && document.at(pointer).is_array()) {
        for (const auto& name : document.at(pointer)) {
            names.push_back(name.is_string() ? name.get<std::string>() : std::string());
        }
    }
    return names;
}

/// `names` without the ending _code, each of the catalog and there once.
Result<std::vector<std::string>> catalog_names(std::vector<std::string> names) {
    if (names.empty()) {
        return fail(
            kWhere, "feature_names", "are not in the file", "name the columns with --features");
    }
    const auto catalog = dataplane::catalog();
    for (std::size_t column = 0; column < names.size(); ++column) {
        std::string& name = names[column];
        if (name.ends_with(kCodeEnding)) {
            name.resize(name.size() - kCodeEnding.size());
        }
        const bool known = std::any_of(
            catalog.begin(), catalog.end(), [&](const auto& f) { return f.name == name; });
        if (!known || std::count(names.begin(), names.end(), name) != 1) {
            return fail(
                kWhere,
                "features[" + std::to_string(column) + "]",
                in_quotes(name) + (known ? " is there twice" : " is not in the catalog"),
                "see `weir features` for the names");
        }
    }
    return names;
}

Result<ParsedModel> parse_xgboost_model(std::string_view bytes, const ImportOptions& options) {
    const auto document = parse_document(bytes);
    if (!document) {
        return tl::unexpected(document.error());
    }
    try {
        for (const auto& checked : {check_objective(*document), check_thresholds(*document)}) {
            if (!checked) {
                return tl::unexpected(checked.error());
            }
        }
    } catch (const nlohmann::json::exception& error) {
        return fail(kWhere, "", error.what(), "save the model as .json with XGBoost 1.7");
    }
    auto names = catalog_names(options.features.empty() ? names_in(*document) : options.features);
    if (!names) {
        return tl::unexpected(names.error());
    }
    auto forest = parse_xgboost(*document);
    if (!forest) {
        return tl::unexpected(forest.error());
    }
    return ParsedModel{std::move(*names), std::move(*forest), {}, false};
}

/// An ensemble's splits need not name its last columns: then it has as many as are named.
Result<ParsedModel> parse_onnx_model(std::string_view bytes, const ImportOptions& options) {
    auto model = parse_onnx(bytes);
    if (!model) {
        return tl::unexpected(model.error());
    }
    auto names = catalog_names(options.features.empty() ? model->columns : options.features);
    if (!names) {
        return tl::unexpected(names.error());
    }
    if (auto* forest = std::get_if<FloatForest>(&model->network)) {
        forest->inputs = std::max(forest->inputs, static_cast<std::uint32_t>(names->size()));
    }
    if (model->norm) {
        if (model->norm->scale.size() != 1 && model->norm->scale.size() != names->size()) {
            return fail(
                kWhere,
                "operator Normalizer",
                "has a Scaler of " + std::to_string(model->norm->scale.size()) +
                    " columns in front, but " + std::to_string(names->size()) +
                    " features are named",
                "name each column once, in order");
        }
        model->norm->grid.resize(std::max(model->norm->grid.size(), names->size()));
    }
    return ParsedModel{
        std::move(*names), std::move(model->network), std::move(model->norm), model->probabilities};
}

std::pair<std::uint32_t, std::uint32_t> shape(const ParsedModel& model) {
    if (const auto* forest = std::get_if<FloatForest>(&model.network)) {
        return {forest->inputs, forest->outputs};
    }
    const auto& layers = std::get<FloatMlp>(model.network).layers;
    return {layers.front().in, layers.back().out};
}

/// The network whose inputs are the codes of `grid` rather than quotients.
FloatMlp on_grid(FloatMlp network, std::span<const NormGrid> grid) {
    FloatLayer& first = network.layers.front();
    for (std::size_t j = 0; j < first.out; ++j) {
        for (std::size_t k = 0; k < first.in; ++k) {
            double& weight = first.weights[j * first.in + k];
            first.bias[j] += weight * grid[k].value(0);
            weight /= grid[k].gain();
        }
    }
    return network;
}

/// What half a code of every input can move a logit by: no activation's slope is above 1.
double error_of_codes(const FloatMlp& on_codes) {
    std::vector<double> error(on_codes.layers.front().in, 0.5 + kFixedPoint);
    for (const FloatLayer& layer : on_codes.layers) {
        std::vector<double> next(layer.out, 0.0);
        for (std::size_t j = 0; j < layer.out; ++j) {
            for (std::size_t k = 0; k < layer.in; ++k) {
                next[j] += std::abs(layer.weights[j * layer.in + k]) * error[k];
            }
        }
        error = std::move(next);
    }
    return *std::max_element(error.begin(), error.end());
}

/// What two rows' logits can differ by at most, of the worst output.
double largest_difference(const FloatForest& forest) {
    std::vector<double> most(forest.outputs, 0.0);
    for (const FloatTree& tree : forest.trees) {
        const auto [low, high] = std::minmax_element(tree.leaves.begin(), tree.leaves.end());
        most[tree.output] += static_cast<double>(*high) - static_cast<double>(*low);
    }
    return *std::max_element(most.begin(), most.end());
}

/// Everything but the network and its head.
kernels::Bundle manifest(const ParsedModel& model, const ImportOptions& options) {
    kernels::Bundle bundle;
    bundle.name = options.name;
    bundle.slot = options.slot;
    bundle.version = options.version;
    bundle.created_unix = options.created_unix;
    bundle.data_digest = std::string(64, '0');
    bundle.description = options.description;
    bundle.catalog_version = dataplane::catalog_view().version;
    bundle.classes = options.classes;
    for (const auto& name : model.features) {
        const auto catalog = dataplane::catalog();
        const auto info = std::find_if(
            catalog.begin(), catalog.end(), [&](const auto& f) { return f.name == name; });
        bundle.inputs.push_back({name, std::string(info->encoder_text)});
    }
    return bundle;
}

}  // namespace

void float_logits(const ParsedModel& model, const std::uint8_t* codes, double* logits) {
    if (!model.norm) {
        std::visit(
            [&](const auto& network) { float_logits(network, codes, logits); }, model.network);
        return;
    }
    auto y = quotients(*model.norm, {codes, model.features.size()});
    if (const auto* forest = std::get_if<FloatForest>(&model.network)) {
        float_logits(*forest, *model.norm, y, logits);
    } else {
        float_logits(std::get<FloatMlp>(model.network), std::move(y), logits);
    }
}

Result<ParsedModel> parse_model(std::string_view bytes, const ImportOptions& options) {
    auto model =
        is_document(bytes) ? parse_xgboost_model(bytes, options) : parse_onnx_model(bytes, options);
    if (!model) {
        return model;
    }
    const auto [inputs, outputs] = shape(*model);
    if (inputs != model->features.size() || outputs != options.classes.size()) {
        return fail(
            kWhere,
            "",
            "has " + std::to_string(inputs) + " columns and " + std::to_string(outputs) +
                " classes, but " + std::to_string(model->features.size()) + " features and " +
                std::to_string(options.classes.size()) + " classes are named",
            "name each column and each class once, in order");
    }
    return model;
}

Result<Imported> import_model(
    const ParsedModel& model,
    const ImportOptions& options,
    std::span<const std::uint8_t> calibration) {
    Imported out;
    out.bundle = manifest(model, options);
    kernels::NormalizedSpec spec;
    double behind_norm = 0.0;
    const auto take = [&](auto quantized) -> Result<void> {
        if (!quantized) {
            return tl::unexpected(quantized.error());
        }
        out.logit_per_raw = quantized->logit_per_raw;
        out.logit_error = quantized->logit_error;
        if (model.norm) {
            spec.network = std::move(quantized->spec);
            out.bundle.network = std::move(spec);
            out.logit_error += behind_norm;
        } else {
            out.bundle.network = std::move(quantized->spec);
        }
        out.bundle.head = {kernels::HeadKind::softmax, quantized->scale_q16, {}};
        return {};
    };
    Result<void> done;
    if (const auto* forest = std::get_if<FloatForest>(&model.network)) {
        if (model.norm) {
            spec = {model.norm->norm, norm_columns(*model.norm, model.norm->grid), {}};
            behind_norm = largest_difference(*forest);
        }
        done = take(quantize(*forest, 1.0));
    } else if (calibration.size() < model.features.size()) {
        done = fail(
            kWhere,
            "calibration",
            "is needed for a network with layers",
            "give rows of `weir extract --labels` with --calibration");
    } else if (model.norm) {
        const auto grid = grids_of_rows(*model.norm, calibration, model.features.size());
        spec = {model.norm->norm, norm_columns(*model.norm, grid), {}};
        const FloatMlp on_codes = on_grid(std::get<FloatMlp>(model.network), grid);
        behind_norm = error_of_codes(on_codes);
        done = take(quantize(on_codes, normalized_codes(spec, calibration)));
    } else {
        done = take(quantize(std::get<FloatMlp>(model.network), calibration));
    }
    if (!done) {
        return tl::unexpected(done.error());
    }
    return out;
}

}  // namespace weir::lab
