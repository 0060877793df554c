// SPDX-License-Identifier: BSD-3-Clause
// weirlab evaluate: judges a bundle on a labelled feature table.
#include "control/lab/commands.h"
#include "control/lab/evaluate.h"
#include "control/lab/train_family.h"
#include "control/lab/train_table.h"
#include "kernels/model/file.h"
#include "kernels/model/verify.h"

#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

namespace weir::lab {
namespace {

struct Options {
    std::string features;
    std::string model;
    std::string json;
    std::string html;
    std::string revision = "unknown";
    std::vector<std::string> perturbed;  ///< NAME=CSV
};

/// Verdicts on each changed table beside those on the table itself.
Result<void> judge_perturbed(
    const Options& options,
    const kernels::Bundle& bundle,
    TableOptions table_options,
    const FeatureTable& table,
    std::span<const RowVerdict> verdicts,
    Evaluation& evaluation) {
    for (const std::string& given : options.perturbed) {
        const std::size_t equals = given.find('=');
        if (equals == std::string::npos || equals == 0) {
            return fail("evaluate", "--perturb", "'" + given + "' is not NAME=CSV", "write it so");
        }
        table_options.path = given.substr(equals + 1);
        const auto changed = load_table(table_options);
        if (!changed) {
            return tl::unexpected(changed.error());
        }
        const auto changed_verdicts = score_table(bundle, *changed);
        if (!changed_verdicts) {
            return tl::unexpected(changed_verdicts.error());
        }
        evaluation.perturbed.push_back(compare_perturbed(
            given.substr(0, equals), table, verdicts, *changed, *changed_verdicts));
    }
    return {};
}

Result<Evaluation> run(const Options& options) {
    const auto file = kernels::load_bundle_file(options.model);
    if (!file) {
        return tl::unexpected(file.error());
    }
    const auto bundle = kernels::parse_bundle(*file, options.model);
    if (!bundle) {
        return tl::unexpected(bundle.error());
    }
    TableOptions table_options{
        .path = options.features,
        .classes = bundle->classes,
        .others = bundle->classes.back() == kAnomalyClass};
    for (const auto& input : bundle->inputs) {
        table_options.only.push_back(input.feature);
    }
    const auto table = load_table(table_options);
    if (!table) {
        return tl::unexpected(table.error());
    }
    const auto verdicts = score_table(*bundle, *table);
    if (!verdicts) {
        return tl::unexpected(verdicts.error());
    }
    auto evaluation = evaluate(*table, bundle->slot, *verdicts);
    if (auto ok = judge_perturbed(options, *bundle, table_options, *table, *verdicts, evaluation);
        !ok) {
        return tl::unexpected(ok.error());
    }
    return evaluation;
}

Exit evaluate_command(const Options& options) {
    const auto evaluation = run(options);
    if (!evaluation) {
        return report(evaluation.error());
    }
    print(std::cout, *evaluation);
    const std::pair<std::string, std::string> files[] = {
        {options.json, to_json(*evaluation, "models." + evaluation->slot, options.revision)},
        {options.html, to_html(*evaluation, options.model + " on " + options.features)}};
    for (const auto& [path, text] : files) {
        if (path.empty()) {
            continue;
        }
        if (const auto written = write_text(path, text); !written) {
            return report(written.error(), Exit::failed);
        }
    }
    return Exit::ok;
}

}  // namespace

void add_evaluate(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<Options>();
    CLI::App* cmd =
        app.add_subcommand("evaluate", "Judges a model's verdicts on labelled features");
    cmd->add_option("--features", options->features, "CSV that `weir extract --labels` wrote")
        ->required();
    cmd->add_option("--model", options->model, "Bundle file")->required();
    cmd->add_option(
        "--perturb",
        options->perturbed,
        "NAME=CSV, several: features of the same captures after `weirlab perturb`; says how far "
        "verdicts move");
    cmd->add_option("--json", options->json, "Also write the figures to this file");
    cmd->add_option("--html", options->html, "Also write a report with plots: one HTML file");
    cmd->add_option("--revision", options->revision, "Source revision to write beside the figures");
    cmd->callback([options, &exit] { exit = evaluate_command(*options); });
}

}  // namespace weir::lab
