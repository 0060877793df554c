// SPDX-License-Identifier: BSD-3-Clause
// ONNX models, held against the operators' definitions in plain double arithmetic on 10,000 rows.
#include "tests/support/onnx.h"
#include "tests/unit/control/lab_onnx_fixtures.h"

#include <random>

#include <gtest/gtest.h>

namespace weir::lab {
namespace {

using test::OnnxBuilder;
using test::OnnxForest;
using test::OnnxForm;
using test::OnnxNetwork;

TEST(Onnx, NetworksOfEveryFormPredictLikeTheirDefinition) {
    const OnnxNetwork network(3);
    for (const OnnxForm form :
         {OnnxForm::gemm, OnnxForm::matmul, OnnxForm::qdq, OnnxForm::qlinear}) {
        SCOPED_TRACE(static_cast<int>(form));
        expect_faithful(
            network.bytes(form),
            options_for(8),
            [&](const std::uint8_t* row) { return network.logits(row, form); },
            1.5);
    }
}

TEST(Onnx, EnsemblesPredictLikeTheirDefinition) {
    for (const char* mode : {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"}) {
        SCOPED_TRACE(mode);
        const OnnxForest forest(5, 30, 4, 6, mode);
        expect_faithful(
            forest.bytes(),
            options_for(6),
            [&](const std::uint8_t* row) { return forest.logits(row); },
            0.01);
    }
}

// One sigmoid score is the second of two classes.
TEST(Onnx, ASigmoidScoreStandsAgainstBenign) {
    OnnxBuilder out;
    out.node("Gemm", {out.floats({0.02, -0.03}, {2, 1}), out.floats({0.5}, {1})});
    out.node("Sigmoid", {});
    auto options = options_for(2);
    options.classes = {"benign", "attack"};
    expect_faithful(
        out.bytes(),
        options,
        [](const std::uint8_t* row) {
            return std::vector<double>{
                0.0,
                0.5 + static_cast<double>(0.02F) * row[0] + static_cast<double>(-0.03F) * row[1]};
        },
        0.2);
}

// A Sigmoid between layers becomes straight pieces.
TEST(Onnx, HiddenSigmoidsStayWithinTheBound) {
    std::mt19937_64 random(7);
    std::normal_distribution<double> normal;
    const auto numbers = [&](std::size_t n, double spread) {
        std::vector<double> out(n);
        for (double& v : out) {
            v = static_cast<double>(static_cast<float>(spread * normal(random)));
        }
        return out;
    };
    const auto first = numbers(4 * 10, 0.02);
    auto bias = numbers(10, 1.0);
    for (std::size_t j = 0; j < 10; ++j) {  // of rows whose mean code is 127.5
        for (std::size_t k = 0; k < 4; ++k) {
            bias[j] -= 127.5 * first[k * 10 + j];
        }
        bias[j] = static_cast<double>(static_cast<float>(bias[j]));
    }
    const auto second = numbers(10 * 3, 2.0);
    OnnxBuilder out;
    out.node("Gemm", {out.floats(first, {4, 10}), out.floats(bias, {10})});
    out.node("Sigmoid", {});
    out.node("MatMul", {out.floats(second, {10, 3})});
    out.node("Softmax", {});
    expect_faithful(
        out.bytes(),
        options_for(4),
        [&](const std::uint8_t* row) {
            std::vector<double> y(3, 0.0);
            for (std::size_t j = 0; j < 10; ++j) {
                double sum = bias[j];
                for (std::size_t k = 0; k < 4; ++k) {
                    sum += row[k] * first[k * 10 + j];
                }
                for (std::size_t c = 0; c < 3; ++c) {
                    y[c] += second[j * 3 + c] / (1.0 + std::exp(-sum));
                }
            }
            return y;
        },
        1.0);
}

TEST(Onnx, RefusesOperatorsByName) {
    const auto options = options_for(2);
    const auto with = [&](const char* op, bool ml) {
        OnnxBuilder out;
        out.node(op, {}, ml).set_name("here");
        return refusal(out.bytes(), options);
    };
    for (const char* op : {"Conv", "LSTM", "Tanh", "Attention", "MatMulInteger"}) {
        EXPECT_NE(
            with(op, false).find(
                "operator " + std::string(op) + " (node 'here'): is not supported"),
            std::string::npos)
            << with(op, false);
    }
    EXPECT_NE(with("SVMClassifier", true).find("SVMClassifier of ai.onnx.ml"), std::string::npos);

    OnnxBuilder after;
    after.node("MatMul", {after.floats({1, 2, 3, 4}, {2, 2})});
    after.node("Softmax", {});
    after.node("MatMul", {after.floats({1, 2, 3, 4}, {2, 2})});
    EXPECT_NE(refusal(after.bytes(), options).find("comes after Softmax"), std::string::npos)
        << refusal(after.bytes(), options);
    OnnxBuilder several;
    several.node("MatMul", {several.floats({1, 2, 3, 4}, {2, 2})});
    several.node("Sigmoid", {});
    EXPECT_NE(
        refusal(several.bytes(), options).find("ends in a Sigmoid of 2 inputs"), std::string::npos)
        << refusal(several.bytes(), options);
    OnnxBuilder wide;
    wide.node("MatMul", {wide.floats(std::vector<double>(2 * 65, 0.01), {2, 65})});
    wide.node("Sigmoid", {});
    wide.node("MatMul", {wide.floats(std::vector<double>(65 * 3, 0.01), {65, 3})});
    EXPECT_NE(refusal(wide.bytes(), options).find("follows a Sigmoid of 65"), std::string::npos)
        << refusal(wide.bytes(), options);

    OnnxBuilder open;
    open.node("MatMul", {open.floats({1, 2}, {2, 1})});
    open.node("Relu", {});
    EXPECT_NE(refusal(open.bytes(), options).find("ends in a Relu"), std::string::npos);

    const OnnxForest forest(5, 3, 2, 2, "BRANCH_EQ");
    EXPECT_NE(refusal(forest.bytes(), options).find("nodes_modes 'BRANCH_EQ'"), std::string::npos);
    const OnnxForest probit(5, 3, 2, 2, "BRANCH_LEQ");
    EXPECT_NE(
        refusal(probit.bytes("PROBIT"), options).find("post_transform PROBIT"), std::string::npos);
    OnnxForest deep(5, 3, 2, 2, "BRANCH_LEQ");
    deep.yes[1] = 0;  // a cycle
    EXPECT_NE(refusal(deep.bytes(), options).find("more or less than one root"), std::string::npos)
        << refusal(deep.bytes(), options);
    EXPECT_NE(refusal("neither", options).find("is not an ONNX model"), std::string::npos);
}

TEST(Onnx, ColumnsOfTheirOwnNameTheFeatures) {
    const OnnxNetwork network(3);
    OnnxBuilder out;
    out.graph().mutable_input(0)->set_name("turns_code");
    out.graph().add_input()->set_name("fwd_bytes");
    onnx::Node& concat = out.node("Concat", {"fwd_bytes"});
    concat.set_input(0, "turns_code");
    out.node("MatMul", {out.floats({1, 2, 3, 4, 5, 6}, {2, 3})});
    auto options = options_for(2);
    options.features.clear();
    const auto model = parse_model(out.bytes(), options);
    ASSERT_TRUE(model) << model.error().line();
    EXPECT_EQ(model->features, (std::vector<std::string>{"turns", "fwd_bytes"}));
    const auto without = import_model(*model, options);
    ASSERT_FALSE(without);
    EXPECT_NE(without.error().line().find("calibration"), std::string::npos);
}

// Every byte that is cut off or changed: an answer, never a crash.
TEST(Onnx, DamagedModelsAreRefusedOrSound) {
    const auto options = options_for(8);
    std::mt19937_64 random(2);
    for (const std::string& whole :
         {OnnxNetwork(3).bytes(OnnxForm::qlinear), OnnxForest(5, 6, 3, 8, "BRANCH_LEQ").bytes()}) {
        for (int i = 0; i < 2000; ++i) {
            std::string bytes = whole;
            if (i % 2 == 0) {
                bytes.resize(random() % bytes.size());
            } else {
                bytes[random() % bytes.size()] = static_cast<char>(random());
            }
            const auto model = parse_model(bytes, options);
            if (model) {
                const std::vector<std::uint8_t> row(8, 100);
                const auto imported = import_model(*model, options, row);
                EXPECT_TRUE(imported || !imported.error().what.empty());
            }
        }
    }
}

}  // namespace
}  // namespace weir::lab
