// SPDX-License-Identifier: BSD-3-Clause
// Networks behind a row normalizer: every variant against the reference, the codes by themselves, and the contract by hand.
#include "kernels/forest/variants.h"
#include "kernels/mlp/variants.h"
#include "kernels/normalized/columns.h"
#include "kernels/normalized/variants.h"
#include "tests/kernels/forest_cases.h"
#include "tests/kernels/normalized_cases.h"
#include "tests/kernels/variant_fixture.h"

#include <cmath>
#include <functional>
#include <limits>

namespace weir::kernels {
namespace {

using testing::kAllNorms;
using testing::kAllValues;
using testing::make_norm_column;
using testing::make_normalized;
using testing::Values;

class NormalizedVariant : public testing::VariantFixture {};
class NormalizedForestVariant : public testing::VariantFixture {};

TEST_P(NormalizedVariant, EqualsReferenceForEveryLength) {
    expect_equal_for_every_length(
        pair(make_normalized(RowNorm::l1, {23, 16, 5}, Values::trained, random_)), Values::trained);
}

TEST_P(NormalizedVariant, EqualsReferenceForEveryStrideAndAlignment) {
    expect_equal_for_every_layout(
        pair(make_normalized(RowNorm::l2, {30, 16, 5}, Values::trained, random_)), Values::trained);
}

TEST_P(NormalizedVariant, EqualsReferenceForEveryWidth) {
    for (std::uint32_t in = 1; in <= kMlpMaxWidth; ++in) {
        const RowNorm norm = kAllNorms[in % 3];
        const auto both = pair(make_normalized(norm, {in, 6}, Values::random, random_));
        expect_equal(both, 1, Values::trained);
        expect_equal(both, 19, Values::mixed, {.guard_end = (in & 1U) != 0});
    }
}

TEST_P(NormalizedVariant, ScoresManyRowsAsTheReferenceDoes) {
    expect_equal_for_many_rows(
        pair(make_normalized(RowNorm::l2, {24, 16, 6}, Values::trained, random_)));
}

TEST_P(NormalizedForestVariant, EqualsReference) {
    testing::ForestMaker maker(random_);
    for (const RowNorm norm : kAllNorms) {
        NormalizedSpec spec = make_normalized(norm, {21, 2}, Values::trained, random_);
        spec.network = maker.make({.inputs = 21, .outputs = 3});
        for (const std::uint32_t n : {1U, 8U, 70U, kMaxRows}) {
            expect_equal(pair(spec), n, Values::trained);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    All,
    NormalizedVariant,
    ::testing::ValuesIn(mlp_isas().begin(), mlp_isas().end()),
    testing::isa_param_name);
INSTANTIATE_TEST_SUITE_P(
    All,
    NormalizedForestVariant,
    ::testing::ValuesIn(forest_isas().begin(), forest_isas().end()),
    testing::isa_param_name);

std::vector<std::uint8_t> codes_of(
    const NormalizedSpec& spec, const std::vector<std::uint8_t>& row) {
    std::vector<std::uint8_t> out(row.size());
    normalize_rows(spec, row.data(), row.size(), 1, out.data(), out.size());
    return out;
}

#if defined(__x86_64__)
// The codes themselves: a network behind may hide one that is off.
TEST(Normalizer, EveryVariantGivesTheReferencesCodes) {
    std::mt19937 random(20261129);
    for (const auto& [isa, variant] :
         {std::pair<Isa, NormalizeRows>{Isa::avx2, normalize_rows_avx2},
          {Isa::avx512, normalize_rows_avx512}}) {
        if (!isa_supported(isa)) {
            continue;
        }
        for (int round = 0; round < 3000; ++round) {
            const RowNorm norm = kAllNorms[random() % 3];
            const std::uint32_t in =
                round % 3 == 0 ? kNormMaxColumns : 1 + static_cast<std::uint32_t>(random() % 70);
            const Values values = kAllValues[random() % std::size(kAllValues)];
            const auto spec = make_normalized(norm, {in, 2}, values, random);
            ASSERT_TRUE(validate(spec)) << validate(spec).error().line();
            std::vector<std::uint8_t> row(in);
            const Values codes = kAllValues[random() % std::size(kAllValues)];
            std::generate(
                row.begin(), row.end(), [&] { return testing::make_code(codes, random); });
            const NormColumns columns(spec);
            std::vector<std::uint8_t> have(columns.padded);
            variant(columns, row.data(), in, 1, have.data(), have.size());
            have.resize(in);
            ASSERT_EQ(have, codes_of(spec, row)) << isa_name(isa) << ", round " << round;
        }
    }
}
#endif

// Against the definition in long double: the same code, or its neighbour where the quotient lies on the grid.
TEST(Normalizer, CodesAreThoseOfTheQuotients) {
    std::mt19937 random(5);
    for (int round = 0; round < 5000; ++round) {
        const RowNorm norm = kAllNorms[round % 3];
        auto spec = make_normalized(
            norm, {1 + static_cast<std::uint32_t>(random() % 60), 2}, Values::trained, random);
        std::vector<std::uint8_t> row(spec.columns.size());
        std::generate(row.begin(), row.end(), [&] { return static_cast<std::uint8_t>(random()); });
        std::vector<long double> v;
        long double sum = 0.0L;
        for (std::size_t k = 0; k < row.size(); ++k) {
            const NormColumn& c = spec.columns[k];
            v.push_back(std::floor((static_cast<long double>(c.scale) * row[k] + c.offset) / 256));
            sum = norm == RowNorm::l1   ? sum + std::abs(v[k])
                  : norm == RowNorm::l2 ? sum + v[k] * v[k]
                                        : std::max(sum, v[k]);
        }
        const long double divisor = norm == RowNorm::l2 ? std::sqrt(sum) : sum;
        const auto codes = codes_of(spec, row);
        for (std::size_t k = 0; k < row.size(); ++k) {
            const NormColumn& c = spec.columns[k];
            const long double at = divisor > 0 ? v[k] / divisor * (c.gain_q8 / 256.0L) : 0.0L;
            const long double low = std::floor(at - 1e-9L) + c.zero;
            const long double high = std::floor(at + 1e-9L) + c.zero;
            EXPECT_GE(codes[k], std::clamp(low, 0.0L, 255.0L));
            EXPECT_LE(codes[k], std::clamp(high, 0.0L, 255.0L));
        }
    }
}

TEST(Normalizer, ByHand) {
    NormalizedSpec spec;
    spec.columns.assign(2, {1 << 21, 0, 100 << 8, 10});
    spec.network = MlpSpec{{{2, 1, {1, 0}, {0}, 0, {32767}}}};
    const auto want = [&](RowNorm norm, std::vector<std::uint8_t> row) {
        spec.norm = norm;
        return codes_of(spec, row);
    };
    using Codes = std::vector<std::uint8_t>;
    EXPECT_EQ(want(RowNorm::l1, {30, 40}), (Codes{52, 67}));    // 3/7 and 4/7
    EXPECT_EQ(want(RowNorm::l2, {30, 41}), (Codes{69, 90}));    // 30/50.8 and 41/50.8
    EXPECT_EQ(want(RowNorm::max, {30, 40}), (Codes{85, 110}));  // 3/4 and 1
    for (const RowNorm norm : kAllNorms) {
        EXPECT_EQ(want(norm, {0, 0}), (Codes{10, 10}));  // the row is its own quotient
    }
    spec.columns[0].zero = -200;
    spec.columns[1].zero = 250;
    EXPECT_EQ(want(RowNorm::l1, {30, 40}), (Codes{0, 255}));
    spec.columns[0] = {-(1 << 21), 0, 100 << 8, 200};
    EXPECT_EQ(want(RowNorm::l1, {30, 10}), (Codes{125, 255}));  // -3/4: floor(-75)
}

TEST(Normalizer, RefusesWhatItCannotHold) {
    std::mt19937 random(4);
    struct Case {
        const char* field;
        std::function<void(NormalizedSpec&)> change;
    };
    const Case cases[] = {
        {"normalized.columns", [](auto& s) { s.columns.clear(); }},
        {"normalized.columns", [](auto& s) { s.columns.resize(257, s.columns[0]); }},
        {"normalized.columns", [](auto& s) { s.columns.pop_back(); }},
        {"normalized.columns[1].offset", [](auto& s) { s.columns[1].offset = (1 << 30) + 1; }},
        {"normalized.columns[1].offset",
         [](auto& s) { s.columns[1].offset = std::numeric_limits<std::int32_t>::min(); }},
        {"normalized.columns[2].scale",
         [](auto& s) { s.columns[2].scale = std::numeric_limits<std::int32_t>::min(); }},
        {"normalized.columns[2].scale",
         [](auto& s) { s.columns[2].scale = std::numeric_limits<std::int32_t>::max(); }},
        {"normalized.columns[0].gain_q8", [](auto& s) { s.columns[0].gain_q8 = 0; }},
        {"normalized.columns[0].gain_q8", [](auto& s) { s.columns[0].gain_q8 = (1U << 28) + 1; }},
        {"normalized.columns[3].zero",
         [](auto& s) { s.columns[3].zero = std::numeric_limits<std::int32_t>::min(); }},
        {"normalized.columns[0].offset",
         [](auto& s) {
             s.norm = RowNorm::max;
             s.columns[0] = {1 << 21, -1, 1, 0};
         }},
        {"normalized.columns[0].scale",
         [](auto& s) {
             s.norm = RowNorm::max;
             s.columns[0] = {-1, 254, 1, 0};
         }},
        {"normalized.mlp.layers[0].shift",
         [](auto& s) { std::get<MlpSpec>(s.network).layers[0].shift = 17; }},
        {"normalized.forest.inputs",
         [](auto& s) {
             s.network = ForestSpec{0, {0}, {}};
         }},
    };
    for (const Case& changed : cases) {
        auto spec = make_normalized(RowNorm::l1, {4, 3, 2}, Values::trained, random);
        ASSERT_TRUE(validate(spec));
        changed.change(spec);
        const auto result = validate(spec);
        ASSERT_FALSE(result) << changed.field;
        EXPECT_EQ(result.error().field, changed.field) << result.error().line();
        EXPECT_FALSE(make_classifier(spec));
    }
}

}  // namespace
}  // namespace weir::kernels
