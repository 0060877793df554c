// SPDX-License-Identifier: BSD-3-Clause
// Keys that are each well and cannot stand together: every finding names its line, and what to do.
#include "config/load.h"

#include <gtest/gtest.h>

namespace weir::config {
namespace {

// Five lines, so that a slot starts on line 6.
const std::string kSlot =
    "ports:\n"
    "  - {name: lan, device: net_null0}\n"
    "  - {name: wan, device: net_null1}\n"
    "pairs: [[lan, wan]]\n"
    "slots:\n";

std::string findings(const std::string& slots) {
    const auto loaded = load_text(kSlot + slots, "weir.yaml");
    std::string all;
    if (!loaded) {
        for (const Error& error : loaded.error()) {
            all += error.line() + "\n";
        }
    }
    return all;
}

TEST(Contradictions, OverloadThresholdsThatLeaveNoGap) {
    const auto found = [](const std::string& overload) {
        const auto loaded = load_text(
            "workers:\n  overload:\n" + overload +
                "ports: [{name: lan, device: net_null0}, {name: wan, device: net_null1}]\n"
                "pairs: [[lan, wan]]\n",
            "weir.yaml");
        return loaded ? std::string() : loaded.error()[0].line();
    };
    EXPECT_EQ(
        found("    queue_high_percent: 20\n    queue_low_percent: 20\n"),
        "weir.yaml:4: workers.overload.queue_low_percent: 20 is not less than queue_high_percent, "
        "20 (line 3); fix: leave a gap between them, such as 10 and 50");
    EXPECT_EQ(
        found("    up_ms: 1000\n"),
        "weir.yaml:2: workers.overload.down_ms: 500 is less than up_ms, 1000 (line 3); fix: coming "
        "back is slower than shedding: raise down_ms");
    EXPECT_EQ(found("    queue_low_percent: 19\n    queue_high_percent: 20\n"), "");
}

TEST(Contradictions, ADistributorOnAWorkersCpu) {
    const auto found = [](const std::string& workers) {
        const auto loaded = load_text(
            "workers: {lcores: [1, 2], " + workers +
                "}\n"
                "ports: [{name: lan, device: net_null0}, {name: wan, device: net_null1}]\n"
                "pairs: [[lan, wan]]\n",
            "weir.yaml");
        return loaded ? std::string() : loaded.error()[0].line();
    };
    EXPECT_EQ(
        found("distribute: software, distributor_lcore: 2"),
        "weir.yaml:1: workers.distributor_lcore: lcore 2 is workers.lcores[1] (line 1); fix: give "
        "the distributor another CPU; eal.main_lcore will do");
    EXPECT_EQ(found("distribute: software"), "") << "CPU 0, with control";
    EXPECT_EQ(found("distribute: rss, distributor_lcore: 2"), "") << "there is none";
    EXPECT_EQ(
        found("distribute: hardware"),
        "weir.yaml:1: workers.distribute: 'hardware' is not a choice here; fix: use one of: auto, "
        "rss, "
        "software");
}

TEST(Contradictions, SleepsThatShrink) {
    const auto loaded = load_text(
        "workers: {idle: {longest_us: 4}}\n"
        "ports: [{name: lan, device: net_null0}, {name: wan, device: net_null1}]\n"
        "pairs: [[lan, wan]]\n",
        "weir.yaml");
    ASSERT_FALSE(loaded);
    EXPECT_EQ(
        loaded.error()[0].line(),
        "weir.yaml:1: workers.idle.longest_us: 4 is less than first_us, 5; fix: sleeps grow: raise "
        "longest_us or lower first_us");
}

TEST(Contradictions, ALimitOnDropsWhereNothingDrops) {
    EXPECT_EQ(
        findings("  anomaly:\n    guardrails:\n      max_drop_share: 0.1\n"),
        "weir.yaml:8: slots.anomaly.guardrails.max_drop_share: watches drops, but no rule of the "
        "slot drops; fix: remove it, or add a rule with 'action: drop'\n");
}

TEST(Contradictions, ALimitThatTheFirstDropBreaks) {
    EXPECT_EQ(
        findings("  anomaly:\n    rules:\n      flood: {action: drop}\n    guardrails:\n"
                 "      max_drop_share: 0\n"),
        "weir.yaml:10: slots.anomaly.guardrails.max_drop_share: is 0, but the rule for 'flood' "
        "(line 8) drops: the first packet that it drops would roll the model back; fix: allow a "
        "share, such as 0.01, or do not drop\n");
}

TEST(Contradictions, ALimitThatAnotherIsAlwaysBrokenBefore) {
    EXPECT_EQ(
        findings("  anomaly:\n    rules:\n      flood: {action: drop}\n    guardrails:\n"
                 "      max_alarm_rate: 0.05\n      max_drop_share: 0.1\n"),
        "weir.yaml:11: slots.anomaly.guardrails.max_drop_share: is above max_alarm_rate (line "
        "10), which would be broken first: only alarms are dropped; fix: make it lower than "
        "max_alarm_rate, or raise that\n");
}

TEST(Contradictions, ALimitOnAlarmsOfAModelThatRaisesNone) {
    EXPECT_EQ(
        findings("  qos:\n    guardrails:\n      max_alarm_rate: 0.05\n"),
        "weir.yaml:8: slots.qos.guardrails.max_alarm_rate: can never be broken: the default model "
        "of slot 'qos' has no class 'benign', so it raises no alarm; fix: remove it; "
        "max_class_shift watches a mix of classes\n");
}

TEST(Contradictions, AProbationThatEndsWithinItsFirstWindow) {
    EXPECT_EQ(
        findings("  anomaly:\n    guardrails:\n      max_alarm_rate: 0.5\n      window_s: 60\n"
                 "      probation_s: 30\n"),
        "weir.yaml:10: slots.anomaly.guardrails.probation_s: 30 s is shorter than window_s, 60; "
        "fix: make it at least as long\n");
}

TEST(Contradictions, AStalePolicyThatNeverHolds) {
    EXPECT_EQ(
        findings("  anomaly:\n    stale: drop\n"),
        "weir.yaml:7: slots.anomaly.stale: never holds: neither model_ttl_s nor "
        "control.contact_ttl_s is set; fix: set one of them, or remove it\n");
}

TEST(Contradictions, WhatStandsTogetherIsAccepted) {
    EXPECT_EQ(
        findings(
            "  anomaly:\n    stale: drop\n    model_ttl_s: 60\n    rules:\n"
            "      flood: {action: drop}\n    guardrails: {max_alarm_rate: 0.2, max_drop_share: "
            "0.1}\n  qos:\n    guardrails: {max_class_shift: 0.3}\n"),
        "");
}

}  // namespace
}  // namespace weir::config
