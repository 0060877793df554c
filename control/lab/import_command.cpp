// SPDX-License-Identifier: BSD-3-Clause
// weirlab import: a model trained elsewhere in, signed bundle out.
#include "control/lab/commands.h"
#include "control/lab/import.h"
#include "control/lab/import_cost.h"
#include "control/lab/labels_rules.h"
#include "kernels/model/build.h"
#include "kernels/model/file.h"
#include "kernels/model/keys.h"

#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include <CLI/CLI.hpp>

namespace weir::lab {
namespace {

struct Options {
    ImportOptions import;
    std::string model;
    std::string out;
    std::string key;
    std::string calibration;
};

std::string shape_text(const kernels::Network& network) {
    if (const auto* normalized = std::get_if<kernels::NormalizedSpec>(&network)) {
        return "rows divided by their norm, then " +
               std::visit(
                   [](const auto& inner) { return shape_text(kernels::Network(inner)); },
                   normalized->network);
    }
    if (const auto* forest = std::get_if<kernels::ForestSpec>(&network)) {
        return std::to_string(forest->trees.size()) + " trees on " +
               std::to_string(forest->inputs) + " inputs";
    }
    const auto& layers = std::get<kernels::MlpSpec>(network).layers;
    std::string text = "layers " + std::to_string(layers.front().in);
    for (const kernels::MlpLayer& layer : layers) {
        text += "-" + std::to_string(layer.out);
    }
    return text;
}

void print_cost(const QuantizationCost& cost, bool layers) {
    std::cout << "quantization on " << cost.rows << " rows: the same class for "
              << 100.0 * cost.agreement << " %, macro-F1 " << cost.float_macro_f1 << " before, "
              << cost.macro_f1 << " after, ROC-AUC " << cost.float_auc << " before, " << cost.auc
              << " after, a logit moved by at most " << cost.worst_logit << '\n';
    if (layers) {
        std::cout << "(the hidden layers were scaled on these rows: judge the bundle on others)\n";
    }
}

Result<std::string> read_model(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), {}};
    if (!in || bytes.empty()) {
        return fail(
            path,
            {},
            "cannot be read",
            "give a model that XGBoost saved as .json or .ubj, or ONNX");
    }
    return bytes;
}

Exit run(Options options) {
    const auto key = kernels::load_secret_key(options.key);
    if (!key) {
        return report(key.error());
    }
    const auto bytes = read_model(options.model);
    if (!bytes) {
        return report(bytes.error());
    }
    if (options.import.classes.empty()) {
        for (const auto name : slot_classes(options.import.slot)) {
            options.import.classes.emplace_back(name);
        }
    }
    const auto report_model = [&](Error error) {
        error.where = options.model;
        return report(error);
    };
    const auto model = parse_model(*bytes, options.import);
    if (!model) {
        return report_model(model.error());
    }
    FeatureTable table;
    if (!options.calibration.empty()) {
        auto loaded =
            load_table({options.calibration, options.import.classes, {}, model->features});
        if (!loaded) {
            return report(loaded.error());
        }
        table = std::move(*loaded);
    }
    const auto imported = import_model(*model, options.import, table.codes);
    if (!imported) {
        return report_model(imported.error());
    }
    const auto file = kernels::build_bundle(imported->bundle, &*key);
    if (!file) {
        return report(file.error());
    }
    if (const auto saved = kernels::save_bundle_file(options.out, *file); !saved) {
        return report(saved.error(), Exit::failed);
    }
    std::cout << options.out << ": " << shape_text(imported->bundle.network)
              << "; a logit differs by at most " << imported->logit_error << "; signed by key "
              << key->public_key().id << '\n';
    if (model->probabilities) {
        std::cout
            << "its outputs are votes, not logits: the verdict is the same, its confidence is not "
               "calibrated\n";
    }
    if (table.rows() != 0) {
        const auto cost = quantization_cost(
            table,
            imported->bundle,
            imported->logit_per_raw,
            [&](const std::uint8_t* codes, double* logits) {
                float_logits(*model, codes, logits);
            });
        if (!cost) {
            return report(cost.error());
        }
        print_cost(*cost, std::holds_alternative<FloatMlp>(model->network));
    }
    return Exit::ok;
}

}  // namespace

void add_import(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<Options>();
    CLI::App* cmd = app.add_subcommand(
        "import", "Makes a signed bundle of a model that was trained on codes elsewhere");
    cmd->add_option("--model", options->model, "XGBoost's .json or .ubj, or ONNX")->required();
    cmd->add_option("--slot", options->import.slot, "anomaly or qos, or a name of your own")
        ->required();
    cmd->add_option("--name", options->import.name, "Name in the bundle")->required();
    cmd->add_option("--out", options->out, "Bundle file to write")->required();
    cmd->add_option("--key", options->key, "Secret key file (NAME.key)")->required();
    cmd->add_option(
        "--features",
        options->import.features,
        "Catalog name of each column, in order; without it the names in the model");
    cmd->add_option(
        "--classes",
        options->import.classes,
        "Name of each class, in order; without it the slot's");
    cmd->add_option(
        "--calibration",
        options->calibration,
        "Rows of `weir extract --labels`: says what quantization costs, and scales hidden layers");
    cmd->add_option("--model-version", options->import.version, "Version in the bundle, 1 or more")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    cmd->add_option("--description", options->import.description, "One line for people");
    options->import.created_unix = std::chrono::duration_cast<std::chrono::seconds>(
                                       std::chrono::system_clock::now().time_since_epoch())
                                       .count();
    cmd->callback([options, &exit] { exit = run(*options); });
}

}  // namespace weir::lab
