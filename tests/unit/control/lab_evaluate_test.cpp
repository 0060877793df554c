// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/evaluate.h"
#include "tests/unit/control/lab_fixtures.h"

#include <cmath>
#include <sstream>

#include <gtest/gtest.h>

namespace weir::lab {
namespace {

using test::make_table;

TEST(Metrics, AreThoseOfTheTextbook) {
    const std::vector<double> positive{0.9, 0.8, 0.4};
    const std::vector<double> negative{0.7, 0.4, 0.1, 0.0};
    EXPECT_DOUBLE_EQ(roc_auc(positive, negative), (4 + 4 + 2.5) / 12.0);
    EXPECT_DOUBLE_EQ(tpr_at_fpr(positive, negative, 0.0), 2.0 / 3.0);
    EXPECT_DOUBLE_EQ(tpr_at_fpr(positive, negative, 0.25), 2.0 / 3.0);
    EXPECT_DOUBLE_EQ(tpr_at_fpr(positive, negative, 0.5), 1.0);
    EXPECT_TRUE(std::isnan(roc_auc({}, negative)));

    const std::vector<Judged> verdicts{
        {0, 0, 0.1}, {0, 1, 0.9}, {1, 1, 0.8}, {1, 1, 0.7}, {1, 0, 0.2}, {2, 1, 0.6}};
    const auto figures = judge(verdicts, 4, 0);
    EXPECT_DOUBLE_EQ(figures.accuracy, 0.5);
    EXPECT_DOUBLE_EQ(figures.classes[1].precision, 0.5);
    EXPECT_DOUBLE_EQ(figures.classes[1].recall, 2.0 / 3.0);
    EXPECT_DOUBLE_EQ(figures.classes[1].f1, 4.0 / 7.0);
    EXPECT_DOUBLE_EQ(figures.classes[2].f1, 0.0);
    // The class without support does not count.
    EXPECT_DOUBLE_EQ(figures.macro_f1, (0.5 + 4.0 / 7.0 + 0.0) / 3.0);
    EXPECT_DOUBLE_EQ(figures.false_alarm_rate, 0.5);
    EXPECT_EQ(figures.confusion[2][1], 1U);
}

TEST(Metrics, AveragePrecisionAndRocCurveAreThoseOfTheTextbook) {
    // Ranks of the positives: 1 (one of one), 3 (two of three), 4 (three of four).
    const std::vector<double> positive{0.9, 0.7, 0.6};
    const std::vector<double> negative{0.8, 0.1};
    EXPECT_DOUBLE_EQ(average_precision(positive, negative), (1.0 + 2.0 / 3.0 + 3.0 / 4.0) / 3.0);
    // Equal scores pass together.
    EXPECT_DOUBLE_EQ(average_precision(std::vector{0.5, 0.5}, std::vector{0.5, 0.5}), 0.5);
    EXPECT_TRUE(std::isnan(average_precision({}, negative)));
    const auto curve = roc_curve(positive, negative, 10);
    ASSERT_GE(curve.size(), 3U);
    EXPECT_EQ(curve.front(), std::pair(0.0, 1.0 / 3.0));
    EXPECT_EQ(curve[1], std::pair(0.5, 1.0));
    EXPECT_EQ(curve.back(), std::pair(1.0, 1.0));
    EXPECT_TRUE(roc_curve(positive, {}, 10).empty());
}

TEST(Metrics, ReliabilityBinsHoldEveryClaimOnce) {
    const std::vector<Judged> verdicts{{0, 0, 0.1}, {1, 1, 0.9}, {0, 1, 0.8}, {1, 0, 0.2}};
    const auto bins = reliability(verdicts, 0, 2);
    ASSERT_EQ(bins.size(), 2U);
    EXPECT_EQ(bins[0].count + bins[1].count, 4U);
    EXPECT_NEAR(bins[0].score, 0.15, 1e-12);
    EXPECT_DOUBLE_EQ(bins[0].share, 0.5);
    EXPECT_DOUBLE_EQ(bins[1].share, 0.5);
}

TEST(Evaluate, IntervalsHoldTheFigureAndSourcesAddUp) {
    const auto table = make_table(8, 60, 9);
    std::vector<RowVerdict> verdicts;
    for (std::uint32_t r = 0; r < table.rows(); ++r) {
        const auto& flow = table.flows[table.flow_of[r]];
        const bool wrong = flow.group % 4 == 0;  // two sources of eight are judged badly
        verdicts.push_back({wrong ? 0 : flow.label, wrong || flow.label == 0 ? 0.2 : 0.9});
    }
    const auto evaluation = evaluate(table, "anomaly", verdicts);
    const auto& all = evaluation.whole_flow;
    EXPECT_LT(evaluation.intervals.accuracy.low, all.accuracy);
    EXPECT_GT(evaluation.intervals.accuracy.high, all.accuracy);
    const auto around = [](const Interval& interval, double value) {
        EXPECT_LT(interval.low, interval.high);
        EXPECT_LE(interval.low, value);
        EXPECT_GE(interval.high, value);
    };
    around(evaluation.intervals.auc, all.auc);
    around(evaluation.intervals.pr_auc, all.pr_auc);
    around(evaluation.intervals.tpr_at_fpr_1e4, all.tpr_at_fpr_1e4);
    around(evaluation.intervals.calibration_error, all.calibration_error);
    ASSERT_EQ(evaluation.intervals.classes.size(), 3U);
    for (std::size_t c = 0; c < 3; ++c) {
        around(evaluation.intervals.classes[c].f1, all.classes[c].f1);
    }
    around(evaluation.intervals.classes[1].recall, all.classes[1].recall);
    around(evaluation.intervals.classes[0].precision, all.classes[0].precision);
    for (const auto& early : evaluation.early) {
        around(early.intervals.macro_f1, early.figures.macro_f1);
    }
    std::uint64_t flows = 0;
    for (const auto& source : evaluation.sources) {
        flows += source.flows;
        const bool wrong = source.source == "source0" || source.source == "source4";
        EXPECT_DOUBLE_EQ(source.recall, wrong && source.label != 0 ? 0.0 : 1.0) << source.source;
        EXPECT_DOUBLE_EQ(source.alarms, wrong || source.label == 0 ? 0.0 : 1.0) << source.source;
    }
    EXPECT_EQ(flows, table.flows.size());
    const auto again = evaluate(table, "anomaly", verdicts);
    EXPECT_EQ(again.intervals.macro_f1.low, evaluation.intervals.macro_f1.low);
}

TEST(Evaluate, ThePageNamesEverythingAndFetchesNothing) {
    auto table = make_table(4, 40, 5);
    table.groups[1] = "a<b&c";
    std::vector<RowVerdict> verdicts;
    for (std::uint32_t r = 0; r < table.rows(); ++r) {
        const auto label = table.flows[table.flow_of[r]].label;
        verdicts.push_back({label, label == 0 ? 0.1 : 0.8});
    }
    const auto page = to_html(evaluate(table, "anomaly", verdicts), "model <1>");
    EXPECT_NE(page.find("model &lt;1&gt;"), std::string::npos);
    EXPECT_NE(page.find("a&lt;b&amp;c"), std::string::npos);
    EXPECT_EQ(page.find("a<b"), std::string::npos);
    for (const auto& name : table.classes) {
        EXPECT_NE(page.find("<td>" + name + "</td>"), std::string::npos);
    }
    std::size_t plots = 0;
    for (auto at = page.find("<svg"); at != std::string::npos; at = page.find("<svg", at + 1)) {
        ++plots;
    }
    EXPECT_EQ(plots, 3U);
    EXPECT_EQ(page.find("http"), std::string::npos);
    EXPECT_EQ(page.find("<script"), std::string::npos);
}

TEST(Evaluate, EarlyVerdictsAreThoseAfterSoManyPackets) {
    FeatureTable table;
    table.classes = {"benign", "scan"};
    table.groups = {"g"};
    table.flows = {{1, 0, 0, 3}, {0, 0, 3, 1}};
    table.packets = {1, 4, 9, 1};
    table.flow_of = {0, 0, 0, 1};
    const std::vector<RowVerdict> verdicts{{0, 0.1}, {0, 0.2}, {1, 0.9}, {0, 0.3}};
    const auto evaluation = evaluate(table, "anomaly", verdicts);
    EXPECT_DOUBLE_EQ(evaluation.whole_flow.accuracy, 1.0);
    EXPECT_DOUBLE_EQ(evaluation.early[0].figures.accuracy, 0.5);  // after 1 packet
    EXPECT_DOUBLE_EQ(evaluation.early[3].figures.accuracy, 0.5);  // after 8
    EXPECT_DOUBLE_EQ(evaluation.early[4].figures.accuracy, 1.0);  // after 16
    EXPECT_DOUBLE_EQ(evaluation.early[0].figures.auc, 0.0);
    EXPECT_DOUBLE_EQ(evaluation.whole_flow.auc, 1.0);
    const auto json = to_json(evaluation, "models.anomaly", "r1");
    EXPECT_NE(json.find("\"models.anomaly.whole_flow.roc_auc\""), std::string::npos);
    EXPECT_NE(json.find("\"goal\": 0.98"), std::string::npos);
    EXPECT_NE(json.find("\"revision\": \"r1\""), std::string::npos);
}

TEST(Evaluate, FalseAlarmsAreFlowsAnHourOfBenignTraffic) {
    FeatureTable table;
    table.classes = {"benign", "scan"};
    table.groups = {"g"};
    table.captures = 2;
    // An hour and half an hour: a silence of more than a minute counts for nothing.
    table.flows = {
        {0, 0, 0, 2, 0, 100.0, 2100.0},
        {0, 0, 2, 1, 0, 2160.0, 3700.0},
        {1, 0, 3, 1, 0, 0.0, 90000.0},  // an attack's time is none of benign traffic's
        {0, 0, 4, 1, 1, 50.0, 950.0},
        {0, 0, 5, 1, 1, 1e9, 1e9 + 900.0}};
    table.packets = {1, 2, 1, 1, 1, 1};
    table.flow_of = {0, 0, 1, 2, 3, 4};
    // The first flow alarmed at its first packet and was cleared: an operator was called all the same, once.
    const std::vector<RowVerdict> verdicts{
        {1, 0.9}, {0, 0.1}, {0, 0.2}, {1, 0.9}, {1, 0.9}, {0, 0.1}};
    const auto evaluation = evaluate(table, "anomaly", verdicts);
    EXPECT_DOUBLE_EQ(evaluation.false_alarms.flows, 2.0);
    EXPECT_DOUBLE_EQ(evaluation.false_alarms.hours, 1.5);
    EXPECT_DOUBLE_EQ(evaluation.false_alarms.per_hour, 2.0 / 1.5);
    EXPECT_LE(evaluation.false_alarms.interval.low, 2.0 / 1.5);
    EXPECT_GE(evaluation.false_alarms.interval.high, 2.0 / 1.5);
    const auto json = to_json(evaluation, "models.anomaly", "r1");
    EXPECT_NE(json.find("\"models.anomaly.false_alarms.per_hour\""), std::string::npos);
    EXPECT_NE(json.find("\"unit\": \"1/h\""), std::string::npos);
    std::ostringstream text;
    print(text, evaluation);
    EXPECT_NE(text.str().find("an hour of traffic (2.0000 benign flows"), std::string::npos);
}

TEST(Evaluate, FalseAlarmsNeedTimesAndABenignClass) {
    const auto table = make_table(4, 20, 3);  // without times
    std::vector<RowVerdict> verdicts(table.rows(), RowVerdict{1, 0.9});
    EXPECT_TRUE(std::isnan(evaluate(table, "anomaly", verdicts).false_alarms.per_hour));
}

}  // namespace
}  // namespace weir::lab
