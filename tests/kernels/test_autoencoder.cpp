// SPDX-License-Identifier: BSD-3-Clause
// The autoencoder family: every variant against the reference, the error's bounds, and the contract by hand.
#include "kernels/autoencoder/variants.h"
#include "kernels/head/head.h"
#include "tests/kernels/family_cases.h"
#include "tests/kernels/variant_fixture.h"

#include <functional>

namespace weir::kernels {
namespace {

using testing::kAllValues;
using testing::kManySpecs;
using testing::make_autoencoder;
using testing::Values;

class AutoencoderVariant : public testing::VariantFixture {};

TEST_P(AutoencoderVariant, EqualsReferenceForEveryLength) {
    for (const std::vector<std::uint32_t>& widths :
         {std::vector<std::uint32_t>{32, 16, 8, 16}, {7, 3}, {1}, {65, 20}}) {
        expect_equal_for_every_length(
            pair(make_autoencoder(widths, Values::trained, random_)), Values::trained);
    }
}

TEST_P(AutoencoderVariant, EqualsReferenceForEveryStrideAndAlignment) {
    expect_equal_for_every_layout(
        pair(make_autoencoder({30, 11}, Values::trained, random_)), Values::trained);
}

TEST_P(AutoencoderVariant, EqualsReferenceForEveryWidth) {
    for (std::uint32_t width = 1; width <= kMlpMaxWidth; ++width) {
        const auto both = pair(make_autoencoder({width, 5}, Values::random, random_));
        expect_equal(both, 1, Values::random);
        expect_equal(both, 19, Values::mixed, {.guard_end = (width & 1U) != 0});
    }
}

TEST_P(AutoencoderVariant, EqualsReferenceAtTheExtremes) {
    for (const Values weights : kAllValues) {
        for (const Values codes : kAllValues) {
            for (const std::vector<std::uint32_t>& widths :
                 {std::vector<std::uint32_t>{256, 256, 256, 256, 256, 256}, {255, 129}, {3, 2}}) {
                expect_equal(pair(make_autoencoder(widths, weights, random_)), 18, codes);
            }
        }
    }
}

// Every code reconstructed as 0 where it is 255: the largest error there is, at the smallest shift allowed.
TEST_P(AutoencoderVariant, EqualsReferenceAtTheLargestError) {
    AutoencoderSpec spec = make_autoencoder({256}, Values::lowest, random_);
    std::fill(spec.weights.begin(), spec.weights.end(), std::uint16_t{65535});
    testing::fit_error(spec, 0);
    for (const std::int32_t offset : {0, 1, 0x7fffffff}) {
        spec.offset = offset;
        const auto both = pair(spec);
        expect_equal(both, 5, Values::highest);
        const std::vector<std::uint8_t> row(256, 255);
        std::int32_t raw = 0;
        const testing::GuardedBuffer scratch((both.fast->scratch_bytes() + 63) / 64 * 64, true);
        both.fast->score(row.data(), 256, 1, &raw, scratch.as<std::byte>());
        EXPECT_EQ(raw, (256LL * 255 * 255 * 65535 >> spec.shift) - offset);
    }
}

TEST_P(AutoencoderVariant, EqualsReferenceForRandomSpecs) {
    for (int round = 0; round < kManySpecs; ++round) {
        const std::uint32_t widest = round % 8 == 0 ? 256 : 70;
        std::vector<std::uint32_t> widths;
        for (std::uint32_t i = draw(1, kMlpMaxLayers); i > 0; --i) {
            widths.push_back(draw(1, widest));
        }
        const Values values = kAllValues[draw(0, 4)];
        const auto both = pair(make_autoencoder(widths, values, random_));
        expect_equal(both, draw(1, 8), Values::random, {draw(0, 9), draw(0, 63), true});
        expect_equal(both, draw(9, 80), values, {draw(0, 9), draw(0, 63), false});
    }
}

TEST_P(AutoencoderVariant, ScoresManyRowsAsTheReferenceDoes) {
    expect_equal_for_many_rows(pair(make_autoencoder({16, 6}, Values::trained, random_)));
}

INSTANTIATE_TEST_SUITE_P(
    All,
    AutoencoderVariant,
    ::testing::ValuesIn(autoencoder_isas().begin(), autoencoder_isas().end()),
    testing::isa_param_name);

// One layer that gives [x0 / 2, 255 saturated, 0]: errors 50²·3, 5²·1000, 9²·0.
AutoencoderSpec by_hand() {
    AutoencoderSpec spec;
    spec.layers.push_back(
        {3, 3, {1, 0, 0, 0, 127, 0, 0, 0, -1}, {0, 0, 0}, 0, {16384, 32767, 32767}});
    spec.weights = {3, 1000, 0};
    spec.shift = 2;
    spec.offset = 8000;
    return spec;
}

TEST(AutoencoderContract, ByHand) {
    const auto made = make_classifier(by_hand(), Isa::scalar);
    ASSERT_TRUE(made) << made.error().line();
    const std::uint8_t row[] = {100, 250, 9};
    std::int32_t raw = 0;
    made.value()->score(row, 3, 1, &raw, nullptr);
    EXPECT_EQ(raw, ((7500 + 25000) >> 2) - 8000);
    std::uint32_t errors[3] = {};
    reconstruction_errors(by_hand(), row, 3, 1, errors);
    EXPECT_EQ(errors[0], 7500U);
    EXPECT_EQ(errors[1], 25000U);
    EXPECT_EQ(errors[2], 0U);
}

TEST(AutoencoderContract, ErrorsOfFeaturesSumToTheRawOutput) {
    std::mt19937 random(5);
    for (const Values values : kAllValues) {
        const AutoencoderSpec spec = make_autoencoder({40, 9}, values, random);
        const auto made = make_classifier(spec);
        constexpr std::uint32_t kRows = 70;
        constexpr std::size_t kStride = 43;
        std::vector<std::uint8_t> rows(kRows * kStride);
        std::generate(rows.begin(), rows.end(), [&] { return testing::make_code(values, random); });
        std::vector<std::int32_t> raw(kRows);
        const testing::GuardedBuffer scratch((made.value()->scratch_bytes() + 63) / 64 * 64, true);
        made.value()->score(rows.data(), kStride, kRows, raw.data(), scratch.as<std::byte>());
        std::vector<std::uint32_t> errors(std::size_t{kRows} * 40);
        reconstruction_errors(spec, rows.data(), kStride, kRows, errors.data());
        for (std::uint32_t r = 0; r < kRows; ++r) {
            const auto first = errors.begin() + std::ptrdiff_t{r} * 40;
            const std::uint64_t sum = std::accumulate(first, first + 40, std::uint64_t{0});
            EXPECT_EQ(static_cast<std::int64_t>(sum >> spec.shift) - spec.offset, raw[r]);
        }
    }
}

TEST(AutoencoderContract, ErrorsAboveTheOffsetAreClassOne) {
    HeadSpec head;
    head.kind = HeadKind::sigmoid;
    ASSERT_TRUE(validate(head, AutoencoderSpec::outputs(), 2));
    const std::int32_t raw[] = {-5, 0, 5};
    HeadVerdict verdicts[3];
    apply_head(head, raw, 1, 3, 0, verdicts);
    EXPECT_EQ(verdicts[0].cls, 0);
    EXPECT_EQ(verdicts[1].cls, 0);
    EXPECT_EQ(verdicts[2].cls, 1);
}

struct Case {
    const char* name;
    std::function<void(AutoencoderSpec&)> damage;
    const char* field;
};

void PrintTo(const Case& value, std::ostream* out) {
    *out << value.name;
}

class AutoencoderValidate : public ::testing::TestWithParam<Case> {};

TEST_P(AutoencoderValidate, NamesTheField) {
    std::mt19937 random(1);
    AutoencoderSpec spec = make_autoencoder({4, 3}, Values::trained, random);
    ASSERT_TRUE(validate(spec));
    GetParam().damage(spec);
    const auto checked = validate(spec);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().field, GetParam().field);
    EXPECT_FALSE(checked.error().what.empty());
    EXPECT_FALSE(checked.error().fix.empty());
    EXPECT_FALSE(make_classifier(spec));
}

using Spec = AutoencoderSpec;
const Case kCases[] = {
    {"no_layers", [](Spec& s) { s.layers.clear(); }, "autoencoder.layers"},
    {"seven_layers", [](Spec& s) { s.layers.assign(7, s.layers[0]); }, "autoencoder.layers"},
    {"no_inputs", [](Spec& s) { s.layers[0].in = 0; }, "autoencoder.layers[0].in"},
    {"wide", [](Spec& s) { s.layers[1].out = 257; }, "autoencoder.layers[1].out"},
    {"weight", [](Spec& s) { s.layers[1].weights[5] = -128; }, "autoencoder.layers[1].weights[5]"},
    {"bias", [](Spec& s) { s.layers[0].bias[2] = INT32_MAX; }, "autoencoder.layers[0].bias[2]"},
    {"chain",
     [](Spec& s) { s.layers.insert(s.layers.begin(), s.layers[0]); },
     "autoencoder.layers[1].in"},
    {"narrow_output", [](Spec& s) { s.layers.pop_back(); }, "autoencoder.layers[0].out"},
    {"few_weights", [](Spec& s) { s.weights.pop_back(); }, "autoencoder.weights"},
    {"many_weights", [](Spec& s) { s.weights.push_back(0); }, "autoencoder.weights"},
    {"shift", [](Spec& s) { s.shift = 25; }, "autoencoder.shift"},
    {"error_too_large",
     [](Spec& s) {
         s.weights.assign(4, 65535);
         s.shift = 2;
     },
     "autoencoder.shift"},
    {"offset", [](Spec& s) { s.offset = -1; }, "autoencoder.offset"},
};

INSTANTIATE_TEST_SUITE_P(
    All, AutoencoderValidate, ::testing::ValuesIn(kCases), [](const auto& info) {
        return std::string(info.param.name);
    });

TEST(AutoencoderValidate, TheLargestErrorJustFits) {
    AutoencoderSpec spec = by_hand();
    spec.weights = {33025, 0, 0};  // 255²·33025 = 2^31 − 33023
    spec.shift = 0;
    EXPECT_TRUE(validate(spec));
    spec.weights[1] = 1;  // 65025 more
    EXPECT_FALSE(validate(spec));
    spec.shift = 1;
    EXPECT_TRUE(validate(spec));
}

}  // namespace
}  // namespace weir::kernels
