// SPDX-License-Identifier: BSD-3-Clause
// Search for models that are good for what they cost: quality against ns a packet.
#pragma once

#include "config/error.h"
#include "control/lab/train.h"
#include "kernels/isa.h"
#include "kernels/model/bundle.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace weir::lab {

/// One way to train, and at which packets to score.
struct TuneChoice {
    Family family = Family::gbdt;
    std::uint32_t trees = 100;  ///< gbdt, random_forest: of all classes
    std::uint32_t depth = 6;
    std::uint32_t bins = 64;
    double learning_rate = 0.35;        ///< gbdt
    std::vector<std::uint32_t> hidden;  ///< mlp
    std::uint32_t max_inputs = 48;
    std::uint32_t last_packet = 0;        ///< flows are scored up to this packet; 0: to their end
    std::vector<std::string> left_out{};  ///< groups of the catalog
};

struct TuneTrial {
    std::uint32_t index = 0;
    TuneChoice choice;
    double quality =
        0.0;  ///< held out by source: ROC AUC where there is a class benign, else macro F1
    double beside = 0.0;          ///< TPR at FPR 1e-3 where there is a class benign, else accuracy
    double cycles_per_row = 0.0;  ///< as the kernels' cost function predicts, at 64 rows
    double ns_per_row =
        0.0;  ///< network and head at kTuneRows rows on this machine; 0: not measured
    double rows_per_packet = 0.0;      ///< of the table: rows scored by packets of their flows
    std::vector<std::string> reads{};  ///< groups of the catalog that its inputs are of
};

/// Rows that are scored together when a trial's cost is measured: a batch that the gateway gathered.
inline constexpr std::uint32_t kTuneRows = 256;

/// What a group of features costs the packet path, in ns a packet, whatever the model.
struct GroupCost {
    std::string group;
    double ns = 0.0;
};

struct TuneOptions {
    std::string slot;
    std::uint64_t seed = 1;
    std::uint32_t folds = 5;
    WeightOptions weights;
    kernels::Isa isa = kernels::Isa::scalar;
    bool measure = false;       ///< run each trial's kernel too
    bool every_packet = false;  ///< a row a packet, whatever the table's decision points
    double ghz = 1.0;           ///< what predicted cycles are reckoned at
    std::vector<GroupCost> group_costs{};
};

/// ns a packet of the groups that it reads.
[[nodiscard]] double path_ns(const TuneTrial& trial, const TuneOptions& options) noexcept;
/// ns a packet: rows, as measured or else as predicted, and features.
[[nodiscard]] double cost_ns(const TuneTrial& trial, const TuneOptions& options) noexcept;

/// The `index`-th choice of a seed; number 0 is what `weirlab train` does unasked. `groups`: names that may be left out.
[[nodiscard]] TuneChoice tune_choice(
    std::uint64_t seed, std::uint32_t index, std::span<const std::string> groups);
/// Groups of the catalog of which `table` has a feature.
[[nodiscard]] std::vector<std::string> groups_of(const FeatureTable& table);
/// What to tell `weirlab train` for it; the packets to score at are the gateway's configuration, not the model's.
[[nodiscard]] std::string train_arguments(const TuneChoice& choice, const FeatureTable& table);

/// Cross-validates one choice. Thread: any; uses oneTBB.
/// Rows of `extra` (generated traffic) are trained on always and are part of no figure.
[[nodiscard]] Result<TuneTrial> run_trial(
    const FeatureTable& table,
    const TuneChoice& choice,
    const TuneOptions& options,
    const FeatureTable* extra = nullptr);

/// The least of many calls of the network's kernel and of the head, in ns a row, in blocks of kTuneRows rows of `table`.
[[nodiscard]] Result<double> measured_ns_per_row(
    const kernels::Bundle& bundle, const FeatureTable& table);

/// Places of the trials that no other one beats in quality at no higher cost, by rising cost.
[[nodiscard]] std::vector<std::size_t> pareto_front(
    std::span<const TuneTrial> trials, const TuneOptions& options);
/// Place of the best trial of at most `ns` a packet; trials.size() if none is that cheap.
[[nodiscard]] std::size_t within_budget(
    std::span<const TuneTrial> trials, double ns, const TuneOptions& options);

/// One line of JSON, and back: a log of trials, so that a search goes on where it stopped.
[[nodiscard]] std::string to_line(const TuneTrial& trial);
[[nodiscard]] Result<TuneTrial> trial_of_line(const std::string& line, const std::string& where);
/// A page of its own: the trials and their front as inline SVG, and as a table.
[[nodiscard]] std::string tune_html(
    std::span<const TuneTrial> trials, const FeatureTable& table, const TuneOptions& options);
/// The plot alone, as an SVG file.
[[nodiscard]] std::string tune_svg(std::span<const TuneTrial> trials, const TuneOptions& options);
/// The front as a table of Markdown, groups left out by their names, below it the plot `svg` (a file's name).
[[nodiscard]] std::string tune_markdown(
    std::span<const TuneTrial> trials, const TuneOptions& options, const std::string& svg);

}  // namespace weir::lab
