// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/import.h"

#include "control/lab/train_convert.h"
#include "dataplane/features/catalog.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace weir::lab {
namespace {

constexpr const char* kWhere = "import";
constexpr std::string_view kCodeEnding = "_code";

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

}  // namespace

Result<std::vector<std::string>> import_features(
    const std::string& json, const ImportOptions& options) {
    std::vector<std::string> names = options.features;
    if (names.empty()) {
        const auto document = nlohmann::json::parse(json, nullptr, false);
        const auto pointer = nlohmann::json::json_pointer("/learner/feature_names");
        if (document.is_discarded() || !document.contains(pointer) ||
            !document.at(pointer).is_array() || document.at(pointer).empty()) {
            return fail(
                kWhere, "feature_names", "are not in the file", "name the columns with --features");
        }
        for (const auto& name : document.at(pointer)) {
            names.push_back(name.is_string() ? name.get<std::string>() : std::string());
        }
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
                "'" + name + (known ? "' is there twice" : "' is not in the catalog"),
                "see `weir features` for the names");
        }
    }
    return names;
}

Result<Imported> import_xgboost(const std::string& json, const ImportOptions& options) {
    const auto document = nlohmann::json::parse(json, nullptr, false);
    if (document.is_discarded()) {
        return fail(kWhere, "", "is not JSON", "save the model as .json with XGBoost 1.7");
    }
    try {
        for (const auto& checked : {check_objective(document), check_thresholds(document)}) {
            if (!checked) {
                return tl::unexpected(checked.error());
            }
        }
    } catch (const nlohmann::json::exception& error) {
        return fail(kWhere, "", error.what(), "save the model as .json with XGBoost 1.7");
    }
    const auto names = import_features(json, options);
    if (!names) {
        return tl::unexpected(names.error());
    }
    const auto forest = parse_xgboost_json(json);
    if (!forest) {
        return tl::unexpected(forest.error());
    }
    if (forest->inputs != names->size() || forest->outputs != options.classes.size()) {
        return fail(
            kWhere,
            "",
            "has " + std::to_string(forest->inputs) + " columns and " +
                std::to_string(forest->outputs) + " classes, but " + std::to_string(names->size()) +
                " features and " + std::to_string(options.classes.size()) + " classes are named",
            "name each column and each class once, in order");
    }
    auto quantized = quantize(*forest, 1.0);
    if (!quantized) {
        return tl::unexpected(quantized.error());
    }
    Imported out;
    out.logit_per_raw = quantized->logit_per_raw;
    out.logit_error = quantized->logit_error;
    kernels::Bundle& bundle = out.bundle;
    bundle.name = options.name;
    bundle.slot = options.slot;
    bundle.version = options.version;
    bundle.created_unix = options.created_unix;
    bundle.data_digest = std::string(64, '0');
    bundle.description = options.description;
    bundle.catalog_version = dataplane::catalog_view().version;
    bundle.classes = options.classes;
    bundle.network = std::move(quantized->spec);
    bundle.head = {kernels::HeadKind::softmax, quantized->scale_q16, {}};
    for (const auto& name : *names) {
        const auto catalog = dataplane::catalog();
        const auto info = std::find_if(
            catalog.begin(), catalog.end(), [&](const auto& f) { return f.name == name; });
        bundle.inputs.push_back({name, std::string(info->encoder_text)});
    }
    return out;
}

}  // namespace weir::lab
