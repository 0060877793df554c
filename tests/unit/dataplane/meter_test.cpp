// SPDX-License-Identifier: BSD-3-Clause
// Meters on made-up time: what passes is what was configured, whatever the packets' sizes and gaps.
#include "dataplane/meter.h"

#include <array>
#include <random>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kStart = 1'700'000'000 * kSecond;

using Bytes = std::array<double, 3>;  // by colour

// Offers `mbps` in packets of random size for ten seconds; bytes by colour.
Bytes offer(const CompiledMeter& meter, double mbps, std::uint32_t seed) {
    std::minstd_rand random(seed);
    MeterState state;
    Bytes out{};
    double now = 0;
    while (now < 10e9) {
        const std::uint32_t bytes = 60 + static_cast<std::uint32_t>(random() % 1440);
        const auto at = kStart + static_cast<std::uint64_t>(now);
        out[static_cast<std::size_t>(meter_packet(meter, meter.id, state, at, bytes))] += bytes;
        now += bytes * 8e3 / mbps;
    }
    return out;
}

config::Meter meter(config::MeterKind kind, std::uint32_t cir, std::uint32_t excess) {
    config::Meter out;
    out.algorithm = kind;
    out.cir_kbps = cir;
    out.excess_kbps = excess;
    return out;
}

class Rates : public testing::TestWithParam<std::uint32_t> {};

// 2 % over 10 s is the promise; what is beyond the rates themselves is the bursts.
TEST_P(Rates, EveryAlgorithmPassesItsRates) {
    const std::uint32_t kbps = GetParam();
    const double bytes = kbps * 125.0 * 10;
    const double offered = kbps * 3e-3;  // three times as much
    {
        const auto one = compile_meter(meter(config::MeterKind::srtcm, kbps, 0), 0);
        const Bytes got = offer(one, offered, kbps);
        EXPECT_NEAR(got[0] - 15000, bytes, bytes * 0.02);
        EXPECT_NEAR(got[1], 15000, 1500) << "the excess burst, once";
    }
    {
        const auto two = compile_meter(meter(config::MeterKind::trtcm, kbps, kbps * 2), 0);
        const Bytes got = offer(two, offered, kbps + 1);
        EXPECT_NEAR(got[0] - 15000, bytes, bytes * 0.02);
        EXPECT_NEAR(got[0] + got[1] - 15000, bytes * 2, bytes * 0.04) << "the peak rate holds both";
    }
    {
        const auto beside = compile_meter(meter(config::MeterKind::trtcm4115, kbps, kbps / 2), 0);
        const Bytes got = offer(beside, offered, kbps + 2);
        EXPECT_NEAR(got[0] - 15000, bytes, bytes * 0.02);
        EXPECT_NEAR(got[1] - 15000, bytes / 2, bytes * 0.02) << "the excess rate is beside";
    }
}

INSTANTIATE_TEST_SUITE_P(Kbps, Rates, testing::Values(1000U, 1777U, 20000U, 999983U));

// At 10 Gb/s a burst of 15 kB is spent in 12 µs.
TEST(Meter, AFastRateIsNotCutByItsBurst) {
    const auto two = compile_meter(meter(config::MeterKind::trtcm, 5000000, 10000000), 0);
    const std::uint64_t steps = 500000;
    Bytes got{};
    MeterState state;
    for (std::uint64_t n = 0; n < steps; ++n) {  // 12 Gb/s
        const auto colour = meter_packet(two, two.id, state, kStart + n * 1000, 1500);
        got[static_cast<std::size_t>(colour)] += 1500;
    }
    EXPECT_NEAR(got[0], 0.625 * steps * 1000, 0.02 * 0.625 * steps * 1000);
    EXPECT_NEAR(got[0] + got[1], 1.25 * steps * 1000, 0.02 * 1.25 * steps * 1000);
}

TEST(Meter, BelowItsRateEverythingIsGreen) {
    const auto one = compile_meter(meter(config::MeterKind::srtcm, 10000, 0), 0);
    const Bytes got = offer(one, 9.9, 1);
    EXPECT_GT(got[0], 0);
    EXPECT_EQ(got[1], 0);
    EXPECT_EQ(got[2], 0);
}

// RFC 2697 by hand: CBS 3000, EBS 1500, one byte a microsecond.
TEST(Meter, SingleRateByHand) {
    config::Meter given = meter(config::MeterKind::srtcm, 8000, 0);
    given.cbs_bytes = 3000;
    given.excess_bytes = 1500;
    const auto one = compile_meter(given, 0);
    MeterState state;
    const auto at = [&](std::uint64_t us, std::uint32_t bytes) {
        return meter_packet(one, one.id, state, kStart + us * 1000, bytes);
    };
    EXPECT_EQ(at(0, 3000), Colour::green);
    EXPECT_EQ(at(0, 1500), Colour::yellow);
    EXPECT_EQ(at(0, 60), Colour::red);
    EXPECT_EQ(at(1000, 1000), Colour::green);
    EXPECT_EQ(at(1000, 60), Colour::red) << "red takes no tokens";
    EXPECT_EQ(at(500, 60), Colour::red) << "time that runs backwards stands still";
    EXPECT_EQ(at(5500, 3000), Colour::green) << "what the first bucket does not hold …";
    EXPECT_EQ(at(5500, 1500), Colour::yellow) << "… fills the second";
    EXPECT_EQ(at(5500, 60), Colour::red);
}

TEST(Meter, AnotherIdBeginsAnew) {
    config::Meter given = meter(config::MeterKind::trtcm, 8, 8);
    const auto one = compile_meter(given, 0);
    MeterState state;
    EXPECT_EQ(meter_packet(one, one.id, state, kStart, 15000), Colour::green);
    EXPECT_EQ(meter_packet(one, one.id, state, kStart, 60), Colour::red);
    EXPECT_EQ(meter_packet(one, one.id ^ 2U, state, kStart, 60), Colour::green);
    given.cbs_bytes++;
    EXPECT_NE(compile_meter(given, 0).id, one.id);
    EXPECT_NE(compile_meter(given, 1).id, compile_meter(given, 0).id);
}

}  // namespace
}  // namespace weir::dataplane
