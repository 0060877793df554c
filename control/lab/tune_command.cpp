// SPDX-License-Identifier: BSD-3-Clause
// weirlab tune: which model is worth its cycles.
#include "control/lab/commands.h"
#include "control/lab/labels_csv.h"
#include "control/lab/labels_rules.h"
#include "control/lab/tune.h"
#include "dataplane/features/catalog.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace weir::lab {
namespace {

struct Options {
    TuneOptions tune;
    TableOptions table;
    std::vector<std::string> include;
    std::uint32_t trials = 40;
    double minutes = 0.0;
    std::string log;
    std::string html;
    std::string markdown;
    std::string extra;
    std::vector<std::string> group_costs;
    double budget_ns = 0.0;
    double ghz = 0.0;
};

/// Trials that an earlier run of the same search left in its log.
Result<std::vector<TuneTrial>> earlier_trials(const std::string& path) {
    std::vector<TuneTrial> out;
    std::ifstream in(path);
    std::string line;
    for (std::uint32_t n = 1; std::getline(in, line); ++n) {
        auto trial = trial_of_line(line, path + ":" + std::to_string(n));
        if (!trial) {
            return tl::unexpected(trial.error());
        }
        out.push_back(std::move(*trial));
    }
    return out;
}

/// Runs what the log does not have yet, up to the limits. A choice that cannot be trained is named and passed over.
Result<std::vector<TuneTrial>> search(
    const Options& options, const FeatureTable& table, const FeatureTable* extra) {
    auto trials = options.log.empty() ? Result<std::vector<TuneTrial>>(std::vector<TuneTrial>())
                                      : earlier_trials(options.log);
    if (!trials) {
        return trials;
    }
    std::ofstream log;
    if (!options.log.empty()) {
        log.open(options.log, std::ios::app);
        if (!log) {
            return fail(options.log, "--log", "cannot be written", "name another file");
        }
    }
    const auto groups = groups_of(table);
    const auto begin = std::chrono::steady_clock::now();
    const auto is_known = [&](std::uint32_t index, const std::string& arguments) -> Result<bool> {
        for (const TuneTrial& trial : *trials) {
            if (trial.index == index) {
                if (train_arguments(trial.choice, table) != arguments) {
                    return fail(
                        options.log, "--seed", "the log is of another search", "begin a new log");
                }
                return true;
            }
        }
        return false;
    };
    for (std::uint32_t index = 0; index < options.trials; ++index) {
        auto choice = tune_choice(options.tune.seed, index, groups);
        if (options.tune.every_packet) {
            choice.last_packet = 0;
        }
        const auto known = is_known(index, train_arguments(choice, table));
        if (!known) {
            return tl::unexpected(known.error());
        }
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
        if (*known || (options.minutes > 0.0 && spent.count() > options.minutes * 60.0)) {
            continue;
        }
        auto trial = run_trial(table, choice, options.tune, extra);
        if (!trial) {
            std::cerr << "weirlab: tune: trial " << index
                      << " passed over: " << trial.error().line() << '\n';
            continue;
        }
        trial->index = index;
        if (log.is_open()) {
            log << to_line(*trial) << std::endl;  // a stopped search keeps what it has
        }
        std::cerr << "trial " << index << ": " << trial->quality << " at "
                  << cost_ns(*trial, options.tune)
                  << " ns a packet: " << train_arguments(choice, table) << '\n';
        trials->push_back(std::move(*trial));
    }
    return trials;
}

void print_trial(const TuneTrial& trial, const FeatureTable& table, const TuneOptions& options) {
    std::cout << trial.quality << "  " << trial.beside << "  " << cost_ns(trial, options) << "  "
              << trial.cycles_per_row << "  "
              << (trial.choice.last_packet == 0 ? "end" : std::to_string(trial.choice.last_packet))
              << "  " << train_arguments(trial.choice, table) << '\n';
}

/// GROUP=NS of --group-cost.
Result<void> take_group_costs(Options& options, const FeatureTable& table) {
    const auto groups = groups_of(table);
    for (const std::string& text : options.group_costs) {
        const auto equals = text.find('=');
        const std::string group = text.substr(0, equals);
        char* end = nullptr;
        const double ns =
            equals == std::string::npos ? -1.0 : std::strtod(text.c_str() + equals + 1, &end);
        if (!(ns >= 0.0) || end == nullptr || *end != '\0' || end == text.c_str() + equals + 1) {
            return fail("tune", "--group-cost", in_quotes(text) + " is not GROUP=NS", "as host=90");
        }
        if (std::find(groups.begin(), groups.end(), group) == groups.end()) {
            return fail(
                "tune",
                "--group-cost",
                "the table has no feature of a group " + in_quotes(group),
                "docs/features.md names the groups");
        }
        options.tune.group_costs.push_back({group, ns});
    }
    return {};
}

/// The cheapest way to a budget in time is the processor's own clock.
std::optional<double> clock_ghz() {
    std::ifstream in("/proc/cpuinfo");
    for (std::string line; std::getline(in, line);) {
        const auto colon = line.find(':');
        if (line.starts_with("cpu MHz") && colon != std::string::npos) {
            return std::stod(line.substr(colon + 1)) / 1000.0;
        }
    }
    return std::nullopt;
}

/// Table, plot and page of the front.
Result<void> write_reports(
    const Options& options, std::span<const TuneTrial> trials, const FeatureTable& table) {
    if (!options.html.empty()) {
        if (auto ok = write_text(options.html, tune_html(trials, table, options.tune)); !ok) {
            return ok;
        }
    }
    if (options.markdown.empty()) {
        return {};
    }
    const auto svg = std::filesystem::path(options.markdown).replace_extension(".svg");
    if (auto ok = write_text(svg.string(), tune_svg(trials, options.tune)); !ok) {
        return ok;
    }
    return write_text(
        options.markdown, tune_markdown(trials, options.tune, svg.filename().string()));
}

/// Columns to offer and the clock; then both tables.
Result<void> prepare(Options& options, FeatureTable& table, std::optional<FeatureTable>& extra) {
    for (const auto name : slot_classes(options.tune.slot)) {
        options.table.classes.emplace_back(name);
    }
    for (const auto& feature : dataplane::catalog()) {
        if (feature.caution != dataplane::Caution::none &&
            !matches_any(feature.name, options.include)) {
            options.table.exclude.emplace_back(feature.name);
        }
    }
    options.tune.ghz = options.ghz > 0.0 ? options.ghz : clock_ghz().value_or(0.0);
    if (options.tune.ghz <= 0.0) {
        return fail("tune", "--ghz", "the processor does not tell its clock", "give it");
    }
    options.tune.isa = kernels::supported_isas().back();
    auto loaded = load_table(options.table);
    if (!loaded) {
        return tl::unexpected(loaded.error());
    }
    table = std::move(*loaded);
    if (!options.extra.empty()) {
        TableOptions from = options.table;
        from.path = options.extra;
        auto more = load_table(from);
        if (!more) {
            return tl::unexpected(more.error());
        }
        extra = std::move(*more);
    }
    return take_group_costs(options, table);
}

Exit run(Options options) {
    FeatureTable table;
    std::optional<FeatureTable> extra;
    if (auto ok = prepare(options, table, extra); !ok) {
        return report(ok.error());
    }
    const auto trials = search(options, table, extra ? &*extra : nullptr);
    if (!trials) {
        return report(trials.error());
    }
    const bool alarm = options.tune.slot == "anomaly";
    std::cout << (alarm ? "ROC-AUC  TPR@FPR=1e-3" : "macro-F1  accuracy")
              << "  ns/packet  cycles/row  up to packet  weirlab train\n";
    for (const std::size_t at : pareto_front(*trials, options.tune)) {
        print_trial((*trials)[at], table, options.tune);
    }
    if (auto ok = write_reports(options, *trials, table); !ok) {
        return report(ok.error(), Exit::failed);
    }
    if (options.budget_ns > 0.0) {
        const auto at = within_budget(*trials, options.budget_ns, options.tune);
        if (at == trials->size()) {
            return report(
                {"tune",
                 "--budget",
                 "no trial costs " + std::to_string(options.budget_ns) + " ns a packet or less",
                 "allow more, or search longer"},
                Exit::failed);
        }
        std::cout << "\nwithin " << options.budget_ns << " ns a packet";
        if (!options.tune.measure) {
            std::cout << " at " << options.tune.ghz << " GHz";
        }
        std::cout << ":\n";
        print_trial((*trials)[at], table, options.tune);
    }
    return Exit::ok;
}

}  // namespace

void add_tune(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<Options>();
    CLI::App* cmd =
        app.add_subcommand("tune", "Searches for models that are good for what they cost");
    cmd->add_option("--features", options->table.path, "CSV that `weir extract --labels` wrote")
        ->required();
    cmd->add_option(
        "--also-train", options->extra, "CSV of further rows to train on, never held out");
    cmd->add_option("--slot", options->tune.slot, "anomaly or qos")
        ->required()
        ->check(CLI::IsMember({"anomaly", "qos"}));
    cmd->add_option("--trials", options->trials, "Choices to try, the log's among them")
        ->capture_default_str()
        ->check(CLI::Range(1, 100000));
    cmd->add_option("--minutes", options->minutes, "Begin no trial after so long; 0 = no limit")
        ->check(CLI::Range(0.0, 1e6));
    cmd->add_option("--folds", options->tune.folds, "Folds of cross-validation by source")
        ->capture_default_str()
        ->check(CLI::Range(2, 20));
    cmd->add_option(
           "--max-flows",
           options->tune.weights.max_flows,
           "Flows of a source and class that are trained on; 0 = all")
        ->capture_default_str();
    cmd->add_option("--seed", options->tune.seed, "Equal seeds, equal choices")
        ->capture_default_str();
    cmd->add_option("--log", options->log, "Keeps each trial; a further run goes on from there");
    cmd->add_option("--html", options->html, "Also write the front as a plot: one HTML file");
    cmd->add_option(
        "--markdown", options->markdown, "Also write the front as a table, and a plot beside it");
    cmd->add_flag(
        "--measure",
        options->tune.measure,
        "Reckon with the kernels' time on this machine in blocks of 256 rows, head included");
    cmd->add_flag(
        "--every-packet",
        options->tune.every_packet,
        "Reckon with a row a packet, not with the table's decision points");
    cmd->add_option(
        "--group-cost",
        options->group_costs,
        "GROUP=NS: what reading a group of features costs a packet besides, as host=90");
    cmd->add_option("--budget", options->budget_ns, "Pick the best of at most so many ns a packet")
        ->check(CLI::PositiveNumber);
    cmd->add_option("--ghz", options->ghz, "Clock that predicted cycles are reckoned at")
        ->check(CLI::PositiveNumber);
    cmd->add_option(
        "--include-feature",
        options->include,
        "Feature to offer although the catalog warns of it; * stands for any text");
    cmd->callback([options, &exit] { exit = run(*options); });
}

}  // namespace weir::lab
