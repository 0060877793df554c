// SPDX-License-Identifier: BSD-3-Clause
// `policy` and `policies`: what good ones become, and what is said of bad ones.
#include "config/load.h"
#include "config/policy_text.h"

#include <gmock/gmock.h>

namespace weir::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Six good lines, so that what a case adds starts on line 7.
const std::string kPorts =
    "ports:\n"
    "  - {name: lan, device: net_null0}\n"
    "  - {name: wan, device: net_null1}\n"
    "  - {name: mon, device: net_null2}\n"
    "pairs: [[lan, wan]]\n"
    "taps: [mon]\n";

Config load_good(const std::string& text) {
    const auto loaded = load_text(text, "weir.yaml");
    if (!loaded) {
        for (const Error& error : loaded.error()) {
            ADD_FAILURE() << error.line();
        }
        return {};
    }
    return *loaded;
}

// The only finding's line, as a person sees it.
std::string finding(const std::string& text) {
    const auto loaded = load_text(text, "weir.yaml");
    if (loaded) {
        return "accepted";
    }
    return loaded.error().size() == 1
               ? loaded.error()[0].line()
               : std::to_string(loaded.error().size()) + " findings: " + loaded.error()[0].line();
}

TEST(PolicyKeys, SilenceIsNoPolicy) {
    const Config config = load_good(kPorts);
    EXPECT_TRUE(config.policies.empty());
    EXPECT_EQ(config.policy.use, "");
    EXPECT_FALSE(config.policy.observe_only);
}

TEST(PolicyKeys, ARowHasAllThatItNames) {
    const Config config = load_good(
        kPorts +
        "policy: {use: office, ports: {mon: guests}, vlans: {100: guests}}\n"
        "policies:\n"
        "  guests: {default: drop}\n"
        "  office:\n"
        "    rules:\n"
        "      - {slot: anomaly, class: [dos, scan], min_confidence: 0.9, min_packets: 4,\n"
        "         sender: initiator, port: wan, vlan: 7, prefixes: [10.0.0.0/8, '2001:db8::/32'],\n"
        "         action: drop, observe: true}\n"
        "      - {slot: qos, class: telephony, dscp: EF}\n"
        "      - {action: pass}\n");
    EXPECT_EQ(config.policies.at("guests").otherwise, PolicyDefault::drop);
    EXPECT_EQ(config.policies.at("office").otherwise, PolicyDefault::class_rules);
    EXPECT_THAT(
        config.policy.ports,
        ElementsAre(std::pair<const std::string, std::string>("mon", "guests")));
    EXPECT_EQ(config.policy.vlans.at(100), "guests");
    const auto& rules = config.policies.at("office").rules;
    ASSERT_EQ(rules.size(), 3U);
    EXPECT_EQ(
        rule_text(rules[0]),
        "{slot: anomaly, class: [dos, scan], min_confidence: 0.9, min_packets: 4, sender: "
        "initiator, port: [wan], vlan: 7, prefixes: [10.0.0.0/8, 2001:db8::/32], action: drop, "
        "observe: true}");
    EXPECT_EQ(rule_text(rules[1]), "{slot: qos, class: [telephony], dscp: EF}");
    EXPECT_EQ(rule_text(rules[2]), "{action: pass}");
}

TEST(PolicyKeys, NeverTouch) {
    const NeverTouch never = load_good(
                                 kPorts +
                                 "policy:\n"
                                 "  never_touch:\n"
                                 "    prefixes: [192.0.2.1]\n"
                                 "    dscp: [CS6, 56]\n"
                                 "    trusted_ports: [lan]\n"
                                 "    trusted_port_dscp: [EF]\n")
                                 .policy.never_touch;
    ASSERT_EQ(never.prefixes.size(), 1U);
    EXPECT_EQ(prefix_text(never.prefixes[0]), "192.0.2.1/32");
    EXPECT_THAT(never.dscp, ElementsAre(48, 56));
    EXPECT_THAT(never.trusted_ports, ElementsAre("lan"));
    EXPECT_THAT(never.trusted_port_dscp, ElementsAre(46));
}

struct Bad {
    const char* name;
    std::string text;
    std::string expected;  ///< "weir.yaml:LINE: FIELD: WHAT"
};

class PolicyRefused : public testing::TestWithParam<Bad> {};

TEST_P(PolicyRefused, TellsLineFieldAndFix) {
    EXPECT_THAT(finding(kPorts + GetParam().text), HasSubstr(GetParam().expected));
}

std::string rows(const std::string& list) {
    return "policy: {use: p}\npolicies:\n  p:\n    rules:\n" + list;
}

INSTANTIATE_TEST_SUITE_P(
    Table,
    PolicyRefused,
    testing::Values(
        Bad{"NoSuchPolicy", "policy: {use: p}\n", "weir.yaml:7: policy.use: no policy 'p'"},
        Bad{"PolicyUnused",
            "policies:\n  p: {default: pass}\n",
            "weir.yaml:8: policies.p: policy 'p' is used nowhere"},
        Bad{"NoSuchPort",
            rows("      - {port: wam, action: drop}\n"),
            "weir.yaml:11: policies.p.rules[0].port: no port 'wam'"},
        Bad{"NoSuchSlot",
            rows("      - {slot: qso, class: a, action: drop}\n"),
            "weir.yaml:11: policies.p.rules[0].slot: no slot 'qso'"},
        Bad{"ClassWithoutSlot",
            rows("      - {class: a, action: drop}\n"),
            "weir.yaml:11: policies.p.rules[0]: a class or a confidence without its slot"},
        Bad{"SlotWithoutClass",
            rows("      - {slot: qos, action: drop}\n"),
            "weir.yaml:11: policies.p.rules[0].slot: a slot without a class"},
        Bad{"NoAction",
            rows("      - {vlan: 5}\n"),
            "weir.yaml:11: policies.p.rules[0]: neither 'action' nor 'dscp'"},
        Bad{"Contradiction",
            rows("      - {dscp: EF, action: drop}\n"),
            "weir.yaml:11: policies.p.rules[0].dscp: contradicts 'action: drop'"},
        Bad{"MarkWithWhat",
            rows("      - {action: mark}\n"),
            "weir.yaml:11: policies.p.rules[0].action: 'mark' without a 'dscp'"},
        Bad{"HostBits",
            rows("      - {prefixes: [10.0.0.1/8], action: drop}\n"),
            "weir.yaml:11: policies.p.rules[0].prefixes[0]: '10.0.0.1/8' is no prefix"},
        Bad{"VlanOfNoPolicy",
            "policy: {vlans: {4095: p}, ports: {lan: p}}\npolicies: {p: {}}\n",
            "weir.yaml:7: policy.vlans.4095: 4095 is out of range"},
        Bad{"RotationOfNoMirrorFile",
            "policy: {mirror: {port: lan, keep: 3}}\n",
            "weir.yaml:7: policy.mirror.keep: no file is written"},
        Bad{"ShareOfNoMirror",
            "policy: {mirror: {one_in: 3}}\n",
            "weir.yaml:7: policy.mirror.one_in: nowhere to mirror to"},
        Bad{"SnapOutOfRange",
            "policy: {mirror: {file: a.pcapng, snap_bytes: 10}}\n",
            "weir.yaml:7: policy.mirror.snap_bytes: 10 is out of range"},
        Bad{"PairOfTwoPolicies",
            "policy: {ports: {lan: p, wan: q}}\npolicies: {p: {}, q: {}}\n",
            "weir.yaml:7: policy.ports.wan: its pair's other port has policy 'p'"},
        Bad{"TrustWithoutDscp",
            "policy: {never_touch: {trusted_ports: lan}}\n",
            "weir.yaml:7: policy.never_touch: 'trusted_ports' without"},
        Bad{"Unreachable",
            rows("      - {prefixes: [10.0.0.0/8], action: pass}\n"
                 "      - {slot: qos, class: a, prefixes: [10.1.0.0/16, 10.2.0.0/16], dscp: EF}\n"),
            "weir.yaml:12: policies.p.rules[1]: no packet reaches this row: policies.p.rules[0] "
            "(line 11)"},
        Bad{"UnreachableByConfidence",
            rows("      - {slot: qos, class: [a, b], min_confidence: 0.5, dscp: EF}\n"
                 "      - {slot: qos, class: b, min_confidence: 0.5, min_packets: 3, dscp: DF}\n"),
            "weir.yaml:12: policies.p.rules[1]: no packet reaches this row"}),
    [](const testing::TestParamInfo<Bad>& info) { return std::string(info.param.name); });

TEST(PolicyKeys, RowsThatOverlapInPartAreBothReached) {
    load_good(
        kPorts + rows("      - {slot: qos, class: a, min_confidence: 0.9, dscp: EF}\n"
                      "      - {slot: qos, class: a, min_confidence: 0.5, dscp: AF41}\n"
                      "      - {slot: qos, class: [a, b], min_confidence: 0.9, dscp: AF42}\n"
                      "      - {vlan: 5, action: pass}\n"
                      "      - {sender: responder, action: pass}\n"
                      "      - {prefixes: [10.0.0.0/9], action: pass}\n"
                      "      - {prefixes: [10.0.0.0/8], action: pass}\n"
                      "      - {action: drop}\n"));
}

TEST(Prefixes, ReadAndWritten) {
    for (const char* text : {"0.0.0.0/0", "10.0.0.0/8", "192.0.2.1/32", "::/0", "2001:db8::/33"}) {
        const auto prefix = parse_prefix(text);
        ASSERT_TRUE(prefix) << text;
        EXPECT_EQ(prefix_text(*prefix), text);
    }
    for (const char* text :
         {"", "/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::/129", "10.0.0.128/24", "a"}) {
        EXPECT_FALSE(parse_prefix(text)) << text;
    }
    EXPECT_TRUE(covers(*parse_prefix("10.0.0.0/8"), *parse_prefix("10.255.0.0/16")));
    EXPECT_FALSE(covers(*parse_prefix("10.0.0.0/16"), *parse_prefix("10.0.0.0/8")));
    EXPECT_FALSE(covers(*parse_prefix("0.0.0.0/0"), *parse_prefix("2001:db8::/32")));
}

}  // namespace
}  // namespace weir::config
