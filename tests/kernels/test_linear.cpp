// SPDX-License-Identifier: BSD-3-Clause
// The linear family: every variant against the reference, what a spec may not be, and the contract by hand.
#include "kernels/linear/variants.h"
#include "kernels/mlp/variants.h"
#include "tests/kernels/family_cases.h"
#include "tests/kernels/variant_fixture.h"

#include <functional>

namespace weir::kernels {
namespace {

using testing::kAllValues;
using testing::make_linear;
using testing::Values;

class LinearVariant : public testing::VariantFixture {};

TEST_P(LinearVariant, EqualsReferenceForEveryLength) {
    for (const auto& [in, out] : {std::pair{32U, 8U}, {7U, 3U}, {5U, 1U}, {31U, 17U}}) {
        const auto both = pair(make_linear(in, out, Values::trained, random_));
        expect_equal_for_every_length(both, Values::trained);
    }
}

TEST_P(LinearVariant, EqualsReferenceForEveryStrideAndAlignment) {
    expect_equal_for_every_layout(
        pair(make_linear(30, 11, Values::trained, random_)), Values::trained);
}

TEST_P(LinearVariant, EqualsReferenceForEveryWidth) {
    for (std::uint32_t in = 1; in <= kMlpMaxWidth; ++in) {
        const auto both = pair(make_linear(in, 1 + in % kMaxOutputs, Values::trained, random_));
        expect_equal(both, 1, Values::trained);
        expect_equal(both, 19, Values::mixed, {.guard_end = (in & 1U) != 0});
    }
}

TEST_P(LinearVariant, EqualsReferenceAtTheExtremes) {
    for (const Values weights : kAllValues) {
        for (const Values codes : kAllValues) {
            expect_equal(pair(make_linear(256, 64, weights, random_)), 18, codes);
            expect_equal(pair(make_linear(3, 2, weights, random_)), 18, codes);
        }
    }
}

TEST_P(LinearVariant, ScoresManyRowsAsTheReferenceDoes) {
    expect_equal_for_many_rows(pair(make_linear(24, 6, Values::trained, random_)));
}

INSTANTIATE_TEST_SUITE_P(
    All,
    LinearVariant,
    ::testing::ValuesIn(linear_isas().begin(), linear_isas().end()),
    testing::isa_param_name);

TEST(LinearContract, ByHand) {
    LinearSpec spec{{3, 2, {1, -2, 3, 127, 127, 127}, {10, 0}, 1, {16384, 32767}}};
    const auto made = make_classifier(spec, Isa::scalar);
    ASSERT_TRUE(made) << made.error().line();
    const std::uint8_t row[] = {100, 7, 1};
    std::int32_t raw[2] = {};
    made.value()->score(row, 3, 1, raw, nullptr);
    // 0: (10 + 100 − 14 + 3) >> 1 = 49, half of it, rounded: 25. 1: (127·108) >> 1 = 6858, nearly all of it.
    EXPECT_EQ(raw[0], 25);
    EXPECT_EQ(raw[1], 6858);
}

TEST(LinearContract, IsAnMlpOfOneLayer) {
    std::mt19937 random(3);
    const LinearSpec spec = make_linear(20, 5, Values::random, random);
    const auto linear = make_classifier(spec, Isa::scalar);
    const auto mlp = make_mlp_reference(MlpSpec{{spec.layer}});
    std::vector<std::uint8_t> row(20);
    std::int32_t a[5] = {};
    std::int32_t b[5] = {};
    for (int round = 0; round < 100; ++round) {
        std::generate(
            row.begin(), row.end(), [&] { return testing::make_code(Values::random, random); });
        linear.value()->score(row.data(), 20, 1, a, nullptr);
        mlp->score(row.data(), 20, 1, b, nullptr);
        EXPECT_TRUE(std::equal(a, a + 5, b));
    }
}

struct Case {
    const char* name;
    std::function<void(LinearSpec&)> damage;
    const char* field;
};

void PrintTo(const Case& value, std::ostream* out) {
    *out << value.name;
}

class LinearValidate : public ::testing::TestWithParam<Case> {};

TEST_P(LinearValidate, NamesTheField) {
    std::mt19937 random(1);
    LinearSpec spec = make_linear(4, 3, Values::trained, random);
    ASSERT_TRUE(validate(spec));
    GetParam().damage(spec);
    const auto checked = validate(spec);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().field, GetParam().field);
    EXPECT_FALSE(checked.error().what.empty());
    EXPECT_FALSE(checked.error().fix.empty());
    EXPECT_FALSE(make_classifier(spec));
}

const Case kCases[] = {
    {"no_inputs", [](LinearSpec& s) { s.layer.in = 0; }, "linear.in"},
    {"wide_inputs", [](LinearSpec& s) { s.layer.in = 257; }, "linear.in"},
    {"no_outputs", [](LinearSpec& s) { s.layer.out = 0; }, "linear.out"},
    {"many_outputs", [](LinearSpec& s) { s.layer.out = 65; }, "linear.out"},
    {"few_weights", [](LinearSpec& s) { s.layer.weights.pop_back(); }, "linear.weights"},
    {"many_weights", [](LinearSpec& s) { s.layer.weights.push_back(0); }, "linear.weights"},
    {"few_biases", [](LinearSpec& s) { s.layer.bias.pop_back(); }, "linear.bias"},
    {"few_scales", [](LinearSpec& s) { s.layer.multiplier.pop_back(); }, "linear.multiplier"},
    {"weight", [](LinearSpec& s) { s.layer.weights[5] = -128; }, "linear.weights[5]"},
    {"bias_high", [](LinearSpec& s) { s.layer.bias[1] = (1 << 24) + 1; }, "linear.bias[1]"},
    {"bias_low", [](LinearSpec& s) { s.layer.bias[2] = INT32_MIN; }, "linear.bias[2]"},
    {"shift", [](LinearSpec& s) { s.layer.shift = 17; }, "linear.shift"},
    {"scale", [](LinearSpec& s) { s.layer.multiplier[0] = -1; }, "linear.multiplier[0]"},
};

INSTANTIATE_TEST_SUITE_P(All, LinearValidate, ::testing::ValuesIn(kCases), [](const auto& info) {
    return std::string(info.param.name);
});

}  // namespace
}  // namespace weir::kernels
