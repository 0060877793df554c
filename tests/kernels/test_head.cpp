// SPDX-License-Identifier: BSD-3-Clause
// The heads: exact properties, agreement with floating point, and the ends of every range.
#include "kernels/head/head.h"
#include "kernels/head/variants.h"
#include "kernels/head/weights.h"
#include "tests/kernels/guarded_buffer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

namespace weir::kernels {
namespace {

constexpr std::int32_t kMin = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t kMax = std::numeric_limits<std::int32_t>::max();
constexpr double kLog2E = 1.4426950408889634;

HeadSpec head(HeadKind kind, std::int32_t scale_q16 = 1 << 16) {
    HeadSpec spec;
    spec.kind = kind;
    spec.scale_q16 = scale_q16;
    return spec;
}

std::vector<std::uint16_t> softmax(const std::vector<std::int32_t>& raw, std::int32_t scale) {
    std::vector<std::uint16_t> conf(raw.size());
    head_confidences(
        head(HeadKind::softmax, scale),
        raw.data(),
        static_cast<std::uint32_t>(raw.size()),
        conf.data());
    return conf;
}

HeadVerdict decide(const HeadSpec& spec, const std::vector<std::int32_t>& raw, int benign) {
    HeadVerdict out;
    apply_head(spec, raw.data(), static_cast<std::uint32_t>(raw.size()), 1, benign, &out);
    return out;
}

std::uint16_t sigmoid(std::int32_t raw, std::int32_t scale) {
    std::array<std::uint16_t, 2> conf{};
    head_confidences(head(HeadKind::sigmoid, scale), &raw, 1, conf.data());
    EXPECT_EQ(conf[0] + conf[1], 65535);
    return conf[1];
}

TEST(Softmax, SumsToOneWithinRoundingAndMatchesFloat) {
    std::mt19937 random(1);
    for (int round = 0; round < 20000; ++round) {
        const auto count = static_cast<std::size_t>(2 + random() % 63);
        const auto scale = static_cast<std::int32_t>(1 + (random() % (1U << 24) >> random() % 24));
        std::vector<std::int32_t> raw(count);
        std::generate(raw.begin(), raw.end(), [&] {
            return static_cast<std::int32_t>(random()) >> random() % 32;
        });
        const auto conf = softmax(raw, scale);
        const int sum = std::accumulate(conf.begin(), conf.end(), 0);
        EXPECT_LE(std::abs(sum - 65535), static_cast<int>(count) / 2 + 1);

        const std::int64_t best = *std::max_element(raw.begin(), raw.end());
        double total = 0;
        for (const std::int32_t r : raw) {
            total += std::exp2(static_cast<double>(r - best) * scale / 65536.0);
        }
        for (std::size_t i = 0; i < count; ++i) {
            const double want =
                std::exp2(static_cast<double>(raw[i] - best) * scale / 65536.0) / total * 65535;
            EXPECT_NEAR(conf[i], want, 0.6);
        }
    }
}

TEST(Softmax, OrdersAsTheRawOutputsDo) {
    std::mt19937 random(2);
    for (int round = 0; round < 20000; ++round) {
        std::vector<std::int32_t> raw(7);
        std::generate(
            raw.begin(), raw.end(), [&] { return static_cast<std::int32_t>(random() % 40); });
        const auto conf = softmax(raw, 1 << 14);
        for (std::size_t a = 0; a < raw.size(); ++a) {
            for (std::size_t b = 0; b < raw.size(); ++b) {
                EXPECT_TRUE(raw[a] < raw[b] ? conf[a] <= conf[b] : conf[a] >= conf[b]);
                EXPECT_TRUE(raw[a] != raw[b] || conf[a] == conf[b]);
            }
        }
    }
}

TEST(Softmax, RaisingOneRawOutputNeverLowersItsConfidence) {
    for (const std::int32_t scale : {1, 77, 1 << 10, 1 << 16, 1 << 24}) {
        int before = -1;
        for (std::int32_t r = -70000; r <= 70000; r += 7) {
            const int conf = softmax({0, r, -3}, scale)[1];
            ASSERT_GE(conf, before) << "raw " << r << " scale " << scale;
            before = conf;
        }
    }
}

TEST(Softmax, TiesGoToTheLowestIndex) {
    EXPECT_EQ(decide(head(HeadKind::softmax), {5, 9, 9, 1}, -1).cls, 1);
    EXPECT_EQ(decide(head(HeadKind::softmax), std::vector<std::int32_t>(64, kMin), -1).cls, 0);
    EXPECT_EQ(
        decide(head(HeadKind::softmax), std::vector<std::int32_t>(64, 0), -1).confidence, 1024);
}

TEST(Softmax, HoldsAtTheEndsOfS32) {
    for (const std::int32_t scale : {1, 1 << 16, 1 << 24}) {
        const auto conf = softmax({kMin, kMax, kMin}, scale);
        EXPECT_EQ(conf[1], 65535);
        EXPECT_EQ(conf[0], 0);
        EXPECT_EQ(softmax({kMax, kMax}, scale), (std::vector<std::uint16_t>{32768, 32768}));
    }
    EXPECT_EQ(decide(head(HeadKind::softmax, 1 << 24), {kMin, kMax}, 0).not_benign, 65535);
}

TEST(Sigmoid, MatchesFloatAndIsSymmetricAndMonotone) {
    for (const std::int32_t scale : {1, 300, 1 << 12, 1 << 20}) {
        int before = -1;
        for (std::int32_t raw = -200000; raw <= 200000; raw += 13) {
            const int conf = sigmoid(raw, scale);
            ASSERT_GE(conf, before);
            before = conf;
            const double want =
                65535 / (1 + std::exp2(-static_cast<double>(raw) * scale / 65536.0));
            ASSERT_NEAR(conf, want, 0.6);
            if (raw != 0) {
                ASSERT_EQ(conf + sigmoid(-raw, scale), 65535);
            }
        }
    }
}

TEST(Sigmoid, SaturatesAndBreaksTheTieDownwards) {
    EXPECT_EQ(sigmoid(kMax, 1 << 24), 65535);
    EXPECT_EQ(sigmoid(kMin, 1 << 24), 0);
    EXPECT_EQ(decide(head(HeadKind::sigmoid), {0}, 0).cls, 0);
    EXPECT_EQ(decide(head(HeadKind::sigmoid), {1}, 0).cls, 1);
    EXPECT_EQ(decide(head(HeadKind::sigmoid), {-1}, 0).cls, 0);
    EXPECT_EQ(decide(head(HeadKind::sigmoid), {kMin}, 0).confidence, 65535);
}

TEST(Head, ScaleIsLog2EPerRawUnit) {
    const auto scale = static_cast<std::int32_t>(std::lround(kLog2E * 65536 / 100));
    EXPECT_NEAR(sigmoid(150, scale), 65535 / (1 + std::exp(-1.5)), 10);
}

TEST(Head, VerdictsFollowTheConfidences) {
    std::mt19937 random(3);
    for (int round = 0; round < 5000; ++round) {
        std::vector<std::int32_t> raw(2 + random() % 10);
        std::generate(
            raw.begin(), raw.end(), [&] { return static_cast<std::int32_t>(random() % 9); });
        const auto conf = softmax(raw, 1 << 16);
        const auto first_best =
            static_cast<std::size_t>(std::max_element(raw.begin(), raw.end()) - raw.begin());
        const auto benign = random() % raw.size();
        const HeadVerdict with = decide(head(HeadKind::softmax), raw, static_cast<int>(benign));
        EXPECT_EQ(with.cls, first_best);
        EXPECT_EQ(with.not_benign, 65535 - conf[benign]);
        if (raw.size() > 2) {
            EXPECT_EQ(with.confidence, conf[first_best]);
        }
        const HeadVerdict without = decide(head(HeadKind::softmax), raw, -1);
        EXPECT_EQ(without.not_benign, 0);
        EXPECT_EQ(without.confidence, conf[first_best]);
    }
}

TEST(Head, ScoresEveryRowOfABatch) {
    const std::vector<std::int32_t> raw{1, 2, 3, 9, 8, 7, 5, 6, 5};
    std::array<HeadVerdict, 3> out{};
    apply_head(head(HeadKind::softmax), raw.data(), 3, 3, 0, out.data());
    EXPECT_EQ(out[0].cls, 2);
    EXPECT_EQ(out[1].cls, 0);
    EXPECT_EQ(out[2].cls, 1);
    apply_head(head(HeadKind::softmax), raw.data(), 3, 0, 0, nullptr);
}

TEST(Calibration, IsExactAtItsPointsAndMonotoneBetween) {
    HeadSpec spec = head(HeadKind::sigmoid, 64);
    spec.calibration = {{0, 100}, {20000, 100}, {40000, 30000}, {65535, 65535}};
    ASSERT_TRUE(validate(spec, 1, 2));
    int before = 0;
    for (std::int32_t raw = -20000; raw <= 20000; ++raw) {
        const int in = sigmoid(raw, 64);
        const HeadVerdict verdict = decide(spec, {raw}, 0);
        const int out = verdict.not_benign;
        ASSERT_GE(out, before);
        before = out;
        if (in <= 20000) {
            ASSERT_EQ(out, 100);
        }
        if (in == 40000) {
            ASSERT_EQ(out, 30000);
        }
        ASSERT_EQ(verdict.confidence, verdict.cls == 1 ? out : 65535 - out);
    }
    EXPECT_EQ(decide(spec, {kMax}, 0).not_benign, 65535);
    EXPECT_EQ(decide(spec, {kMin}, 0).not_benign, 100);
}

TEST(Calibration, IdentityChangesNothing) {
    HeadSpec plain = head(HeadKind::softmax, 5000);
    HeadSpec curved = plain;
    curved.calibration = {{0, 0}, {1, 1}, {33333, 33333}, {65535, 65535}};
    for (std::int32_t raw = -500; raw < 500; ++raw) {
        for (const int benign : {-1, 0, 2}) {
            const HeadVerdict a = decide(plain, {0, raw, 40}, benign);
            const HeadVerdict b = decide(curved, {0, raw, 40}, benign);
            EXPECT_EQ(a.confidence, b.confidence);
            EXPECT_EQ(a.not_benign, b.not_benign);
        }
    }
}

TEST(Calibration, MapsTheWinnerWhereThereIsNoBenignClass) {
    HeadSpec spec = head(HeadKind::softmax);
    spec.calibration = {{0, 7}, {65535, 7}};
    EXPECT_EQ(decide(spec, {1, 50, 2}, -1).confidence, 7);
    EXPECT_EQ(
        decide(spec, {1, 50, 2}, 0).confidence,
        65535);  // several classes: the curve maps not_benign only
    EXPECT_EQ(decide(spec, {1, 50, 2}, 0).not_benign, 7);
}

/// Every fraction of a halving: near 2^-x, strictly falling, and never rising where a halving begins.
TEST(Weights, FollowTheExponentialAndNeverRise) {
    std::uint32_t before = head_weights::kWhole + 1;
    const auto zero = head_weights::zero_distance(1);
    for (std::uint32_t distance = 0; distance < 1U << 21; ++distance) {
        const std::uint32_t weight = head_weights::weight(distance, 1, zero);
        const double want = std::exp2(25 - distance / 65536.0);
        ASSERT_NEAR(weight, want, 1 + want * 0x1p-19) << distance;
        ASSERT_TRUE(distance < 1U << 16 ? weight < before : weight <= before) << distance;
        before = weight;
    }
    EXPECT_EQ(before, 0U);
    EXPECT_EQ(head_weights::weight(0xffffffff, 1 << 24, head_weights::zero_distance(1 << 24)), 0U);
}

/// A variant against the scalar head.
class HeadVariants : public ::testing::TestWithParam<Isa> {
  protected:
    void SetUp() override {
        if (!isa_supported(GetParam())) {
            GTEST_SKIP() << "this CPU lacks " << isa_name(GetParam());
        }
    }

    std::uint32_t draw(std::uint32_t low, std::uint32_t high) {
        return std::uniform_int_distribution<std::uint32_t>(low, high)(random_);
    }

    HeadSpec draw_spec(HeadKind kind) {
        HeadSpec spec = head(kind, static_cast<std::int32_t>(draw(1, (1U << 24) >> draw(0, 23))));
        const std::uint32_t points = draw(0, 2) == 0 ? 0 : draw(2, 64);
        std::vector<std::uint16_t> in{0, 65535};
        std::vector<std::uint16_t> out;
        while (in.size() < points) {
            in.push_back(static_cast<std::uint16_t>(draw(0, 65535)));
            std::sort(in.begin(), in.end());
            in.erase(std::unique(in.begin(), in.end()), in.end());
        }
        std::generate_n(std::back_inserter(out), in.size(), [&] {
            return static_cast<std::uint16_t>(draw(0, 65535));
        });
        std::sort(out.begin(), out.end());
        for (std::size_t i = 0; points != 0 && i < in.size(); ++i) {
            spec.calibration.push_back({in[i], out[i]});
        }
        return spec;
    }

    /// Rows of raw outputs whose distances are near the scale's own, with ties and the ends of s32 among them.
    void expect_equal(const HeadSpec& spec, std::uint32_t outputs, std::uint32_t n, int benign) {
        const testing::GuardedBuffer raw_buffer(
            std::size_t{n} * outputs * sizeof(std::int32_t), true);
        const testing::GuardedBuffer out_buffer(n * sizeof(HeadVerdict), true);
        auto* raw = raw_buffer.as<std::int32_t>();
        auto* have = out_buffer.as<HeadVerdict>();
        const auto span = static_cast<std::uint32_t>(std::min<std::uint64_t>(
            1U << 31, (std::uint64_t{34} << draw(8, 16)) / spec.scale_q16 + 2));
        const std::uint32_t base = random_();
        std::generate_n(raw, std::size_t{n} * outputs, [&] {
            const std::uint32_t kind = draw(0, 40);
            return kind == 0   ? kMin
                   : kind == 1 ? kMax
                               : static_cast<std::int32_t>(base + draw(0, span));
        });
        head_variant(GetParam())(spec, raw, outputs, n, benign, have);
        std::vector<HeadVerdict> want(n);
        head_variant(Isa::scalar)(spec, raw, outputs, n, benign, want.data());
        for (std::uint32_t r = 0; r < n; ++r) {
            ASSERT_EQ(have[r].cls, want[r].cls) << "row " << r << " of " << n;
            ASSERT_EQ(have[r].confidence, want[r].confidence) << "row " << r << " of " << n;
            ASSERT_EQ(have[r].not_benign, want[r].not_benign) << "row " << r << " of " << n;
        }
    }

    std::mt19937 random_{7};
};

TEST_P(HeadVariants, EqualTheScalarHeadForEveryShape) {
    for (std::uint32_t outputs = 2; outputs <= head_weights::kMaxClasses; ++outputs) {
        for (std::uint32_t n = 0; n <= 50; ++n) {
            expect_equal(
                draw_spec(HeadKind::softmax), outputs, n, static_cast<int>(draw(0, outputs)) - 1);
        }
    }
    for (std::uint32_t n = 0; n <= 512; ++n) {
        expect_equal(draw_spec(HeadKind::sigmoid), 1, n, static_cast<int>(draw(0, 2)) - 1);
    }
}

TEST_P(HeadVariants, EqualTheScalarHeadOnManyRows) {
    for (int round = 0; round < 400; ++round) {
        const std::uint32_t outputs = draw(2, 16);
        expect_equal(
            draw_spec(HeadKind::softmax), outputs, 512, static_cast<int>(draw(0, outputs)) - 1);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Isas,
    HeadVariants,
    ::testing::ValuesIn(head_isas().begin(), head_isas().end()),
    [](const auto& info) { return std::string(isa_name(info.param)); });

struct Refusal {
    HeadSpec spec;
    std::uint32_t raw_outputs;
    std::uint32_t classes;
    const char* field;
};

TEST(HeadValidate, NamesTheField) {
    const auto curve = [](std::vector<CalibrationPoint> points) {
        HeadSpec spec = head(HeadKind::softmax);
        spec.calibration = std::move(points);
        return spec;
    };
    const Refusal refusals[] = {
        {head(HeadKind::softmax, 0), 3, 3, "head.scale_q16"},
        {head(HeadKind::softmax, (1 << 24) + 1), 3, 3, "head.scale_q16"},
        {head(HeadKind::softmax), 3, 4, "head.kind"},
        {head(HeadKind::softmax), 1, 1, "classes"},
        {head(HeadKind::softmax), 65, 65, "classes"},
        {head(HeadKind::sigmoid), 2, 2, "head.kind"},
        {head(HeadKind::sigmoid), 1, 3, "head.kind"},
        {head(static_cast<HeadKind>(9)), 3, 3, "head.kind"},
        {curve({{0, 0}}), 3, 3, "head.calibration"},
        {curve(std::vector<CalibrationPoint>(65)), 3, 3, "head.calibration"},
        {curve({{1, 0}, {65535, 9}}), 3, 3, "head.calibration[0].in"},
        {curve({{0, 0}, {65534, 9}}), 3, 3, "head.calibration[1].in"},
        {curve({{0, 0}, {9, 9}, {9, 9}, {65535, 9}}), 3, 3, "head.calibration[2].in"},
        {curve({{0, 5}, {9, 4}, {65535, 9}}), 3, 3, "head.calibration[1].out"},
    };
    for (const Refusal& refusal : refusals) {
        const auto checked = validate(refusal.spec, refusal.raw_outputs, refusal.classes);
        ASSERT_FALSE(checked) << refusal.field;
        EXPECT_EQ(checked.error().field, refusal.field);
        EXPECT_FALSE(checked.error().fix.empty());
    }
    EXPECT_TRUE(validate(head(HeadKind::sigmoid, 1 << 24), 1, 2));
    EXPECT_TRUE(validate(curve({{0, 0}, {65535, 65535}}), 64, 64));
}

}  // namespace
}  // namespace weir::kernels
