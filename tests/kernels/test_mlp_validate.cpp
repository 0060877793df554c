// SPDX-License-Identifier: BSD-3-Clause
// What an MLP spec may not be: each refusal names the layer and the field.
#include "kernels/mlp/mlp.h"
#include "tests/kernels/mlp_cases.h"

#include <functional>
#include <random>

#include <gtest/gtest.h>

namespace weir::kernels {
namespace {

struct Case {
    const char* name;
    std::function<void(MlpSpec&)> damage;
    const char* field;
};

void PrintTo(const Case& value, std::ostream* out) {
    *out << value.name;
}

class MlpValidate : public ::testing::TestWithParam<Case> {
  protected:
    static MlpSpec good() {
        std::mt19937 random(1);
        return testing::make_spec({4, 3, 2}, testing::Values::trained, random);
    }
};

TEST_P(MlpValidate, NamesTheField) {
    MlpSpec spec = good();
    ASSERT_TRUE(validate(spec));
    GetParam().damage(spec);
    const auto checked = validate(spec);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().field, GetParam().field);
    EXPECT_FALSE(checked.error().what.empty());
    EXPECT_FALSE(checked.error().fix.empty());
}

const Case kCases[] = {
    {"no_layers", [](MlpSpec& s) { s.layers.clear(); }, "mlp.layers"},
    {"seven_layers", [](MlpSpec& s) { s.layers.assign(7, s.layers[0]); }, "mlp.layers"},
    {"no_inputs", [](MlpSpec& s) { s.layers[0].in = 0; }, "mlp.layers[0].in"},
    {"wide_inputs", [](MlpSpec& s) { s.layers[0].in = 257; }, "mlp.layers[0].in"},
    {"no_outputs", [](MlpSpec& s) { s.layers[1].out = 0; }, "mlp.layers[1].out"},
    {"huge_width", [](MlpSpec& s) { s.layers[1].out = 0xffffffff; }, "mlp.layers[1].out"},
    {"few_weights", [](MlpSpec& s) { s.layers[0].weights.pop_back(); }, "mlp.layers[0].weights"},
    {"many_weights", [](MlpSpec& s) { s.layers[1].weights.push_back(0); }, "mlp.layers[1].weights"},
    {"few_biases", [](MlpSpec& s) { s.layers[0].bias.pop_back(); }, "mlp.layers[0].bias"},
    {"few_scales", [](MlpSpec& s) { s.layers[0].multiplier.clear(); }, "mlp.layers[0].multiplier"},
    {"weight", [](MlpSpec& s) { s.layers[0].weights[5] = -128; }, "mlp.layers[0].weights[5]"},
    {"bias_high", [](MlpSpec& s) { s.layers[1].bias[1] = (1 << 24) + 1; }, "mlp.layers[1].bias[1]"},
    {"bias_low", [](MlpSpec& s) { s.layers[1].bias[0] = INT32_MIN; }, "mlp.layers[1].bias[0]"},
    {"shift", [](MlpSpec& s) { s.layers[0].shift = 17; }, "mlp.layers[0].shift"},
    {"scale", [](MlpSpec& s) { s.layers[0].multiplier[2] = -1; }, "mlp.layers[0].multiplier[2]"},
    {"chain",
     [](MlpSpec& s) {
         s.layers.erase(s.layers.begin());
         s.layers.push_back(s.layers[0]);
     },
     "mlp.layers[1].in"},
    {"too_many_outputs",
     [](MlpSpec& s) {
         std::mt19937 random(1);
         s = testing::make_spec({4, 65}, testing::Values::trained, random);
     },
     "mlp.layers[0].out"},
};

INSTANTIATE_TEST_SUITE_P(All, MlpValidate, ::testing::ValuesIn(kCases), [](const auto& info) {
    return std::string(info.param.name);
});

}  // namespace
}  // namespace weir::kernels
