// SPDX-License-Identifier: BSD-3-Clause
// weirlab tune: which model is worth its cycles.
#include "control/lab/commands.h"
#include "control/lab/labels_rules.h"
#include "control/lab/tune.h"
#include "dataplane/features/catalog.h"

#include <chrono>
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
Result<std::vector<TuneTrial>> search(const Options& options, const FeatureTable& table) {
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
        const auto choice = tune_choice(options.tune.seed, index, groups);
        const auto known = is_known(index, train_arguments(choice, table));
        if (!known) {
            return tl::unexpected(known.error());
        }
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
        if (*known || (options.minutes > 0.0 && spent.count() > options.minutes * 60.0)) {
            continue;
        }
        auto trial = run_trial(table, choice, options.tune);
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
                  << trial->cycles_per_packet() << " cycles a packet\n";
        trials->push_back(std::move(*trial));
    }
    return trials;
}

void print_trial(const TuneTrial& trial, const FeatureTable& table) {
    std::cout << trial.quality << "  " << trial.cycles_per_packet() << "  " << trial.cycles_per_row
              << "  "
              << (trial.choice.last_packet == 0 ? "end" : std::to_string(trial.choice.last_packet))
              << "  " << train_arguments(trial.choice, table) << '\n';
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

Exit run(Options options) {
    for (const auto name : slot_classes(options.tune.slot)) {
        options.table.classes.emplace_back(name);
    }
    for (const auto& feature : dataplane::catalog()) {
        if (feature.caution != dataplane::Caution::none &&
            !matches_any(feature.name, options.include)) {
            options.table.exclude.emplace_back(feature.name);
        }
    }
    const double ghz = options.ghz > 0.0 ? options.ghz : clock_ghz().value_or(0.0);
    if (options.budget_ns > 0.0 && ghz <= 0.0) {
        return report({"tune", "--budget", "needs the processor's clock", "give it with --ghz"});
    }
    options.tune.isa = kernels::supported_isas().back();
    const auto table = load_table(options.table);
    if (!table) {
        return report(table.error());
    }
    const auto trials = search(options, *table);
    if (!trials) {
        return report(trials.error());
    }
    std::cout << "quality  cycles/packet  cycles/row  up to packet  weirlab train\n";
    for (const std::size_t at : pareto_front(*trials)) {
        print_trial((*trials)[at], *table);
    }
    if (!options.html.empty()) {
        if (auto ok = write_text(options.html, tune_html(*trials, *table, options.tune)); !ok) {
            return report(ok.error(), Exit::failed);
        }
    }
    if (options.budget_ns > 0.0) {
        const auto at = within_budget(*trials, options.budget_ns * ghz);
        if (at == trials->size()) {
            return report(
                {"tune",
                 "--budget",
                 "no trial costs " + std::to_string(options.budget_ns) + " ns a packet or less",
                 "allow more, or search longer"},
                Exit::failed);
        }
        std::cout << "\nwithin " << options.budget_ns << " ns a packet at " << ghz << " GHz:\n";
        print_trial((*trials)[at], *table);
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
    cmd->add_option("--budget", options->budget_ns, "Pick the best of at most so many ns a packet")
        ->check(CLI::PositiveNumber);
    cmd->add_option("--ghz", options->ghz, "Clock that the budget is reckoned at")
        ->check(CLI::PositiveNumber);
    cmd->add_option(
        "--include-feature",
        options->include,
        "Feature to offer although the catalog warns of it; * stands for any text");
    cmd->callback([options, &exit] { exit = run(*options); });
}

}  // namespace weir::lab
