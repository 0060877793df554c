// SPDX-License-Identifier: BSD-3-Clause
// Every MLP variant against the reference: exact, for every shape, length, stride, alignment and extreme.
#include "kernels/classifier.h"
#include "kernels/mlp/variants.h"
#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/mlp_cases.h"
#include "tests/support/effort.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace weir::kernels {
namespace {

using testing::effort;
using testing::GuardedBuffer;
using testing::kAllValues;
using testing::kSweepStep;
using testing::make_code;
using testing::make_spec;
using testing::Values;
using Widths = std::vector<std::uint32_t>;

constexpr std::uint32_t kBlockRows = 64;  // the widest block of any variant

struct Layout {
    std::size_t padding = 0;  // stride − inputs
    std::size_t offset = 0;   // of rows and outputs from their natural alignment
    bool guard_end = true;  // the forbidden page stands behind (true) or before (false) each buffer
};

class MlpVariant : public ::testing::TestWithParam<Isa> {
  protected:
    void SetUp() override {
        if (!isa_supported(GetParam())) {
            GTEST_SKIP() << "this CPU lacks " << isa_name(GetParam());
        }
    }

    std::unique_ptr<Classifier> variant(const MlpSpec& spec) {
        auto made = make_classifier(spec, GetParam());
        EXPECT_TRUE(made) << made.error().line();
        EXPECT_EQ(made.value()->isa(), GetParam());
        return std::move(made.value());
    }

    // Scores n rows in page-guarded buffers by both; every output must be equal.
    void expect_equal(
        const MlpSpec& spec,
        const Classifier& fast,
        std::uint32_t n,
        Values values,
        const Layout& layout) {
        const std::size_t stride = spec.inputs() + layout.padding;
        const std::size_t bytes = n == 0 ? 0 : (n - 1) * stride + spec.inputs();
        const std::size_t outputs = std::size_t{n} * spec.outputs();
        const bool end = layout.guard_end;
        const std::size_t out_offset = layout.offset / alignof(std::int32_t) * sizeof(std::int32_t);
        const GuardedBuffer row_buffer(bytes + layout.offset, end);
        const GuardedBuffer out_buffer(outputs * sizeof(std::int32_t) + out_offset, end);
        const GuardedBuffer scratch((fast.scratch_bytes() + 63) / 64 * 64, end);
        auto* rows = row_buffer.as<std::uint8_t>() + layout.offset;
        std::generate_n(rows, bytes, [&] { return make_code(values, random_); });

        auto* out = out_buffer.as<std::int32_t>() + out_offset / sizeof(std::int32_t);
        fast.score(rows, stride, n, out, scratch.as<std::byte>());

        const auto reference = make_mlp_reference(spec);
        std::vector<std::int32_t> want(outputs);
        reference->score(rows, stride, n, want.data(), nullptr);
        for (std::size_t i = 0; i < outputs; ++i) {
            ASSERT_EQ(out[i], want[i])
                << "n " << n << " row " << i / spec.outputs() << " output " << i % spec.outputs()
                << " of " << spec.inputs() << "→" << spec.outputs() << " in " << spec.layers.size()
                << " layers";
        }
    }

    std::mt19937 random_{20260101};
};

TEST_P(MlpVariant, EqualsReferenceForEveryLength) {
    for (const Widths& widths : {Widths{32, 32, 16, 8}, Widths{7, 9, 3}, Widths{5, 1}}) {
        const MlpSpec spec = make_spec(widths, Values::trained, random_);
        const auto fast = variant(spec);
        for (std::uint32_t n = 0; n <= 3 * kBlockRows + 1; ++n) {
            expect_equal(spec, *fast, n, Values::trained, {});
            expect_equal(spec, *fast, n, Values::trained, {.guard_end = false});
        }
        for (const std::uint32_t n : {kMaxRows - 1, kMaxRows}) {
            expect_equal(spec, *fast, n, Values::trained, {});
        }
    }
}

TEST_P(MlpVariant, EqualsReferenceForEveryStrideAndAlignment) {
    const MlpSpec spec = make_spec({30, 20, 11}, Values::trained, random_);
    const auto fast = variant(spec);
    for (std::size_t padding = 0; padding < 70; padding += padding < 5 ? 1 : 13) {
        for (std::size_t offset = 0; offset < 64; offset += 3) {
            for (const bool end : {false, true}) {
                expect_equal(spec, *fast, 37, Values::trained, {padding, offset, end});
            }
        }
    }
}

TEST_P(MlpVariant, EqualsReferenceForEveryInputWidth) {
    for (std::uint32_t in = 1; in <= kMlpMaxWidth; in += kSweepStep) {
        const MlpSpec spec = make_spec({in, 5}, Values::mixed, random_);
        const auto fast = variant(spec);
        expect_equal(spec, *fast, 1, Values::random, {});
        expect_equal(spec, *fast, 19, Values::mixed, {});
    }
}

TEST_P(MlpVariant, EqualsReferenceForEveryHiddenAndOutputWidth) {
    for (std::uint32_t width = 1; width <= kMlpMaxWidth; width += kSweepStep) {
        const std::uint32_t outputs = std::min(width, kMaxOutputs);
        const MlpSpec spec = make_spec({8, width, outputs}, Values::trained, random_);
        const auto fast = variant(spec);
        expect_equal(spec, *fast, 1, Values::trained, {});
        expect_equal(spec, *fast, 23, Values::trained, {.guard_end = (width & 1U) != 0});
    }
}

TEST_P(MlpVariant, EqualsReferenceAtTheExtremes) {
    for (const Values weights : kAllValues) {
        for (const Values codes : kAllValues) {
            for (const Widths& widths :
                 {Widths{256, 256, 256, 256, 256, 256, 64}, Widths{255, 129, 17}, Widths{3, 2}}) {
                const MlpSpec spec = make_spec(widths, weights, random_);
                expect_equal(spec, *variant(spec), 18, codes, {});
            }
        }
    }
}

TEST_P(MlpVariant, EqualsReferenceForRandomSpecs) {
    const auto draw = [&](std::uint32_t low, std::uint32_t high) {
        return std::uniform_int_distribution<std::uint32_t>(low, high)(random_);
    };
    for (std::uint32_t round = 0; round < effort(400); ++round) {
        Widths widths{draw(1, round % 8 == 0 ? 256 : 70)};
        const std::uint32_t layers = draw(1, kMlpMaxLayers);
        for (std::uint32_t i = 1; i < layers; ++i) {
            widths.push_back(draw(1, round % 8 == 0 ? 256 : 70));
        }
        widths.push_back(draw(1, kMaxOutputs));
        const Values values = kAllValues[draw(0, 4)];
        const MlpSpec spec = make_spec(widths, values, random_);
        const auto fast = variant(spec);
        expect_equal(spec, *fast, draw(1, 8), Values::random, {draw(0, 9), draw(0, 63), true});
        expect_equal(spec, *fast, draw(9, 80), values, {draw(0, 9), draw(0, 63), false});
    }
}

TEST_P(MlpVariant, ScoresAMillionTrainedRowsAsTheReferenceDoes) {
    const MlpSpec spec = make_spec({16, 16, 4}, Values::trained, random_);
    const auto fast = variant(spec);
    const auto reference = make_mlp_reference(spec);
    std::vector<std::uint8_t> rows(std::size_t{kMaxRows} * spec.inputs());
    std::vector<std::int32_t> have(std::size_t{kMaxRows} * spec.outputs());
    std::vector<std::int32_t> want(have.size());
    const GuardedBuffer scratch((fast->scratch_bytes() + 63) / 64 * 64, true);
    for (std::uint32_t scored = 0; scored < effort(1'000'000); scored += kMaxRows) {
        std::uint32_t state = random_();
        for (std::uint8_t& code : rows) {
            state = state * 1664525 + 1013904223;
            code = static_cast<std::uint8_t>(state >> 24);
        }
        fast->score(rows.data(), spec.inputs(), kMaxRows, have.data(), scratch.as<std::byte>());
        reference->score(rows.data(), spec.inputs(), kMaxRows, want.data(), nullptr);
        ASSERT_EQ(have, want);
    }
}

std::string isa_param_name(const ::testing::TestParamInfo<Isa>& info) {
    return std::string(isa_name(info.param));
}

// The reference is among them: its own buffers are guarded too.
INSTANTIATE_TEST_SUITE_P(
    All, MlpVariant, ::testing::ValuesIn(mlp_isas().begin(), mlp_isas().end()), isa_param_name);

TEST(MlpReference, ComputesTheContractByHand) {
    MlpSpec spec;
    spec.layers.push_back({2, 2, {1, -2, 3, 4}, {10, -5}, 1, {16384, 32767}});
    spec.layers.push_back({2, 1, {2, -1}, {-300}, 0, {16384}});
    const auto reference = make_mlp_reference(spec);
    const std::uint8_t row[] = {100, 7};
    std::int32_t raw = 0;
    reference->score(row, 2, 1, &raw, nullptr);
    // Hidden 0: (10 + 100 − 14) >> 1 = 48, half of it 24. Hidden 1: (−5 + 300 + 28) >> 1 = 161, rounds to 161.
    // Output: −300 + 2·24 − 161 = −413; half of it, rounded to nearest with ties up: −206.
    EXPECT_EQ(raw, -206);
}

TEST(MlpReference, SaturatesToWordsBeforeScaling) {
    MlpSpec spec;
    spec.layers.push_back({1, 2, {127, -127}, {1 << 24, -(1 << 24)}, 0, {32767, 32767}});
    const auto reference = make_mlp_reference(spec);
    const std::uint8_t row[] = {255};
    std::int32_t raw[2] = {};
    reference->score(row, 1, 1, raw, nullptr);
    EXPECT_EQ(raw[0], 32766);
    EXPECT_EQ(raw[1], -32767);
}

}  // namespace
}  // namespace weir::kernels
