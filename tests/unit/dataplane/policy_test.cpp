// SPDX-License-Identifier: BSD-3-Clause
// Policies as packets meet them, from weir.yaml on.
#include "enforce_fixture.h"

namespace weir::dataplane {
namespace {

using namespace weir::test;

class PolicyTest : public EnforceFixture {
  protected:
    const Bytes call_ = eth(0x0800, ip4({.proto = 17}, udp({}, text(20))));
    const Bytes call6_ = eth(0x86dd, ip6({.next = 17}, udp({}, text(20))));
    const Bytes tagged_ = eth(0x8100, vlan(100, 0x0800, ip4({.proto = 17}, udp({}, text(20)))));
};

constexpr std::uint8_t kEf = 46;
constexpr std::uint8_t kAf41 = 34;

TEST_F(PolicyTest, WithoutAPolicyThereIsNone) {
    load("");
    EXPECT_EQ(snapshot_->policy, nullptr);
}

TEST_F(PolicyTest, TheFirstRowThatMatchesDecidesAlone) {
    load(
        "policy: {use: p}\n"
        "policies:\n"
        "  p:\n"
        "    rules:\n"
        "      - {slot: qos, class: telephony, min_confidence: 0.9, dscp: EF}\n"
        "      - {slot: qos, class: [telephony, standard], dscp: AF41}\n"
        "      - {slot: anomaly, class: scan, action: drop}\n");
    classify(call_, 1, "telephony", 0.95);
    EXPECT_EQ(send(call_).dscp, kEf);
    classify(call_, 1, "telephony", 0.5);
    classify(call_, 0, "scan", 0.9);
    const Outcome second = send(call_);
    EXPECT_EQ(second.dscp, kAf41);
    EXPECT_EQ(second.disposition, Disposition::forward) << "rows below are not looked at";
    classify(call_, 1, "oam", 1);
    const Outcome third = send(call_);
    EXPECT_EQ(third.disposition, Disposition::drop);
    EXPECT_EQ(third.reason, DropReason::policy);
}

TEST_F(PolicyTest, WhereNoRowMatchesTheDefaultHolds) {
    const std::string head =
        "slots:\n"
        "  anomaly: {}\n"
        "  qos: {rules: {telephony: {dscp: EF}}}\n"
        "policy: {use: p}\n"
        "policies: {p: {default: ";
    classify(call_, 1, "telephony", 1);
    load(head + "class_rules}}\n");
    EXPECT_EQ(send(call_).dscp, kEf);
    load(head + "pass}}\n");
    EXPECT_EQ(send(call_).dscp, kKeepDscp);
    load(head + "drop}}\n");
    EXPECT_EQ(send(call_).disposition, Disposition::drop);
}

TEST_F(PolicyTest, ByPacketsSeen) {
    load("policy: {use: p}\npolicies: {p: {rules: [{min_packets: 3, dscp: EF}]}}\n");
    EXPECT_EQ(send(call_).dscp, kKeepDscp);
    EXPECT_EQ(send(call_).dscp, kKeepDscp);
    EXPECT_EQ(send(call_).dscp, kEf);
}

TEST_F(PolicyTest, BySenderPortVlanAndPrefix) {
    load(
        "policy: {use: p}\n"
        "policies:\n"
        "  p:\n"
        "    rules:\n"
        "      - {sender: responder, dscp: CS1}\n"
        "      - {port: wan, dscp: CS2}\n"
        "      - {vlan: 100, dscp: CS3}\n"
        "      - {prefixes: [192.0.2.192/26], dscp: CS4}\n"
        "      - {prefixes: ['2001:db8::/64'], dscp: CS5}\n");
    EXPECT_EQ(send(call_, {.initiator = false}).dscp, 8);
    EXPECT_EQ(send(call_, {.port = 1}).dscp, 16);
    EXPECT_EQ(send(tagged_).dscp, 24);
    EXPECT_EQ(send(call_).dscp, 32) << "the other end of the flow counts as well";
    EXPECT_EQ(send(call6_).dscp, 40);
    const Bytes other = eth(0x0800, ip4({.dst = {192, 0, 2, 191}, .proto = 17}, udp({}, text(20))));
    EXPECT_EQ(send(other).dscp, kKeepDscp);
}

TEST_F(PolicyTest, VlanGoesBeforePortAndPortBeforeUse) {
    load(
        "policy: {use: a, ports: {mon: b}, vlans: {100: c}}\n"
        "policies:\n"
        "  a: {rules: [{dscp: CS1}]}\n"
        "  b: {rules: [{dscp: CS2}]}\n"
        "  c: {rules: [{dscp: CS3}]}\n");
    EXPECT_EQ(send(call_).dscp, 8);
    EXPECT_EQ(send(call_, {.port = 2}).dscp, 16);
    EXPECT_EQ(send(tagged_).dscp, 24);
    EXPECT_EQ(send(tagged_, {.port = 2}).dscp, 24);
    load("policy: {ports: {wan: b}}\npolicies: {b: {rules: [{dscp: CS2}]}}\n");
    EXPECT_EQ(send(call_).dscp, 16) << "a pair has one policy";
    EXPECT_EQ(send(call_, {.port = 2}).dscp, kKeepDscp);
}

TEST_F(PolicyTest, ObservedIsCountedAndNotDone) {
    load(
        "policy: {use: p}\n"
        "policies: {p: {rules: [{observe: true, vlan: 100, action: drop}, {dscp: EF}]}}\n");
    EXPECT_EQ(send(tagged_).disposition, Disposition::forward);
    EXPECT_EQ(send(tagged_).dscp, kKeepDscp) << "the row still ends the search";
    EXPECT_EQ(stats_->policy_observed.get(), 2U);
    EXPECT_EQ(send(call_).dscp, kEf);
    EXPECT_EQ(stats_->policy_observed.get(), 2U);
}

TEST_F(PolicyTest, ObserveOnlyHoldsForClassRulesToo) {
    load(
        "slots: {anomaly: {}, qos: {rules: {telephony: {dscp: EF}}}}\n"
        "policy: {observe_only: true}\n");
    classify(call_, 1, "telephony", 1);
    EXPECT_EQ(send(call_).dscp, kKeepDscp);
    EXPECT_EQ(stats_->policy_observed.get(), 1U);
    classify(call_, 1, "standard", 1);
    send(call_);
    EXPECT_EQ(stats_->policy_observed.get(), 1U) << "no rule, nothing to observe";
}

TEST_F(PolicyTest, NeverTouchedByPrefixDscpAndTrustedPort) {
    load(
        "policy:\n"
        "  use: p\n"
        "  never_touch:\n"
        "    prefixes: ['2001:db8::17']\n"
        "    dscp: [CS6]\n"
        "    trusted_ports: lan\n"
        "    trusted_port_dscp: [EF]\n"
        "policies: {p: {default: drop}}\n");
    const Bytes ef = eth(0x0800, ip4({.proto = 17, .tos = kEf << 2U}, udp({}, text(20))));
    const Bytes cs6 = eth(0x0800, ip4({.proto = 17, .tos = 48 << 2U}, udp({}, text(20))));
    EXPECT_EQ(send(call6_).disposition, Disposition::forward);
    EXPECT_EQ(send(cs6).disposition, Disposition::forward);
    EXPECT_EQ(send(ef).disposition, Disposition::forward);
    EXPECT_EQ(send(ef, {.port = 1}).disposition, Disposition::drop) << "not from wan";
    EXPECT_EQ(send(call_).disposition, Disposition::drop);
}

TEST_F(PolicyTest, AMissingModelsFailPolicyStandsAbove) {
    load(
        "slots: {anomaly: {model: none, model_missing: drop}}\n"
        "policy: {use: p}\n"
        "policies: {p: {default: pass}}\n");
    const Outcome out = send(call_);
    EXPECT_EQ(out.disposition, Disposition::drop);
    EXPECT_EQ(out.reason, DropReason::model_missing);
}

}  // namespace
}  // namespace weir::dataplane
