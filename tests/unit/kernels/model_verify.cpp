// SPDX-License-Identifier: BSD-3-Clause
// Each check of verify_bundle() with a bundle that fails it alone, and the order of the checks.
#include "kernels/model/build.h"
#include "kernels/model/bundle.pb.h"
#include "tests/unit/kernels/model_fixtures.h"

#include <cmath>
#include <functional>
#include <limits>
#include <ostream>

#include <gtest/gtest.h>

namespace weir::kernels::test {
namespace {

struct Defect {
    const char* name;
    const char* field;  ///< the error's, exactly
    const char* what;   ///< a part of the error's finding
    std::function<void(Bundle&, VerifyOptions&)> apply;
};

void PrintTo(const Defect& defect, std::ostream* out) {
    *out << defect.name;
}

MlpSpec& mlp(Bundle& b) {
    return std::get<MlpSpec>(b.network);
}

// In the order in which verification looks. All are applied to mlp_bundle().
const std::vector<Defect>& defects() {
    static const std::vector<Defect> kDefects{
        {"EmptyName", "manifest.name", "not a name", [](auto& b, auto&) { b.name = ""; }},
        {"NameWithSlash", "manifest.name", "not a name", [](auto& b, auto&) { b.name = "../x"; }},
        {"SlotWithSpace", "manifest.slot", "not a name", [](auto& b, auto&) { b.slot = "a b"; }},
        {"VersionZero", "manifest.version", "start at 1", [](auto& b, auto&) { b.version = 0; }},
        {"CreatedBefore1970",
         "manifest.created_unix",
         "before 1970",
         [](auto& b, auto&) { b.created_unix = -1; }},
        {"DigestNotHex",
         "manifest.data_digest",
         "sha256",
         [](auto& b, auto&) { b.data_digest = std::string(64, 'G'); }},
        {"CatalogVersionZero",
         "manifest.catalog_version",
         "start at 1",
         [](auto& b, auto&) { b.catalog_version = 0; }},
        {"FeatureNotAName",
         "inputs[0].feature",
         "not a name",
         [](auto& b, auto&) { b.inputs[0].feature = "a\nb"; }},
        {"EncoderWithSpace",
         "inputs[1].encoder",
         "not an encoder",
         [](auto& b, auto&) { b.inputs[1].encoder = "log 924"; }},
        {"OtherSlot",
         "manifest.slot",
         "made for slot 'anomaly', not 'qos'",
         [](auto&, auto& o) { o.expected_slot = "qos"; }},
        {"SameVersion",
         "manifest.version",
         "version 7 is not newer than 7",
         [](auto&, auto& o) { o.newer_than = 7; }},
        {"OlderVersion",
         "manifest.version",
         "version 7 is not newer than 9",
         [](auto&, auto& o) { o.newer_than = 9; }},
        {"NewerCatalog",
         "manifest.catalog_version",
         "made for feature catalog 4, this gateway has 3",
         [](auto& b, auto&) { b.catalog_version = 4; }},
        {"UnknownFeature",
         "inputs[0].feature",
         "no feature 'feature_x'",
         [](auto& b, auto&) { b.inputs[0].feature = "feature_x"; }},
        {"FeatureTwice",
         "inputs[1].feature",
         "'feature_0' is there twice",
         [](auto& b, auto&) { b.inputs[1] = b.inputs[0]; }},
        {"OtherEncoder",
         "inputs[2].encoder",
         "trained with encoder 'log:925', this gateway's is 'log:924'",
         [](auto& b, auto&) { b.inputs[2].encoder = "log:925"; }},
        {"OneClass", "classes", "1 classes", [](auto& b, auto&) { b.classes = {"benign"}; }},
        {"ClassNotAName",
         "classes[1]",
         "not a name",
         [](auto& b, auto&) { b.classes[1] = "syn flood"; }},
        {"ClassTwice",
         "classes[2]",
         "'scan' is there twice",
         [](auto& b, auto&) { b.classes[2] = "scan"; }},
        {"TooFewThresholds",
         "thresholds",
         "2 thresholds for 3 classes",
         [](auto& b, auto&) { b.thresholds.pop_back(); }},
        {"ThresholdNan",
         "thresholds[1]",
         "nan",
         [](auto& b, auto&) { b.thresholds[1] = std::nan(""); }},
        {"ThresholdInfinite",
         "thresholds[2]",
         "inf",
         [](auto& b, auto&) { b.thresholds[2] = std::numeric_limits<double>::infinity(); }},
        {"ThresholdNegative",
         "thresholds[0]",
         "not in 0",
         [](auto& b, auto&) { b.thresholds[0] = -0.01; }},
        {"ThresholdAboveOne",
         "thresholds[2]",
         "not in 0",
         [](auto& b, auto&) { b.thresholds[2] = 1.0001; }},
        {"WeightsShort",
         "mlp.layers[1].weights",
         "",
         [](auto& b, auto&) { mlp(b).layers[1].weights.pop_back(); }},
        {"ShiftTooLarge",
         "mlp.layers[0].shift",
         "",
         [](auto& b, auto&) { mlp(b).layers[0].shift = 17; }},
        {"InputsTooFew",
         "inputs",
         "3 inputs named, but the mlp takes 4",
         [](auto& b, auto&) { b.inputs.pop_back(); }},
        {"CalibrationFalls",
         "head.calibration[1].in",
         "",
         [](auto& b, auto&) { b.head.calibration[1].in = 0; }},
        {"SigmoidOverThree",
         "head.kind",
         "sigmoid",
         [](auto& b, auto&) { b.head.kind = HeadKind::sigmoid; }},
        {"HistogramMissing",
         "histograms",
         "3 histograms for 4 inputs",
         [](auto& b, auto&) { b.histograms.pop_back(); }},
        {"HistogramShort",
         "histograms[1].counts",
         "255 counts",
         [](auto& b, auto&) { b.histograms[1].pop_back(); }},
        {"HistogramHuge",
         "histograms[0].counts",
         "2^48",
         [](auto& b, auto&) { b.histograms[0][7] = ~std::uint64_t{0}; }},
        {"GoldenCodesShort",
         "golden[2].codes",
         "3 codes for 4 inputs",
         [](auto& b, auto&) { b.golden[2].codes.pop_back(); }},
        {"GoldenRawLong",
         "golden[1].raw",
         "4 values for 3 outputs",
         [](auto& b, auto&) { b.golden[1].raw.push_back(0); }},
        {"TooDear", "mlp", "budget", [](auto&, auto& o) { o.max_cycles_per_row = 1e-6; }},
        {"GoldenMismatch",
         "golden[3].raw[1]",
         "the bundle says",
         [](auto& b, auto&) { b.golden[3].raw[1] ^= 1; }},
    };
    return kDefects;
}

class Refuses : public testing::TestWithParam<Defect> {};

TEST_P(Refuses, NamingTheField) {
    Bundle bundle = mlp_bundle();
    VerifyOptions options;
    GetParam().apply(bundle, options);
    const auto verified = verify_signed(signed_bytes(bundle), options);
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().where, "push");
    EXPECT_EQ(verified.error().field, GetParam().field) << verified.error().line();
    EXPECT_NE(verified.error().what.find(GetParam().what), std::string::npos)
        << verified.error().line();
    EXPECT_FALSE(verified.error().fix.empty()) << verified.error().line();
}

INSTANTIATE_TEST_SUITE_P(Verify, Refuses, testing::ValuesIn(defects()), [](const auto& info) {
    return std::string(info.param.name);
});

// From the last check to the first, one of each kind more: always the earliest is reported.
TEST(VerifyOrder, TheEarliestDefectIsReported) {
    const std::vector<std::string> stages{
        "EmptyName",
        "OtherSlot",
        "SameVersion",
        "NewerCatalog",
        "OtherEncoder",
        "ClassTwice",
        "ThresholdNan",
        "ShiftTooLarge",
        "CalibrationFalls",
        "HistogramShort",
        "GoldenCodesShort",
        "TooDear",
        "GoldenMismatch"};
    Bundle bundle = mlp_bundle();
    VerifyOptions options;
    for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
        const auto& all = defects();
        const auto defect =
            std::find_if(all.begin(), all.end(), [&](const Defect& d) { return d.name == *stage; });
        ASSERT_NE(defect, all.end()) << *stage;
        defect->apply(bundle, options);
        const auto verified = verify_signed(signed_bytes(bundle), options);
        ASSERT_FALSE(verified) << *stage;
        EXPECT_EQ(verified.error().field, defect->field) << verified.error().line();
    }
    // Before all of these: the signature, before that the size.
    const Bytes file = signed_bytes(bundle);
    auto verified = verify_bundle(file, "push", ring_of(test_key(2)), test_catalog(), options);
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().field, "signatures");
    options.max_bytes = file.size() - 1;
    verified = verify_bundle(file, "push", ring_of(test_key(2)), test_catalog(), options);
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().field, "size");
}

TEST(Verify, TakesAsManyBytesAsAllowedAndNoMore) {
    const Bytes file = signed_bytes(mlp_bundle());
    EXPECT_TRUE(verify_signed(file, {.max_bytes = file.size()}));
    EXPECT_FALSE(verify_signed(file, {.max_bytes = file.size() - 1}));
    const auto empty = verify_signed({});
    ASSERT_FALSE(empty);
    EXPECT_EQ(empty.error().field, "size");
}

TEST(Verify, TakesMatchingSlotNewerVersionAndSufficientBudget) {
    const auto verified = verify_signed(
        signed_bytes(mlp_bundle()),
        {.expected_slot = "anomaly", .newer_than = 6, .max_cycles_per_row = 1e9});
    EXPECT_TRUE(verified) << verified.error().line();
}

TEST(Verify, TakesAnOlderCatalogWhoseEncodersAreEqual) {
    Bundle b = mlp_bundle();
    for (const std::uint32_t version : {1U, 2U, kTestCatalogVersion}) {
        b.catalog_version = version;
        EXPECT_TRUE(verify_signed(signed_bytes(b))) << version;
    }
}

TEST(Verify, RefusesAVariantThisMachineLacks) {
    const auto absent = isa_supported(Isa::neon_dotprod) ? Isa::avx2 : Isa::neon_dotprod;
    const auto verified = verify_signed(signed_bytes(mlp_bundle()), {.isa = absent});
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().where, "push");
    EXPECT_NE(verified.error().what.find("neon_dotprod"), std::string::npos);
}

TEST(Verify, RefusesAForestsGoldenMismatch) {
    Bundle b = forest_bundle();
    b.golden.back().raw[0] += 1;
    const auto verified = verify_signed(signed_bytes(b));
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().field, "golden[" + std::to_string(b.golden.size() - 1) + "].raw[0]");
}

TEST(Verify, RefusesACycleInATree) {
    Bundle b = forest_bundle();
    std::get<ForestSpec>(b.network).trees[0].nodes[1].right = 0;
    const auto verified = verify_signed(signed_bytes(b));
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().field.rfind("forest.trees[0]", 0), 0U) << verified.error().line();
}

// Values that fit the file's types but not those in memory.
struct Misfit {
    const char* field;
    std::function<void(model::v1::Bundle&)> apply;
};

TEST(Contents, RefusesWhatDoesNotFit) {
    const std::vector<Misfit> misfits{
        {"format", [](auto& b) { b.set_format(4); }},
        {"mlp.layers[0].shift",
         [](auto& b) { b.mutable_mlp()->mutable_layers(0)->set_shift(256); }},
        {"mlp.layers[1].multiplier[2]",
         [](auto& b) { b.mutable_mlp()->mutable_layers(1)->set_multiplier(2, 32768); }},
        {"head.kind",
         [](auto& b) { b.mutable_head()->set_kind(model::v1::HEAD_KIND_UNSPECIFIED); }},
        {"head.scale_q16", [](auto& b) { b.mutable_head()->set_scale_q16(1U << 31); }},
        {"head.calibration[1].in",
         [](auto& b) { b.mutable_head()->mutable_calibration(1)->set_in(65536); }},
        {"head.calibration[2].out",
         [](auto& b) { b.mutable_head()->mutable_calibration(2)->set_out(70000); }},
    };
    for (const Misfit& misfit : misfits) {
        model::v1::Bundle message;
        ASSERT_TRUE(message.ParseFromString(payload_of(signed_bytes(mlp_bundle()))));
        misfit.apply(message);
        const auto verified = verify_signed(signed_payload(message.SerializeAsString()));
        ASSERT_FALSE(verified) << misfit.field;
        EXPECT_EQ(verified.error().field, misfit.field) << verified.error().line();
    }
}

TEST(Contents, RefusesTreeColumnsOfUnequalLength) {
    const std::vector<Misfit> misfits{
        {"forest.trees[0].thresholds",
         [](auto& b) { b.mutable_forest()->mutable_trees(0)->mutable_thresholds()->push_back(1); }},
        {"forest.trees[2].left",
         [](auto& b) { b.mutable_forest()->mutable_trees(2)->add_left(-1); }},
        {"forest.trees[0].right",
         [](auto& b) { b.mutable_forest()->mutable_trees(0)->mutable_right()->RemoveLast(); }},
        {"forest.trees[1].leaves[0]",
         [](auto& b) { b.mutable_forest()->mutable_trees(1)->set_leaves(0, 32768); }},
    };
    for (const Misfit& misfit : misfits) {
        model::v1::Bundle message;
        ASSERT_TRUE(message.ParseFromString(payload_of(signed_bytes(forest_bundle()))));
        misfit.apply(message);
        const auto verified = verify_signed(signed_payload(message.SerializeAsString()));
        ASSERT_FALSE(verified) << misfit.field;
        EXPECT_EQ(verified.error().field, misfit.field) << verified.error().line();
    }
}

}  // namespace
}  // namespace weir::kernels::test
