// SPDX-License-Identifier: BSD-3-Clause
// What a policy's meters let through, frame by frame, over ten seconds of packet time: within 2 % of what was configured
// once the bursts are spent, whatever the algorithm, the scope of a bucket, the rate and the packets' sizes.
#include "enforce_fixture.h"

#include <array>
#include <ostream>
#include <string>
#include <vector>

namespace weir::dataplane {
namespace {

using namespace weir::test;

constexpr double kTolerance = 0.02;
constexpr double kSeconds = 10;
constexpr double kWarmSeconds = 1;  // spends the bursts

struct Load {
    const char* name;
    std::uint32_t cir_kbps;
    std::vector<std::uint32_t> ip_bytes;  ///< sizes in turn
};

void PrintTo(const Load& load, std::ostream* out) {
    *out << load.name;
}

/// Bytes by DSCP that left, of each flow: green stays AF11, yellow is AF12, red is dropped.
struct Passed {
    double green = 0;
    double yellow = 0;
};

class PoliceRates : public EnforceFixture {
  protected:
    static constexpr std::uint8_t kGreen = 10;
    static constexpr std::uint8_t kYellow = 12;

    /// `meter`: its keys beside bursts and colours. `row`: what the row says beside it.
    void police(const std::string& meter, const std::string& row = "") {
        load(
            "policy: {use: p, meters: {m: {" + meter +
            ", cbs_bytes: 6000, excess_bytes: 6000, yellow: AF12, red: drop}}}\n"
            "policies: {p: {rules: [{" +
            row + "dscp: AF11, police: m}]}}\n");
    }

    static Bytes frame(std::uint16_t flow, std::uint32_t ip_bytes) {
        constexpr std::uint32_t kHeaders = 28;
        return eth(
            0x0800, ip4({.proto = 17}, udp({.src = flow, .dst = 9}, text(ip_bytes - kHeaders))));
    }

    /// Offers `kbps` of each of `flows` flows, in turn; kb/s that passed after the warm-up, by flow.
    std::vector<Passed> offer(double kbps, std::uint16_t flows, const Load& load) {
        std::vector<std::vector<Bytes>> frames(flows);
        for (std::uint16_t f = 0; f < flows; ++f) {
            for (const std::uint32_t bytes : load.ip_bytes) {
                frames[f].push_back(frame(static_cast<std::uint16_t>(1000 + f), bytes));
            }
        }
        std::vector<Passed> passed(flows);
        double now_s = 0;
        for (std::size_t n = 0; now_s < kWarmSeconds + kSeconds; ++n) {
            const std::size_t size = n % load.ip_bytes.size();
            const double bits = load.ip_bytes[size] * 8.0;
            for (std::uint16_t f = 0; f < flows; ++f) {
                const auto at = kStart + static_cast<std::uint64_t>(now_s * 1e9);
                const Outcome out = send(frames[f][size], {.at_ns = at});
                if (now_s >= kWarmSeconds && out.disposition == Disposition::forward) {
                    (out.dscp == kYellow ? passed[f].yellow : passed[f].green) +=
                        bits / 1e3 / kSeconds;
                }
                EXPECT_TRUE(
                    out.disposition == Disposition::drop
                        ? out.reason == DropReason::police
                        : out.dscp == kGreen || out.dscp == kYellow);
            }
            now_s += bits / 1e3 / kbps;
        }
        return passed;
    }

    static Passed sum(const std::vector<Passed>& flows, std::size_t begin, std::size_t end) {
        Passed out;
        for (std::size_t f = begin; f < end; ++f) {
            out.green += flows[f].green;
            out.yellow += flows[f].yellow;
        }
        return out;
    }

    static void expect_rate(double got, double want, const std::string& what) {
        EXPECT_NEAR(got, want, want * kTolerance) << what << ", kb/s";
    }
};

class EveryLoad : public PoliceRates, public testing::WithParamInterface<Load> {};

// Beyond its rate the single-rate meter has only its bursts, which are spent.
TEST_P(EveryLoad, SrTcmPassesItsRate) {
    const Load& load = GetParam();
    const double cir = load.cir_kbps;
    police("algorithm: srtcm, cir_kbps: " + std::to_string(load.cir_kbps));
    const Passed passed = sum(offer(cir * 3, 1, load), 0, 1);
    expect_rate(passed.green + passed.yellow, cir, "all that passes");
}

TEST_P(EveryLoad, TrTcmPassesItsPeakAndMarksBeyondTheCommitted) {
    const Load& load = GetParam();
    const double cir = load.cir_kbps;
    police(
        "algorithm: trtcm, cir_kbps: " + std::to_string(load.cir_kbps) +
        ", excess_kbps: " + std::to_string(load.cir_kbps * 2));
    const Passed passed = sum(offer(cir * 3, 1, load), 0, 1);
    expect_rate(passed.green, cir, "committed");
    expect_rate(passed.green + passed.yellow, cir * 2, "peak");
}

TEST_P(EveryLoad, TrTcm4115PassesTheExcessBesideTheCommitted) {
    const Load& load = GetParam();
    const double cir = load.cir_kbps;
    police(
        "algorithm: trtcm4115, cir_kbps: " + std::to_string(load.cir_kbps) +
        ", excess_kbps: " + std::to_string(load.cir_kbps / 2));
    const Passed passed = sum(offer(cir * 3, 1, load), 0, 1);
    expect_rate(passed.green, cir, "committed");
    expect_rate(passed.yellow, cir / 2, "excess");
}

INSTANTIATE_TEST_SUITE_P(
    Loads,
    EveryLoad,
    testing::Values(
        Load{"500kbps_smallest", 500, {46}},
        Load{"2Mbps_voice", 2000, {200}},
        Load{"8Mbps_imix", 8000, {46, 576, 46, 46, 1500, 576, 46, 46, 576, 46, 46, 576}},
        Load{"30Mbps_largest", 30000, {1500}}),
    [](const auto& one) { return std::string(one.param.name); });

const Load kMixed{"mixed", 2000, {46, 576, 1500, 200}};

TEST_F(PoliceRates, OneBucketForAllFlowsOfARule) {
    police("algorithm: srtcm, cir_kbps: 2000");
    const auto flows = offer(2000, 4, kMixed);
    const Passed all = sum(flows, 0, 4);
    expect_rate(all.green + all.yellow, 2000, "four flows that offer 8 Mb/s together");
}

TEST_F(PoliceRates, OneBucketForEachFlow) {
    police("algorithm: trtcm, cir_kbps: 1000, excess_kbps: 1500, per: flow");
    const auto flows = offer(3000, 4, kMixed);
    for (std::size_t f = 0; f < flows.size(); ++f) {
        expect_rate(flows[f].green, 1000, "committed of flow " + std::to_string(f));
        expect_rate(flows[f].green + flows[f].yellow, 1500, "peak of flow " + std::to_string(f));
    }
}

TEST_F(PoliceRates, OneBucketForEachClass) {
    police(
        "algorithm: trtcm4115, cir_kbps: 1500, excess_kbps: 500, per: class",
        "slot: qos, class: [a, b], ");
    for (const std::uint16_t flow : {1000, 1001, 1002, 1003}) {
        classify(frame(flow, 46), 1, flow < 1003 ? "a" : "b", 1);
    }
    const auto flows = offer(2500, 4, kMixed);
    const Passed three = sum(flows, 0, 3);
    const Passed one = sum(flows, 3, 4);
    expect_rate(three.green, 1500, "committed of the class of three flows");
    expect_rate(three.yellow, 500, "excess of the class of three flows");
    expect_rate(one.green, 1500, "committed of the class of one flow");
    expect_rate(one.yellow, 500, "excess of the class of one flow");
}

// The bytes that count are those from the outermost IP header on: tags, MPLS labels and the frame's own header are free,
// the padding of a short frame is not.
TEST_F(PoliceRates, TagsAreFreeAndPaddingIsNot) {
    const auto passed_of = [&](const std::string& kbps, const Bytes& frame) {
        load(
            "policy: {use: p, meters: {m: {cir_kbps: " + kbps +
            ", cbs_bytes: 1500, excess_bytes: 1500, yellow: drop}}}\n"
            "policies: {p: {rules: [{police: m}]}}\n");
        int passed = 0;
        while (send(frame).disposition == Disposition::forward) {
            ++passed;
        }
        return passed;
    };
    const Bytes packet = ip4({.proto = 17}, udp({}, text(272)));  // 300 bytes
    EXPECT_EQ(passed_of("8", eth(0x0800, packet)), 5);
    const Bytes tagged = eth(0x88a8, vlan(7, 0x8100, vlan(8, 0x0800, packet)));
    EXPECT_EQ(passed_of("9", tagged), 5);
    EXPECT_EQ(passed_of("10", eth(0x8847, mpls({1, 2, 3}, packet))), 5);
    const Bytes least = padded(eth(0x0800, ip4({.proto = 17}, udp({}, text(2)))));
    EXPECT_EQ(passed_of("11", least), 32) << "46 bytes, not 30";
}

}  // namespace
}  // namespace weir::dataplane
