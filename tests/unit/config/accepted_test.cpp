// SPDX-License-Identifier: BSD-3-Clause
// What a good weir.yaml becomes.
#include "config/load.h"

#include <gmock/gmock.h>

namespace weir::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kPorts =
    "ports:\n"
    "  - {name: lan, device: net_null0}\n"
    "  - {name: wan, device: net_null1}\n"
    "pairs: [[lan, wan]]\n";

Config load_good(const std::string& text, const std::string& name = "weir.yaml") {
    const auto loaded = load_text(text, name);
    if (!loaded) {
        for (const Error& error : loaded.error()) {
            ADD_FAILURE() << error.line();
        }
        return {};
    }
    return *loaded;
}

const Slot& slot_of(const Config& config, const std::string& name) {
    for (const Slot& slot : config.slots) {
        if (slot.name == name) {
            return slot;
        }
    }
    static const Slot kNone;
    ADD_FAILURE() << "no slot " << name;
    return kNone;
}

TEST(Accepted, SilenceMeansTheDefaults) {
    const Config config = load_good(kPorts);
    const Config expected = defaults();
    EXPECT_EQ(config.file, "weir.yaml");
    EXPECT_EQ(config.eal.hugepages, Hugepages::automatic);
    EXPECT_EQ(config.eal.memory_mb, expected.eal.memory_mb);
    EXPECT_THAT(config.workers.lcores, ElementsAre(1));
    EXPECT_EQ(config.workers.burst, 64u);
    EXPECT_EQ(config.workers.flow_table.capacity, 1u << 20);
    EXPECT_THAT(config.never_remark, ElementsAre(48, 56));
    EXPECT_EQ(config.metrics.listen, "127.0.0.1:9464");
    EXPECT_EQ(config.control.socket, "/run/weir/control.sock");
    ASSERT_EQ(config.slots.size(), 2u);
    EXPECT_EQ(config.slots[0].name, "anomaly");
    EXPECT_EQ(config.slots[1].name, "qos");
    ASSERT_EQ(config.pairs.size(), 1u);
    EXPECT_EQ(config.pairs[0].a, 0u);
    EXPECT_EQ(config.pairs[0].b, 1u);
    EXPECT_THAT(config.taps, IsEmpty());
}

TEST(Accepted, NothingIsDroppedOutOfTheBox) {
    const Config config = defaults();
    for (const Slot& slot : config.slots) {
        EXPECT_EQ(slot.model_missing, FailAction::pass);
        for (const auto& [name, rule] : slot.rules) {
            EXPECT_NE(rule.action, ActionKind::drop) << slot.name << "." << name;
        }
    }
    const Fail& fail = config.fail;
    for (const FailAction action :
         {fail.truncated, fail.malformed, fail.unsupported, fail.flow_table_full}) {
        EXPECT_EQ(action, FailAction::pass);
    }
}

TEST(Accepted, DefaultMarksAreThoseOfTheRfcs) {
    const std::map<std::string, std::uint8_t> expected{
        {"telephony", 46},
        {"signaling", 40},
        {"multimedia_conferencing", 34},
        {"realtime_interactive", 32},
        {"multimedia_streaming", 26},
        {"broadcast_video", 24},
        {"low_latency_data", 18},
        {"oam", 16},
        {"high_throughput_data", 10},
        {"standard", 0},
        {"low_priority_data", 1}};
    std::map<std::string, std::uint8_t> marks;
    const Config config = defaults();
    for (const auto& [name, rule] : slot_of(config, "qos").rules) {
        EXPECT_EQ(rule.action, ActionKind::mark) << name;
        marks[name] = rule.dscp;
    }
    EXPECT_EQ(marks, expected);
    EXPECT_THAT(slot_of(config, "anomaly").rules, IsEmpty());
}

// Each key given a value that differs from its default, so that a key that is read into nowhere fails.
TEST(Accepted, EveryScalarKeyArrives) {
    const Config config = load_good(
        "eal: {hugepages: require, memory_mb: 64, main_lcore: 5, file_prefix: gw-1, extra: "
        "[--legacy-mem]}\n"
        "workers:\n"
        "  lcores: [2, 3]\n"
        "  burst: 32\n"
        "  flow_table: {capacity: 2048, tcp_established_s: 301, tcp_opening_s: 31, tcp_closed_s: "
        "6, udp_s: 61,\n"
        "               other_s: 32, host_capacity: 4096}\n"
        "ports:\n"
        "  - {name: lan, device: '0000:01:00.0', mtu: 9000, promiscuous: false, rx_descriptors: "
        "512,\n"
        "     tx_descriptors: 256}\n"
        "  - {name: wan, device: '0000:01:00.1'}\n"
        "  - {name: mirror0, device: 'net_af_packet0,iface=eth0'}\n"
        "pairs: [[wan, lan]]\n"
        "taps: [mirror0]\n"
        "never_remark: [EF, 7]\n"
        "fail: {truncated: drop, malformed: drop, unsupported: drop, flow_table_full: drop}\n"
        "control: {socket: /s, keyring: /k, state_dir: /d, max_bundle_mb: 8}\n"
        "metrics: {listen: '[::1]:0'}\n"
        "log: {level: debug}\n");
    EXPECT_EQ(config.eal.hugepages, Hugepages::require);
    EXPECT_EQ(config.eal.memory_mb, 64u);
    EXPECT_EQ(config.eal.main_lcore, 5u);
    EXPECT_EQ(config.eal.file_prefix, "gw-1");
    EXPECT_THAT(config.eal.extra, ElementsAre("--legacy-mem"));
    EXPECT_THAT(config.workers.lcores, ElementsAre(2, 3));
    EXPECT_EQ(config.workers.burst, 32u);
    const FlowTable& table = config.workers.flow_table;
    EXPECT_EQ(table.capacity, 2048u);
    EXPECT_EQ(table.tcp_established_s, 301u);
    EXPECT_EQ(table.tcp_opening_s, 31u);
    EXPECT_EQ(table.tcp_closed_s, 6u);
    EXPECT_EQ(table.udp_s, 61u);
    EXPECT_EQ(table.other_s, 32u);
    EXPECT_EQ(table.host_capacity, 4096u);
    ASSERT_EQ(config.ports.size(), 3u);
    EXPECT_EQ(config.ports[0].name, "lan");
    EXPECT_EQ(config.ports[0].device, "0000:01:00.0");
    EXPECT_EQ(config.ports[0].mtu, 9000u);
    EXPECT_FALSE(config.ports[0].promiscuous);
    EXPECT_EQ(config.ports[0].rx_descriptors, 512u);
    EXPECT_EQ(config.ports[0].tx_descriptors, 256u);
    ASSERT_EQ(config.pairs.size(), 1u);
    EXPECT_EQ(config.pairs[0].a, 1u);
    EXPECT_EQ(config.pairs[0].b, 0u);
    EXPECT_THAT(config.taps, ElementsAre(2));
    EXPECT_THAT(config.never_remark, ElementsAre(46, 7));
    EXPECT_EQ(config.fail.truncated, FailAction::drop);
    EXPECT_EQ(config.fail.malformed, FailAction::drop);
    EXPECT_EQ(config.fail.unsupported, FailAction::drop);
    EXPECT_EQ(config.fail.flow_table_full, FailAction::drop);
    EXPECT_EQ(config.control.socket, "/s");
    EXPECT_EQ(config.control.keyring, "/k");
    EXPECT_EQ(config.control.state_dir, "/d");
    EXPECT_EQ(config.control.max_bundle_mb, 8u);
    EXPECT_EQ(config.metrics.listen, "[::1]:0");
    EXPECT_EQ(config.log.level, "debug");
}

TEST(Accepted, SlotsAreThoseThatAreNamedInTheirOrder) {
    const Config config = load_good(
        std::string(kPorts) +
        "slots:\n"
        "  mine: {model: none, score: every_packet, hysteresis: 1, model_missing: drop}\n"
        "  qos:\n");
    ASSERT_EQ(config.slots.size(), 2u);
    EXPECT_EQ(config.slots[0].name, "mine");
    EXPECT_EQ(config.slots[0].model, "none");
    EXPECT_EQ(config.slots[0].cadence.kind, CadenceKind::every_packet);
    EXPECT_EQ(config.slots[0].hysteresis, 1u);
    EXPECT_EQ(config.slots[0].model_missing, FailAction::drop);
    EXPECT_THAT(config.slots[0].rules, IsEmpty());
    EXPECT_EQ(config.slots[1].rules.size(), 11u);
}

TEST(Accepted, RulesGivenReplaceTheDefaultRules) {
    const Config config = load_good(
        std::string(kPorts) +
        "slots:\n"
        "  qos:\n"
        "    score: {every_ms: 250}\n"
        "    rules: {telephony: {dscp: VA, min_confidence: 0.75}, standard: {action: mark, dscp: "
        "0}}\n"
        "  anomaly:\n"
        "    rules: {flood: {action: drop, min_confidence: 1}, scan: {action: pass}}\n");
    const Slot& qos = slot_of(config, "qos");
    EXPECT_EQ(qos.cadence.kind, CadenceKind::interval);
    EXPECT_EQ(qos.cadence.interval_ms, 250u);
    ASSERT_EQ(qos.rules.size(), 2u);
    EXPECT_EQ(qos.rules.at("telephony").action, ActionKind::mark);
    EXPECT_EQ(qos.rules.at("telephony").dscp, 44u);
    EXPECT_DOUBLE_EQ(qos.rules.at("telephony").min_confidence, 0.75);
    EXPECT_EQ(qos.rules.at("standard").dscp, 0u);
    const Slot& anomaly = slot_of(config, "anomaly");
    EXPECT_EQ(anomaly.rules.at("flood").action, ActionKind::drop);
    EXPECT_EQ(anomaly.rules.at("scan").action, ActionKind::pass);
    const Config none = load_good(std::string(kPorts) + "slots: {qos: {rules: {}}}\n");
    EXPECT_THAT(slot_of(none, "qos").rules, IsEmpty());
}

TEST(Accepted, RelativePathsStartFromTheFile) {
    const std::string text =
        std::string(kPorts) +
        "slots: {qos: {model: ../models/q.weir}, anomaly: {model: /abs/a.weir}}\n"
        "control: {socket: run/c.sock, keyring: keys}\n";
    const Config config = load_good(text, "/etc/weir/weir.yaml");
    EXPECT_EQ(slot_of(config, "qos").model, "/etc/models/q.weir");
    EXPECT_EQ(slot_of(config, "anomaly").model, "/abs/a.weir");
    EXPECT_EQ(config.control.socket, "/etc/weir/run/c.sock");
    EXPECT_EQ(config.control.keyring, "/etc/weir/keys");
    EXPECT_EQ(config.control.state_dir, "/var/lib/weir");
}

TEST(Accepted, MetricsCanBeOff) {
    EXPECT_EQ(load_good(std::string(kPorts) + "metrics: {listen: \"\"}\n").metrics.listen, "");
}

TEST(Accepted, WordsThatYamlTakesForFlagsStayWords) {
    EXPECT_EQ(
        load_good(std::string(kPorts) + "eal: {hugepages: off}\n").eal.hugepages, Hugepages::off);
    EXPECT_EQ(load_good(std::string(kPorts) + "log: {level: off}\n").log.level, "off");
    const Config config = load_good("ports: [{name: on, device: net_tap0}]\ntaps: [on]\n");
    EXPECT_EQ(config.ports.at(0).name, "on");
}

TEST(Accepted, ByteOrderMarkWindowsLinesAndComments) {
    const Config config = load_good(
        "\xef\xbb\xbf# caf\xc3\xa9\r\nports:\r\n  - {name: a, device: net_null0}\r\ntaps: [a]\r\n");
    EXPECT_THAT(config.taps, ElementsAre(0));
}

}  // namespace
}  // namespace weir::config
