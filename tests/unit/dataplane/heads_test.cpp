// SPDX-License-Identifier: BSD-3-Clause
// The tile's heads against the scalar ones: every verdict equal.
#include "dataplane/heads.h"

#include "kernels/isa.h"

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

using kernels::CalibrationPoint;
using kernels::HeadKind;
using kernels::HeadSpec;
using kernels::HeadVerdict;

[[nodiscard]] std::vector<CalibrationPoint> random_curve(std::mt19937& random) {
    const std::size_t points = random() % 3 == 0 ? 0 : 2 + random() % 63;
    std::vector<std::uint16_t> in;
    std::vector<std::uint16_t> out;
    while (in.size() < points) {
        in.push_back(static_cast<std::uint16_t>(random()));
        out.push_back(static_cast<std::uint16_t>(random()));
    }
    if (points != 0) {
        in.front() = 0;
        in.back() = 65535;
    }
    std::sort(in.begin(), in.end());
    std::sort(out.begin(), out.end());
    std::vector<CalibrationPoint> curve;
    for (std::size_t p = 0; p < points; ++p) {
        if (curve.empty() || curve.back().in < in[p]) {
            curve.push_back({in[p], out[p]});
        }
    }
    return curve;
}

[[nodiscard]] std::int32_t random_raw(std::mt19937& random, std::uint32_t shift) {
    constexpr std::int32_t kExtremes[] = {
        std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max(), 0, -1};
    return random() % 50 == 0 ? kExtremes[random() % 4]
                              : static_cast<std::int32_t>(random()) >> shift;
}

void expect_equal(
    const HeadSpec& spec,
    const std::vector<std::int32_t>& raw,
    std::uint32_t outputs,
    std::uint32_t rows,
    int benign) {
    std::vector<HeadVerdict> want(rows);
    std::vector<HeadVerdict> got(rows + 1, HeadVerdict{99, 99, 99});
    kernels::apply_head(spec, raw.data(), outputs, rows, benign, want.data());
    apply_heads(spec, raw.data(), outputs, rows, benign, got.data());
    for (std::uint32_t r = 0; r < rows; ++r) {
        ASSERT_EQ(want[r].cls, got[r].cls) << "row " << r << " of " << rows;
        ASSERT_EQ(want[r].confidence, got[r].confidence) << "row " << r << " of " << rows;
        ASSERT_EQ(want[r].not_benign, got[r].not_benign) << "row " << r << " of " << rows;
    }
    EXPECT_EQ(got[rows].cls, 99) << "wrote beyond the last row";
}

TEST(Heads, SayWhatTheScalarOnesSay) {
    std::mt19937 random(5);
    for (int round = 0; round < 4000; ++round) {
        HeadSpec spec;
        spec.kind = random() % 3 == 0 ? HeadKind::sigmoid : HeadKind::softmax;
        spec.scale_q16 = static_cast<std::int32_t>(1 + (random() % (1U << 24) >> random() % 24));
        spec.calibration = random_curve(random);
        const std::uint32_t classes =
            spec.kind == HeadKind::sigmoid ? 2 : (random() % 4 == 0 ? 2 : 2 + random() % 63);
        const std::uint32_t outputs = spec.kind == HeadKind::sigmoid ? 1 : classes;
        ASSERT_TRUE(kernels::validate(spec, outputs, classes));
        const auto rows = static_cast<std::uint32_t>(random() % 70);
        const std::uint32_t shift = random() % 32;
        std::vector<std::int32_t> raw(std::size_t{rows} * outputs);
        std::generate(raw.begin(), raw.end(), [&] { return random_raw(random, shift); });
        const int benign = static_cast<int>(random() % (classes + 1)) - 1;
        expect_equal(spec, raw, outputs, rows, benign);
    }
}

// Equal outputs of all 64 classes: the largest sum there is, and the closest quotients.
TEST(Heads, RoundAsTheScalarOnesDoWhereSumsAreLargest) {
    HeadSpec spec;
    spec.scale_q16 = 1;
    for (std::uint32_t outputs = 2; outputs <= 64; ++outputs) {
        std::vector<std::int32_t> raw;
        for (std::int32_t row = 0; row < 64; ++row) {
            for (std::uint32_t o = 0; o < outputs; ++o) {
                raw.push_back(static_cast<std::int32_t>(o) * row * 257);
            }
        }
        expect_equal(spec, raw, outputs, 64, 0);
        expect_equal(spec, raw, outputs, 64, -1);
    }
}

}  // namespace
}  // namespace weir::dataplane
