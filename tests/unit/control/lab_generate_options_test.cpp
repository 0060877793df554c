// SPDX-License-Identifier: BSD-3-Clause
// What the options do, and what is refused.
#include "tests/unit/control/lab_generate_fixtures.h"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace weir::lab::synth {
namespace {

// ---- knobs ----------------------------------------------------------------------------------------------------------

GenerateSummary with(const std::function<void(GenerateOptions&)>& set, std::uint64_t seconds = 4) {
    const TempDir dir;
    auto options = options_in(dir, seconds);
    options.benign_flows_per_second = 0;  // one session of each
    set(options);
    return must(options);
}

TEST(GenerateKnobs, IntensitySlowAndPaddingShapeAttacks) {
    const auto packets = [](const char* scenario, auto member, double value) {
        return with([&](GenerateOptions& o) {
                   o.scenarios = {scenario};
                   o.*member = value;
               })
            .packets;
    };
    const auto once = packets("udp_flood_spoofed", &GenerateOptions::intensity, 1);
    EXPECT_GT(packets("udp_flood_spoofed", &GenerateOptions::intensity, 8), 4 * once);
    EXPECT_EQ(
        packets("udp_flood_spoofed", &GenerateOptions::slow, 50), once);  // floods are not slowed
    const auto probes = packets("syn_port_scan", &GenerateOptions::slow, 1);
    EXPECT_LT(packets("syn_port_scan", &GenerateOptions::slow, 400) * 4, probes);
    EXPECT_NE(packets("beacon_http", &GenerateOptions::jitter, 0), 0U);

    const auto bytes = [](std::uint64_t padding) {
        return with([&](GenerateOptions& o) {
                   o.scenarios = {"http_bruteforce"};
                   o.padding = padding;
               })
            .bytes;
    };
    EXPECT_GT(bytes(1000), bytes(0) * 11 / 10);
}

TEST(GenerateKnobs, JitterMovesPacketsInTime) {
    const TempDir dir;
    auto options = options_in(dir, 2);
    options.scenarios = {"udp_flood_spoofed"};
    options.benign_flows_per_second = 0;
    const auto gaps = [&] {
        std::set<std::uint64_t> all;
        std::uint64_t before = 0;
        read_capture(
            options.out, [&](const Seen& p) { all.insert(p.us - std::exchange(before, p.us)); });
        return all.size();
    };
    static_cast<void>(must(options));
    EXPECT_LT(gaps(), 10U);  // a metronome
    options.jitter = 0.9;
    static_cast<void>(must(options));
    EXPECT_GT(gaps(), 100U);
}

TEST(GenerateKnobs, LyingPortsAreNotTheHonestOnes) {
    const TempDir dir;
    auto options = options_in(dir, 3);
    options.scenarios = {"ssh", "dns"};
    options.lying_ports = true;
    static_cast<void>(must(options));
    read_capture(options.out, [](const Seen& p) {
        const std::uint16_t service = std::min(p.sport, p.dport);
        ASSERT_NE(service, p.proto == 6 ? 22 : 53);
    });
}

TEST(GenerateKnobs, SharesOfZeroLeaveOut) {
    const auto benign = with([](GenerateOptions& o) {
        o.benign_flows_per_second = 5;
        o.attack_share = 0;
    });
    for (const auto& s : benign.scenarios) {
        EXPECT_EQ(s.anomaly, "benign");
    }
    const auto attacks = with([](GenerateOptions&) {});
    for (const auto& s : attacks.scenarios) {
        EXPECT_NE(s.anomaly, "benign");
        EXPECT_EQ(s.sessions, 1U) << s.name;
    }
}

// ---- what two kinds of one-sided traffic look like ------------------------------------------------------------------

TEST(GenerateOneSided, BackscatterBeginsWithAnswersToNobody) {
    const TempDir dir;
    auto options = options_in(dir, 8);
    options.scenarios = {"backscatter"};
    options.benign_flows_per_second = 0;
    static_cast<void>(must(options));
    std::set<std::tuple<std::array<std::uint8_t, 16>, std::uint16_t, std::uint16_t>> asked;
    std::uint64_t syn_acks = 0;
    std::uint64_t resets = 0;
    read_capture(options.out, [&](const Seen& p) {
        ASSERT_EQ(p.proto, 6);
        const std::uint8_t flags = p.transport[13];
        const bool answer = asked.contains({p.dst, p.dport, p.sport});  // of ours, to a SYN-ACK
        if (answer) {
            ASSERT_EQ(flags, 4U);
            return;
        }
        ASSERT_TRUE((flags & 0x12U) == 0x12U || (flags & 4U) != 0) << "neither SYN-ACK nor RST";
        asked.insert({p.src, p.sport, p.dport});
        ((flags & 4U) != 0 ? resets : syn_acks) += 1;
    });
    EXPECT_GT(syn_acks + resets, 20U);
}

TEST(GenerateOneSided, UdpBeaconsGoFromOneHostToManyAndAreHardlyAnswered) {
    const TempDir dir;
    auto options = options_in(dir, 8);
    options.scenarios = {"beacon_udp"};
    options.benign_flows_per_second = 0;
    static_cast<void>(must(options));
    std::map<std::array<std::uint8_t, 16>, std::set<std::array<std::uint8_t, 16>>> peers;
    std::uint64_t packets = 0;
    read_capture(options.out, [&](const Seen& p) {
        ASSERT_EQ(p.proto, 17);
        peers[p.src].insert(p.dst);
        ++packets;
    });
    std::size_t most = 0;
    for (const auto& [host, others] : peers) {
        most = std::max(most, others.size());
    }
    EXPECT_GE(most, 60U);
    EXPECT_GT(most * 20, packets * 18) << "mostly asked, hardly answered";
}

// ---- refusals -------------------------------------------------------------------------------------------------------

TEST(GenerateRefusals, NameTheOption) {
    const TempDir dir;
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const std::vector<std::pair<std::string, std::function<void(GenerateOptions&)>>> cases{
        {"--out", [](auto& o) { o.out.clear(); }},
        {"--labels", [](auto& o) { o.labels = o.out; }},
        {"--labels", [&](auto& o) { o.labels = dir.path("./t.pcap"); }},
        {"--slot", [](auto& o) { o.slot = "mood"; }},
        {"--group", [](auto& o) { o.group = "two\nlines"; }},
        {"--scenario",
         [](auto& o) {
             o.scenarios = {"dns", "tsunami"};
         }},
        {"--seconds", [](auto& o) { o.seconds = 0; }},
        {"--seconds", [](auto& o) { o.seconds = 604801; }},
        {"--start", [](auto& o) { o.start_unix_s = 4294967295U; }},
        {"--benign-flows-per-second", [](auto& o) { o.benign_flows_per_second = 1e7; }},
        {"--benign-flows-per-second", [](auto& o) { o.benign_flows_per_second = -1; }},
        {"--benign-flows-per-second", [=](auto& o) { o.benign_flows_per_second = nan; }},
        {"--benign-flows-per-second",
         [](auto& o) { o.benign_flows_per_second = o.attack_share = 0; }},
        {"--attack-share", [](auto& o) { o.attack_share = 1; }},
        {"--ipv6-share", [](auto& o) { o.ipv6_share = 1.01; }},
        {"--intensity", [](auto& o) { o.intensity = 0; }},
        {"--intensity", [](auto& o) { o.intensity = 1e6; }},
        {"--jitter", [](auto& o) { o.jitter = 2; }},
        {"--padding", [](auto& o) { o.padding = 1001; }},
        {"--slow", [](auto& o) { o.slow = 0.5; }},
    };
    for (const auto& [option, spoil] : cases) {
        auto options = options_in(dir, 2);
        spoil(options);
        const auto summary = generate(options);
        ASSERT_FALSE(summary) << option;
        EXPECT_EQ(summary.error().field, option) << summary.error().line();
        EXPECT_FALSE(summary.error().fix.empty()) << option;
        EXPECT_EQ(files_in(dir), 0U);
    }
}

TEST(GenerateRefusals, NothingStaysWhereWritingFails) {
    const TempDir dir;
    auto options = options_in(dir, 1);
    options.out = dir.path("no/such/t.pcap");
    EXPECT_FALSE(generate(options));
    EXPECT_EQ(files_in(dir), 0U);

    options = options_in(dir, 1);
    options.labels = dir.path("no/such/t.csv");
    EXPECT_FALSE(generate(options));
    EXPECT_EQ(files_in(dir), 0U) << "the capture stayed";

    options.labels = "/dev/null";  // must not be replaced by a file
    const auto refused = generate(options);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().where, "/dev/null");
    EXPECT_EQ(files_in(dir), 0U);
}

TEST(GenerateRefusals, AnInterruptedRunLeavesTheOldFile) {
    const TempDir dir;
    auto options = options_in(dir, 60);
    dir.write("t.pcap", "old");
    volatile std::sig_atomic_t stop = 0;
    options.stop = &stop;
    options.progress = [&](std::uint64_t, std::uint64_t) { stop = 1; };
    EXPECT_FALSE(generate(options));
    EXPECT_EQ(contents(options.out), "old");
    EXPECT_EQ(files_in(dir), 1U);
}

}  // namespace
}  // namespace weir::lab::synth
