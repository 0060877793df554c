// SPDX-License-Identifier: BSD-3-Clause
// weirlab import: a model trained with XGBoost elsewhere in, signed bundle out.
#include "control/lab/commands.h"
#include "control/lab/evaluate.h"
#include "control/lab/import.h"
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
};

Exit run(Options options) {
    const auto key = kernels::load_secret_key(options.key);
    if (!key) {
        return report(key.error());
    }
    std::ifstream in(options.model);
    const std::string json{std::istreambuf_iterator<char>(in), {}};
    if (!in || json.empty()) {
        return report(
            {options.model, {}, "cannot be read", "give a model that XGBoost saved as .json"});
    }
    if (options.import.classes.empty()) {
        for (const auto name : slot_classes(options.import.slot)) {
            options.import.classes.emplace_back(name);
        }
    }
    const auto imported = import_xgboost(json, options.import);
    if (!imported) {
        Error error = imported.error();
        error.where = options.model;
        return report(error);
    }
    const auto file = kernels::build_bundle(imported->bundle, &*key);
    if (!file) {
        return report(file.error());
    }
    if (const auto saved = kernels::save_bundle_file(options.out, *file); !saved) {
        return report(saved.error(), Exit::failed);
    }
    const auto& forest = std::get<kernels::ForestSpec>(imported->bundle.network);
    std::cout << options.out << ": " << forest.trees.size() << " trees on " << forest.inputs
              << " inputs; a logit differs by at most " << imported->logit_error
              << "; signed by key " << key->public_key().id << '\n';
    return Exit::ok;
}

}  // namespace

void add_import(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<Options>();
    CLI::App* cmd = app.add_subcommand(
        "import", "Makes a signed bundle of a model that XGBoost trained on codes");
    cmd->add_option("--model", options->model, "JSON that XGBoost saved")->required();
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
