// SPDX-License-Identifier: BSD-3-Clause
// What is signed is what comes back.
#include "kernels/model/build.h"
#include "tests/unit/kernels/model_fixtures.h"

#include <gtest/gtest.h>

namespace weir::kernels::test {
namespace {

template <typename Layer>
void expect_equal_numbers(const Layer& a, const Layer& b) {
    EXPECT_EQ(a.in, b.in);
    EXPECT_EQ(a.out, b.out);
    EXPECT_EQ(a.weights, b.weights);
    EXPECT_EQ(a.bias, b.bias);
    EXPECT_EQ(a.shift, b.shift);
    EXPECT_EQ(a.multiplier, b.multiplier);
}

template <typename Layer>
void expect_equal_layers(const std::vector<Layer>& a, const std::vector<Layer>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        expect_equal_numbers(a[i], b[i]);
    }
}

void expect_equal(const MlpSpec& a, const MlpSpec& b) {
    expect_equal_layers(a.layers, b.layers);
}

void expect_equal(const LinearSpec& a, const LinearSpec& b) {
    expect_equal_numbers(a.layer, b.layer);
}

void expect_equal(const AutoencoderSpec& a, const AutoencoderSpec& b) {
    expect_equal_layers(a.layers, b.layers);
    EXPECT_EQ(a.weights, b.weights);
    EXPECT_EQ(a.shift, b.shift);
    EXPECT_EQ(a.offset, b.offset);
}

void expect_equal(const SequenceSpec& a, const SequenceSpec& b) {
    EXPECT_EQ(a.steps, b.steps);
    EXPECT_EQ(a.pooling, b.pooling);
    expect_equal_layers(a.convolutions, b.convolutions);
    expect_equal_layers(a.dense, b.dense);
    for (std::size_t i = 0; i < a.convolutions.size(); ++i) {
        EXPECT_EQ(a.convolutions[i].kernel, b.convolutions[i].kernel);
        EXPECT_EQ(a.convolutions[i].stride, b.convolutions[i].stride);
        EXPECT_EQ(a.convolutions[i].padding, b.convolutions[i].padding);
        EXPECT_EQ(a.convolutions[i].pool, b.convolutions[i].pool);
    }
}

void expect_equal(const OnednnInt8& a, const OnednnInt8& b) {
    expect_equal_layers(a.layers, b.layers);
}

void expect_equal(const OnednnF32& a, const OnednnF32& b) {
    EXPECT_EQ(a.raw_scale, b.raw_scale);
    ASSERT_EQ(a.layers.size(), b.layers.size());
    for (std::size_t i = 0; i < a.layers.size(); ++i) {
        EXPECT_EQ(a.layers[i].in, b.layers[i].in);
        EXPECT_EQ(a.layers[i].out, b.layers[i].out);
        EXPECT_EQ(a.layers[i].weights, b.layers[i].weights);
        EXPECT_EQ(a.layers[i].bias, b.layers[i].bias);
    }
}

void expect_equal(const OnednnSpec& a, const OnednnSpec& b) {
    ASSERT_EQ(a.network.index(), b.network.index());
    std::visit(
        [&](const auto& net) {
            expect_equal(net, std::get<std::decay_t<decltype(net)>>(b.network));
        },
        a.network);
}

void expect_equal(const ForestSpec& a, const ForestSpec& b) {
    EXPECT_EQ(a.inputs, b.inputs);
    EXPECT_EQ(a.base, b.base);
    ASSERT_EQ(a.trees.size(), b.trees.size());
    for (std::size_t t = 0; t < a.trees.size(); ++t) {
        EXPECT_EQ(a.trees[t].output, b.trees[t].output);
        EXPECT_EQ(a.trees[t].leaves, b.trees[t].leaves);
        ASSERT_EQ(a.trees[t].nodes.size(), b.trees[t].nodes.size());
        for (std::size_t n = 0; n < a.trees[t].nodes.size(); ++n) {
            EXPECT_EQ(a.trees[t].nodes[n].feature, b.trees[t].nodes[n].feature);
            EXPECT_EQ(a.trees[t].nodes[n].threshold, b.trees[t].nodes[n].threshold);
            EXPECT_EQ(a.trees[t].nodes[n].left, b.trees[t].nodes[n].left);
            EXPECT_EQ(a.trees[t].nodes[n].right, b.trees[t].nodes[n].right);
        }
    }
}

void expect_equal(const NormalizedSpec& a, const NormalizedSpec& b) {
    EXPECT_EQ(a.norm, b.norm);
    ASSERT_EQ(a.columns.size(), b.columns.size());
    for (std::size_t k = 0; k < a.columns.size(); ++k) {
        EXPECT_EQ(a.columns[k].scale, b.columns[k].scale);
        EXPECT_EQ(a.columns[k].offset, b.columns[k].offset);
        EXPECT_EQ(a.columns[k].gain_q8, b.columns[k].gain_q8);
        EXPECT_EQ(a.columns[k].zero, b.columns[k].zero);
    }
    ASSERT_EQ(a.network.index(), b.network.index());
    std::visit(
        [&](const auto& inner) {
            expect_equal(inner, std::get<std::decay_t<decltype(inner)>>(b.network));
        },
        a.network);
}

void expect_equal(const Bundle& a, const Bundle& b) {
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.slot, b.slot);
    EXPECT_EQ(a.version, b.version);
    EXPECT_EQ(a.created_unix, b.created_unix);
    EXPECT_EQ(a.data_digest, b.data_digest);
    EXPECT_EQ(a.description, b.description);
    EXPECT_EQ(a.catalog_version, b.catalog_version);
    ASSERT_EQ(a.inputs.size(), b.inputs.size());
    for (std::size_t i = 0; i < a.inputs.size(); ++i) {
        EXPECT_EQ(a.inputs[i].feature, b.inputs[i].feature);
        EXPECT_EQ(a.inputs[i].encoder, b.inputs[i].encoder);
    }
    EXPECT_EQ(a.classes, b.classes);
    EXPECT_EQ(a.thresholds, b.thresholds);
    EXPECT_EQ(a.histograms, b.histograms);
    ASSERT_EQ(a.golden.size(), b.golden.size());
    for (std::size_t i = 0; i < a.golden.size(); ++i) {
        EXPECT_EQ(a.golden[i].codes, b.golden[i].codes);
        EXPECT_EQ(a.golden[i].raw, b.golden[i].raw);
    }
    EXPECT_EQ(a.head.kind, b.head.kind);
    EXPECT_EQ(a.head.scale_q16, b.head.scale_q16);
    ASSERT_EQ(a.head.calibration.size(), b.head.calibration.size());
    for (std::size_t i = 0; i < a.head.calibration.size(); ++i) {
        EXPECT_EQ(a.head.calibration[i].in, b.head.calibration[i].in);
        EXPECT_EQ(a.head.calibration[i].out, b.head.calibration[i].out);
    }
    ASSERT_EQ(a.network.index(), b.network.index());
    std::visit(
        [&](const auto& spec) {
            expect_equal(spec, std::get<std::decay_t<decltype(spec)>>(b.network));
        },
        a.network);
}

class RoundTrip : public testing::TestWithParam<Bundle (*)()> {};

TEST_P(RoundTrip, ParsingGivesTheBundleBack) {
    const Bundle bundle = GetParam()();
    const auto back = parse_bundle(signed_bytes(bundle), "file");
    ASSERT_TRUE(back) << back.error().line();
    expect_equal(bundle, *back);
}

TEST_P(RoundTrip, VerifyingGivesBundleClassifierAndSigner) {
    const Bundle bundle = GetParam()();
    const Bytes file = signed_bytes(bundle);
    const auto verified = verify_signed(file);
    ASSERT_TRUE(verified) << verified.error().line();
    expect_equal(bundle, verified->bundle);
    EXPECT_EQ(verified->signer, test_key().public_key().id);
    EXPECT_EQ(verified->digest, bundle_digest(file));
    EXPECT_EQ(verified->digest.size(), 64U);
    ASSERT_NE(verified->classifier, nullptr);
    EXPECT_EQ(verified->classifier->inputs(), bundle.inputs.size());
    EXPECT_EQ(verified->classifier->outputs(), bundle.golden.front().raw.size());
    ASSERT_EQ(verified->feature_ids.size(), bundle.inputs.size());
    for (std::size_t i = 0; i < bundle.inputs.size(); ++i) {
        const auto id = verified->feature_ids[i];
        EXPECT_EQ(test_catalog().names[id], bundle.inputs[i].feature);
    }
}

TEST_P(RoundTrip, EveryVariantOfThisMachineGivesTheGoldenVectors) {
    const Bytes file = signed_bytes(GetParam()());
    std::size_t ran = 0;
    for (const Isa isa : supported_isas()) {
        const auto verified = verify_signed(file, {.isa = isa});
        // A family need not have a variant of its own for each instruction set.
        if (!verified) {
            EXPECT_EQ(verified.error().field.find("golden"), std::string::npos)
                << verified.error().line();
            EXPECT_NE(isa, Isa::scalar) << verified.error().line();
            continue;
        }
        EXPECT_EQ(verified->classifier->isa(), isa);
        ++ran;
    }
    EXPECT_GE(ran, 1U);
}

TEST_P(RoundTrip, EqualBundlesGiveEqualFiles) {
    EXPECT_EQ(signed_bytes(GetParam()()), signed_bytes(GetParam()()));
}

TEST_P(RoundTrip, UnsignedThenSignedEqualsSignedAtOnce) {
    const Bundle bundle = GetParam()();
    const auto plain = serialize_bundle(bundle);
    ASSERT_TRUE(plain);
    const auto signers = bundle_signers(*plain, "file");
    ASSERT_TRUE(signers);
    EXPECT_TRUE(signers->empty());
    const auto later = add_signature(*plain, "file", test_key().bytes());
    ASSERT_TRUE(later) << later.error().line();
    EXPECT_EQ(*later, signed_bytes(bundle));
}

INSTANTIATE_TEST_SUITE_P(
    Families,
    RoundTrip,
    testing::Values(
        &tiny_bundle,
        &mlp_bundle,
        &forest_bundle,
        &linear_bundle,
        &autoencoder_bundle,
        &wide_bundle,
        &float_bundle,
        &sequence_bundle));

TEST(Bundle, BenignClassIsFoundByName) {
    EXPECT_EQ(mlp_bundle().benign_class(), 0);
    EXPECT_EQ(tiny_bundle().benign_class(), -1);
}

TEST(Golden, RowsAreExtremeBoundaryAndRandomAndRepeatable) {
    Bundle a = forest_bundle();
    Bundle b = forest_bundle();
    ASSERT_TRUE(compute_golden(a, {.random_rows = 20, .seed = 9}));
    ASSERT_TRUE(compute_golden(b, {.random_rows = 20, .seed = 9}));
    expect_equal(a, b);
    ASSERT_GE(a.golden.size(), 22U);
    EXPECT_EQ(a.golden[0].codes, std::vector<std::uint8_t>(4, 0));
    EXPECT_EQ(a.golden[1].codes, std::vector<std::uint8_t>(4, 255));
    bool left = false;
    bool right = false;
    for (const GoldenVector& g : a.golden) {
        left |= g.codes[0] == 10;   // the threshold of tree 0's root
        right |= g.codes[0] == 11;  // the first code right of it
    }
    EXPECT_TRUE(left);
    EXPECT_TRUE(right);
    ASSERT_TRUE(compute_golden(b, {.random_rows = 20, .seed = 10}));
    EXPECT_NE(a.golden.back().codes, b.golden.back().codes);
}

TEST(Golden, NeverMoreThanAFileMayHold) {
    Bundle b = mlp_bundle();
    ASSERT_TRUE(compute_golden(b, {.random_rows = 5000}));
    EXPECT_EQ(b.golden.size(), 1024U);
    const auto verified = verify_signed(signed_bytes(b));
    EXPECT_TRUE(verified) << verified.error().line();
}

TEST(Build, GivesAFileThatVerifies) {
    const SecretKey key = test_key();
    Bundle b = forest_bundle();
    b.golden.clear();
    const auto file = build_bundle(b, &key);
    ASSERT_TRUE(file) << file.error().line();
    EXPECT_TRUE(verify_signed(*file));
    const auto plain = build_bundle(b, nullptr);
    ASSERT_TRUE(plain);
    EXPECT_FALSE(verify_signed(*plain));
}

TEST(Build, RefusesWhatNoGatewayWouldLoad) {
    const SecretKey key = test_key();
    Bundle b = mlp_bundle();
    b.classes[1] = b.classes[0];
    auto file = build_bundle(b, &key);
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().where, "bundle flows-v1");
    EXPECT_EQ(file.error().field, "classes[1]");

    b = mlp_bundle();
    std::get<MlpSpec>(b.network).layers[0].weights.pop_back();
    file = build_bundle(b, &key);
    ASSERT_FALSE(file);
    EXPECT_NE(file.error().field.find("layers[0]"), std::string::npos) << file.error().line();
}

}  // namespace
}  // namespace weir::kernels::test
