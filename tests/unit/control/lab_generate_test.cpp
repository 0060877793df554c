// SPDX-License-Identifier: BSD-3-Clause
#include "control/app/extract_labels.h"
#include "control/lab/generate_scenarios.h"
#include "control/lab/labels_csv.h"
#include "control/lab/labels_rules.h"
#include "tests/unit/control/lab_fixtures.h"
#include "tests/unit/control/lab_generate_reader.h"

#include <cmath>
#include <cstdio>
#include <iterator>
#include <limits>
#include <set>

namespace weir::lab::synth {
namespace {

using test::read_capture;
using test::Seen;
using test::TempDir;

GenerateOptions options_in(const TempDir& dir, std::uint64_t seconds) {
    GenerateOptions options;
    options.out = dir.path("t.pcap");
    options.labels = dir.path("t.csv");
    options.seconds = seconds;
    return options;
}

GenerateSummary must(const GenerateOptions& options) {
    const auto summary = generate(options);
    EXPECT_TRUE(summary) << summary.error().line();
    return summary ? *summary : GenerateSummary{};
}

std::string contents(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::size_t files_in(const TempDir& dir) {
    const std::filesystem::directory_iterator all(dir.path(""));
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

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
        ASSERT_NE(read->of(options.out)->find(key_of(p)), nullptr);
        const auto key = key_of(p);
        tuples.emplace(reinterpret_cast<const char*>(&key), sizeof key);
        tcp.take(p);
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
    EXPECT_LT(packets("syn_port_scan", &GenerateOptions::slow, 20) * 4, probes);
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
