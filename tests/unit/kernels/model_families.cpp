// SPDX-License-Identifier: BSD-3-Clause
// Bundles of the linear, autoencoder, sequence and oneDNN families: every field missing, out of bounds and not matching.
#include "kernels/model/bundle.pb.h"
#include "kernels/model/check.h"
#include "tests/unit/kernels/model_fixtures.h"

#include <cmath>
#include <functional>
#include <limits>
#include <ostream>

#include <gtest/gtest.h>

namespace weir::kernels::test {
namespace {

namespace pb = model::v1;

struct Defect {
    const char* name;
    Bundle (*bundle)();
    const char* field;  ///< the error's, exactly
    const char* what;   ///< a part of the error's finding
    std::function<void(pb::Bundle&)> apply;
};

void PrintTo(const Defect& defect, std::ostream* out) {
    *out << defect.name;
}

pb::MlpLayer& linear(pb::Bundle& b) {
    return *b.mutable_linear();
}
pb::Autoencoder& coder(pb::Bundle& b) {
    return *b.mutable_autoencoder();
}
pb::Sequence& sequence(pb::Bundle& b) {
    return *b.mutable_sequence();
}
pb::Normalized& shares(pb::Bundle& b) {
    return *b.mutable_normalized();
}
pb::WideInt8& wide(pb::Bundle& b) {
    return *b.mutable_onednn()->mutable_int8();
}
pb::WideF32& floats(pb::Bundle& b) {
    return *b.mutable_onednn()->mutable_f32();
}
pb::Convolution& conv(pb::Bundle& b, int i) {
    return *b.mutable_sequence()->mutable_convolutions(i);
}
constexpr std::uint32_t kHuge = ~0U;

// clang-format off
const Defect kDefects[] = {
    // What the reader of bytes refuses.
    {"linear_no_in", linear_bundle, "linear.in", "missing", [](auto& b) { linear(b).clear_in(); }},
    {"linear_no_bias", linear_bundle, "linear.bias", "missing", [](auto& b) { linear(b).clear_bias(); }},
    {"linear_long_weights", linear_bundle, "linear.weights", "65537 bytes", [](auto& b) { linear(b).set_weights(std::string(65537, 'x')); }},
    {"coder_no_layers", autoencoder_bundle, "autoencoder.layers", "missing", [](auto& b) { coder(b).clear_layers(); }},
    {"coder_no_weights", autoencoder_bundle, "autoencoder.weights", "missing", [](auto& b) { coder(b).clear_weights(); }},
    {"coder_no_shift", autoencoder_bundle, "autoencoder.shift", "missing", [](auto& b) { coder(b).clear_shift(); }},
    {"coder_no_offset", autoencoder_bundle, "autoencoder.offset", "missing", [](auto& b) { coder(b).clear_offset(); }},
    {"coder_seven_layers", autoencoder_bundle, "autoencoder.layers[6]", "more than 6", [](auto& b) { while (coder(b).layers_size() < 7) { *coder(b).add_layers() = pb::MlpLayer(coder(b).layers(0)); } }},
    {"coder_many_weights", autoencoder_bundle, "autoencoder.weights", "more than 256", [](auto& b) { while (coder(b).weights_size() < 257) { coder(b).add_weights(1); } }},
    {"sequence_no_steps", sequence_bundle, "sequence.steps", "missing", [](auto& b) { sequence(b).clear_steps(); }},
    {"sequence_no_convolutions", sequence_bundle, "sequence.convolutions", "missing", [](auto& b) { sequence(b).clear_convolutions(); }},
    {"sequence_no_pooling", sequence_bundle, "sequence.pooling", "missing", [](auto& b) { sequence(b).clear_pooling(); }},
    {"sequence_no_dense", sequence_bundle, "sequence.dense", "missing", [](auto& b) { sequence(b).clear_dense(); }},
    {"sequence_five_dense", sequence_bundle, "sequence.dense[4]", "more than 4", [](auto& b) { while (sequence(b).dense_size() < 5) { *sequence(b).add_dense() = pb::MlpLayer(sequence(b).dense(0)); } }},
    {"sequence_four_convolutions", sequence_bundle, "sequence.convolutions[3]", "more than 3", [](auto& b) { while (sequence(b).convolutions_size() < 4) { *sequence(b).add_convolutions() = pb::Convolution(conv(b, 0)); } }},
    {"conv_no_kernel", sequence_bundle, "sequence.convolutions[1].kernel", "missing", [](auto& b) { conv(b, 1).clear_kernel(); }},
    {"conv_no_stride", sequence_bundle, "sequence.convolutions[0].stride", "missing", [](auto& b) { conv(b, 0).clear_stride(); }},
    {"conv_no_padding", sequence_bundle, "sequence.convolutions[0].padding", "missing", [](auto& b) { conv(b, 0).clear_padding(); }},
    {"conv_no_pool", sequence_bundle, "sequence.convolutions[0].pool", "missing", [](auto& b) { conv(b, 0).clear_pool(); }},
    {"conv_long_weights", sequence_bundle, "sequence.convolutions[0].weights", "5121 bytes", [](auto& b) { conv(b, 0).set_weights(std::string(5121, 'x')); }},
    {"conv_many_biases", sequence_bundle, "sequence.convolutions[0].bias", "more than 32", [](auto& b) { while (conv(b, 0).bias_size() < 33) { conv(b, 0).add_bias(1); } }},
    {"conv_many_scales", sequence_bundle, "sequence.convolutions[1].multiplier", "more than 32", [](auto& b) { while (conv(b, 1).multiplier_size() < 33) { conv(b, 1).add_multiplier(1); } }},
    // What does not fit the types in memory.
    {"linear_shift_256", linear_bundle, "linear.shift", "256", [](auto& b) { linear(b).set_shift(256); }},
    {"linear_scale", linear_bundle, "linear.multiplier[0]", "32768", [](auto& b) { linear(b).set_multiplier(0, 32768); }},
    {"coder_layer_shift", autoencoder_bundle, "autoencoder.layers[1].shift", "256", [](auto& b) { coder(b).mutable_layers(1)->set_shift(256); }},
    {"coder_weight", autoencoder_bundle, "autoencoder.weights[2]", "65536", [](auto& b) { coder(b).set_weights(2, 65536); }},
    {"coder_shift_256", autoencoder_bundle, "autoencoder.shift", "256", [](auto& b) { coder(b).set_shift(256); }},
    {"coder_offset", autoencoder_bundle, "autoencoder.offset", "2147483648", [](auto& b) { coder(b).set_offset(1U << 31); }},
    {"conv_shift_256", sequence_bundle, "sequence.convolutions[0].shift", "256", [](auto& b) { conv(b, 0).set_shift(256); }},
    {"conv_scale", sequence_bundle, "sequence.convolutions[1].multiplier[1]", "32768", [](auto& b) { conv(b, 1).set_multiplier(1, 32768); }},
    {"sequence_dense_scale", sequence_bundle, "sequence.dense[1].multiplier[2]", "32768", [](auto& b) { sequence(b).mutable_dense(1)->set_multiplier(2, 32768); }},
    {"sequence_pooling_0", sequence_bundle, "sequence.pooling", "unknown kind 0", [](auto& b) { sequence(b).set_pooling(pb::SEQUENCE_POOLING_UNSPECIFIED); }},
    {"sequence_pooling_9", sequence_bundle, "sequence.pooling", "unknown kind 9", [](auto& b) { sequence(b).set_pooling(pb::SequencePooling(9)); }},
    // What makes no sense, or not together.
    {"linear_in_0", linear_bundle, "linear.in", "out of range", [](auto& b) { linear(b).set_in(0); }},
    {"linear_out_huge", linear_bundle, "linear.out", "out of range", [](auto& b) { linear(b).set_out(kHuge); }},
    {"linear_weights_short", linear_bundle, "linear.weights", "holds 2", [](auto& b) { linear(b).mutable_weights()->pop_back(); }},
    {"linear_weight", linear_bundle, "linear.weights[1]", "-128", [](auto& b) { (*linear(b).mutable_weights())[1] = char(0x80); }},
    {"linear_bias", linear_bundle, "linear.bias[0]", "out of range", [](auto& b) { linear(b).set_bias(0, -(1 << 24) - 1); }},
    {"linear_shift_17", linear_bundle, "linear.shift", "17", [](auto& b) { linear(b).set_shift(17); }},
    {"linear_inputs", linear_bundle, "inputs", "the linear takes 3", [](auto& b) { b.mutable_inputs()->RemoveLast(); }},
    {"coder_in_huge", autoencoder_bundle, "autoencoder.layers[0].in", "out of range", [](auto& b) { coder(b).mutable_layers(0)->set_in(kHuge); }},
    {"coder_output", autoencoder_bundle, "autoencoder.layers[0].out", "4 inputs", [](auto& b) { coder(b).mutable_layers()->RemoveLast(); }},
    {"coder_weights_short", autoencoder_bundle, "autoencoder.weights", "holds 3", [](auto& b) { coder(b).mutable_weights()->RemoveLast(); }},
    {"coder_shift_25", autoencoder_bundle, "autoencoder.shift", "25", [](auto& b) { coder(b).set_shift(25); }},
    {"coder_error", autoencoder_bundle, "autoencoder.shift", "beyond 2^31 - 1", [](auto& b) { coder(b).set_shift(0); }},
    {"coder_head", autoencoder_bundle, "head.kind", "softmax", [](auto& b) { b.mutable_head()->set_kind(pb::HEAD_KIND_SOFTMAX); }},
    {"sequence_steps_0", sequence_bundle, "sequence.steps", "out of range", [](auto& b) { sequence(b).set_steps(0); }},
    {"sequence_steps_17", sequence_bundle, "sequence.steps", "out of range", [](auto& b) { sequence(b).set_steps(17); }},
    {"sequence_steps_huge", sequence_bundle, "sequence.steps", "out of range", [](auto& b) { sequence(b).set_steps(kHuge); }},
    {"sequence_inputs", sequence_bundle, "inputs", "the sequence takes 7", [](auto& b) { b.mutable_inputs()->RemoveLast(); }},
    {"conv_in", sequence_bundle, "sequence.convolutions[0].in", "2 channels", [](auto& b) { conv(b, 0).set_in(1); }},
    {"conv_chain", sequence_bundle, "sequence.convolutions[1].in", "3 channels", [](auto& b) { conv(b, 1).set_in(kHuge); }},
    {"conv_out", sequence_bundle, "sequence.convolutions[1].out", "out of range", [](auto& b) { conv(b, 1).set_out(kHuge); }},
    {"conv_kernel", sequence_bundle, "sequence.convolutions[0].kernel", "out of range", [](auto& b) { conv(b, 0).set_kernel(kHuge); }},
    {"conv_stride", sequence_bundle, "sequence.convolutions[0].stride", "out of range", [](auto& b) { conv(b, 0).set_stride(0); }},
    {"conv_padding", sequence_bundle, "sequence.convolutions[0].padding", "out of range", [](auto& b) { conv(b, 0).set_padding(kHuge); }},
    {"conv_pool", sequence_bundle, "sequence.convolutions[1].pool", "out of range", [](auto& b) { conv(b, 1).set_pool(0); }},
    {"conv_weights_short", sequence_bundle, "sequence.convolutions[1].weights", "holds 29", [](auto& b) { conv(b, 1).mutable_weights()->pop_back(); }},
    {"conv_bias", sequence_bundle, "sequence.convolutions[1].bias[0]", "out of range", [](auto& b) { conv(b, 1).set_bias(0, 1 << 25); }},
    {"sequence_flat", sequence_bundle, "sequence.dense[0].in", "the convolutions give 2", [](auto& b) { sequence(b).set_pooling(pb::SEQUENCE_POOLING_MAX); }},
    {"sequence_dense_out", sequence_bundle, "sequence.dense[0].out", "out of range", [](auto& b) { sequence(b).mutable_dense(0)->set_out(129); }},
    // What the kernels do not give.
    {"linear_golden", linear_bundle, "golden[1].raw[0]", "the bundle says", [](auto& b) { b.mutable_golden(1)->set_raw(0, b.golden(1).raw(0) + 1); }},
    {"coder_golden", autoencoder_bundle, "golden[2].raw[0]", "the bundle says", [](auto& b) { b.mutable_golden(2)->set_raw(0, b.golden(2).raw(0) - 1); }},
    {"sequence_golden", sequence_bundle, "golden[0].raw[2]", "the bundle says", [](auto& b) { b.mutable_golden(0)->set_raw(2, b.golden(0).raw(2) + 1); }},
    // Rows divided by their norm.
    {"shares_no_norm", normalized_bundle, "normalized.norm", "missing", [](auto& b) { shares(b).clear_norm(); }},
    {"shares_norm_0", normalized_bundle, "normalized.norm", "unknown kind 0", [](auto& b) { shares(b).set_norm(pb::ROW_NORM_UNSPECIFIED); }},
    {"shares_norm_9", normalized_bundle, "normalized.norm", "unknown kind 9", [](auto& b) { shares(b).set_norm(pb::RowNorm(9)); }},
    {"shares_no_columns", normalized_bundle, "normalized.columns", "missing", [](auto& b) { shares(b).clear_columns(); }},
    {"shares_many_columns", normalized_bundle, "normalized.columns[256]", "more than 256", [](auto& b) { while (shares(b).columns_size() < 257) { *shares(b).add_columns() = pb::NormColumn(shares(b).columns(0)); } }},
    {"shares_few_columns", normalized_bundle, "normalized.columns", "the network takes 4", [](auto& b) { shares(b).mutable_columns()->RemoveLast(); }},
    {"shares_no_network", normalized_bundle, "normalized.network", "missing", [](auto& b) { shares(b).clear_network(); }},
    {"shares_no_gain", normalized_bundle, "normalized.columns[1].gain_q8", "missing", [](auto& b) { shares(b).mutable_columns(1)->clear_gain_q8(); }},
    {"shares_gain_0", normalized_bundle, "normalized.columns[1].gain_q8", "out of range", [](auto& b) { shares(b).mutable_columns(1)->set_gain_q8(0); }},
    {"shares_gain_huge", normalized_bundle, "normalized.columns[1].gain_q8", "out of range", [](auto& b) { shares(b).mutable_columns(1)->set_gain_q8(kHuge); }},
    {"shares_offset", normalized_bundle, "normalized.columns[3].offset", "beyond 2^30", [](auto& b) { shares(b).mutable_columns(3)->set_offset(std::numeric_limits<std::int32_t>::min()); }},
    {"shares_scale", normalized_bundle, "normalized.columns[3].scale", "beyond 2^30", [](auto& b) { shares(b).mutable_columns(3)->set_scale(std::numeric_limits<std::int32_t>::max()); }},
    {"shares_zero", normalized_bundle, "normalized.columns[2].zero", "out of range", [](auto& b) { shares(b).mutable_columns(2)->set_zero((1 << 21) + 1); }},
    {"shares_below_0", normalized_forest_bundle, "normalized.columns[0].scale", "below 0", [](auto& b) { shares(b).mutable_columns(0)->set_scale(-1); }},
    {"shares_layer", normalized_bundle, "normalized.mlp.layers[1].multiplier[2]", "32768", [](auto& b) { shares(b).mutable_mlp()->mutable_layers(1)->set_multiplier(2, 32768); }},
    {"shares_width", normalized_bundle, "normalized.mlp.layers[0].in", "out of range", [](auto& b) { shares(b).mutable_mlp()->mutable_layers(0)->set_in(kHuge); }},
    {"shares_tree", normalized_forest_bundle, "normalized.forest.trees[0].left", "values", [](auto& b) { shares(b).mutable_forest()->mutable_trees(0)->add_left(1); }},
    {"shares_inputs", normalized_bundle, "inputs", "the normalized takes 4", [](auto& b) { b.mutable_inputs()->RemoveLast(); }},
    {"shares_golden", normalized_bundle, "golden[1].raw[0]", "the bundle says", [](auto& b) { b.mutable_golden(1)->set_raw(0, b.golden(1).raw(0) + 1); }},
    // Networks that oneDNN runs.
    {"wide_no_arithmetic", wide_bundle, "onednn.arithmetic", "missing", [](auto& b) { b.mutable_onednn()->clear_arithmetic(); }},
    {"wide_no_layers", wide_bundle, "onednn.int8.layers", "missing", [](auto& b) { wide(b).clear_layers(); }},
    {"wide_scale", wide_bundle, "onednn.int8.layers[1].multiplier[2]", "32768", [](auto& b) { wide(b).mutable_layers(1)->set_multiplier(2, 32768); }},
    {"wide_out", wide_bundle, "onednn.layers[0].out", "out of range", [](auto& b) { wide(b).mutable_layers(0)->set_out(4097); }},
    {"wide_weights", wide_bundle, "onednn.layers[0].weights", "holds 1199", [](auto& b) { wide(b).mutable_layers(0)->mutable_weights()->pop_back(); }},
    {"wide_inputs", wide_bundle, "inputs", "the onednn takes 4", [](auto& b) { b.mutable_inputs()->RemoveLast(); }},
    {"wide_golden", wide_bundle, "golden[1].raw[0]", "the bundle says", [](auto& b) { b.mutable_golden(1)->set_raw(0, b.golden(1).raw(0) + 1); }},
    {"floats_no_scale", float_bundle, "onednn.f32.raw_scale", "missing", [](auto& b) { floats(b).clear_raw_scale(); }},
    {"floats_scale", float_bundle, "onednn.raw_scale", "out of range", [](auto& b) { floats(b).set_raw_scale(-1); }},
    {"floats_nan", float_bundle, "onednn.layers[0].weights[5]", "not a finite", [](auto& b) { floats(b).mutable_layers(0)->set_weights(5, NAN); }},
    {"floats_golden", float_bundle, "golden[0].raw[2]", "the bundle says", [](auto& b) { b.mutable_golden(0)->set_raw(2, b.golden(0).raw(2) + 50); }},
};
// clang-format on

class RefusesFamily : public testing::TestWithParam<Defect> {};

TEST_P(RefusesFamily, NamingTheField) {
    pb::Bundle message;
    ASSERT_TRUE(message.ParseFromString(payload_of(signed_bytes(GetParam().bundle()))));
    GetParam().apply(message);
    const auto verified = verify_signed(signed_payload(message.SerializeAsString()));
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().field, GetParam().field) << verified.error().line();
    EXPECT_NE(verified.error().what.find(GetParam().what), std::string::npos)
        << verified.error().line();
    EXPECT_FALSE(verified.error().fix.empty()) << verified.error().line();
}

INSTANTIATE_TEST_SUITE_P(
    Families, RefusesFamily, testing::ValuesIn(kDefects), [](const auto& info) {
        return std::string(info.param.name);
    });

TEST(Families, AreRefusedBesideEachOther) {
    pb::Bundle both;
    ASSERT_TRUE(both.ParseFromString(payload_of(signed_bytes(linear_bundle()))));
    pb::Bundle other;
    *other.mutable_autoencoder() = pb::Autoencoder();
    const std::string bytes = both.SerializeAsString() + other.SerializeAsString();
    const auto verified = verify_signed(signed_payload(bytes));
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().field, "autoencoder") << verified.error().line();
}

TEST(Families, AreNamedAsInTheFile) {
    EXPECT_STREQ(network_family(mlp_bundle().network), "mlp");
    EXPECT_STREQ(network_family(forest_bundle().network), "forest");
    EXPECT_STREQ(network_family(linear_bundle().network), "linear");
    EXPECT_STREQ(network_family(autoencoder_bundle().network), "autoencoder");
    EXPECT_STREQ(network_family(sequence_bundle().network), "sequence");
    EXPECT_STREQ(network_family(wide_bundle().network), "onednn");
    EXPECT_STREQ(network_family(normalized_bundle().network), "normalized");
}

// A row that is itself again, and one that is not: the verdicts a gateway would give.
TEST(Families, AnAutoencodersErrorDecidesItsClass) {
    const Bundle b = autoencoder_bundle();
    const auto verified = verify_signed(signed_bytes(b));
    ASSERT_TRUE(verified) << verified.error().line();
    bool normal = false;
    bool anomalous = false;
    for (const GoldenVector& golden : b.golden) {
        HeadVerdict verdict;
        apply_head(b.head, golden.raw.data(), 1, 1, b.benign_class(), &verdict);
        EXPECT_EQ(verdict.cls, golden.raw[0] > 0 ? 1 : 0);
        normal |= verdict.cls == 0;
        anomalous |= verdict.cls == 1;
    }
    EXPECT_TRUE(normal);
    EXPECT_TRUE(anomalous);
}

}  // namespace
}  // namespace weir::kernels::test
