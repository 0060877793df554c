// SPDX-License-Identifier: BSD-3-Clause
// What overrides do to packets, and that a trace tells of each packet what decide() did.
#include "dataplane/trace.h"

#include "enforce_fixture.h"

#include <algorithm>
#include <random>

namespace weir::dataplane {
namespace {

using namespace weir::test;

constexpr std::uint8_t kEf = 46;

class TraceTest : public EnforceFixture {
  protected:
    const Bytes call_ = eth(0x0800, ip4({.proto = 17}, udp({}, text(20))));
    const Bytes call6_ = eth(0x86dd, ip6({.next = 17}, udp({}, text(20))));

    void override_by(OverrideKind kind, const std::string& prefix) {
        rules_.push_back({kind, false, *config::parse_prefix(prefix), {}});
        snapshot_->overrides = std::make_shared<const OverrideSet>(rules_);
    }
    /// Sends, and expects the trace to tell the same.
    Outcome sent(const Bytes& frame, DecisionTrace& trace, const From& from) {
        const Outcome out = send(frame, from);
        const Batch& batch = *batch_;
        FlowSample sample;
        const std::uint32_t index = batch.flow[0];
        const Flow& flow = (*table_)[index];
        sample.flow.key = flow.key();
        sample.flow.packets = flow.packets;
        for (std::size_t s = 0; s < 2; ++s) {
            sample.flow.verdicts[s] = table_->verdicts(index)[s].told();
        }
        sample.header = batch.header[0];
        sample.rx_port = batch.rx_port[0];
        sample.from_initiator = batch.forward[0] != 0;
        sample.disposition = out.disposition;
        sample.reason = out.reason;
        sample.dscp = out.dscp;
        trace = trace_decision(*snapshot_, sample);
        return out;
    }
    Outcome sent(const Bytes& frame, DecisionTrace& trace) { return sent(frame, trace, From{}); }

    std::vector<OverrideRule> rules_;
};

TEST_F(TraceTest, ABlockDropsUnderItsOwnReasonWhateverRulesSay) {
    load("policy: {use: p}\npolicies: {p: {rules: [{dscp: EF}]}}\n");
    override_by(OverrideKind::block, "192.0.2.0/24");
    DecisionTrace trace;
    const Outcome out = sent(call_, trace);
    EXPECT_EQ(out.disposition, Disposition::drop);
    EXPECT_EQ(out.reason, DropReason::override_block);
    EXPECT_EQ(trace.source, RuleSource::override_rule);
    EXPECT_EQ(trace.override_rule, 0);
    EXPECT_EQ(sent(call6_, trace).dscp, kEf) << "another family";
    EXPECT_EQ(trace.source, RuleSource::policy_rule);
}

TEST_F(TraceTest, AnAllowedFlowIsNeitherDroppedNorPolicedButMarkedStill) {
    load(
        "slots:\n"
        "  anomaly: {rules: {scan: {action: drop}}}\n"
        "  qos: {rules: {telephony: {dscp: EF}}}\n");
    classify(call_, 0, "scan", 1);
    classify(call_, 1, "telephony", 1);
    DecisionTrace trace;
    EXPECT_EQ(sent(call_, trace).disposition, Disposition::drop);
    EXPECT_EQ(trace.slot, 0);
    override_by(OverrideKind::allow, "192.0.2.0/24");
    const Outcome out = sent(call_, trace);
    EXPECT_EQ(out.disposition, Disposition::forward);
    EXPECT_EQ(out.dscp, kEf);
    EXPECT_EQ(trace.held, HeldBack::allowed);
    EXPECT_EQ(trace.source, RuleSource::class_rule);
    EXPECT_EQ(stats_->override_allowed.get(), 1U);
}

TEST_F(TraceTest, AnAllowedFlowPassesMetersLimitsAndResets) {
    load(
        "policy:\n"
        "  use: p\n"
        "  new_flows: {per_source_per_s: 1, burst: 1}\n"
        "  meters: {none: {cir_kbps: 8, cbs_bytes: 1500, excess_bytes: 1500}}\n"
        "policies: {p: {rules: [{slot: anomaly, class: scan, action: reset}, {police: none}]}}\n");
    DecisionTrace trace;
    for (int n = 0; n < 100; ++n) {  // more than both bursts
        sent(call_, trace);
    }
    EXPECT_EQ(sent(call_, trace).reason, DropReason::police);
    EXPECT_EQ(trace.source, RuleSource::policy_rule);
    override_by(OverrideKind::allow, "192.0.2.0/24");
    for (std::uint8_t host = 10; host < 20; ++host) {  // new flows, each of the same source
        const Bytes frame =
            eth(0x0800, ip4({.dst = {192, 0, 2, host}, .proto = 17}, udp({}, text(20))));
        EXPECT_EQ(sent(frame, trace).disposition, Disposition::forward);
        EXPECT_EQ(trace.held, HeldBack::allowed);
    }
    classify(call_, 0, "scan", 1);
    EXPECT_EQ(sent(call_, trace).disposition, Disposition::forward);
    EXPECT_EQ(stats_->resets_sent.get() + stats_->resets_lost.get(), 0U);
}

TEST_F(TraceTest, NeverTouchAndObserveOnlyStandAboveABlock) {
    load("policy: {never_touch: {prefixes: [192.0.2.0/24]}}\n");
    override_by(OverrideKind::block, "0.0.0.0/0");
    DecisionTrace trace;
    EXPECT_EQ(sent(call_, trace).disposition, Disposition::forward);
    EXPECT_EQ(trace.held, HeldBack::never_touch);
    load("policy: {observe_only: true}\n");
    override_by(OverrideKind::block, "192.0.2.1");
    EXPECT_EQ(sent(call_, trace).disposition, Disposition::forward);
    EXPECT_EQ(trace.held, HeldBack::observe_only);
    EXPECT_EQ(stats_->policy_observed.get(), 1U);
}

TEST_F(TraceTest, WhatTheBudgetHeldBackShows) {
    load(
        "slots: {anomaly: {rules: {scan: {action: drop}}}}\n"
        "policy: {budget: {flows: 1, window_s: 60}}\n");
    DecisionTrace trace;
    for (std::uint8_t host = 1; host <= 3; ++host) {
        const Bytes frame =
            eth(0x0800, ip4({.dst = {192, 0, 2, host}, .proto = 17}, udp({}, text(20))));
        classify(frame, 0, "scan", 1);
        const Outcome out = sent(frame, trace);
        EXPECT_EQ(out.disposition, host == 1 ? Disposition::drop : Disposition::forward);
        EXPECT_EQ(trace.held, host == 1 ? HeldBack::no : HeldBack::budget);
        EXPECT_EQ(trace.source, RuleSource::class_rule);
    }
}

/// Of a gateway whose rules, overrides and verdicts are drawn at random, with nothing that only enforce does.
std::string random_policy(std::minstd_rand& random) {
    const auto one_of = [&](std::initializer_list<const char*> texts) {
        return std::string(*(texts.begin() + random() % texts.size()));
    };
    std::string text = "slots:\n  anomaly: {rules: {scan: {action: " + one_of({"drop", "pass"}) +
                       ", min_confidence: 0.5}}}\n  qos: {" +
                       one_of({"", "model_missing: drop, "}) +
                       "rules: {telephony: {dscp: EF}, standard: {dscp: CS1}}}\n";
    text += one_of({"", "never_remark: [CS6, AF41]\n"});
    if (random() % 3 == 0) {
        return text;
    }
    text += "policy: {use: p, observe_only: " + one_of({"false", "false", "false", "true"}) +
            ", never_touch: {prefixes: " + one_of({"[]", "['2001:db8::17']", "[192.0.2.3]"}) +
            "}}\npolicies:\n  p:\n    default: " + one_of({"class_rules", "pass", "drop"}) +
            "\n    rules:\n";
    std::vector<std::string> conditions{
        "slot: anomaly, class: scan, min_confidence: 0.7, ",
        "slot: qos, class: [telephony, standard], ",
        "prefixes: [192.0.2.0/25], ",
        "min_packets: 2, ",
        "sender: responder, "};
    std::shuffle(conditions.begin(), conditions.end(), random);
    conditions.resize(1 + random() % 4);
    for (const std::string& condition : conditions) {
        text +=
            "      - {" + condition +
            one_of({"action: drop", "dscp: AF41", "action: pass", "action: drop, observe: true"}) +
            "}\n";
    }
    return text;
}

TEST_F(TraceTest, ATraceTellsOfAnyPacketWhatWasDecided) {
    std::minstd_rand random(5);
    std::uint32_t dropped = 0;
    std::uint32_t held = 0;
    std::uint32_t blocked = 0;
    for (int round = 0; round < 300; ++round) {
        load(random_policy(random));
        if (HasFatalFailure()) {
            return;
        }
        rules_.clear();
        for (std::uint32_t n = random() % 3; n != 0; --n) {
            static constexpr std::array<const char*, 4> kPrefixes{
                "192.0.2.0/26", "192.0.2.3", "0.0.0.0/0", "2001:db8::/32"};
            const auto kind = random() % 2 == 0 ? OverrideKind::block : OverrideKind::allow;
            const auto prefix = *config::parse_prefix(kPrefixes[random() % kPrefixes.size()]);
            const bool known = std::any_of(rules_.begin(), rules_.end(), [&](const auto& rule) {
                return rule.prefix.length == prefix.length;
            });
            if (!known) {
                override_by(kind, config::prefix_text(prefix));
            }
        }
        for (int n = 0; n < 20; ++n) {
            const auto host = static_cast<std::uint8_t>(random() % 200);
            const auto tos = static_cast<std::uint8_t>(random() % 4 == 0 ? 34 << 2 : 0);
            const Bytes frame = random() % 4 == 0
                                    ? call6_
                                    : eth(0x0800,
                                          ip4({.dst = {192, 0, 2, host}, .proto = 17, .tos = tos},
                                              udp({}, text(20))));
            if (random() % 2 == 0) {
                classify(frame, 0, random() % 2 == 0 ? "scan" : "benign", (random() % 100) / 100.0);
                classify(frame, 1, random() % 2 == 0 ? "telephony" : "standard", 0.9);
            }
            DecisionTrace trace;
            const bool initiator = random() % 2 == 0;
            const Outcome out = sent(frame, trace, {.initiator = initiator});
            SCOPED_TRACE(round);
            ASSERT_EQ(trace.disposition, out.disposition);
            ASSERT_EQ(trace.dscp, out.dscp);
            if (out.disposition == Disposition::drop) {
                ASSERT_EQ(trace.reason, out.reason);
                ASSERT_EQ(trace.held, HeldBack::no);
            }
            dropped += out.disposition == Disposition::drop ? 1 : 0;
            held += trace.held != HeldBack::no ? 1 : 0;
            blocked += out.reason == DropReason::override_block ? 1 : 0;
        }
    }
    EXPECT_GT(dropped, 1000U);
    EXPECT_GT(held, 300U);
    EXPECT_GT(blocked, 300U);
}

}  // namespace
}  // namespace weir::dataplane
