// SPDX-License-Identifier: BSD-3-Clause
// weirlab train: features in, signed bundle out.
#include "control/lab/commands.h"
#include "control/lab/labels_rules.h"
#include "control/lab/train.h"
#include "dataplane/features/catalog.h"
#include "kernels/model/build.h"
#include "kernels/model/file.h"
#include "kernels/model/keys.h"

#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <utility>

#include <CLI/CLI.hpp>

namespace weir::lab {
namespace {

struct Options {
    TrainOptions train;
    TableOptions table;
    std::string out;
    std::string key;
    std::string json;
    std::string html;
    std::string revision = "unknown";
    std::uint32_t trees = 100;
    std::vector<std::string> include;
    std::string extra;
};

/// The catalog warns of what tells capture points or claims apart rather than classes: left out unless asked for.
void leave_out_cautioned(Options& options) {
    for (const auto& feature : dataplane::catalog()) {
        if (feature.caution != dataplane::Caution::none &&
            !matches_any(feature.name, options.include)) {
            options.table.exclude.emplace_back(feature.name);
        }
    }
}

Exit failed(const Error& error) {
    return report(error, Exit::failed);
}

void print_outcome(const TrainOutcome& outcome, const FeatureTable& table) {
    const auto& forest = std::get<kernels::ForestSpec>(outcome.bundle.network);
    std::cout << table.rows() << " rows, " << table.flows.size() << " flows, "
              << table.groups.size() << " sources\n"
              << forest.trees.size() << " trees on " << forest.inputs << " inputs after "
              << outcome.validation.rounds << " rounds; held-out log loss by round:";
    for (const double loss : outcome.validation.loss_of_round) {
        std::cout << ' ' << loss;
    }
    std::cout << "\ntemperature " << outcome.temperature << "; quantization: |logit error| ≤ "
              << outcome.logit_error << " stated, " << outcome.logit_error_seen
              << " seen, same class on " << outcome.agreement << " of rows\ninputs:";
    for (const auto& input : outcome.bundle.inputs) {
        std::cout << ' ' << input.feature;
    }
    std::cout << "\n\nheld out by source\n";
    print(std::cout, outcome.held_out);
    if (!outcome.bundle.thresholds.empty()) {
        std::cout << "\nthresholds:";
        for (std::size_t c = 0; c < outcome.bundle.classes.size(); ++c) {
            std::cout << ' ' << outcome.bundle.classes[c] << ' ' << outcome.bundle.thresholds[c];
        }
        std::cout << '\n';
    }
}

Exit run(Options options) {
    const auto key = kernels::load_secret_key(options.key);
    if (!key) {
        return report(key.error());
    }
    for (const auto name : slot_classes(options.train.slot)) {
        options.table.classes.emplace_back(name);
    }
    leave_out_cautioned(options);
    const auto table = load_table(options.table);
    if (!table) {
        return report(table.error());
    }
    std::optional<FeatureTable> extra;
    if (!options.extra.empty()) {
        TableOptions from = options.table;
        from.path = options.extra;
        auto loaded = load_table(from);
        if (!loaded) {
            return report(loaded.error());
        }
        extra = std::move(*loaded);
    }
    options.train.fit.boost.rounds = std::max(
        1U, options.trees / std::max(1U, static_cast<std::uint32_t>(table->classes.size())));
    const auto outcome = train(*table, options.train, extra ? &*extra : nullptr);
    if (!outcome) {
        return report(outcome.error());
    }
    print_outcome(*outcome, *table);
    const auto file = kernels::build_bundle(outcome->bundle, &*key);
    if (!file) {
        return report(file.error());
    }
    if (const auto saved = kernels::save_bundle_file(options.out, *file); !saved) {
        return failed(saved.error());
    }
    std::cout << '\n'
              << options.out << ": " << file->size() << " bytes, signed by key "
              << key->public_key().id << '\n';
    const std::pair<std::string, std::string> files[] = {
        {options.json,
         to_json(
             outcome->held_out, "models." + options.train.slot + ".held_out", options.revision)},
        {options.html, to_html(outcome->held_out, outcome->bundle.name + ", held out by source")}};
    for (const auto& [path, text] : files) {
        if (path.empty()) {
            continue;
        }
        if (const auto written = write_text(path, text); !written) {
            return failed(written.error());
        }
    }
    return Exit::ok;
}

void add_tuning(CLI::App& cmd, Options& options) {
    auto& boost = options.train.fit.boost;
    auto& weights = options.train.fit.weights;
    cmd.add_option("--trees", options.trees, "Trees of all classes together")
        ->capture_default_str()
        ->check(CLI::Range(2, 4096));
    cmd.add_option("--depth", boost.depth, "Largest depth of a tree")
        ->capture_default_str()
        ->check(CLI::Range(1, 16));
    cmd.add_option("--bins", boost.bins, "Thresholds a feature")
        ->capture_default_str()
        ->check(CLI::Range(2, 256));
    cmd.add_option("--learning-rate", boost.learning_rate, "Step of each round")
        ->capture_default_str();
    cmd.add_option("--l2", boost.l2, "Penalty on leaf values")->capture_default_str();
    cmd.add_option("--min-child-weight", boost.min_child_weight, "Least weight of a leaf")
        ->capture_default_str();
    cmd.add_option("--min-split-gain", boost.min_split_gain, "Least gain of a split")
        ->capture_default_str();
    cmd.add_option(
           "--column-share",
           boost.column_share,
           "Share of the features, drawn anew, that each split may choose from: less leans on no "
           "single one")
        ->capture_default_str()
        ->check(CLI::Range(0.01, 1.0));
    cmd.add_option(
           "--max-inputs", options.train.fit.max_inputs, "Features kept, those of largest gain")
        ->capture_default_str()
        ->check(CLI::Range(1, 256));
    cmd.add_option("--class-power", weights.class_power, "Share of a class: size to this power")
        ->capture_default_str();
    cmd.add_option(
           "--group-power",
           weights.group_power,
           "Share of a source in its class: flows to this power")
        ->capture_default_str();
    cmd.add_option(
           "--max-flows",
           weights.max_flows,
           "Flows of a source and class that are trained on, spread evenly; 0 = all")
        ->capture_default_str();
    cmd.add_option("--folds", options.train.folds, "Folds of cross-validation by source")
        ->capture_default_str()
        ->check(CLI::Range(2, 20));
    cmd.add_option(
           "--alarm-budget",
           options.train.alarm_budget,
           "Share of benign flows that may alarm, a class")
        ->capture_default_str();
    cmd.add_option("--seed", boost.seed, "Seed of the training")->capture_default_str();
    cmd.add_option(
        "--shuffle-held-out",
        options.train.fit.shuffled,
        "Ablation: held-out flows get this feature from one another; * stands for any text");
    cmd.add_option(
        "--only-feature", options.table.only, "Ablation: only these features are offered");
    cmd.add_option(
        "--exclude-feature", options.table.exclude, "Feature to leave out; * stands for any text");
    cmd.add_option(
        "--include-feature",
        options.include,
        "Feature to offer although the catalog warns of it; * stands for any text");
}

}  // namespace

void add_train(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<Options>();
    CLI::App* cmd = app.add_subcommand("train", "Trains, calibrates, quantizes and signs a model");
    cmd->add_option("--features", options->table.path, "CSV that `weir extract --labels` wrote")
        ->required();
    cmd->add_option(
        "--also-train",
        options->extra,
        "CSV of further rows to train on, never held out or counted (generated traffic)");
    cmd->add_option("--slot", options->train.slot, "anomaly or qos")->required();
    cmd->add_option("--out", options->out, "Bundle file to write")->required();
    cmd->add_option("--key", options->key, "Secret key file (NAME.key)")->required();
    cmd->add_option("--name", options->train.name, "Name in the bundle; without it SLOT-default");
    cmd->add_option("--model-version", options->train.version, "Version in the bundle, 1 or more")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    cmd->add_option(
           "--created",
           options->train.created_unix,
           "Creation time in the bundle, Unix seconds; without it now")
        ->envname("SOURCE_DATE_EPOCH");
    cmd->add_option("--description", options->train.description, "One line for people");
    cmd->add_option("--json", options->json, "Also write the held-out figures to this file");
    cmd->add_option("--html", options->html, "Also write the held-out report: one HTML file");
    cmd->add_option("--revision", options->revision, "Source revision to write beside the figures");
    options->train.created_unix = std::chrono::duration_cast<std::chrono::seconds>(
                                      std::chrono::system_clock::now().time_since_epoch())
                                      .count();
    add_tuning(*cmd, *options);
    cmd->callback([options, &exit] { exit = run(*options); });
}

}  // namespace weir::lab
