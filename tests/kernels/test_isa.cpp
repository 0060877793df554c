// SPDX-License-Identifier: BSD-3-Clause
// Choosing variants, and the predicted cost that bundle verification relies on.
#include "kernels/classifier.h"
#include "kernels/mlp/variants.h"
#include "tests/kernels/mlp_cases.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

namespace weir::kernels {
namespace {

constexpr Isa kAllIsas[] = {
    Isa::scalar, Isa::avx2, Isa::avx512, Isa::avx512_vnni, Isa::avx512_gfni, Isa::neon_dotprod};

MlpSpec some_mlp(const std::vector<std::uint32_t>& widths) {
    std::mt19937 random(1);
    return testing::make_spec(widths, testing::Values::trained, random);
}

TEST(Isa, NamesComeBack) {
    for (const Isa isa : kAllIsas) {
        EXPECT_EQ(isa_from_name(isa_name(isa)), isa);
    }
    EXPECT_EQ(isa_from_name("avx1024"), std::nullopt);
    EXPECT_EQ(isa_from_name(""), std::nullopt);
    EXPECT_EQ(isa_from_name("AVX2"), std::nullopt);
}

TEST(Isa, SupportedOnesAscendAndBeginWithScalar) {
    const auto isas = supported_isas();
    ASSERT_FALSE(isas.empty());
    EXPECT_EQ(isas.front(), Isa::scalar);
    EXPECT_TRUE(std::is_sorted(isas.begin(), isas.end()));
    for (const Isa isa : kAllIsas) {
        EXPECT_EQ(isa_supported(isa), std::count(isas.begin(), isas.end(), isa) == 1);
    }
}

#if defined(__aarch64__) && defined(WEIR_TESTS_EMULATED)
// Else every test of a NEON variant would be skipped, and no one would notice.
TEST(Isa, EmulatorHasTheDotProduct) {
    EXPECT_TRUE(isa_supported(Isa::neon_dotprod));
}
#endif

TEST(MakeClassifier, TakesTheBestVariantUnlessTold) {
    const MlpSpec spec = some_mlp({8, 8, 2});
    Isa best = Isa::scalar;
    for (const Isa isa : mlp_isas()) {
        best = isa_supported(isa) ? isa : best;
    }
    EXPECT_EQ(make_classifier(spec).value()->isa(), best);
    EXPECT_EQ(make_classifier(spec, Isa::scalar).value()->isa(), Isa::scalar);
}

TEST(MakeClassifier, RefusesAVariantItCannotGive) {
    const MlpSpec spec = some_mlp({8, 8, 2});
    for (const Isa isa : kAllIsas) {
        const auto family = mlp_isas();
        const bool has = std::find(family.begin(), family.end(), isa) != family.end();
        const auto made = make_classifier(spec, isa);
        EXPECT_EQ(made.has_value(), has && isa_supported(isa)) << isa_name(isa);
        if (!made) {
            EXPECT_EQ(made.error().field, "isa");
            EXPECT_NE(made.error().what.find(isa_name(isa)), std::string::npos);
            EXPECT_NE(made.error().fix.find("scalar"), std::string::npos);
        }
    }
}

TEST(MakeClassifier, RefusesASpecThatDoesNotValidate) {
    MlpSpec spec = some_mlp({8, 8, 2});
    spec.layers[1].bias.pop_back();
    const auto made = make_classifier(spec);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().field, "mlp.layers[1].bias");
}

TEST(PredictedCost, IsPositiveAndGrowsWithTheNetwork) {
    for (const Isa isa : kAllIsas) {
        for (const std::vector<std::uint32_t>& widths :
             {std::vector<std::uint32_t>{1, 1},
              {32, 32, 16, 8},
              {256, 256, 256, 256, 256, 256, 64}}) {
            const double cycles = predicted_cycles_per_row(some_mlp(widths), isa);
            EXPECT_GT(cycles, 0) << isa_name(isa);
            for (std::size_t i = 0; i < widths.size(); ++i) {
                const std::uint32_t most = i + 1 == widths.size() ? kMaxOutputs : kMlpMaxWidth;
                for (const std::uint32_t wider : {widths[i] + 1, widths[i] * 2}) {
                    auto grown = widths;
                    grown[i] = std::min(wider, most);
                    EXPECT_GE(predicted_cycles_per_row(some_mlp(grown), isa), cycles)
                        << isa_name(isa) << " width " << i << " to " << grown[i];
                }
            }
            if (widths.size() <= kMlpMaxLayers) {
                auto deeper = widths;
                deeper.insert(deeper.begin() + 1, widths.front());
                EXPECT_GT(predicted_cycles_per_row(some_mlp(deeper), isa), cycles);
            }
        }
    }
}

}  // namespace
}  // namespace weir::kernels
