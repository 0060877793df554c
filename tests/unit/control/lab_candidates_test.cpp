// SPDX-License-Identifier: BSD-3-Clause
// Choosing among seeds: what held-out flows say must not matter.
#include "control/lab/evaluate_metrics.h"
#include "control/lab/train.h"
#include "control/lab/train_candidates.h"
#include "tests/unit/control/lab_fixtures.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

namespace weir::lab {
namespace {

using test::make_table;

constexpr std::uint32_t kSeeds = 5;

/// Networks trained so little that the seed makes the difference.
FitOptions little() {
    FitOptions options;
    options.family = Family::mlp;
    options.boost.classes = 3;
    options.network.hidden = {4};
    options.network.epochs = 1;
    options.network.rows_an_epoch = 1024;
    options.candidates = kSeeds;
    return options;
}

struct Case {
    FeatureTable table = make_table(8, 60, 21);
    std::vector<float> weights = std::vector<float>(table.rows(), 1.0F);
    std::vector<std::uint32_t> columns{0, 1, 2, 3};

    /// Rows of the first `groups` sources.
    [[nodiscard]] std::vector<std::uint32_t> rows(std::uint32_t groups) const {
        std::vector<std::uint32_t> out;
        for (std::uint32_t r = 0; r < table.rows(); ++r) {
            if (table.flows[table.flow_of[r]].group < groups) {
                out.push_back(r);
            }
        }
        return out;
    }
    [[nodiscard]] std::uint64_t chosen(
        const std::vector<std::uint32_t>& among, const FitOptions& options) const {
        return best_seed(table, among, weights, columns, options).value();
    }
    /// ROC AUC over all sources, each judged by a network that learned from the other folds'.
    [[nodiscard]] double by_hand(std::uint64_t seed, std::uint32_t folds) const {
        FitOptions options = little();
        options.network.seed = seed;
        const auto fold_of = assign_folds(table, folds);
        std::vector<double> benign;
        std::vector<double> others;
        for (std::uint32_t fold = 0; fold < folds; ++fold) {
            std::vector<std::uint32_t> known;
            std::vector<std::uint32_t> last;
            for (std::uint32_t r = 0; r < table.rows(); ++r) {
                const TableFlow& flow = table.flows[table.flow_of[r]];
                if (fold_of[flow.group] != fold) {
                    known.push_back(r);
                } else if (r + 1 == flow.first_row + flow.rows) {
                    last.push_back(r);
                }
            }
            auto data = gather(table, known, columns);
            data.weights.assign(known.size(), 1.0F);
            const auto model = fit_family(data, options, 0).value();
            const auto logits = model->logits(gather(table, last, columns), 1).value();
            for (std::size_t i = 0; i < last.size(); ++i) {
                const double rest = std::exp(static_cast<double>(logits[3 * i + 1])) +
                                    std::exp(static_cast<double>(logits[3 * i + 2]));
                const double own = std::exp(static_cast<double>(logits[3 * i]));
                auto& side = table.flows[table.flow_of[last[i]]].label == 0 ? benign : others;
                side.push_back(rest / (rest + own));
            }
        }
        return roc_auc(others, benign);
    }
};

TEST(Candidates, TheSeedIsTheBestOfThoseThatValidationBySourceSaw) {
    const Case all;
    std::vector<double> worth;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        worth.push_back(all.by_hand(seed, 4));
    }
    const auto best = std::max_element(worth.begin(), worth.end());
    ASSERT_GT(*best, *std::min_element(worth.begin(), worth.end()) + 0.01) << "seeds are alike";
    EXPECT_EQ(
        all.chosen(all.rows(8), little()), static_cast<std::uint64_t>(best - worth.begin()) + 1);
}

TEST(Candidates, RowsThatAreNotTrainedOnHaveNoSay) {
    Case some;
    const auto known = some.rows(6);
    const auto seed = some.chosen(known, little());
    std::mt19937 random(3);
    for (std::uint32_t r = known.back() + 1; r < some.table.rows(); ++r) {
        for (std::size_t c = 0; c < 4; ++c) {
            some.table.codes[r * std::size_t{4} + c] = static_cast<std::uint8_t>(random());
        }
        TableFlow& flow = some.table.flows[some.table.flow_of[r]];
        flow.label = (flow.label + 1) % 3;
    }
    EXPECT_EQ(some.chosen(known, little()), seed);
}

TEST(Candidates, FurtherRowsAreNeverHeldOut) {
    const Case all;
    FitOptions options = little();
    options.network.seed = 3;
    options.own_groups = 0;  // nothing to judge by: the first stays
    EXPECT_EQ(all.chosen(all.rows(8), options), 3U);
}

TEST(Candidates, TrainingKeepsTheChosenSeedAndAllEpochs) {
    const Case all;
    TrainOptions options;
    options.slot = "anomaly";
    options.created_unix = 1;
    options.folds = 2;
    options.fit = little();
    options.fit.network.epochs = 3;
    options.fit.early_stop = false;
    options.fit.weights.class_power = 1.0;
    const auto chosen = train(all.table, options);
    ASSERT_TRUE(chosen) << chosen.error().line();
    EXPECT_EQ(chosen->validation.rounds, 3U);

    FitOptions on_all = options.fit;
    on_all.boost.classes = 3;
    on_all.own_groups = 8;
    const auto weights = row_weights(all.table, options.fit.weights);
    std::vector<std::uint32_t> columns;
    for (const auto& input : chosen->bundle.inputs) {
        const auto& names = all.table.features;
        columns.push_back(static_cast<std::uint32_t>(
            std::find(names.begin(), names.end(), input.feature) - names.begin()));
    }
    options.fit.network.seed = best_seed(all.table, all.rows(8), weights, columns, on_all).value();
    options.fit.candidates = 1;
    const auto alone = train(all.table, options).value();
    const auto& a = std::get<kernels::MlpSpec>(chosen->bundle.network);
    const auto& b = std::get<kernels::MlpSpec>(alone.bundle.network);
    ASSERT_EQ(a.layers.size(), b.layers.size());
    for (std::size_t l = 0; l < a.layers.size(); ++l) {
        EXPECT_EQ(a.layers[l].weights, b.layers[l].weights);
    }
}

}  // namespace
}  // namespace weir::lab
