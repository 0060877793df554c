// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/tune.h"

#include "dataplane/features/catalog.h"
#include "kernels/classifier.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <random>

#include <nlohmann/json.hpp>

namespace weir::lab {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kFamilies{
    Family::gbdt, Family::gbdt, Family::gbdt, Family::random_forest, Family::mlp};
constexpr std::array<std::uint32_t, 7> kTrees{20, 30, 40, 60, 100, 150, 250};
constexpr std::array<double, 3> kRates{0.15, 0.25, 0.35};
constexpr std::array<std::uint32_t, 5> kDepths{2, 3, 4, 6, 8};
constexpr std::array<std::uint32_t, 4> kBins{8, 16, 32, 64};
constexpr std::array<std::uint32_t, 6> kInputs{6, 10, 16, 24, 32, 48};
constexpr std::array<std::uint32_t, 4> kWidths{8, 16, 24, 48};
constexpr std::array<std::uint32_t, 5> kLastPackets{0, 0, 16, 8, 4};
constexpr std::uint32_t kEpochs = 8;

std::string_view group_of(std::string_view feature) {
    const auto id = dataplane::find_feature(feature);
    return id ? dataplane::group_name(dataplane::catalog()[*id].group) : std::string_view();
}

/// Rows up to the last packet that is scored, in columns of the groups that are left.
FeatureTable narrowed(const FeatureTable& table, const TuneChoice& choice) {
    FeatureTable out;
    std::vector<std::size_t> columns;
    for (std::size_t c = 0; c < table.features.size(); ++c) {
        const auto group = group_of(table.features[c]);
        if (std::find(choice.left_out.begin(), choice.left_out.end(), group) ==
            choice.left_out.end()) {
            columns.push_back(c);
            out.features.push_back(table.features[c]);
        }
    }
    out.classes = table.classes;
    out.groups = table.groups;
    out.captures = table.captures;
    out.digest = table.digest;
    for (TableFlow flow : table.flows) {
        const std::uint32_t first = flow.first_row;
        const std::uint32_t rows = flow.rows;
        flow.first_row = out.rows();
        flow.rows = 0;
        for (std::uint32_t r = first; r < first + rows; ++r) {
            const bool late = choice.last_packet != 0 && table.packets[r] > choice.last_packet;
            if (late && flow.rows > 0) {
                break;
            }
            ++flow.rows;
            out.packets.push_back(table.packets[r]);
            out.flow_of.push_back(static_cast<std::uint32_t>(out.flows.size()));
            for (const std::size_t c : columns) {
                out.codes.push_back(table.row(r)[c]);
            }
        }
        out.flows.push_back(flow);
    }
    return out;
}

std::vector<std::string> groups_read(const kernels::Bundle& bundle) {
    std::vector<std::string> out;
    for (const auto& input : bundle.inputs) {
        const std::string group(group_of(input.feature));
        if (!group.empty() && std::find(out.begin(), out.end(), group) == out.end()) {
            out.push_back(group);
        }
    }
    return out;
}

double packets_of(const FeatureTable& table) {
    double sum = 0.0;
    for (const TableFlow& flow : table.flows) {
        sum += table.packets[flow.first_row + flow.rows - 1];
    }
    return sum;
}

}  // namespace

std::vector<std::string> groups_of(const FeatureTable& table) {
    std::vector<std::string> out;
    for (const auto& feature : table.features) {
        const std::string group(group_of(feature));
        if (!group.empty() && std::find(out.begin(), out.end(), group) == out.end()) {
            out.push_back(group);
        }
    }
    return out;
}

TuneChoice tune_choice(
    std::uint64_t seed, std::uint32_t index, std::span<const std::string> groups) {
    TuneChoice choice;
    if (index == 0) {
        return choice;
    }
    std::mt19937_64 random(seed * 1000003 + index);
    const auto one_of = [&](const auto& values) { return values[random() % values.size()]; };
    choice.family = one_of(kFamilies);
    choice.trees = one_of(kTrees);
    choice.depth = one_of(kDepths);
    choice.bins = one_of(kBins);
    choice.learning_rate = one_of(kRates);
    choice.hidden = {one_of(kWidths), one_of(kWidths)};
    choice.max_inputs = one_of(kInputs);
    choice.last_packet = one_of(kLastPackets);
    const bool leaves_out = random() % 2 == 0;
    for (const auto& group : groups) {
        if (leaves_out && random() % 4 == 0) {
            choice.left_out.push_back(group);
        }
    }
    if (choice.left_out.size() == groups.size()) {
        choice.left_out.clear();
    }
    if (choice.family != Family::mlp) {
        choice.hidden.clear();
    }
    return choice;
}

std::string train_arguments(const TuneChoice& choice, const FeatureTable& table) {
    std::string out = "--family " + std::string(family_name(choice.family)) + " --max-inputs " +
                      std::to_string(choice.max_inputs);
    if (choice.family == Family::mlp) {
        out += " --hidden " + std::to_string(choice.hidden[0]) + "," +
               std::to_string(choice.hidden[1]) + " --epochs " + std::to_string(kEpochs);
    } else {
        out += " --trees " + std::to_string(choice.trees) + " --depth " +
               std::to_string(choice.depth) + " --bins " + std::to_string(choice.bins);
    }
    if (choice.family == Family::gbdt) {
        out += " --learning-rate " +
               std::to_string(choice.learning_rate).substr(0, 4);  // kRates have two places
    }
    for (const auto& feature : table.features) {
        const std::string group(group_of(feature));
        if (std::find(choice.left_out.begin(), choice.left_out.end(), group) !=
            choice.left_out.end()) {
            out += " --exclude-feature " + feature;
        }
    }
    return out;
}

double path_ns(const TuneTrial& trial, const TuneOptions& options) noexcept {
    double sum = 0.0;
    for (const GroupCost& cost : options.group_costs) {
        const bool read =
            std::find(trial.reads.begin(), trial.reads.end(), cost.group) != trial.reads.end();
        sum += read ? cost.ns : 0.0;
    }
    return sum;
}

double cost_ns(const TuneTrial& trial, const TuneOptions& options) noexcept {
    const double row =
        trial.ns_per_row > 0.0 ? trial.ns_per_row : trial.cycles_per_row / options.ghz;
    return row * trial.rows_per_packet + path_ns(trial, options);
}

Result<TuneTrial> run_trial(
    const FeatureTable& table,
    const TuneChoice& choice,
    const TuneOptions& options,
    const FeatureTable* extra) {
    TrainOptions train_options;
    train_options.slot = options.slot;
    train_options.folds = options.folds;
    FitOptions& fit = train_options.fit;
    fit.family = choice.family;
    fit.weights = options.weights;
    fit.max_inputs = choice.max_inputs;
    fit.boost.seed = fit.network.seed = options.seed;
    fit.boost.rounds =
        std::max(1U, choice.trees / static_cast<std::uint32_t>(table.classes.size()));
    fit.boost.depth = choice.depth;
    fit.boost.bins = choice.bins;
    fit.boost.learning_rate = choice.learning_rate;
    fit.network.hidden = choice.hidden;
    fit.network.epochs = kEpochs;
    const FeatureTable used = narrowed(table, choice);
    const auto more = extra != nullptr ? std::optional(narrowed(*extra, choice)) : std::nullopt;
    const auto outcome = train(used, train_options, more ? &*more : nullptr);
    if (!outcome) {
        return tl::unexpected(outcome.error());
    }
    const auto& figures = outcome->held_out.whole_flow;
    TuneTrial trial{.choice = choice};
    const bool alarm = outcome->held_out.benign >= 0;
    trial.quality = alarm ? figures.auc : figures.macro_f1;
    trial.beside = alarm ? figures.tpr_at_fpr_1e3 : figures.accuracy;
    trial.cycles_per_row = kernels::predicted_cycles_per_row(outcome->bundle.network, options.isa);
    trial.rows_per_packet = options.every_packet ? 1.0 : used.rows() / packets_of(table);
    trial.reads = groups_read(outcome->bundle);
    if (options.measure) {
        const auto ns = measured_ns_per_row(outcome->bundle, used);
        if (!ns) {
            return tl::unexpected(ns.error());
        }
        trial.ns_per_row = *ns;
    }
    return trial;
}

std::vector<std::size_t> pareto_front(
    std::span<const TuneTrial> trials, const TuneOptions& options) {
    std::vector<std::size_t> order(trials.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        const double ca = cost_ns(trials[a], options);
        const double cb = cost_ns(trials[b], options);
        return ca != cb ? ca < cb : trials[a].quality > trials[b].quality;
    });
    std::vector<std::size_t> front;
    for (const std::size_t at : order) {
        if (front.empty() || trials[at].quality > trials[front.back()].quality) {
            front.push_back(at);
        }
    }
    return front;
}

std::size_t within_budget(
    std::span<const TuneTrial> trials, double ns, const TuneOptions& options) {
    std::size_t best = trials.size();
    for (std::size_t i = 0; i < trials.size(); ++i) {
        if (cost_ns(trials[i], options) <= ns &&
            (best == trials.size() || trials[i].quality > trials[best].quality)) {
            best = i;
        }
    }
    return best;
}

std::string to_line(const TuneTrial& trial) {
    const TuneChoice& c = trial.choice;
    return Json{
        {"index", trial.index},
        {"family", family_name(c.family)},
        {"trees", c.trees},
        {"depth", c.depth},
        {"bins", c.bins},
        {"learning_rate", c.learning_rate},
        {"hidden", c.hidden},
        {"max_inputs", c.max_inputs},
        {"last_packet", c.last_packet},
        {"left_out", c.left_out},
        {"quality", trial.quality},
        {"beside", trial.beside},
        {"cycles_per_row", trial.cycles_per_row},
        {"ns_per_row", trial.ns_per_row},
        {"rows_per_packet", trial.rows_per_packet},
        {"reads", trial.reads}}
        .dump();
}

Result<TuneTrial> trial_of_line(const std::string& line, const std::string& where) {
    try {
        const Json json = Json::parse(line);
        TuneTrial trial;
        TuneChoice& c = trial.choice;
        json.at("index").get_to(trial.index);
        if (!family_named(json.at("family").get<std::string>(), c.family)) {
            return fail(where, "family", "is none that this version knows", "begin a new log");
        }
        json.at("trees").get_to(c.trees);
        json.at("depth").get_to(c.depth);
        json.at("bins").get_to(c.bins);
        json.at("learning_rate").get_to(c.learning_rate);
        json.at("hidden").get_to(c.hidden);
        json.at("max_inputs").get_to(c.max_inputs);
        json.at("last_packet").get_to(c.last_packet);
        json.at("left_out").get_to(c.left_out);
        json.at("quality").get_to(trial.quality);
        json.at("beside").get_to(trial.beside);
        json.at("cycles_per_row").get_to(trial.cycles_per_row);
        json.at("ns_per_row").get_to(trial.ns_per_row);
        json.at("rows_per_packet").get_to(trial.rows_per_packet);
        json.at("reads").get_to(trial.reads);
        return trial;
    } catch (const nlohmann::json::exception& error) {
        return fail(where, "", error.what(), "begin a new log");
    }
}

}  // namespace weir::lab
