// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/tune.h"
#include "tests/unit/control/lab_fixtures.h"

#include <set>

#include <gtest/gtest.h>

namespace weir::lab {
namespace {

TuneTrial trial_of(double quality, double ns) {
    TuneTrial trial;
    trial.quality = quality;
    trial.ns_per_row = ns;
    trial.rows_per_packet = 1.0;
    return trial;
}

/// Of the catalog, so that groups can be left out: the first columns tell the classes apart.
FeatureTable table_of_groups() {
    auto table = test::make_table(4, 60, 3);
    table.features = {"packet_ip_bytes", "fwd_bytes", "bwd_bytes", "seq_length_01_bytes"};
    return table;
}

TEST(Tune, TheFrontHoldsWhatNoCheaperTrialBeats) {
    const std::vector<TuneTrial> trials{
        trial_of(0.9, 100),
        trial_of(0.8, 50),
        trial_of(0.85, 120),
        trial_of(0.8, 40),
        trial_of(0.95, 300)};
    const TuneOptions options;
    EXPECT_EQ(pareto_front(trials, options), (std::vector<std::size_t>{3, 0, 4}));
    EXPECT_EQ(within_budget(trials, 120, options), 0U);
    EXPECT_EQ(within_budget(trials, 1000, options), 4U);
    EXPECT_EQ(within_budget(trials, 39, options), trials.size());
    EXPECT_TRUE(pareto_front({}, options).empty());
}

TEST(Tune, CostsAreOfRowsAsMeasuredOrPredictedAndOfTheFeatureGroups) {
    const TuneOptions options{.ghz = 4.0, .group_costs = {{"host", 90.0}, {"tcp", 5.0}}};
    TuneTrial trial;
    trial.cycles_per_row = 100.0;
    trial.rows_per_packet = 0.5;
    EXPECT_DOUBLE_EQ(cost_ns(trial, options), 12.5);
    trial.reads = {"flow", "host"};
    EXPECT_DOUBLE_EQ(cost_ns(trial, options), 102.5);
    trial.ns_per_row = 10.0;
    EXPECT_DOUBLE_EQ(cost_ns(trial, options), 95.0);
}

TEST(Tune, AGroupCostsWhereItIsRead) {
    const auto table = table_of_groups();
    const auto groups = groups_of(table);
    TuneOptions options{.slot = "anomaly", .folds = 2, .measure = true, .every_packet = true};
    for (const auto& group : groups) {
        options.group_costs.push_back({group, 7.0});
    }
    const auto all = run_trial(table, {.trees = 6, .depth = 3}, options);
    ASSERT_TRUE(all) << all.error().line();
    EXPECT_EQ(all->rows_per_packet, 1.0);
    EXPECT_GT(all->ns_per_row, 0.0);
    EXPECT_GE(path_ns(*all, options), 7.0);
    const auto less =
        run_trial(table, {.trees = 6, .depth = 3, .left_out = {groups.front()}}, options);
    ASSERT_TRUE(less) << less.error().line();
    EXPECT_LE(path_ns(*less, options), 7.0 * static_cast<double>(groups.size() - 1));
    // Rows that are trained on besides change the model, and no count.
    const auto extra = test::make_table(2, 40, 9);
    auto more = extra;
    more.features = table.features;
    const auto helped = run_trial(table, {.trees = 6, .depth = 3}, options, &more);
    ASSERT_TRUE(helped) << helped.error().line();
    EXPECT_GT(helped->quality, 0.9);
}

TEST(Tune, ChoicesDependOnSeedAndIndexAlone) {
    const std::vector<std::string> groups{"packet", "sequence"};
    std::set<std::string> lines;
    for (std::uint32_t i = 0; i < 30; ++i) {
        TuneTrial trial{.index = i, .choice = tune_choice(5, i, groups)};
        const auto line = to_line(trial);
        EXPECT_EQ(to_line({.index = i, .choice = tune_choice(5, i, groups)}), line);
        EXPECT_EQ(to_line(trial_of_line(line, "log").value()), line);
        lines.insert(line);
        EXPECT_LT(trial.choice.left_out.size(), groups.size());
    }
    EXPECT_EQ(lines.size(), 30U);
    EXPECT_NE(
        to_line({.index = 7, .choice = tune_choice(6, 7, groups)}),
        to_line({.index = 7, .choice = tune_choice(5, 7, groups)}));
    EXPECT_FALSE(trial_of_line("{}", "log"));
    EXPECT_FALSE(trial_of_line("no json", "log"));
}

TEST(Tune, TrialsCostWhatTheyScoreAndMoreTreesCostMore) {
    const auto table = table_of_groups();
    EXPECT_GE(groups_of(table).size(), 2U);
    TuneOptions options{.slot = "anomaly", .folds = 2, .isa = kernels::supported_isas().back()};
    TuneChoice few{.trees = 6, .depth = 3};
    TuneChoice many{.trees = 90, .depth = 6};
    const auto cheap = run_trial(table, few, options);
    const auto dear = run_trial(table, many, options);
    ASSERT_TRUE(cheap) << cheap.error().line();
    ASSERT_TRUE(dear) << dear.error().line();
    EXPECT_GT(cheap->quality, 0.9);
    EXPECT_LT(cheap->cycles_per_row, dear->cycles_per_row);
    EXPECT_EQ(run_trial(table, few, options)->quality, cheap->quality);

    few.last_packet = 1;
    const auto early = run_trial(table, few, options);
    ASSERT_TRUE(early) << early.error().line();
    EXPECT_LT(early->rows_per_packet, cheap->rows_per_packet);

    few.left_out = {groups_of(table).front()};
    EXPECT_NE(
        train_arguments(few, table).find("--exclude-feature packet_ip_bytes"), std::string::npos);
    const std::vector<TuneTrial> trials{*cheap, *dear, *early};
    const auto markdown = tune_markdown(trials, options, "front.svg");
    EXPECT_NE(markdown.find("--trees 6 --depth 3"), std::string::npos) << markdown;
    EXPECT_NE(markdown.find("](front.svg)"), std::string::npos);
    EXPECT_EQ(markdown.find("--exclude-feature"), std::string::npos);
    const auto svg = tune_svg(trials, options);
    EXPECT_EQ(svg.find("<svg xmlns="), 0U);
    EXPECT_NE(svg.find("<style>"), std::string::npos);
    const auto html = tune_html(trials, table, options);
    EXPECT_NE(html.find("<polyline class='front'"), std::string::npos);
    EXPECT_NE(html.find("--trees 6 --depth 3"), std::string::npos);
    EXPECT_EQ(html.find("<script"), std::string::npos);
}

}  // namespace
}  // namespace weir::lab
