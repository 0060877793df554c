// SPDX-License-Identifier: BSD-3-Clause
// What a sequence spec may not be: each refusal names the layer and the field.
#include "kernels/classifier.h"
#include "tests/kernels/family_cases.h"

#include <functional>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace weir::kernels {
namespace {

using Spec = SequenceSpec;

Spec good() {
    std::mt19937 random(1);
    const testing::SequenceCase shape{
        8, {{4, 3, 1, 1, 2}, {6, 3, 1, 0, 1}}, SequencePooling::flatten, {5, 2}};
    return testing::make_sequence(shape, testing::Values::trained, random);
}

struct Case {
    const char* name;
    std::function<void(Spec&)> damage;
    const char* field;
};

void PrintTo(const Case& value, std::ostream* out) {
    *out << value.name;
}

class SequenceValidate : public ::testing::TestWithParam<Case> {};

TEST_P(SequenceValidate, NamesTheField) {
    Spec spec = good();
    ASSERT_TRUE(validate(spec));
    GetParam().damage(spec);
    const auto checked = validate(spec);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().field, GetParam().field);
    EXPECT_FALSE(checked.error().what.empty());
    EXPECT_FALSE(checked.error().fix.empty());
    EXPECT_FALSE(make_classifier(spec));
}

Convolution& conv(Spec& s, std::size_t i) {
    return s.convolutions[i];
}

const Case kCases[] = {
    {"no_steps", [](Spec& s) { s.steps = 0; }, "sequence.steps"},
    {"many_steps", [](Spec& s) { s.steps = 17; }, "sequence.steps"},
    {"no_convolutions", [](Spec& s) { s.convolutions.clear(); }, "sequence.convolutions"},
    {"four_convolutions",
     [](Spec& s) { s.convolutions.assign(4, conv(s, 0)); },
     "sequence.convolutions"},
    {"three_channels_in", [](Spec& s) { conv(s, 0).in = 3; }, "sequence.convolutions[0].in"},
    {"chain", [](Spec& s) { conv(s, 1).in = 5; }, "sequence.convolutions[1].in"},
    {"no_channels", [](Spec& s) { conv(s, 0).out = 0; }, "sequence.convolutions[0].out"},
    {"many_channels", [](Spec& s) { conv(s, 1).out = 33; }, "sequence.convolutions[1].out"},
    {"no_kernel", [](Spec& s) { conv(s, 1).kernel = 0; }, "sequence.convolutions[1].kernel"},
    {"even_kernel", [](Spec& s) { conv(s, 0).kernel = 2; }, "sequence.convolutions[0].kernel"},
    {"wide_kernel", [](Spec& s) { conv(s, 0).kernel = 7; }, "sequence.convolutions[0].kernel"},
    {"no_stride", [](Spec& s) { conv(s, 0).stride = 0; }, "sequence.convolutions[0].stride"},
    {"long_stride", [](Spec& s) { conv(s, 0).stride = 5; }, "sequence.convolutions[0].stride"},
    {"padding", [](Spec& s) { conv(s, 0).padding = 2; }, "sequence.convolutions[0].padding"},
    {"huge_padding", [](Spec& s) { conv(s, 0).padding = ~0U; }, "sequence.convolutions[0].padding"},
    {"no_pool", [](Spec& s) { conv(s, 0).pool = 0; }, "sequence.convolutions[0].pool"},
    {"wide_pool", [](Spec& s) { conv(s, 0).pool = 5; }, "sequence.convolutions[0].pool"},
    {"few_weights",
     [](Spec& s) { conv(s, 1).weights.pop_back(); },
     "sequence.convolutions[1].weights"},
    {"weight",
     [](Spec& s) { conv(s, 1).weights[7] = -128; },
     "sequence.convolutions[1].weights[7]"},
    {"few_biases", [](Spec& s) { conv(s, 0).bias.pop_back(); }, "sequence.convolutions[0].bias"},
    {"bias", [](Spec& s) { conv(s, 0).bias[3] = 1 << 25; }, "sequence.convolutions[0].bias[3]"},
    {"shift", [](Spec& s) { conv(s, 1).shift = 17; }, "sequence.convolutions[1].shift"},
    {"few_scales",
     [](Spec& s) { conv(s, 1).multiplier.pop_back(); },
     "sequence.convolutions[1].multiplier"},
    {"scale",
     [](Spec& s) { conv(s, 1).multiplier[0] = -1; },
     "sequence.convolutions[1].multiplier[0]"},
    {"kernel_wider_than_all",
     [](Spec& s) {
         s.steps = 2;
         conv(s, 0).pool = 1;
     },
     "sequence.convolutions[1].kernel"},
    {"pool_wider_than_all", [](Spec& s) { s.steps = 1; }, "sequence.convolutions[0].pool"},
    {"pooling", [](Spec& s) { s.pooling = SequencePooling{3}; }, "sequence.pooling"},
    {"no_dense", [](Spec& s) { s.dense.clear(); }, "sequence.dense"},
    {"five_dense", [](Spec& s) { s.dense.resize(5); }, "sequence.dense"},
    {"flat_width", [](Spec& s) { s.steps = 10; }, "sequence.dense[0].in"},
    {"pooled_width", [](Spec& s) { s.pooling = SequencePooling::max; }, "sequence.dense[0].in"},
    {"dense_chain", [](Spec& s) { s.dense.erase(s.dense.begin()); }, "sequence.dense[0].in"},
    {"dense_width", [](Spec& s) { s.dense[0].out = 129; }, "sequence.dense[0].out"},
    {"many_outputs", [](Spec& s) { s.dense[1].out = 65; }, "sequence.dense[1].out"},
    {"dense_weight", [](Spec& s) { s.dense[1].weights[1] = -128; }, "sequence.dense[1].weights[1]"},
};

INSTANTIATE_TEST_SUITE_P(All, SequenceValidate, ::testing::ValuesIn(kCases), [](const auto& info) {
    return std::string(info.param.name);
});

}  // namespace
}  // namespace weir::kernels
