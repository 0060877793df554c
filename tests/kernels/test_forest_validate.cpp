// SPDX-License-Identifier: BSD-3-Clause
// What a forest spec may not be: each refusal names the tree and the field.
#include "kernels/forest/forest.h"
#include "tests/kernels/forest_cases.h"

#include <functional>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace weir::kernels {
namespace {

// Tree 0 is a single leaf; tree 1:  0 → (1 → (~0, ~1), 2 → (~2, ~3)).
ForestSpec good() {
    ForestSpec spec;
    spec.inputs = 3;
    spec.base = {5, -5};
    spec.trees.push_back({0, {}, {7}});
    spec.trees.push_back({1, {{0, 10, 1, 2}, {1, 20, ~0, ~1}, {2, 30, ~2, ~3}}, {1, 2, 3, 4}});
    return spec;
}

ForestSpec chain(std::uint32_t depth) {
    std::mt19937 random(1);
    testing::ForestShape shape;
    shape.trees = 1;
    shape.leaves = depth + 1;
    shape.depth = depth;
    shape.growth = testing::Growth::chain;
    return testing::ForestMaker(random).make(shape);
}

struct Case {
    const char* name;
    std::function<void(ForestSpec&)> damage;
    const char* field;
};

void PrintTo(const Case& value, std::ostream* out) {
    *out << value.name;
}

class ForestValidate : public ::testing::TestWithParam<Case> {};

TEST_P(ForestValidate, NamesTheField) {
    ForestSpec spec = good();
    ASSERT_TRUE(validate(spec));
    GetParam().damage(spec);
    const auto checked = validate(spec);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().field, GetParam().field);
    EXPECT_FALSE(checked.error().what.empty());
    EXPECT_FALSE(checked.error().fix.empty());
}

const Case kCases[] = {
    {"no_inputs", [](ForestSpec& s) { s.inputs = 0; }, "forest.inputs"},
    {"many_inputs", [](ForestSpec& s) { s.inputs = 257; }, "forest.inputs"},
    {"no_outputs", [](ForestSpec& s) { s.base.clear(); }, "forest.base"},
    {"many_outputs", [](ForestSpec& s) { s.base.resize(65); }, "forest.base"},
    {"base_high", [](ForestSpec& s) { s.base[1] = (1 << 30) + 1; }, "forest.base[1]"},
    {"base_low", [](ForestSpec& s) { s.base[0] = INT32_MIN; }, "forest.base[0]"},
    {"many_trees", [](ForestSpec& s) { s.trees.resize(4097, s.trees[0]); }, "forest.trees"},
    {"output", [](ForestSpec& s) { s.trees[1].output = 2; }, "forest.trees[1].output"},
    {"no_leaves", [](ForestSpec& s) { s.trees[0].leaves.clear(); }, "forest.trees[0].leaves"},
    {"few_leaves", [](ForestSpec& s) { s.trees[1].leaves.pop_back(); }, "forest.trees[1].leaves"},
    {"many_leaves",
     [](ForestSpec& s) { s.trees[0].leaves.push_back(1); },
     "forest.trees[0].leaves"},
    {"many_nodes", [](ForestSpec& s) { s.trees[1].nodes.resize(65536); }, "forest.trees[1].nodes"},
    {"feature", [](ForestSpec& s) { s.inputs = 2; }, "forest.trees[1].nodes[2].feature"},
    {"node_beyond",
     [](ForestSpec& s) { s.trees[1].nodes[0].right = 3; },
     "forest.trees[1].nodes[0].right"},
    {"node_far_beyond",
     [](ForestSpec& s) { s.trees[1].nodes[0].left = INT32_MAX; },
     "forest.trees[1].nodes[0].left"},
    {"leaf_beyond",
     [](ForestSpec& s) { s.trees[1].nodes[1].left = ~4; },
     "forest.trees[1].nodes[1].left"},
    {"leaf_far_beyond",
     [](ForestSpec& s) { s.trees[1].nodes[2].right = INT32_MIN; },
     "forest.trees[1].nodes[2].right"},
    {"root_as_child",
     [](ForestSpec& s) { s.trees[1].nodes[2].left = 0; },
     "forest.trees[1].nodes[2].left"},
    {"node_is_its_own_child",
     [](ForestSpec& s) { s.trees[1].nodes[1].left = 1; },
     "forest.trees[1].nodes[1].left"},
    {"node_shared",
     [](ForestSpec& s) { s.trees[1].nodes[0].right = 1; },
     "forest.trees[1].nodes[0].right"},
    {"leaf_shared",
     [](ForestSpec& s) { s.trees[1].nodes[1].right = ~0; },
     "forest.trees[1].nodes[1].right"},
    {"cycle_apart",
     // Node 0 has two leaves; nodes 1 and 2 lead to each other.
     [](ForestSpec& s) {
         s.trees[1].nodes = {{0, 1, ~0, ~1}, {0, 1, 2, ~2}, {0, 1, 1, ~3}};
     },
     "forest.trees[1].nodes[1]"},
};

INSTANTIATE_TEST_SUITE_P(All, ForestValidate, ::testing::ValuesIn(kCases), [](const auto& info) {
    return std::string(info.param.name);
});

TEST(ForestValidateDepth, TakesSixteenAndRefusesSeventeen) {
    EXPECT_TRUE(validate(chain(16)));
    const auto checked = validate(chain(17));
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().field.rfind("forest.trees[0].nodes[", 0), 0U);
    EXPECT_NE(checked.error().what.find("deeper than 16"), std::string::npos);
}

TEST(ForestValidateDepth, TakesTheLargestTree) {
    std::mt19937 random(1);
    testing::ForestShape shape;
    shape.trees = 1;
    shape.leaves = 1 << kForestMaxDepth;
    const ForestSpec spec = testing::ForestMaker(random).make(shape);
    EXPECT_EQ(spec.trees[0].nodes.size(), 65535U);
    EXPECT_TRUE(validate(spec));
}

TEST(ForestValidateBounds, TakesEverythingAtItsEnd) {
    ForestSpec spec;
    spec.inputs = 256;
    spec.base.assign(64, -(1 << 30));
    spec.base[63] = 1 << 30;
    spec.trees.assign(4096, {63, {{255, 255, ~1, ~0}}, {INT16_MIN, INT16_MAX}});
    EXPECT_TRUE(validate(spec));
    spec.trees.clear();
    EXPECT_TRUE(validate(spec));
}

}  // namespace
}  // namespace weir::kernels
