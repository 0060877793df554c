// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/train.h"
#include "control/lab/train_calibrate.h"
#include "control/lab/train_convert.h"
#include "kernels/classifier.h"
#include "tests/unit/control/lab_fixtures.h"

#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include <gtest/gtest.h>
#include <unistd.h>

namespace weir::lab {
namespace {

using test::make_table;

BoostOptions small_boost() {
    BoostOptions options;
    options.classes = 3;
    options.rounds = 8;
    options.depth = 5;
    return options;
}

CodeMatrix whole(const FeatureTable& table) {
    std::vector<std::uint32_t> rows(table.rows());
    std::vector<std::uint32_t> columns(table.features.size());
    std::iota(rows.begin(), rows.end(), 0U);
    std::iota(columns.begin(), columns.end(), 0U);
    return gather(table, rows, columns);
}

std::vector<std::int32_t> forest_raw(const kernels::ForestSpec& spec, const CodeMatrix& data) {
    const auto classifier = kernels::make_classifier(spec, kernels::Isa::scalar).value();
    std::vector<std::int32_t> raw(data.rows() * spec.base.size());
    std::vector<std::byte> scratch(classifier->scratch_bytes() + 64);
    void* aligned = scratch.data();
    std::size_t space = scratch.size();
    std::align(64, classifier->scratch_bytes(), aligned, space);
    for (std::uint32_t at = 0; at < data.rows(); at += kernels::kMaxRows) {
        const auto n = std::min(kernels::kMaxRows, data.rows() - at);
        classifier->score(
            data.codes.data() + std::size_t{at} * data.columns,
            data.columns,
            n,
            raw.data() + at * spec.base.size(),
            static_cast<std::byte*>(aligned));
    }
    return raw;
}

// Every one of the 256 codes of every input, at random elsewhere: no threshold is off by one.
TEST(Convert, ForestEqualsTheBoosterWithinTheStatedBound) {
    const auto table = make_table(6, 120, 7);
    const auto booster = Booster::train(whole(table), small_boost());
    ASSERT_TRUE(booster) << booster.error().line();
    const auto forest = parse_xgboost_json(booster->json().value());
    ASSERT_TRUE(forest) << forest.error().line();
    const auto quantized = quantize(*forest, 1.3).value();
    ASSERT_TRUE(kernels::validate(quantized.spec));

    CodeMatrix data{.columns = 4};
    std::mt19937_64 random(3);
    for (std::uint32_t input = 0; input < 4; ++input) {
        for (std::uint32_t code = 0; code < 256; ++code) {
            for (std::uint32_t c = 0; c < 4; ++c) {
                data.codes.push_back(static_cast<std::uint8_t>(c == input ? code : random() % 256));
            }
        }
    }
    const auto rows = whole(table).codes;
    data.codes.insert(data.codes.end(), rows.begin(), rows.end());
    const auto margins = booster->margins(data).value();
    const auto raw = forest_raw(quantized.spec, data);
    std::vector<double> logits(3);
    for (std::uint32_t r = 0; r < data.rows(); ++r) {
        float_logits(*forest, data.codes.data() + std::size_t{r} * 4, logits.data());
        for (std::size_t o = 0; o < 3; ++o) {
            ASSERT_NEAR(logits[o], static_cast<double>(margins[r * 3 + o]), 1e-5);
            ASSERT_NEAR(raw[r * 3 + o] * quantized.logit_per_raw, logits[o], quantized.logit_error);
        }
    }
    EXPECT_LT(quantized.logit_error, 1e-2);
    // The head's scale stands for this very step: 2^(raw·scale) = e^(logit / temperature).
    EXPECT_NEAR(
        quantized.scale_q16 / 65536.0, std::numbers::log2e * quantized.logit_per_raw / 1.3, 1e-12);
}

std::string one_tree(const std::string& condition, const std::string& type = "0") {
    return R"({"learner":{"learner_model_param":{"num_feature":"1","num_class":"0","base_score":"5E-1"},"gradient_booster":{
      "name":"gbtree","model":{"tree_info":[0],"trees":[{"left_children":[1,-1,-1],"right_children":[2,-1,-1],
      "split_indices":[0,0,0],"split_conditions":[)" +
           condition + R"(,-1.0,1.0],"split_type":[)" + type + R"(,0,0]}]}}}})";
}

double logit_of(const std::string& json, std::uint8_t code) {
    const auto forest = parse_xgboost_json(json).value();
    double logit = 0.0;
    float_logits(forest, &code, &logit);
    return logit;
}

TEST(Convert, ThresholdsAreExactAtAndAroundWholeNumbers) {
    // XGBoost: left (−1) if code < t.
    EXPECT_EQ(logit_of(one_tree("7.0"), 6), -0.5);
    EXPECT_EQ(logit_of(one_tree("7.0"), 7), 1.5);
    EXPECT_EQ(logit_of(one_tree("7.5"), 7), -0.5);
    EXPECT_EQ(logit_of(one_tree("7.5"), 8), 1.5);
    EXPECT_EQ(logit_of(one_tree("6.9999995"), 6), -0.5);
    EXPECT_EQ(logit_of(one_tree("6.9999995"), 7), 1.5);
    EXPECT_EQ(logit_of(one_tree("0.5"), 0), -0.5);
    EXPECT_EQ(logit_of(one_tree("0.0"), 0), 1.5);
    EXPECT_EQ(logit_of(one_tree("-3.0"), 0), 1.5);
    EXPECT_EQ(logit_of(one_tree("255.0"), 255), 1.5);
    EXPECT_EQ(logit_of(one_tree("255.0"), 254), -0.5);
    EXPECT_EQ(logit_of(one_tree("255.5"), 255), -0.5);
    EXPECT_EQ(logit_of(one_tree("1e9"), 255), -0.5);
}

TEST(Convert, RefusesWhatItDoesNotKnow) {
    EXPECT_FALSE(parse_xgboost_json("{"));
    EXPECT_FALSE(parse_xgboost_json("{}"));
    EXPECT_EQ(parse_xgboost_json(one_tree("1.0", "1")).error().field, "trees.split_type");
    auto cycle = one_tree("1.0");
    cycle.replace(cycle.find("[1,-1,-1]"), 9, "[0,-1,-1]");
    EXPECT_FALSE(parse_xgboost_json(cycle));
    auto outside = one_tree("1.0");
    outside.replace(outside.find("[2,-1,-1]"), 9, "[9,-1,-1]");
    EXPECT_FALSE(parse_xgboost_json(outside));
    auto dart = one_tree("1.0");
    dart.replace(dart.find("gbtree"), 6, "gbdart");
    EXPECT_EQ(parse_xgboost_json(dart).error().field, "gradient_booster.name");
    FloatForest huge{1, 1, {0.0}, {{0, {}, {1e30F}}}};
    EXPECT_FALSE(quantize(huge, 1.0));
    EXPECT_FALSE(quantize(FloatForest{1, 1, {0.0}, {}}, 0.0));
}

TEST(Split, AGroupIsNeverOnBothSidesAndClassesAreSpread) {
    const auto table = make_table(10, 30, 1);
    const auto folds = assign_folds(table, 5);
    ASSERT_EQ(folds.size(), 10U);
    for (std::uint32_t fold = 0; fold < 5; ++fold) {
        EXPECT_EQ(std::count(folds.begin(), folds.end(), fold), 2);
    }
}

TEST(Split, WeightsBalanceClassesAndSources) {
    const auto table = make_table(4, 200, 2);
    WeightOptions options;
    options.class_power = 0.0;
    const auto weights = row_weights(table, options);
    std::array<double, 3> sums{};
    for (std::uint32_t r = 0; r < table.rows(); ++r) {
        sums[table.flows[table.flow_of[r]].label] += static_cast<double>(weights[r]);
    }
    EXPECT_NEAR(sums[0] / table.rows(), 0.5, 1e-3);
    EXPECT_NEAR(sums[1] / table.rows(), 0.25, 1e-3);
    EXPECT_NEAR(sums[2] / table.rows(), 0.25, 1e-3);
}

TEST(Split, FlowsBeyondTheMostWeighNothingAndTheRestIsSpread) {
    const auto table = make_table(4, 90, 3);
    WeightOptions options;
    options.max_flows = 7;
    const auto weights = row_weights(table, options);
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> kept;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t>
        late;  // kept in the second half
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> seen;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> all;
    for (const auto& flow : table.flows) {
        ++all[{flow.label, flow.group}];
    }
    double sum = 0.0;
    for (const auto& flow : table.flows) {
        const std::pair key{flow.label, flow.group};
        const bool second = ++seen[key] * 2 > all[key];
        for (std::uint32_t r = 0; r < flow.rows; ++r) {
            sum += static_cast<double>(weights[flow.first_row + r]);
        }
        if (weights[flow.first_row] > 0.0F) {
            ++kept[key];
            late[key] += second ? 1 : 0;
        }
    }
    ASSERT_EQ(kept.size(), 12U);
    for (const auto& [key, n] : kept) {
        EXPECT_EQ(n, 7U);
        EXPECT_GE(late[key], 3U);
        EXPECT_LE(late[key], 4U);
    }
    EXPECT_NEAR(sum / table.rows(), 1.0, 1e-3);
}

TEST(Calibrate, TemperatureUndoesOverconfidence) {
    std::mt19937_64 random(5);
    std::vector<float> logits;
    std::vector<std::uint32_t> labels;
    for (int i = 0; i < 20000; ++i) {
        const double z = static_cast<double>(random() % 400) / 100.0 - 2.0;
        const double p = 1.0 / (1.0 + std::exp(-z));
        labels.push_back(static_cast<double>(random() % 100000) / 1e5 < p ? 1 : 0);
        logits.insert(logits.end(), {0.0F, static_cast<float>(3.0 * z)});
    }
    EXPECT_NEAR(
        fit_temperature(logits, 2, labels, std::vector<float>(labels.size(), 1.0F)), 3.0, 0.15);
}

TEST(Calibrate, IsotonicCurveIsValidMonotoneAndRight) {
    std::mt19937_64 random(6);
    std::vector<Observation> observations;
    for (int i = 0; i < 50000; ++i) {
        const double score = static_cast<double>(random() % 10000) / 1e4;
        observations.push_back(
            {score, static_cast<double>(random() % 100000) / 1e5 < score * score, 1.0});
    }
    const auto curve = fit_isotonic(observations);
    kernels::HeadSpec head;
    head.calibration = curve;
    EXPECT_TRUE(kernels::validate(head, 3, 3));
    for (const double score : {0.2, 0.5, 0.8, 0.95}) {
        EXPECT_NEAR(apply_curve(curve, score), score * score, 0.04);
    }
    for (std::size_t i = 1; i < curve.size(); ++i) {
        EXPECT_GT(curve[i].out, curve[i - 1].out);
    }
    EXPECT_EQ(fit_isotonic({{0.5, true, 1.0}}).size(), 2U);
    EXPECT_EQ(fit_isotonic({}).size(), 2U);
}

TrainOptions small_training() {
    TrainOptions options;
    options.slot = "anomaly";
    options.created_unix = 1;
    options.folds = 3;
    options.fit.boost.rounds = 6;
    options.fit.boost.depth = 4;
    options.fit.max_inputs = 3;
    return options;
}

TEST(Train, LearnsWhatIsThereAndKeepsTheBestInputs) {
    const auto outcome = train(make_table(6, 200, 11), small_training());
    ASSERT_TRUE(outcome) << outcome.error().line();
    EXPECT_LE(outcome->logit_error_seen, outcome->logit_error + 1e-4);
    EXPECT_GT(outcome->held_out.whole_flow.macro_f1, 0.9);
    EXPECT_GT(outcome->held_out.whole_flow.auc, 0.95);
    EXPECT_LE(outcome->bundle.inputs.size(), 3U);
    for (const auto& input : outcome->bundle.inputs) {
        EXPECT_NE(input.feature, "noise");
    }
    EXPECT_EQ(outcome->bundle.histograms.size(), outcome->bundle.inputs.size());
    EXPECT_EQ(outcome->bundle.thresholds.size(), 3U);
    EXPECT_EQ(outcome->bundle.thresholds[0], 0.0);
}

TEST(Train, EqualTablesGiveEqualModels) {
    const auto table = make_table(6, 100, 12);
    const auto a = train(table, small_training()).value();
    const auto b = train(table, small_training()).value();
    const auto& fa = std::get<kernels::ForestSpec>(a.bundle.network);
    const auto& fb = std::get<kernels::ForestSpec>(b.bundle.network);
    ASSERT_EQ(fa.trees.size(), fb.trees.size());
    for (std::size_t t = 0; t < fa.trees.size(); ++t) {
        EXPECT_EQ(fa.trees[t].leaves, fb.trees[t].leaves);
        ASSERT_EQ(fa.trees[t].nodes.size(), fb.trees[t].nodes.size());
        for (std::size_t n = 0; n < fa.trees[t].nodes.size(); ++n) {
            EXPECT_EQ(fa.trees[t].nodes[n].threshold, fb.trees[t].nodes[n].threshold);
            EXPECT_EQ(fa.trees[t].nodes[n].feature, fb.trees[t].nodes[n].feature);
        }
    }
    EXPECT_EQ(a.temperature, b.temperature);
    EXPECT_EQ(a.bundle.thresholds, b.bundle.thresholds);
    EXPECT_EQ(a.validation.logits, b.validation.logits);
}

TEST(Train, FurtherRowsTeachButAreInNoFigure) {
    const auto table = make_table(6, 200, 11);
    auto extra = make_table(2, 150, 14);
    const auto plain = train(table, small_training()).value();
    const auto more = train(table, small_training(), &extra);
    ASSERT_TRUE(more) << more.error().line();
    EXPECT_EQ(more->held_out.whole_flow.count, plain.held_out.whole_flow.count);
    EXPECT_EQ(more->bundle.histograms[0].size(), 256U);
    const auto& counts = more->bundle.histograms[0];
    EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}), table.rows());
    EXPECT_NE(more->bundle.data_digest, plain.bundle.data_digest);
    EXPECT_NE(more->validation.logits, plain.validation.logits) << "they teach";

    extra.features.pop_back();
    const auto refused = train(table, small_training(), &extra);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().field, "features");
}

TEST(Train, ShuffledFeaturesTeachNothingOfHeldOutFlows) {
    const auto table = make_table(6, 120, 13);
    auto options = small_training();
    const auto honest = train(table, options).value().held_out.whole_flow;
    options.fit.shuffled = {"length_*", "gap_*", "flow_*"};
    const auto lied_to = train(table, options).value().held_out.whole_flow;
    EXPECT_GT(honest.accuracy, 0.8);
    EXPECT_LT(lied_to.accuracy, 0.6);
    // What is not among the inputs is not shuffled.
    options.fit.shuffled = {"noise_of_another_kind"};
    EXPECT_EQ(train(table, options).value().held_out.whole_flow.confusion, honest.confusion);
}

TEST(Train, FlowsBeyondTheMostAreJudgedAllTheSame) {
    const auto table = make_table(6, 120, 14);
    auto options = small_training();
    options.fit.weights.max_flows = 10;
    const auto figures = train(table, options).value().held_out.whole_flow;
    EXPECT_EQ(figures.count, table.flows.size());
    EXPECT_GT(figures.accuracy, 0.7);
}

TEST(Train, ATableWithoutAnythingToLearnIsRefused) {
    auto table = make_table(4, 20, 13);
    std::fill(table.codes.begin(), table.codes.end(), std::uint8_t{9});
    const auto outcome = train(table, small_training());
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().field, "features");
}

// ---- evaluation

TEST(Evaluate, TheBundleScoresAsItWasTrained) {
    const auto table = make_table(6, 150, 21);
    const auto outcome = train(table, small_training()).value();
    FeatureTable inputs = table;
    inputs.features.clear();
    inputs.codes.clear();
    std::vector<std::size_t> columns;
    for (const auto& input : outcome.bundle.inputs) {
        inputs.features.push_back(input.feature);
        columns.push_back(static_cast<std::size_t>(
            std::find(table.features.begin(), table.features.end(), input.feature) -
            table.features.begin()));
    }
    for (std::uint32_t r = 0; r < table.rows(); ++r) {
        for (const std::size_t c : columns) {
            inputs.codes.push_back(table.row(r)[c]);
        }
    }
    const auto verdicts = score_table(outcome.bundle, inputs);
    ASSERT_TRUE(verdicts) << verdicts.error().line();
    ASSERT_EQ(verdicts->size(), table.rows());
    const auto evaluation = evaluate(inputs, "anomaly", *verdicts);
    EXPECT_GT(evaluation.whole_flow.auc, 0.97);
    EXPECT_GE(evaluation.whole_flow.accuracy, outcome.held_out.whole_flow.accuracy - 0.05);
}

}  // namespace
}  // namespace weir::lab
