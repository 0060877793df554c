// SPDX-License-Identifier: BSD-3-Clause
#include "control/app/extract_labels.h"
#include "control/lab/labels_csv.h"
#include "control/lab/labels_rules.h"
#include "tests/unit/control/lab_generate_fixtures.h"

#include <cmath>
#include <cstdio>
#include <set>

namespace weir::lab::synth {
namespace {

dataplane::FlowKey key_of(const Seen& p) {
    dataplane::FlowKey key;
    key.addr_lo = p.src;
    key.addr_hi = p.dst;
    key.port_lo = htons(p.sport);
    key.port_hi = htons(p.dport);
    key.proto = p.proto;
    return key;
}

// ---- numbers --------------------------------------------------------------------------------------------------------

// Equal on every machine: these were worked out once and must never change.
TEST(GenerateRandom, IsPinned) {
    Rng rng(1);
    EXPECT_EQ(rng.next(), 0xc5883e370b0926c3ULL);
    EXPECT_EQ(Rng(2).exponential(kSecond), 182509845U);
    EXPECT_EQ(mix64(0), 0xe220a8397b1dcdafULL);  // SplitMix64's first number of seed 0
}

TEST(GenerateRandom, LogarithmAndPowerAreExact) {
    for (const double x : {1e-300, 1e-9, 0.1, 0.5, 0.999999, 1.0, 1.5, 2.0, 1e9, 1e300}) {
        EXPECT_NEAR(portable_log(x), std::log(x), 1e-13 * (1 + std::abs(std::log(x)))) << x;
    }
    for (const double x : {-600.0, -10.0, -0.3, 0.0, 0.3, 1.0, 20.0, 600.0}) {
        EXPECT_NEAR(portable_exp(x) / std::exp(x), 1.0, 1e-12) << x;
    }
}

TEST(GenerateRandom, DistributionsHaveTheirMeansAndBounds) {
    Rng rng(7);
    double exponential = 0;
    double normal = 0;
    constexpr int kDraws = 20000;
    for (int i = 0; i < kDraws; ++i) {
        exponential += static_cast<double>(rng.exponential(1'000'000)) / kDraws;
        normal += rng.normal() / kDraws;
        const auto heavy = rng.pareto(100, 5000, 1.0);
        ASSERT_TRUE(heavy >= 100 && heavy <= 5000);
        const auto bell = rng.lognormal(300, 3.0, 50, 4000);
        ASSERT_TRUE(bell >= 50 && bell <= 4000);
        ASSERT_LT(rng.below(3), 3U);
    }
    EXPECT_NEAR(exponential, 1e6, 4e4);
    EXPECT_NEAR(normal, 0.0, 0.05);
}

// ---- the table ------------------------------------------------------------------------------------------------------

TEST(GenerateScenarios, NamesAreUniqueAndLabelsAreClasses) {
    std::set<std::string_view> names;
    std::set<std::string_view> services;
    const auto anomaly = slot_classes("anomaly");
    const auto qos = slot_classes("qos");
    for (const auto& s : scenarios()) {
        EXPECT_TRUE(names.insert(s.name).second) << s.name;
        EXPECT_NE(std::find(anomaly.begin(), anomaly.end(), s.anomaly), anomaly.end()) << s.name;
        EXPECT_EQ(s.attack(), s.anomaly != "benign") << s.name;
        EXPECT_EQ(find_scenario(s.name), &s);
        services.insert(s.qos);
    }
    for (const auto name : qos) {
        EXPECT_TRUE(services.contains(name)) << "no traffic of class " << name;
    }
    EXPECT_TRUE(services.contains("broadcast_video"));
}

// Every packet of a capture is in a flow that the labels give `expected`.
void expect_label_everywhere(const GenerateOptions& options, std::string_view expected) {
    const auto labels = app::FlowLabels::read(options.labels);
    ASSERT_TRUE(labels) << labels.error().line();
    const auto* of = labels->of(options.out);
    ASSERT_NE(of, nullptr);
    std::uint64_t packets = 0;
    read_capture(options.out, [&](const Seen& p) {
        ++packets;
        const auto* label = of->find(key_of(p));
        ASSERT_NE(label, nullptr) << "no label";
        ASSERT_EQ(labels->name(label->label), expected);
    });
    EXPECT_GT(packets, 0U);
}

class EveryScenario : public testing::TestWithParam<std::tuple<std::size_t, bool>> {};

TEST_P(EveryScenario, SendsValidLabelledPackets) {
    const auto& scenario = scenarios()[std::get<0>(GetParam())];
    const bool v6 = std::get<1>(GetParam());
    const TempDir dir;
    auto options = options_in(dir, 3);
    options.scenarios = {std::string(scenario.name)};
    options.ipv6_share = v6 ? 1.0 : 0.0;
    options.benign_flows_per_second = 4;
    const auto summary = must(options);
    ASSERT_EQ(summary.scenarios.size(), 1U);
    EXPECT_GT(summary.packets, 1U);
    EXPECT_EQ(summary.flows, summary.labelled_flows);
    expect_label_everywhere(options, scenario.anomaly);
    read_capture(options.out, [&](const Seen& p) { ASSERT_EQ(p.v6, v6); });
}

INSTANTIATE_TEST_SUITE_P(
    Generate,
    EveryScenario,
    testing::Combine(testing::Range(std::size_t{0}, scenarios().size()), testing::Bool()),
    [](const auto& info) {
        return std::string(scenarios()[std::get<0>(info.param)].name) +
               (std::get<1>(info.param) ? "_v6" : "_v4");
    });

// ---- captures -------------------------------------------------------------------------------------------------------

TEST(Generate, EqualSeedsGiveEqualBytes) {
    const TempDir dir;
    auto options = options_in(dir, 2);
    static_cast<void>(must(options));
    const std::string capture = contents(options.out);
    const std::string labels = contents(options.labels);
    ASSERT_GT(capture.size(), 10'000U);
    static_cast<void>(must(options));
    EXPECT_TRUE(contents(options.out) == capture);
    EXPECT_TRUE(contents(options.labels) == labels);
    options.seed = 2;
    static_cast<void>(must(options));
    EXPECT_FALSE(contents(options.out) == capture);
}

// All at once: time, checksums, TCP, and labels that name the flows of the capture and no others.
TEST(Generate, TheDefaultMixIsConsistent) {
    const TempDir dir;
    auto options = options_in(dir, 6);
    options.start_unix_s = 1'600'000'000;
    const auto summary = must(options);
    const auto read = app::FlowLabels::read(options.labels);
    ASSERT_TRUE(read) << read.error().line();
    EXPECT_TRUE(read->has_groups());
    test::TcpWatch tcp;
    std::set<std::string> tuples;
    std::uint64_t packets = 0;
    read_capture(options.out, [&](const Seen& p) {
        ++packets;
        ASSERT_GE(p.us, options.start_unix_s * 1'000'000);
        ASSERT_LT(p.us, (options.start_unix_s + options.seconds) * 1'000'000);
        const auto* label = read->of(options.out)->find(key_of(p));
        ASSERT_NE(label, nullptr);
        const auto key = key_of(p);
        tuples.emplace(reinterpret_cast<const char*>(&key), sizeof key);
        if (read->name(label->label) != "amplification") {  // of TCP: backscatter, no connection
            tcp.take(p);
        }
    });
    EXPECT_EQ(packets, summary.packets);
    EXPECT_GT(tcp.connections, 100U);
    EXPECT_GT(tcp.data, 1000U);
    EXPECT_GT(tcp.acks, 1000U);
    EXPECT_GT(tcp.closed, 50U);
    EXPECT_GT(tcp.again, 0U) << "no retransmission anywhere";
    EXPECT_LT(tcp.again * 20, tcp.data) << "too many retransmissions";
    auto rows = CsvReader::open(options.labels);
    ASSERT_TRUE(rows);
    const auto done = rows->each([&](const auto& fields) -> Result<void> {
        Seen p;
        p.proto = static_cast<std::uint8_t>(std::stoul(std::string(fields[1])));
        const auto address = [](std::string_view text, std::array<std::uint8_t, 16>& out) {
            const std::string copy(text);
            if (inet_pton(AF_INET6, copy.c_str(), out.data()) != 1) {
                out = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
                EXPECT_EQ(inet_pton(AF_INET, copy.c_str(), out.data() + 12), 1) << copy;
            }
        };
        address(fields[2], p.src);
        address(fields[4], p.dst);
        p.sport = static_cast<std::uint16_t>(std::stoul(std::string(fields[3])));
        p.dport = static_cast<std::uint16_t>(std::stoul(std::string(fields[5])));
        // As the row says, the initiator's packet comes first.
        const auto key = key_of(p);
        EXPECT_TRUE(tuples.contains({reinterpret_cast<const char*>(&key), sizeof key}));
        return {};
    });
    EXPECT_TRUE(done);
}

// Long enough for retransmission timers, window probes, resets and ends of all kinds.
TEST(Generate, TcpStaysConsistentUnderLoss) {
    const TempDir dir;
    auto options = options_in(dir, 30);
    options.scenarios = {
        "p2p",
        "ssh",
        "web_transaction",
        "browsing",
        "slow_read",
        "slow_headers",
        "ssh_bruteforce",
        "beacon_http",
        "backup",
        "failed_connect"};
    options.benign_flows_per_second = 3;
    options.attack_share = 0.05;
    static_cast<void>(must(options));
    test::TcpWatch tcp;
    read_capture(options.out, [&](const Seen& p) { tcp.take(p); });
    EXPECT_GT(tcp.again, 10U);
    EXPECT_GT(tcp.filled, 10U);
    EXPECT_LT(tcp.gaps() * 5, tcp.filled) << "more than the end of the capture explains";
    EXPECT_GT(tcp.closed, 100U);
}

TEST(Generate, QosLabelsLeaveOutAttacksAndUnknownClasses) {
    const TempDir dir;
    auto options = options_in(dir, 2);
    options.slot = "qos";
    options.group = "lab, one";
    const auto summary = must(options);
    EXPECT_LT(summary.labelled_flows, summary.flows);
    const auto classes = slot_classes("qos");
    std::set<std::string> seen;
    auto rows = CsvReader::open(options.labels);
    ASSERT_TRUE(rows);
    ASSERT_TRUE(rows->each([&](const auto& fields) -> Result<void> {
        EXPECT_NE(std::find(classes.begin(), classes.end(), fields[6]), classes.end());
        EXPECT_EQ(fields[7], "lab, one");
        seen.emplace(fields[6]);
        return {};
    }));
    EXPECT_EQ(seen.size(), classes.size());
    ASSERT_TRUE(app::FlowLabels::read(options.labels));
}

TEST(Generate, ThePacketLimitHolds) {
    const TempDir dir;
    auto options = options_in(dir, 20);
    options.packets = 1234;
    EXPECT_EQ(must(options).packets, 1234U);
    std::uint64_t packets = 0;
    read_capture(options.out, [&](const Seen&) { ++packets; });
    EXPECT_EQ(packets, 1234U);
}

// Packets are never kept, so the live sources are what takes memory: they stay below the bound, whatever the rates.
TEST(Generate, LiveSourcesAreBounded) {
    const TempDir dir;
    auto options = options_in(dir, 3);
    options.benign_flows_per_second = 200;
    options.most_live_sources = 80;
    auto summary = must(options);
    EXPECT_EQ(summary.most_live_sources, 80U);
    EXPECT_GT(summary.held_back, 0U);
    read_capture(options.out, [](const Seen&) {});
    options.benign_flows_per_second = 1;
    options.scenarios = {"dns"};
    summary = must(options);
    EXPECT_EQ(summary.held_back, 0U);
    EXPECT_LT(summary.most_live_sources, 20U);
}

// ---- a second opinion -----------------------------------------------------------------------------------------------

// Lines that tshark prints for packets of `filter`.
std::string tshark(const std::string& capture, const std::string& filter) {
    const std::string command =
        "tshark -n -r '" + capture +
        "' -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE "
        "-o udp.check_checksum:TRUE -o tcp.desegment_tcp_streams:FALSE -Y '" +
        filter + "' 2>/dev/null";
    std::string out;
    FILE* pipe = popen(command.c_str(), "r");
    EXPECT_NE(pipe, nullptr);
    std::array<char, 4096> buffer{};
    std::size_t got = 0;
    while (pipe != nullptr && (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0) {
        out.append(buffer.data(), got);
    }
    EXPECT_EQ(pclose(pipe), 0) << command;
    return out;
}

TEST(Generate, TsharkFindsNothingWrong) {
    if (std::system("tshark --version >/dev/null 2>&1") != 0) {
        GTEST_SKIP() << "skipped: no tshark";
    }
    const TempDir dir;
    auto options = options_in(dir, 3);
    options.benign_flows_per_second = 6;
    const std::string bad_checksum =
        "ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0 || "
        "icmp.checksum.status == 0 || icmpv6.checksum.status == 0";
    static_cast<void>(must(options));
    EXPECT_EQ(tshark(options.out, bad_checksum), "");
    // Filler sent to random ports is in no protocol's form, whatever tshark expects there.
    for (const auto& s : scenarios()) {
        if (!s.name.starts_with("udp_flood")) {
            options.scenarios.emplace_back(s.name);
        }
    }
    static_cast<void>(must(options));
    EXPECT_EQ(tshark(options.out, "_ws.malformed"), "");
    EXPECT_NE(tshark(options.out, "dns && tls || sip || snmp || ntp"), "") << "the filter works";
}

}  // namespace
}  // namespace weir::lab::synth
