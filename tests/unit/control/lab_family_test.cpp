// SPDX-License-Identifier: BSD-3-Clause
// Every family of models through the whole of training: learns, costs next to nothing in integers, repeats itself.
#include "control/lab/train.h"
#include "dataplane/features/catalog.h"
#include "kernels/model/build.h"
#include "kernels/model/verify.h"
#include "tests/unit/control/lab_fixtures.h"

#include <algorithm>
#include <random>
#include <set>

#include <gtest/gtest.h>
#include <oneapi/tbb/global_control.h>

namespace weir::lab {
namespace {

constexpr Family kFamilies[] = {
    Family::random_forest,
    Family::mlp,
    Family::conv1d,
    Family::autoencoder,
    Family::isolation_forest};

/// Flows of three kinds that the sequence of their packets tells apart: talk to and fro, probes of one packet, trains of
/// equal packets without a pause. Codes are noisy.
FeatureTable flows(std::uint32_t groups, std::uint32_t flows_each, std::uint64_t seed) {
    FeatureTable table;
    for (const auto& feature : dataplane::catalog()) {
        if (feature.name.starts_with("seq_")) {
            table.features.emplace_back(feature.name);
        }
    }
    table.classes = {"benign", "scan", "flood"};
    table.digest = std::string(64, 'a');
    std::mt19937_64 random(seed);
    const auto draw = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    for (std::uint32_t g = 0; g < groups; ++g) {
        table.groups.push_back("source" + std::to_string(g));
        for (std::uint32_t f = 0; f < flows_each; ++f) {
            const std::uint32_t label = draw(3);
            const std::uint32_t packets = label == 1 ? 1 + draw(2) : 6 + draw(11);
            table.flows.push_back({label, g, table.rows(), 1});
            table.packets.push_back(packets);
            table.flow_of.push_back(static_cast<std::uint32_t>(table.flows.size() - 1));
            for (std::uint32_t p = 0; p < 16; ++p) {  // lengths: the middle code is none
                const std::uint32_t talk = p % 2 == 0 ? 140 + draw(60) : 20 + draw(90);
                const std::uint32_t length = label == 0 ? talk : 131 + draw(4);
                table.codes.push_back(static_cast<std::uint8_t>(p < packets ? length : 128));
            }
            for (std::uint32_t p = 1; p < 16; ++p) {  // gaps
                const std::uint32_t gap = label == 0 ? 90 + draw(80) : 5 + draw(30);
                table.codes.push_back(static_cast<std::uint8_t>(p < packets ? gap : 0));
            }
        }
    }
    return table;
}

/// What `weirlab train` makes of a table for a one-class family.
FeatureTable for_family(FeatureTable table, Family family) {
    if (is_one_class(family)) {
        table.classes = {"benign", std::string(kAnomalyClass)};
        for (auto& flow : table.flows) {
            flow.label = std::min(flow.label, 1U);
        }
    }
    return table;
}

TrainOptions options_for(Family family) {
    TrainOptions options;
    options.slot = "anomaly";
    options.created_unix = 1;
    options.folds = 3;
    options.fit.family = family;
    options.fit.boost.rounds = 12;
    options.fit.isolation_trees = 60;
    options.fit.network.epochs = 12;
    options.fit.network.rows_an_epoch = 8192;
    options.fit.network.learning_rate = 0.01;
    return options;
}

class EachFamily : public testing::TestWithParam<Family> {};

TEST_P(EachFamily, LearnsOfSourcesItHasNotSeenAndLosesNothingInIntegers) {
    const auto table = for_family(flows(6, 300, 3), GetParam());
    const auto outcome = train(table, options_for(GetParam()));
    ASSERT_TRUE(outcome) << outcome.error().line();
    EXPECT_GT(outcome->held_out.whole_flow.auc, 0.95);
    EXPECT_GT(outcome->in_float.auc, 0.95);
    EXPECT_LE(outcome->held_out.macro_f1_lost, 0.003);
    EXPECT_LE(outcome->held_out.auc_lost, 0.001);
    EXPECT_LE(outcome->logit_error_seen, outcome->logit_error + 1e-4);
    if (!is_one_class(GetParam())) {
        EXPECT_GT(outcome->held_out.whole_flow.macro_f1, 0.95);
    }
}

TEST_P(EachFamily, TheBundlePassesAGatewaysChecksAndScoresAsValidated) {
    const auto table = for_family(flows(4, 120, 4), GetParam());
    auto options = options_for(GetParam());
    options.folds = 2;
    options.fit.network.epochs = 6;
    const auto outcome = train(table, options);
    ASSERT_TRUE(outcome) << outcome.error().line();
    const auto file = kernels::build_bundle(outcome->bundle, nullptr);
    ASSERT_TRUE(file) << file.error().line();
    FeatureTable inputs = table;
    inputs.features.clear();
    inputs.codes.clear();
    for (std::uint32_t r = 0; r < table.rows(); ++r) {
        for (const auto& input : outcome->bundle.inputs) {
            const auto at = std::find(table.features.begin(), table.features.end(), input.feature);
            inputs.codes.push_back(
                table.row(r)[static_cast<std::size_t>(at - table.features.begin())]);
        }
    }
    inputs.features.resize(outcome->bundle.inputs.size());
    const auto verdicts = score_table(outcome->bundle, inputs);
    ASSERT_TRUE(verdicts) << verdicts.error().line();
    EXPECT_GT(evaluate(inputs, "anomaly", *verdicts).whole_flow.auc, 0.97);
}

std::string file_of(const TrainOutcome& outcome) {
    const auto bytes = kernels::build_bundle(outcome.bundle, nullptr).value();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_P(EachFamily, EqualSeedsGiveEqualBytesOnAnyNumberOfThreads) {
    const auto table = for_family(flows(4, 80, 5), GetParam());
    auto options = options_for(GetParam());
    options.folds = 2;
    options.fit.network.epochs = 3;
    options.fit.network.rows_an_epoch = 2048;
    std::set<std::string> files;
    for (const std::size_t threads : {1U, 4U, 3U, 1U}) {
        const oneapi::tbb::global_control limit(
            oneapi::tbb::global_control::max_allowed_parallelism, threads);
        const auto outcome = train(table, options);
        ASSERT_TRUE(outcome) << outcome.error().line();
        files.insert(file_of(*outcome));
    }
    EXPECT_EQ(files.size(), 1U);
    options.fit.boost.seed = options.fit.network.seed = 2;
    files.insert(file_of(train(table, options).value()));
    EXPECT_EQ(files.size(), 2U) << "the seed matters";
}

INSTANTIATE_TEST_SUITE_P(All, EachFamily, testing::ValuesIn(kFamilies), [](const auto& instance) {
    return std::string(family_name(instance.param));
});

TEST(Conv1d, OtherPoolingsAreTrainedAsTheKernelPools) {
    const auto table = flows(6, 300, 6);  // one flow more or less is 0.0006 of macro F1
    for (const auto pooling : {kernels::SequencePooling::max, kernels::SequencePooling::average}) {
        auto options = options_for(Family::conv1d);
        options.folds = 2;
        options.fit.network.pooling = pooling;
        const auto outcome = train(table, options);
        ASSERT_TRUE(outcome) << outcome.error().line();
        EXPECT_GT(outcome->held_out.whole_flow.auc, 0.95) << static_cast<int>(pooling);
        EXPECT_LE(outcome->held_out.auc_lost, 0.001) << static_cast<int>(pooling);
        EXPECT_LE(outcome->held_out.macro_f1_lost, 0.003) << static_cast<int>(pooling);
    }
}

std::string refusal(const FeatureTable& table, const TrainOptions& options) {
    const auto outcome = train(table, options);
    return outcome ? std::string() : outcome.error().line();
}

TEST(Families, RefuseWhatTheyCannotLearn) {
    const auto table = flows(4, 30, 7);
    EXPECT_NE(
        refusal(table, options_for(Family::autoencoder)).find("the classes benign and anomaly"),
        std::string::npos);

    auto narrow = table;
    narrow.features[3] = "flow_packets";
    EXPECT_NE(
        refusal(narrow, options_for(Family::conv1d)).find("of which the table has 30"),
        std::string::npos);

    auto wide = options_for(Family::mlp);
    wide.fit.network.hidden = {300};
    EXPECT_NE(refusal(table, wide).find("--hidden: 300"), std::string::npos);
    wide.fit.network.hidden = {8, 8, 8, 8, 8, 8};
    EXPECT_NE(refusal(table, wide).find("7 dense layers"), std::string::npos);

    auto channels = options_for(Family::conv1d);
    channels.fit.network.channels = {64};
    EXPECT_NE(refusal(table, channels).find("--channels: 64"), std::string::npos);

    auto attacks = for_family(table, Family::isolation_forest);
    for (auto& flow : attacks.flows) {
        flow.label = 1;
    }
    EXPECT_FALSE(refusal(attacks, options_for(Family::isolation_forest)).empty());
}

TEST(Families, NamesAreWords) {
    for (const Family family : kFamilies) {
        Family back{};
        EXPECT_TRUE(family_named(family_name(family), back));
        EXPECT_EQ(back, family);
    }
    Family none{};
    EXPECT_FALSE(family_named("svm", none));
}

}  // namespace
}  // namespace weir::lab
