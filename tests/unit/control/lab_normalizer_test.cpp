// SPDX-License-Identifier: BSD-3-Clause
// ai.onnx.ml Normalizer in front of layers and trees, held against the operators' definitions in plain arithmetic.
#include "tests/support/onnx.h"
#include "tests/unit/control/lab_onnx_fixtures.h"

#include <cmath>
#include <random>
#include <span>

#include <gtest/gtest.h>

namespace weir::lab {
namespace {

using test::OnnxBuilder;
using test::OnnxForest;

/// Offsets and scales of a Scaler, a column each; none: no Scaler.
struct Columns {
    std::vector<float> offset;
    std::vector<float> scale;

    void add_to(OnnxBuilder& out) const {
        if (!offset.empty()) {
            onnx::Node& node = out.node("Scaler", {}, true);
            test::set_floats(node, "offset", offset);
            test::set_floats(node, "scale", scale);
        }
    }
    void apply(std::vector<double>& x) const {
        for (std::size_t i = 0; i < x.size() && !offset.empty(); ++i) {
            x[i] = (x[i] - static_cast<double>(offset[i])) * static_cast<double>(scale[i]);
        }
    }
};

/// What may stand in front of a model.
struct Front {
    std::string norm;
    Columns before;
    Columns after;

    void add_to(OnnxBuilder& out) const {
        before.add_to(out);
        test::set_text(out.node("Normalizer", {}, true), "norm", norm);
        after.add_to(out);
    }
    /// By the operators' text: "if the divisor is zero, Y == X".
    [[nodiscard]] std::vector<double> values(const std::uint8_t* codes, std::size_t columns) const {
        std::vector<double> x(codes, codes + columns);
        before.apply(x);
        double divisor = 0.0;
        for (const double v : x) {
            divisor = norm == "L1"   ? divisor + std::abs(v)
                      : norm == "L2" ? divisor + v * v
                                     : std::max(divisor, v);
        }
        divisor = norm == "L2" ? std::sqrt(divisor) : divisor;
        for (double& v : x) {
            v /= divisor == 0.0 ? 1.0 : divisor;
        }
        after.apply(x);
        return x;
    }
};

const Columns kStandard{
    {110, 90, 128, 140, 100, 120, 131, 127},
    {1.0F / 70, 1.0F / 75, 1.0F / 60, 1.0F / 80, 1.0F / 72, 1.0F / 50, 1.0F / 74, 1.0F / 66}};
const Columns kBehind{
    {0.1F, 0.2F, 0.0F, -0.1F, 0.3F, 0.2F, 0.1F, 0.25F}, {3, 2, 4, 2.5F, 3.5F, 2, 3, 2}};

std::vector<Front> fronts() {
    return {
        {"L1", {}, {}},
        {"L2", {}, {}},
        {"MAX", {}, {}},
        {"L1", kStandard, {}},
        {"L2", kStandard, {}},
        {"L2", {}, kBehind},
        {"L2", kStandard, kBehind}};
}

/// 8-16-3 with ReLU, each neuron's sum of the size that its inputs have.
struct Network {
    std::vector<double> first, first_bias, second, second_bias;

    explicit Network(double spread) {
        std::mt19937_64 random(11);
        std::normal_distribution<double> normal;
        const auto numbers = [&](std::size_t n, double size) {
            std::vector<double> out(n);
            for (double& v : out) {
                v = static_cast<double>(static_cast<float>(size * normal(random)));
            }
            return out;
        };
        first = numbers(8 * 16, 1.0 / spread);
        first_bias = numbers(16, 0.3);
        second = numbers(16 * 3, 0.7);
        second_bias = numbers(3, 0.2);
    }
    void add_to(OnnxBuilder& out) const {
        out.node("Gemm", {out.floats(first, {8, 16}), out.floats(first_bias, {16})});
        out.node("Relu", {});
        out.node("Gemm", {out.floats(second, {16, 3}), out.floats(second_bias, {3})});
        out.node("Softmax", {});
    }
    [[nodiscard]] std::vector<double> logits(const std::vector<double>& x) const {
        std::vector<double> y = second_bias;
        for (std::size_t j = 0; j < 16; ++j) {
            double sum = first_bias[j];
            for (std::size_t k = 0; k < 8; ++k) {
                sum += x[k] * first[k * 16 + j];
            }
            for (std::size_t c = 0; c < 3 && sum > 0.0; ++c) {
                y[c] += second[j * 3 + c] * sum;
            }
        }
        return y;
    }
};

TEST(Normalizer, NetworksBehindOnePredictLikeTheirDefinition) {
    for (const Front& front : fronts()) {
        SCOPED_TRACE(front.norm);
        const Network network(front.after.scale.empty() ? (front.norm == "L1" ? 0.05 : 0.15) : 0.5);
        OnnxBuilder out;
        front.add_to(out);
        network.add_to(out);
        expect_faithful(
            out.bytes(),
            options_for(8),
            [&](const std::uint8_t* row) { return network.logits(front.values(row, 8)); },
            10.0,
            {.macro_f1 = 0.006});
    }
}

// Splits lie between two rows' quotients, as training has them: some 56 a column, on a grid of 252 steps. Trees at random
// and labels of their own answers are the hardest that there is: real ones leave more room beside their splits.
TEST(Normalizer, TreesBehindOnePredictLikeTheirDefinition) {
    const auto all = fronts();
    for (const Front& front : all) {
        const std::size_t first = &front == all.data() ? 0 : 3;
        const std::vector<const char*> modes{"BRANCH_GT", "BRANCH_LT", "BRANCH_GTE", "BRANCH_LEQ"};
        for (const char* mode : std::span(modes).subspan(first)) {
            SCOPED_TRACE(front.norm + " " + mode);
            OnnxForest forest(5, 30, 4, 8, mode);
            const auto codes = random_codes(21, 8);
            for (std::size_t i = 0; i < forest.values.size(); ++i) {
                const auto feature = static_cast<std::size_t>(forest.features[i]);
                const auto one = front.values(codes.data() + 8 * (i * 37 % kRows), 8);
                const auto other = front.values(codes.data() + 8 * (i * 53 % (kRows - 1) + 1), 8);
                forest.values[i] = static_cast<float>((one[feature] + other[feature]) / 2.0);
            }
            OnnxBuilder out;
            front.add_to(out);
            forest.add_to(out);
            expect_faithful(
                out.bytes(),
                options_for(8),
                [&](const std::uint8_t* row) {
                    const auto x = front.values(row, 8);
                    return forest.logits(std::vector<float>(x.begin(), x.end()));
                },
                60.0,
                {.agreement = 0.97, .macro_f1 = 0.02, .auc = 0.006});
        }
    }
}

TEST(Normalizer, ARowOfZerosIsItsOwnQuotient) {
    const Network network(0.15);
    for (const char* norm : {"L1", "L2", "MAX"}) {
        OnnxBuilder out;
        const Front front{norm, {}, {}};
        front.add_to(out);
        network.add_to(out);
        auto options = options_for(8);
        const auto model = parse_model(out.bytes(), options);
        ASSERT_TRUE(model) << model.error().line();
        std::vector<std::uint8_t> rows = random_codes(4, 8);
        std::fill_n(rows.begin(), 8, std::uint8_t{0});
        const auto imported = import_model(*model, options, rows);
        ASSERT_TRUE(imported) << imported.error().line();
        const auto classifier = kernels::make_classifier(imported->bundle.network);
        ASSERT_TRUE(classifier);
        alignas(64) static std::byte scratch[1 << 20];
        ASSERT_LE((*classifier)->scratch_bytes(), sizeof(scratch));
        std::int32_t raw[3] = {};
        (*classifier)->score(rows.data(), 8, 1, raw, scratch);
        const auto want = network.logits(std::vector<double>(8, 0.0));
        for (std::size_t c = 0; c < 3; ++c) {
            EXPECT_NEAR(raw[c] * imported->logit_per_raw, want[c], imported->logit_error) << norm;
        }
    }
}

TEST(Normalizer, WhatCannotBeIsRefusedByName) {
    const auto options = options_for(8);
    const auto with = [&](const Front& front, bool twice) {
        OnnxBuilder out;
        front.add_to(out);
        if (twice) {
            front.add_to(out);
        }
        Network(1.0).add_to(out);
        return refusal(out.bytes(), options);
    };
    const std::string name = "operator Normalizer of ai.onnx.ml";
    EXPECT_EQ(with({"L2", {}, {}}, false), "taken");
    for (const auto& [found, reason] :
         {std::pair{with({"L3", {}, {}}, false), "has norm L3"},
          std::pair{with({"L2", {}, {}}, true), "is not the one Normalizer"},
          std::pair{with({"MAX", kStandard, {}}, false), "may be below 0"}}) {
        EXPECT_NE(found.find(name), std::string::npos) << found;
        EXPECT_NE(found.find(reason), std::string::npos) << found;
    }
    OnnxBuilder between;
    between.node("MatMul", {between.floats(std::vector<double>(24, 0.1), {8, 3})});
    test::set_text(between.node("Normalizer", {}, true), "norm", "L2");
    EXPECT_NE(refusal(between.bytes(), options).find("in front of all layers"), std::string::npos);

    auto falling = kBehind;
    falling.scale[2] = -1.0F;
    OnnxBuilder trees;
    Front{"L1", {}, falling}.add_to(trees);
    OnnxForest(5, 3, 2, 8, "BRANCH_LEQ").add_to(trees);
    EXPECT_NE(refusal(trees.bytes(), options).find("scale below 0"), std::string::npos)
        << refusal(trees.bytes(), options);

    OnnxBuilder narrow;
    Front{"L2", {{1, 2}, {1, 2}}, {}}.add_to(narrow);
    OnnxForest(5, 3, 2, 8, "BRANCH_LEQ").add_to(narrow);
    EXPECT_NE(refusal(narrow.bytes(), options).find("Scaler of 2 columns"), std::string::npos)
        << refusal(narrow.bytes(), options);
}

}  // namespace
}  // namespace weir::lab
