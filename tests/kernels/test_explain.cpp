// SPDX-License-Identifier: BSD-3-Clause
// Attributions: sums that are exact, families that all answer, and small models whose answer is known by hand.
#include "kernels/explain/attribution.h"
#include "tests/kernels/family_cases.h"
#include "tests/kernels/forest_cases.h"
#include "tests/kernels/normalized_cases.h"

#include <algorithm>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

namespace weir::kernels {
namespace {

using namespace weir::testing;  // NOLINT(google-build-using-namespace): the cases

std::unique_ptr<Classifier> classifier_of(const Network& network) {
    auto made = make_classifier(network);
    EXPECT_TRUE(made) << made.error().line();
    return std::move(*made);
}

class ExplainTest : public ::testing::Test {
  protected:
    [[nodiscard]] std::uint32_t below(std::uint32_t n) {
        return std::uniform_int_distribution<std::uint32_t>(0, n - 1)(random_);
    }
    [[nodiscard]] std::vector<std::uint8_t> row(std::uint32_t inputs) {
        std::vector<std::uint8_t> out(inputs);
        std::generate(out.begin(), out.end(), [&] { return forest_code(Codes::any, random_); });
        return out;
    }
    /// Of some inputs none, of others of few codes, of others of all.
    [[nodiscard]] std::vector<CodeCounts> counts(std::uint32_t inputs) {
        std::vector<CodeCounts> out(inputs);
        for (CodeCounts& of : out) {
            if (below(4) == 0) {
                continue;
            }
            of.resize(256);
            const std::uint32_t spread = below(2) == 0 ? 256 : 1 + below(8);
            for (std::uint32_t n = 0; n < 300; ++n) {
                of[below(spread)] += below(3) == 0 ? UINT32_MAX : 1;
            }
        }
        return out;
    }
    /// For one output, or for one against another.
    [[nodiscard]] std::vector<std::int32_t> weights(std::uint32_t outputs) {
        std::vector<std::int32_t> out(outputs, 0);
        out[below(outputs)] = 1;
        out[below(outputs)] -= 1;
        out[below(outputs)] = 1;
        return out;
    }
    [[nodiscard]] static std::int64_t score(
        const Classifier& classifier,
        std::span<const std::uint8_t> row,
        std::span<const std::int32_t> weights) {
        const auto raw = raw_outputs(classifier, row);
        std::int64_t sum = 0;
        for (std::size_t o = 0; o < raw.size(); ++o) {
            sum += std::int64_t{weights[o]} * raw[o];
        }
        return sum;
    }

    std::mt19937 random_{20261128};
};

TEST_F(ExplainTest, PathsAddUpToTheRawScoreOfAnyForest) {
    ForestMaker maker(random_);
    std::uint32_t rows = 0;
    for (const Growth growth : {Growth::level_wise, Growth::leaf_wise, Growth::chain}) {
        for (const Leaves leaves : {Leaves::any, Leaves::ends, Leaves::highest, Leaves::trained}) {
            for (const Thresholds thresholds :
                 {Thresholds::any, Thresholds::ends, Thresholds::few}) {
                const ForestShape shape{
                    .inputs = 1 + below(40),
                    .outputs = 1 + below(5),
                    .trees = 1 + below(30),
                    .leaves = 1 + below(growth == Growth::chain ? 17 : 300),
                    .growth = growth,
                    .thresholds = thresholds,
                    .leaf_values = leaves};
                const ForestSpec spec = maker.make(shape);
                ASSERT_TRUE(validate(spec));
                const auto classifier = classifier_of(spec);
                for (int n = 0; n < 40; ++n, ++rows) {
                    const auto x = row(spec.inputs);
                    const auto w = weights(shape.outputs);
                    const auto known = n % 2 == 0 ? counts(spec.inputs) : std::vector<CodeCounts>{};
                    const Attribution got = attribute_paths(spec, x, known, w);
                    ASSERT_TRUE(got.adds_up());
                    ASSERT_EQ(got.score, score(*classifier, x, w) * (std::int64_t{1} << got.shift));
                }
            }
        }
    }
    EXPECT_EQ(rows, 1440U);
}

TEST_F(ExplainTest, InputsThatNoPathAsksForMoveNothing) {
    ForestMaker maker(random_);
    const ForestSpec spec = maker.make({.inputs = 60, .trees = 1, .leaves = 30});
    for (int n = 0; n < 100; ++n) {
        const auto x = row(spec.inputs);
        std::vector<bool> asked(spec.inputs, false);
        for (std::int32_t at = 0; at >= 0;) {
            const ForestNode& node = spec.trees[0].nodes[static_cast<std::size_t>(at)];
            asked[node.feature] = true;
            at = x[node.feature] > node.threshold ? node.right : node.left;
        }
        const std::vector<std::int32_t> w{1};
        const Attribution got = attribute_paths(spec, x, counts(spec.inputs), w);
        for (std::size_t i = 0; i < asked.size(); ++i) {
            EXPECT_TRUE(asked[i] || got.by_input[i] == 0) << i;
        }
    }
}

// One split on input 1; below it, on the right, one on input 0.
ForestSpec small_forest() {
    ForestTree tree;
    tree.nodes = {{1, 99, -1, 1}, {0, 9, -2, -3}};
    tree.leaves = {0, 400, 1200};
    return {.inputs = 2, .base = {7}, .trees = {tree}};
}

TEST_F(ExplainTest, WithoutCountsANodeIsWorthTheMeanOfItsSides) {
    const std::vector<std::int32_t> w{1};
    const Attribution got =
        attribute_paths(small_forest(), std::vector<std::uint8_t>{10, 100}, {}, w);
    const std::int64_t one = std::int64_t{1} << got.shift;
    EXPECT_EQ(got.bias, (7 + 400) * one) << "(0 + (400 + 1200) / 2) / 2";
    EXPECT_EQ(got.by_input[1], (800 - 400) * one);
    EXPECT_EQ(got.by_input[0], (1200 - 800) * one);
    EXPECT_EQ(got.score, 1207 * one);
    EXPECT_EQ(got.method, AttributionMethod::paths);
}

TEST_F(ExplainTest, WithCountsItIsWorthWhatTrainingRowsSaw) {
    std::vector<CodeCounts> known(2, CodeCounts(256));
    known[1][0] = 3;  // three of four rows go left
    known[1][200] = 1;
    known[0][10] = 5;  // all go right
    const std::vector<std::int32_t> w{-1};
    const Attribution got =
        attribute_paths(small_forest(), std::vector<std::uint8_t>{10, 100}, known, w);
    const std::int64_t one = std::int64_t{1} << got.shift;
    EXPECT_EQ(got.bias, -(7 + 300) * one);
    EXPECT_EQ(got.by_input[1], -(1200 - 300) * one);
    EXPECT_EQ(got.by_input[0], 0) << "every row of the training has that answer";
    EXPECT_TRUE(got.adds_up());
}

TEST_F(ExplainTest, AnInputAskedTwiceIsCountedWithinItsBounds) {
    ForestTree tree;  // code 0 > 9, then > 99: rows of the second split are those above 9 only
    tree.nodes = {{0, 9, -1, 1}, {0, 99, -2, -3}};
    tree.leaves = {0, 0, 1000};
    const ForestSpec spec{.inputs = 1, .base = {0}, .trees = {tree}};
    std::vector<CodeCounts> known(1, CodeCounts(256));
    known[0][0] = 6;
    known[0][50] = 1;
    known[0][150] = 1;
    const std::vector<std::int32_t> w{1};
    const Attribution got = attribute_paths(spec, std::vector<std::uint8_t>{150}, known, w);
    EXPECT_EQ(got.bias, std::int64_t{125} << got.shift) << "a quarter of a half of 1000";
}

TEST_F(ExplainTest, AutoencodersErrorsAddUpToTheRawScore) {
    for (int n = 0; n < 60; ++n) {
        const std::uint32_t inputs = 1 + below(60);
        const AutoencoderSpec spec = make_autoencoder(
            {inputs, 1 + below(20)}, n % 2 == 0 ? Values::trained : Values::mixed, random_);
        ASSERT_TRUE(validate(spec));
        const auto classifier = classifier_of(spec);
        const auto x = row(inputs);
        const std::vector<std::int32_t> w{1};
        const Attribution got = attribute_errors(spec, x, w);
        ASSERT_TRUE(got.adds_up());
        ASSERT_EQ(got.score >> got.shift, score(*classifier, x, w)) << "its floor";
        EXPECT_TRUE(std::all_of(
            got.by_input.begin(), got.by_input.end(), [](std::int64_t e) { return e >= 0; }));
    }
}

TEST_F(ExplainTest, EveryFamilyAnswersWithItsOwnScore) {
    ForestMaker maker(random_);
    SequenceCase sequence;
    sequence.dense = {8, 3};
    const std::vector<Network> networks{
        make_spec({20, 16, 3}, Values::trained, random_),
        maker.make({.inputs = 20, .outputs = 3}),
        make_linear(20, 3, Values::trained, random_),
        make_autoencoder({20, 6}, Values::trained, random_),
        make_sequence(sequence, Values::trained, random_),
        OnednnSpec{OnednnInt8{make_spec({20, 40, 3}, Values::trained, random_).layers}},
        testing::make_normalized(RowNorm::l1, {20, 3}, Values::trained, random_)};
    ASSERT_EQ(networks.size(), std::variant_size_v<Network>);
    for (const Network& network : networks) {
        SCOPED_TRACE(network.index());
        const auto classifier = classifier_of(network);
        for (int n = 0; n < 20; ++n) {
            const auto x = row(classifier->inputs());
            const auto w = weights(classifier->outputs());
            const Attribution got =
                attribute(network, *classifier, x, counts(classifier->inputs()), w);
            ASSERT_EQ(got.by_input.size(), classifier->inputs());
            ASSERT_EQ(got.score >> got.shift, score(*classifier, x, w));
            ASSERT_TRUE(got.adds_up() || got.method == AttributionMethod::occlusion);
        }
    }
}

TEST_F(ExplainTest, OcclusionOfTheReferenceMovesNothing) {
    const Network network = make_spec({200, 32, 4}, Values::trained, random_);
    const auto classifier = classifier_of(network);
    const auto x = row(200);  // 402 rows are scored, and of 256 inputs more than one call takes
    const auto w = weights(4);
    const Attribution got = attribute_occlusion(*classifier, x, x, w);
    EXPECT_EQ(got.bias, got.score);
    EXPECT_TRUE(got.adds_up());
    const Network wide = make_spec({256, 8, 2}, Values::trained, random_);
    const std::vector<std::int32_t> first{1, 0};
    const Attribution all =
        attribute_occlusion(*classifier_of(wide), row(256), std::vector<std::uint8_t>(256), first);
    EXPECT_EQ(all.by_input.size(), 256U);
}

// Of a network that reads few of its inputs strongly, occlusion names those.
TEST_F(ExplainTest, OcclusionNamesTheInputsThatANetworkReads) {
    int named = 0;
    constexpr int kCases = 200;
    for (int n = 0; n < kCases; ++n) {
        MlpLayer layer{.in = 40, .out = 1, .shift = 2, .multiplier = {16384}};
        for (std::uint32_t k = 0; k < layer.in; ++k) {
            layer.weights.push_back(static_cast<std::int8_t>(static_cast<int>(below(5)) - 2));
        }
        const std::uint32_t planted = below(layer.in);
        layer.weights[planted] = below(2) == 0 ? std::int8_t{60} : std::int8_t{-60};
        layer.bias = {0};
        auto x = row(layer.in);
        x[planted] = static_cast<std::uint8_t>(192 + below(64));
        std::vector<CodeCounts> known(layer.in, CodeCounts(256));
        for (CodeCounts& of : known) {
            of[64] = 10;
        }
        const Network network = LinearSpec{layer};
        const std::vector<std::int32_t> w{1};
        const Attribution got = attribute(network, *classifier_of(network), x, known, w);
        const auto most = std::max_element(
            got.by_input.begin(), got.by_input.end(), [](std::int64_t a, std::int64_t b) {
                return std::abs(a) < std::abs(b);
            });
        named += most - got.by_input.begin() == planted ? 1 : 0;
    }
    EXPECT_EQ(named, kCases);
}

TEST_F(ExplainTest, TheReferenceIsTheMedian) {
    std::vector<CodeCounts> known(3);
    known[0].assign(256, 0);
    known[0][3] = 2;
    known[0][9] = 2;
    known[0][200] = 1;
    known[2].assign(256, 0);
    EXPECT_EQ(reference_row(4, known), (std::vector<std::uint8_t>{9, 0, 0, 0}));
}

}  // namespace
}  // namespace weir::kernels
