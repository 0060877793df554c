// SPDX-License-Identifier: BSD-3-Clause
// The sequence family: every variant, however lowered, against the reference, and the contract by hand.
#include "kernels/sequence/variants.h"
#include "tests/kernels/family_cases.h"
#include "tests/kernels/variant_fixture.h"

namespace weir::kernels {
namespace {

using testing::Conv;
using testing::kAllValues;
using testing::kManySpecs;
using testing::make_sequence;
using testing::SequenceCase;
using testing::Values;

constexpr Lowering kLowerings[] = {Lowering::cheaper, Lowering::direct, Lowering::expanded};
constexpr Lowering kPureLowerings[] = {Lowering::direct, Lowering::expanded};
constexpr SequencePooling kPoolings[] = {
    SequencePooling::flatten, SequencePooling::max, SequencePooling::average};

class SequenceVariant : public testing::VariantFixture {
  protected:
    Pair lowered(const SequenceSpec& spec, Lowering lowering) {
        const auto valid = validate(spec);
        EXPECT_TRUE(valid) << valid.error().line();
        return {
            make_sequence_classifier(spec, GetParam(), lowering), make_sequence_reference(spec)};
    }

    void expect_equal_however_lowered(
        const SequenceSpec& spec,
        std::uint32_t n,
        Values values,
        const testing::Layout& layout = {}) {
        for (const Lowering lowering : kLowerings) {
            expect_equal(lowered(spec, lowering), n, values, layout);
        }
    }
};

// clang-format off
const SequenceCase kShapes[] = {
    {16, {{16, 3, 1, 1, 1}}, SequencePooling::flatten, {8}},
    {16, {{8, 5, 1, 2, 2}, {20, 3, 1, 1, 2}}, SequencePooling::flatten, {16, 6}},
    {16, {{8, 3, 2, 0, 1}, {20, 3, 1, 1, 1}, {32, 3, 1, 1, 1}}, SequencePooling::average, {12, 5}},
    {9, {{3, 1, 1, 0, 1}, {24, 5, 4, 2, 1}}, SequencePooling::max, {1}},
    {1, {{1, 1, 1, 0, 1}}, SequencePooling::flatten, {2}},
};
// clang-format on

TEST_P(SequenceVariant, EqualsReferenceForEveryLength) {
    for (const std::size_t shape : {1U, 3U, 4U}) {
        const SequenceSpec spec = make_sequence(kShapes[shape], Values::trained, random_);
        for (const Lowering lowering : kPureLowerings) {
            expect_equal_for_every_length(lowered(spec, lowering), Values::trained);
        }
    }
}

TEST_P(SequenceVariant, EqualsReferenceForEveryStrideAndAlignment) {
    for (const std::uint32_t steps : {16U, 11U}) {
        SequenceCase shape = kShapes[1];
        shape.steps = steps;
        expect_equal_for_every_layout(
            pair(make_sequence(shape, Values::trained, random_)), Values::trained);
    }
}

TEST_P(SequenceVariant, EqualsReferenceForEveryStepAndPooling) {
    for (std::uint32_t steps = 1; steps <= kSequenceMaxSteps; ++steps) {
        for (const SequencePooling pooling : kPoolings) {
            const SequenceCase shape{steps, {{7, 3, 1, 1, 1}, {9, 5, 1, 2, 1}}, pooling, {3}};
            const SequenceSpec spec = make_sequence(shape, Values::trained, random_);
            expect_equal_however_lowered(spec, 5, Values::trained);
            expect_equal_however_lowered(spec, 33, Values::random, {.guard_end = false});
        }
    }
}

TEST_P(SequenceVariant, EqualsReferenceForEveryNumberOfChannels) {
    for (std::uint32_t first = 1; first <= kSequenceMaxChannels; ++first) {
        const std::uint32_t second = kSequenceMaxChannels + 1 - first;
        const SequenceCase shape{
            16, {{first, 5, 1, 2, 1}, {second, 3, 1, 1, 2}}, SequencePooling::flatten, {4}};
        expect_equal_however_lowered(
            make_sequence(shape, Values::trained, random_), 21, Values::trained);
    }
}

// Every convolution there can be over 16 positions, and a second one that reads its padding.
TEST_P(SequenceVariant, EqualsReferenceForEveryConvolution) {
    for (const std::uint32_t kernel : {1U, 3U, 5U}) {
        for (std::uint32_t padding = 0; padding <= kernel / 2; ++padding) {
            for (std::uint32_t stride = 1; stride <= kSequenceMaxStride; ++stride) {
                for (std::uint32_t pool = 1; pool <= kSequenceMaxPool; ++pool) {
                    Convolution sized;
                    sized.kernel = kernel;
                    sized.padding = padding;
                    sized.stride = stride;
                    sized.pool = pool;
                    if (sized.pooled(kSequenceMaxSteps) == 0) {
                        continue;
                    }
                    const SequenceCase shape{
                        16,
                        {{12, kernel, stride, padding, pool}, {5, 3, 1, 1, 1}},
                        SequencePooling::flatten,
                        {3}};
                    expect_equal_however_lowered(
                        make_sequence(shape, Values::trained, random_), 9, Values::trained);
                }
            }
        }
    }
}

TEST_P(SequenceVariant, EqualsReferenceAtTheExtremes) {
    SequenceCase widest{
        16,
        {{32, 5, 1, 2, 1}, {32, 5, 1, 2, 1}, {32, 5, 1, 2, 1}},
        SequencePooling::flatten,
        {128, 128, 128, 64}};
    for (const SequencePooling pooling : kPoolings) {
        widest.pooling = pooling;
        for (const Values weights : kAllValues) {
            for (const Values codes : kAllValues) {
                expect_equal_however_lowered(make_sequence(widest, weights, random_), 3, codes);
                expect_equal_however_lowered(make_sequence(kShapes[2], weights, random_), 6, codes);
            }
        }
    }
}

TEST_P(SequenceVariant, EqualsReferenceForRandomSpecs) {
    for (int round = 0; round < kManySpecs; ++round) {
        const SequenceCase shape = testing::random_sequence_case(random_);
        const Values values = kAllValues[draw(0, 4)];
        const SequenceSpec spec = make_sequence(shape, values, random_);
        expect_equal_however_lowered(
            spec, draw(1, 8), Values::random, {draw(0, 9), draw(0, 63), true});
        expect_equal_however_lowered(spec, draw(9, 70), values, {draw(0, 9), draw(0, 63), false});
    }
}

TEST_P(SequenceVariant, ScoresManyRowsAsTheReferenceDoes) {
    const SequenceCase shape{16, {{4, 3, 1, 1, 2}}, SequencePooling::average, {3}};
    expect_equal_for_many_rows(pair(make_sequence(shape, Values::trained, random_)));
}

INSTANTIATE_TEST_SUITE_P(
    All,
    SequenceVariant,
    ::testing::ValuesIn(sequence_isas().begin(), sequence_isas().end()),
    testing::isa_param_name);

// A convolution that copies what one tap reads of one channel: 2·w·x >> 1, at nearly full scale.
Convolution tap(std::uint32_t in, std::uint32_t out, std::uint32_t kernel) {
    Convolution layer;
    layer.in = in;
    layer.out = out;
    layer.kernel = kernel;
    layer.padding = kernel / 2;
    layer.weights.assign(std::size_t{in} * out * kernel, 0);
    layer.bias.assign(out, 0);
    layer.multiplier.assign(out, 32767);
    return layer;
}

// Dense layer that passes every input on as a raw output.
MlpLayer identity(std::uint32_t width) {
    MlpLayer layer{width, width, std::vector<std::int8_t>(std::size_t{width} * width), {}, 0, {}};
    layer.bias.assign(width, 0);
    layer.multiplier.assign(width, 32767);
    for (std::uint32_t i = 0; i < width; ++i) {
        layer.weights[i * width + i] = 1;
    }
    return layer;
}

std::vector<std::int32_t> score_by_reference(
    const SequenceSpec& spec, const std::vector<std::uint8_t>& row) {
    const auto made = make_classifier(spec, Isa::scalar);
    EXPECT_TRUE(made) << made.error().line();
    EXPECT_EQ(made.value()->inputs(), row.size());
    std::vector<std::int32_t> raw(spec.outputs());
    made.value()->score(row.data(), row.size(), 1, raw.data(), nullptr);
    return raw;
}

TEST(SequenceContract, ArrangesLengthsAndGapsAndPadsWithTheUnseen) {
    SequenceSpec spec;
    spec.steps = 3;
    Convolution layer = tap(2, 4, 3);
    layer.weights[(0 * 3 + 0) * 2 + 0] = 1;  // channel 0: the length of the packet before
    layer.weights[(1 * 3 + 2) * 2 + 0] = 1;  // channel 1: the length of the packet after
    layer.weights[(2 * 3 + 1) * 2 + 1] = 1;  // channel 2: the packet's own gap
    layer.weights[(3 * 3 + 0) * 2 + 1] = 1;  // channel 3: the gap of the packet before
    spec.convolutions = {layer};
    spec.dense = {identity(12)};
    // Codes stay whole up to 128 on this scale: t = (v·32767 + 2^14) >> 15 = v.
    const std::vector<std::uint8_t> row{10, 20, 30, 7, 9};
    EXPECT_EQ(
        score_by_reference(spec, row),
        (std::vector<std::int32_t>{128, 20, 0, 0, 10, 30, 7, 0, 20, 128, 9, 7}));
}

TEST(SequenceContract, LaterConvolutionsReadZerosOutside) {
    SequenceSpec spec;
    spec.steps = 2;
    Convolution first = tap(2, 1, 1);
    first.weights[0] = 1;
    Convolution second = tap(1, 2, 3);
    second.weights[0 * 3 + 0] = 1;
    second.weights[1 * 3 + 2] = 1;
    spec.convolutions = {first, second};
    spec.dense = {identity(4)};
    EXPECT_EQ(score_by_reference(spec, {50, 60, 1}), (std::vector<std::int32_t>{0, 60, 50, 0}));
}

TEST(SequenceContract, StridesAndPoolsDropTheRest) {
    SequenceSpec spec;
    spec.steps = 8;
    Convolution layer = tap(2, 1, 1);
    layer.weights[0] = 1;
    layer.stride = 2;  // packets 1, 3, 5, 7
    layer.pool = 3;    // of 1, 3 and 5; 7 is the rest
    spec.convolutions = {layer};
    spec.dense = {identity(1)};
    const std::vector<std::uint8_t> row{9, 90, 40, 91, 30, 92, 93, 94, 0, 0, 0, 0, 0, 0, 0};
    EXPECT_EQ(score_by_reference(spec, row), (std::vector<std::int32_t>{40}));
}

TEST(SequenceContract, PoolsOverPositionsByMaxAndRoundedMean) {
    SequenceSpec spec;
    spec.steps = 3;
    Convolution layer = tap(2, 1, 1);
    layer.weights[0] = 1;
    spec.convolutions = {layer};
    spec.dense = {identity(1)};
    spec.pooling = SequencePooling::max;
    EXPECT_EQ(score_by_reference(spec, {5, 80, 7, 0, 0}).front(), 80);
    spec.pooling = SequencePooling::average;
    EXPECT_EQ(score_by_reference(spec, {5, 80, 7, 0, 0}).front(), 31);  // 30.67
    EXPECT_EQ(score_by_reference(spec, {5, 80, 6, 0, 0}).front(), 30);  // 30.33
    spec.steps = 2;
    EXPECT_EQ(score_by_reference(spec, {5, 80, 0}).front(), 43);  // 42.5
}

}  // namespace
}  // namespace weir::kernels
