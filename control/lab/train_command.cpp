// SPDX-License-Identifier: BSD-3-Clause
// weirlab train: features in, signed bundle out.
#include "control/lab/commands.h"
#include "control/lab/labels_rules.h"
#include "control/lab/train.h"
#include "dataplane/features/catalog.h"
#include "kernels/model/build.h"
#include "kernels/model/file.h"
#include "kernels/model/keys.h"

#include <algorithm>
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
    std::string family = "gbdt";
    std::optional<double> learning_rate;  ///< the family's own where not given
    std::string pooling = "flatten";
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

std::string describe(const kernels::Network& network) {
    if (const auto* forest = std::get_if<kernels::ForestSpec>(&network)) {
        return std::to_string(forest->trees.size()) + " trees";
    }
    const auto widths = [](const std::vector<kernels::MlpLayer>& layers) {
        std::string out;
        for (const auto& layer : layers) {
            out += (out.empty() ? "layers of " : ", ") + std::to_string(layer.out);
        }
        return out;
    };
    if (const auto* sequence = std::get_if<kernels::SequenceSpec>(&network)) {
        std::string out = "convolutions of ";
        for (const auto& convolution : sequence->convolutions) {
            out += std::to_string(convolution.out) + ", ";
        }
        return out + widths(sequence->dense);
    }
    if (const auto* mlp = std::get_if<kernels::MlpSpec>(&network)) {
        return widths(mlp->layers);
    }
    return widths(std::get<kernels::AutoencoderSpec>(network).layers);
}

void print_outcome(const TrainOutcome& outcome, const FeatureTable& table) {
    std::cout << table.rows() << " rows, " << table.flows.size() << " flows, "
              << table.groups.size() << " sources\n"
              << describe(outcome.bundle.network) << " on " << outcome.bundle.inputs.size()
              << " inputs after " << outcome.validation.rounds
              << " rounds; held-out log loss by round:";
    for (const double loss : outcome.validation.loss_of_round) {
        std::cout << ' ' << loss;
    }
    std::cout << "\ntemperature " << outcome.temperature << "; quantization: |logit error| ≤ "
              << outcome.logit_error << " stated, " << outcome.logit_error_seen
              << " seen, same class on " << outcome.agreement
              << " of rows\nheld-out flows, uncalibrated, in float and in the gateway's integers: "
              << "macro F1 " << outcome.in_float.macro_f1 << " and " << outcome.in_integers.macro_f1
              << ", ROC AUC " << outcome.in_float.auc << " and " << outcome.in_integers.auc
              << "\ninputs:";
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

/// Turns words into options, and the slot into classes: a one-class family has two.
Result<void> take_family(Options& options) {
    FitOptions& fit = options.train.fit;
    const auto classes = slot_classes(options.train.slot);
    static_cast<void>(family_named(options.family, fit.family));
    if (is_one_class(fit.family)) {
        if (std::find(classes.begin(), classes.end(), "benign") == classes.end()) {
            return fail(
                "train",
                "--family",
                options.family + " learns what is benign, a class that slot " + options.train.slot +
                    " does not have",
                "use gbdt, random_forest, mlp or conv1d");
        }
        options.table.classes = {"benign", std::string(kAnomalyClass)};
        options.table.others = true;
    } else {
        options.table.classes.assign(classes.begin(), classes.end());
    }
    if (options.learning_rate) {
        fit.boost.learning_rate = *options.learning_rate;
        fit.network.learning_rate = *options.learning_rate;
    }
    fit.network.seed = fit.boost.seed;
    fit.network.pooling = options.pooling == "max"       ? kernels::SequencePooling::max
                          : options.pooling == "average" ? kernels::SequencePooling::average
                                                         : kernels::SequencePooling::flatten;
    return {};
}

Exit run(Options options) {
    const auto key = kernels::load_secret_key(options.key);
    if (!key) {
        return report(key.error());
    }
    if (const auto ok = take_family(options); !ok) {
        return report(ok.error());
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
    options.train.fit.isolation_trees = options.trees;
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

void add_network(CLI::App& cmd, Options& options) {
    auto& network = options.train.fit.network;
    cmd.add_option(
           "--family",
           options.family,
           "gbdt, random_forest, mlp, conv1d (first 16 packets), or of benign traffic alone: "
           "autoencoder, isolation_forest")
        ->capture_default_str()
        ->check(CLI::IsMember(
            {"gbdt", "random_forest", "mlp", "conv1d", "autoencoder", "isolation_forest"}));
    cmd.add_option(
           "--hidden",
           network.hidden,
           "mlp, conv1d, autoencoder: widths of the hidden layers (48,24; 32; 24,8,24)")
        ->delimiter(',')
        ->check(CLI::Range(1, 256));
    cmd.add_option("--channels", network.channels, "conv1d: channels of the convolutions (8,16)")
        ->delimiter(',')
        ->check(CLI::Range(1, 32));
    cmd.add_option("--pooling", options.pooling, "conv1d: flatten, max or average")
        ->capture_default_str()
        ->check(CLI::IsMember({"flatten", "max", "average"}));
    cmd.add_option("--epochs", network.epochs, "Networks: at most so many")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000));
    cmd.add_option(
           "--rows-an-epoch", network.rows_an_epoch, "Networks: rows drawn for an epoch, by weight")
        ->capture_default_str()
        ->check(CLI::Range(512, 16777216));
    cmd.add_option(
           "--candidates",
           options.train.fit.candidates,
           "Networks: so many seeds, and the one kept that validation by source within the "
           "training rows finds best; held-out flows have no say")
        ->capture_default_str()
        ->check(CLI::Range(1, 64));
    cmd.add_flag(
        "!--no-early-stop",
        options.train.fit.early_stop,
        "All epochs or trees, whatever the held-out flows say");
    cmd.add_option(
           "--row-share", options.train.fit.boost.row_share, "random_forest: rows of each tree")
        ->capture_default_str()
        ->check(CLI::Range(0.01, 1.0));
}

void add_tuning(CLI::App& cmd, Options& options) {
    auto& boost = options.train.fit.boost;
    auto& weights = options.train.fit.weights;
    cmd.add_option(
           "--trees", options.trees, "Trees of all classes together; isolation_forest: of all")
        ->capture_default_str()
        ->check(CLI::Range(2, 4096));
    cmd.add_option("--depth", boost.depth, "Largest depth of a tree")
        ->capture_default_str()
        ->check(CLI::Range(1, 16));
    cmd.add_option("--bins", boost.bins, "Thresholds a feature")
        ->capture_default_str()
        ->check(CLI::Range(2, 256));
    cmd.add_option(
        "--learning-rate",
        options.learning_rate,
        "Step of each round (0.35), or of a network's training at first (0.004)");
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
    add_network(*cmd, *options);
    add_tuning(*cmd, *options);
    cmd->callback([options, &exit] { exit = run(*options); });
}

}  // namespace weir::lab
