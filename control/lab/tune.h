// SPDX-License-Identifier: BSD-3-Clause
// Search for models that are good for what they cost: quality against cycles a packet.
#pragma once

#include "config/error.h"
#include "control/lab/train.h"
#include "kernels/isa.h"

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
    double cycles_per_row = 0.0;   ///< as the kernels' cost function predicts
    double rows_per_packet = 0.0;  ///< of the table: rows scored by packets of their flows
    [[nodiscard]] double cycles_per_packet() const noexcept {
        return cycles_per_row * rows_per_packet;
    }
};

struct TuneOptions {
    std::string slot;
    std::uint64_t seed = 1;
    std::uint32_t folds = 5;
    WeightOptions weights;
    kernels::Isa isa = kernels::Isa::scalar;
};

/// The `index`-th choice of a seed; number 0 is what `weirlab train` does unasked. `groups`: names that may be left out.
[[nodiscard]] TuneChoice tune_choice(
    std::uint64_t seed, std::uint32_t index, std::span<const std::string> groups);
/// Groups of the catalog of which `table` has a feature.
[[nodiscard]] std::vector<std::string> groups_of(const FeatureTable& table);
/// What to tell `weirlab train` for it; the packets to score at are the gateway's configuration, not the model's.
[[nodiscard]] std::string train_arguments(const TuneChoice& choice, const FeatureTable& table);

/// Cross-validates one choice. Thread: any; uses oneTBB.
[[nodiscard]] Result<TuneTrial> run_trial(
    const FeatureTable& table, const TuneChoice& choice, const TuneOptions& options);

/// Places of the trials that no other one beats in quality at no higher cost, by rising cost.
[[nodiscard]] std::vector<std::size_t> pareto_front(std::span<const TuneTrial> trials);
/// Place of the best trial of at most `cycles` a packet; trials.size() if none is that cheap.
[[nodiscard]] std::size_t within_budget(std::span<const TuneTrial> trials, double cycles);

/// One line of JSON, and back: a log of trials, so that a search goes on where it stopped.
[[nodiscard]] std::string to_line(const TuneTrial& trial);
[[nodiscard]] Result<TuneTrial> trial_of_line(const std::string& line, const std::string& where);
/// A page of its own: the trials and their front as inline SVG, and as a table.
[[nodiscard]] std::string tune_html(
    std::span<const TuneTrial> trials, const FeatureTable& table, const TuneOptions& options);

}  // namespace weir::lab
