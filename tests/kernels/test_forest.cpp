// SPDX-License-Identifier: BSD-3-Clause
// Every forest variant against the reference: exact, for every shape, length, stride, alignment and extreme.
#include "kernels/classifier.h"
#include "kernels/forest/variants.h"
#include "tests/kernels/forest_cases.h"
#include "tests/kernels/guarded_buffer.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace weir::kernels {
namespace {

using testing::Codes;
using testing::ForestMaker;
using testing::ForestShape;
using testing::Growth;
using testing::GuardedBuffer;
using testing::Leaves;
using testing::Thresholds;

#if defined(__SANITIZE_ADDRESS__)
constexpr std::uint32_t kRandomRows = 50'000;
constexpr std::uint32_t kLengthStep = 7;  // of the lengths beyond the first block
#else
constexpr std::uint32_t kRandomRows = 1'000'000;
constexpr std::uint32_t kLengthStep = 1;
#endif
constexpr std::uint32_t kSmallestBlock = 64;

struct Layout {
    std::size_t padding = 0;  // stride − inputs
    std::size_t offset = 0;   // of rows and outputs from their natural alignment
    bool guard_end = true;  // the forbidden page stands behind (true) or before (false) each buffer
};

constexpr Growth kGrowths[] = {Growth::level_wise, Growth::leaf_wise, Growth::chain};
constexpr Thresholds kThresholds[] = {
    Thresholds::any, Thresholds::few, Thresholds::ends, Thresholds::bins};
constexpr Leaves kLeaves[] = {
    Leaves::any, Leaves::highest, Leaves::lowest, Leaves::ends, Leaves::trained};
constexpr Codes kCodes[] = {Codes::any, Codes::zero, Codes::full, Codes::ends, Codes::bins};

class ForestVariant : public ::testing::TestWithParam<Isa> {
  protected:
    void SetUp() override {
        if (!isa_supported(GetParam())) {
            GTEST_SKIP() << "this CPU lacks " << isa_name(GetParam());
        }
    }

    ForestSpec make(const ForestShape& shape) { return ForestMaker(random_).make(shape); }

    std::unique_ptr<Classifier> variant(const ForestSpec& spec) {
        auto made = make_classifier(spec, GetParam());
        EXPECT_TRUE(made) << made.error().line();
        EXPECT_EQ(made.value()->isa(), GetParam());
        EXPECT_EQ(made.value()->inputs(), spec.inputs);
        EXPECT_EQ(made.value()->outputs(), spec.base.size());
        return std::move(made.value());
    }

    // Scores n rows in page-guarded buffers by both; every output must be equal.
    void expect_equal(
        const ForestSpec& spec,
        const Classifier& fast,
        std::uint32_t n,
        Codes codes,
        const Layout& layout) {
        const std::size_t stride = spec.inputs + layout.padding;
        const std::size_t bytes = n == 0 ? 0 : (n - 1) * stride + spec.inputs;
        const std::size_t outputs = std::size_t{n} * spec.base.size();
        const bool end = layout.guard_end;
        const std::size_t out_offset = layout.offset / alignof(std::int32_t) * sizeof(std::int32_t);
        const GuardedBuffer row_buffer(bytes + layout.offset, end);
        const GuardedBuffer out_buffer(outputs * sizeof(std::int32_t) + out_offset, end);
        auto* scratch = dirty_scratch(fast.scratch_bytes());
        auto* rows = row_buffer.as<std::uint8_t>() + layout.offset;
        std::generate_n(rows, bytes, [&] { return testing::forest_code(codes, random_); });

        auto* out = out_buffer.as<std::int32_t>() + out_offset / sizeof(std::int32_t);
        fast.score(rows, stride, n, out, scratch);

        const auto reference = make_forest_reference(spec);
        std::vector<std::int32_t> want(outputs);
        reference->score(rows, stride, n, want.data(), nullptr);
        for (std::size_t i = 0; i < outputs; ++i) {
            ASSERT_EQ(out[i], want[i]) << "n " << n << " row " << i / spec.base.size() << " output "
                                       << i % spec.base.size() << " of " << spec.trees.size()
                                       << " trees on " << spec.inputs << " inputs, the first of "
                                       << spec.trees.front().leaves.size() << " leaves";
        }
    }

    // Ends at a forbidden page, and holds what other calls left there, which must not matter.
    std::byte* dirty_scratch(std::size_t bytes) {
        const std::size_t size = (bytes + 63) / 64 * 64;
        if (size != scratch_size_ || !scratch_) {
            scratch_ = std::make_unique<GuardedBuffer>(size, true);
            scratch_size_ = size;
            std::fill_n(scratch_->as<std::uint8_t>(), size, std::uint8_t{0xa5});
        }
        return scratch_->as<std::byte>();
    }

    void expect_equal_some(const ForestSpec& spec, Codes codes) {
        const auto fast = variant(spec);
        for (const std::uint32_t n : {1U, 5U, 17U, 40U, 77U, 130U, 300U}) {
            expect_equal(spec, *fast, n, codes, {});
        }
    }

    std::uint32_t draw(std::uint32_t low, std::uint32_t high) {
        return std::uniform_int_distribution<std::uint32_t>(low, high)(random_);
    }

    std::mt19937 random_{20260101};

  private:
    std::unique_ptr<GuardedBuffer> scratch_;
    std::size_t scratch_size_ = 0;
};

TEST_P(ForestVariant, EqualsReferenceForEveryLength) {
    ForestShape shapes[2];
    shapes[1].leaves = 90;
    shapes[1].outputs = 3;
    shapes[1].inputs = 7;
    shapes[1].growth = Growth::leaf_wise;
    for (const ForestShape& shape : shapes) {
        const ForestSpec spec = make(shape);
        const auto fast = variant(spec);
        for (std::uint32_t n = 0; n <= kMaxRows; n += n <= kSmallestBlock ? 1 : kLengthStep) {
            expect_equal(spec, *fast, n, Codes::any, {});
            expect_equal(spec, *fast, n, Codes::any, {.guard_end = false});
        }
        expect_equal(spec, *fast, kMaxRows, Codes::any, {});
    }
}

TEST_P(ForestVariant, EqualsReferenceForEveryStrideAndAlignment) {
    ForestShape shape;
    shape.inputs = 30;
    shape.outputs = 11;
    shape.trees = 24;
    const ForestSpec spec = make(shape);
    const auto fast = variant(spec);
    for (std::size_t padding = 0; padding < 70; padding += padding < 5 ? 1 : 13) {
        for (std::size_t offset = 0; offset < 64; offset += 3) {
            for (const bool end : {false, true}) {
                expect_equal(spec, *fast, 9, Codes::any, {padding, offset, end});
                expect_equal(spec, *fast, 77, Codes::any, {padding, offset, end});
            }
        }
    }
}

TEST_P(ForestVariant, EqualsReferenceForEveryInputCount) {
    for (std::uint32_t inputs = 1; inputs <= kForestMaxInputs; ++inputs) {
        ForestShape shape;
        shape.inputs = inputs;
        shape.trees = 8;
        const ForestSpec spec = make(shape);
        const auto fast = variant(spec);
        expect_equal(spec, *fast, 3, Codes::any, {});
        expect_equal(spec, *fast, 70, Codes::any, {.guard_end = (inputs & 1U) != 0});
    }
}

TEST_P(ForestVariant, EqualsReferenceForEveryOutputCount) {
    for (std::uint32_t outputs = 1; outputs <= kForestMaxOutputs; ++outputs) {
        ForestShape shape;
        shape.outputs = outputs;
        shape.trees = 2 * outputs;
        shape.leaves = 20;
        const ForestSpec spec = make(shape);
        const auto fast = variant(spec);
        expect_equal(spec, *fast, 5, Codes::any, {});
        expect_equal(spec, *fast, 67, Codes::any, {.padding = 3});
    }
}

TEST_P(ForestVariant, EqualsReferenceForEveryLeafCount) {
    for (const Growth growth : kGrowths) {
        for (std::uint32_t leaves = 1; leaves <= 140; ++leaves) {
            ForestShape shape;
            shape.leaves = leaves;
            shape.trees = 3;
            shape.growth = growth;
            const ForestSpec spec = make(shape);
            const auto fast = variant(spec);
            expect_equal(spec, *fast, 6, Codes::any, {});
            expect_equal(spec, *fast, 65, Codes::any, {});
        }
    }
}

TEST_P(ForestVariant, EqualsReferenceForEveryDepth) {
    for (const Growth growth : kGrowths) {
        for (std::uint32_t depth = 0; depth <= kForestMaxDepth; ++depth) {
            ForestShape shape;
            shape.leaves = std::min(1U << depth, 3000U);
            shape.depth = depth;
            shape.trees = 5;
            shape.growth = growth;
            expect_equal_some(make(shape), Codes::any);
        }
    }
}

TEST_P(ForestVariant, EqualsReferenceForTheLargestTree) {
    ForestShape shape;
    shape.trees = 2;
    shape.leaves = 1U << kForestMaxDepth;
    shape.inputs = 256;
    expect_equal_some(make(shape), Codes::any);
}

TEST_P(ForestVariant, EqualsReferenceAtTheExtremes) {
    for (const Thresholds thresholds : kThresholds) {
        for (const Leaves leaves : kLeaves) {
            for (const Growth growth : kGrowths) {
                ForestShape shape;
                shape.thresholds = thresholds;
                shape.leaf_values = leaves;
                shape.growth = growth;
                shape.outputs = 2;
                const ForestSpec spec = make(shape);
                const auto fast = variant(spec);
                for (const Codes codes : kCodes) {
                    expect_equal(spec, *fast, 11, codes, {});
                    expect_equal(spec, *fast, 90, codes, {});
                }
            }
        }
    }
}

// Sums that overflow anything narrower than s32 in every block of trees.
TEST_P(ForestVariant, EqualsReferenceForTheMostTrees) {
    for (const Leaves leaves : {Leaves::highest, Leaves::lowest, Leaves::any}) {
        for (const std::uint32_t outputs : {1U, 64U}) {
            ForestShape shape;
            shape.trees = kForestMaxTrees;
            shape.leaves = 8;
            shape.outputs = outputs;
            shape.leaf_values = leaves;
            expect_equal_some(make(shape), Codes::any);
        }
    }
}

TEST_P(ForestVariant, EqualsReferenceForTreesWithoutNodes) {
    for (const std::uint32_t trees : {1U, 2U, 100U}) {
        ForestShape shape;
        shape.trees = trees;
        shape.leaves = 1;
        shape.outputs = 2;
        expect_equal_some(make(shape), Codes::any);
    }
    ForestSpec none;
    none.inputs = 3;
    none.base = {7, -9};
    const auto fast = variant(none);
    const std::uint8_t rows[6] = {};
    std::int32_t out[4] = {};
    const GuardedBuffer scratch((fast->scratch_bytes() + 63) / 64 * 64, true);
    fast->score(rows, 3, 2, out, scratch.as<std::byte>());
    EXPECT_EQ(std::vector<std::int32_t>(out, out + 4), std::vector<std::int32_t>({7, -9, 7, -9}));
}

// Every threshold of every input in use: the most bit rows that a bit-sliced variant may meet.
TEST_P(ForestVariant, EqualsReferenceForEveryThresholdOfEveryInput) {
    ForestSpec spec;
    spec.inputs = kForestMaxInputs;
    spec.base = {0};
    for (std::uint32_t t = 0; t < 1024; ++t) {
        ForestTree tree;
        for (std::uint32_t i = 0; i < 64; ++i) {
            const std::uint32_t pair = t * 64 + i;
            tree.nodes.push_back(
                {static_cast<std::uint8_t>(pair >> 8), static_cast<std::uint8_t>(pair), 0, 0});
        }
        for (std::int32_t i = 0; i < 64; ++i) {
            const auto child = [&](std::int32_t at) { return at < 64 ? at : ~(at - 64); };
            auto& node = tree.nodes[static_cast<std::size_t>(i)];
            node.left = child(2 * i + 1);
            node.right = child(2 * i + 2);
        }
        for (std::int32_t i = 0; i < 65; ++i) {
            tree.leaves.push_back(static_cast<std::int16_t>(draw(0, 65535)));
        }
        spec.trees.push_back(tree);
    }
    expect_equal_some(spec, Codes::any);
    expect_equal_some(spec, Codes::ends);
}

TEST_P(ForestVariant, EqualsReferenceForMixedTrees) {
    for (int round = 0; round < 60; ++round) {
        ForestSpec spec;
        spec.inputs = draw(1, round % 8 == 0 ? 256 : 40);
        const std::uint32_t outputs = draw(1, round % 4 == 0 ? 64 : 4);
        for (std::uint32_t o = 0; o < outputs; ++o) {
            spec.base.push_back(static_cast<std::int32_t>(draw(0, 1 << 30)));
        }
        const std::uint32_t trees = draw(1, 60);
        for (std::uint32_t t = 0; t < trees; ++t) {
            ForestShape shape;
            shape.inputs = spec.inputs;
            shape.leaves = draw(1, draw(0, 3) == 0 ? 700 : 66);
            shape.depth = draw(1, kForestMaxDepth);
            shape.growth = kGrowths[draw(0, 2)];
            shape.thresholds = kThresholds[draw(0, 3)];
            shape.leaf_values = kLeaves[draw(0, 4)];
            spec.trees.push_back(ForestMaker(random_).tree(shape));
            spec.trees.back().output = draw(0, outputs - 1);
        }
        const auto fast = variant(spec);
        const Codes codes = kCodes[draw(0, 4)];
        expect_equal(spec, *fast, draw(1, 31), codes, {draw(0, 9), draw(0, 63), true});
        expect_equal(spec, *fast, draw(32, 200), Codes::any, {draw(0, 9), draw(0, 63), false});
        expect_equal(spec, *fast, draw(200, 512), Codes::any, {draw(0, 9), draw(0, 63), true});
    }
}

TEST_P(ForestVariant, ScoresAMillionRowsAsTheReferenceDoes) {
    constexpr std::uint32_t kShapes = 16;
    for (std::uint32_t i = 0; i < kShapes; ++i) {
        ForestShape shape;
        shape.trees = 20;
        shape.outputs = 1 + i % 3;
        shape.leaves = i % 4 == 3 ? 150 : 64;
        shape.growth = kGrowths[i % 2];
        shape.thresholds = kThresholds[i % 4];
        const ForestSpec spec = make(shape);
        const auto fast = variant(spec);
        const auto reference = make_forest_reference(spec);
        std::vector<std::uint8_t> rows(std::size_t{kMaxRows} * spec.inputs);
        std::vector<std::int32_t> have(std::size_t{kMaxRows} * spec.base.size());
        std::vector<std::int32_t> want(have.size());
        const GuardedBuffer scratch((fast->scratch_bytes() + 63) / 64 * 64, true);
        for (std::uint32_t scored = 0; scored < kRandomRows / kShapes;) {
            std::uint32_t state = random_();
            for (std::uint8_t& code : rows) {
                state = state * 1664525 + 1013904223;
                code = static_cast<std::uint8_t>(state >> 24);
            }
            const std::uint32_t n = scored % 3 == 0 ? kMaxRows : draw(1, kMaxRows);
            fast->score(rows.data(), spec.inputs, n, have.data(), scratch.as<std::byte>());
            reference->score(rows.data(), spec.inputs, n, want.data(), nullptr);
            ASSERT_EQ(have, want);
            scored += n;
        }
    }
}

std::string isa_param_name(const ::testing::TestParamInfo<Isa>& info) {
    return std::string(isa_name(info.param));
}

// The reference is among them: its own buffers are guarded too.
INSTANTIATE_TEST_SUITE_P(
    All,
    ForestVariant,
    ::testing::ValuesIn(forest_isas().begin(), forest_isas().end()),
    isa_param_name);

TEST(ForestReference, ComputesTheContractByHand) {
    ForestSpec spec;
    spec.inputs = 2;
    spec.base = {100, -100};
    spec.trees.push_back({0, {{0, 10, ~0, 1}, {1, 20, ~2, ~1}}, {1, 2, 4}});
    spec.trees.push_back({1, {{1, 255, ~0, ~1}}, {-7, 1000}});
    spec.trees.push_back({0, {}, {-50}});
    const auto reference = make_forest_reference(spec);
    const std::uint8_t rows[] = {10, 255, 11, 20, 11, 21};
    std::int32_t raw[6] = {};
    reference->score(rows, 2, 3, raw, nullptr);
    // 10 is not above 10: leaf 0. 20 is not above 20: leaf 2. 21 is: leaf 1. Nothing is above 255.
    EXPECT_EQ(
        std::vector<std::int32_t>(raw, raw + 6),
        std::vector<std::int32_t>({51, -107, 54, -107, 52, -107}));
}

}  // namespace
}  // namespace weir::kernels
