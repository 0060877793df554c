// SPDX-License-Identifier: BSD-3-Clause
// Verdicts to readers and flows to questions, over a data plane whose answers the test sets.
#include "control/watch/flow_watch.h"

#include "config/load.h"
#include "fake_runtime.h"

#include <optional>

#include <gtest/gtest.h>

namespace weir::control::test {
namespace {

using namespace std::chrono_literals;
using dataplane::FlowRecord;

class FlowWatchTest : public testing::Test {
  protected:
    FlowWatchTest() {
        scan_ = *dataplane::class_id("anomaly", "scan");
        benign_ = *dataplane::class_id("anomaly", "benign");
        voice_ = *dataplane::class_id("qos", "telephony");
    }

    [[nodiscard]] FlowRecord flow(
        const char* address, std::uint64_t bytes, std::uint8_t cls, double score) const {
        FlowRecord record;
        record.key.addr_lo = config::parse_prefix(address)->address;
        record.key.addr_hi = config::parse_prefix("192.0.2.1")->address;
        record.key.ip_version = 4;
        record.bytes = {bytes - 1, 1};
        record.packets = {2, 1};
        record.verdicts[0].cls = cls;
        record.verdicts[0].score = static_cast<std::uint16_t>(score * 65535);
        return record;
    }
    [[nodiscard]] FlowAnswer ask(FlowQuery query) {
        std::optional<FlowAnswer> got;
        EXPECT_TRUE(
            watch_.query(std::move(query), [&](FlowAnswer answer) { got = std::move(answer); }));
        watch_.turn(now_);
        EXPECT_TRUE(got.has_value());
        return got.value_or(FlowAnswer{});
    }
    [[nodiscard]] static std::vector<std::uint64_t> bytes_of(const FlowAnswer& answer) {
        std::vector<std::uint64_t> bytes;
        for (const auto& record : answer.flows) {
            bytes.push_back(record.bytes[0] + record.bytes[1]);
        }
        return bytes;
    }

    std::uint8_t scan_ = 0;
    std::uint8_t benign_ = 0;
    std::uint8_t voice_ = 0;
    FakeRuntime runtime_;
    FlowWatch watch_{runtime_, {"anomaly", "qos"}};
    FlowWatch::Clock::time_point now_{};
};

TEST_F(FlowWatchTest, WorkersTellVerdictsOnlyWhileSomebodyReads) {
    watch_.turn(now_);
    EXPECT_FALSE(runtime_.telling());
    auto first = watch_.subscribe({});
    auto second = watch_.subscribe({});
    EXPECT_TRUE(runtime_.telling());
    first.reset();
    watch_.turn(now_);
    EXPECT_TRUE(runtime_.telling());
    second.reset();
    watch_.turn(now_);
    EXPECT_FALSE(runtime_.telling());
}

TEST_F(FlowWatchTest, AReaderGetsWhatItsFilterLetsThrough) {
    const auto all = watch_.subscribe({});
    const auto scans = watch_.subscribe({.slot = 0, .cls = "scan", .min_score = 60000});
    const auto near = watch_.subscribe({.prefix = config::parse_prefix("10.1.0.0/16")});
    runtime_.add_verdict(flow("10.1.0.9", 100, scan_, 0.99));
    runtime_.add_verdict(flow("10.2.0.9", 200, scan_, 0.5));
    runtime_.add_verdict(flow("10.2.0.9", 300, benign_, 0.99));
    watch_.turn(now_);
    EXPECT_EQ(all->take().verdicts.size(), 3U);
    const auto portion = scans->take();
    ASSERT_EQ(portion.verdicts.size(), 1U);
    EXPECT_EQ(portion.verdicts[0].bytes[0], 99U);
    EXPECT_EQ(near->take().verdicts.size(), 1U);
    EXPECT_TRUE(all->take().verdicts.empty()) << "told once";
}

TEST_F(FlowWatchTest, OneVerdictMustHoldAllThatIsAskedOfIt) {
    FlowRecord record = flow("10.0.0.1", 10, scan_, 0.2);
    record.verdicts[1].cls = voice_;
    record.verdicts[1].score = 65535;
    const std::vector<std::string> slots{"anomaly", "qos"};
    const FlowFilter sure_scan{.cls = "scan", .min_score = 60000};
    const FlowFilter sure{.min_score = 60000};
    const FlowFilter sure_anomaly{.slot = 0, .min_score = 60000};
    EXPECT_FALSE(sure_scan.lets_through(record, slots));
    EXPECT_TRUE(sure.lets_through(record, slots));
    EXPECT_FALSE(sure_anomaly.lets_through(record, slots));
    EXPECT_FALSE((FlowFilter{.slot = 0}).lets_through(flow("10.0.0.1", 10, 0xff, 0), slots));
    EXPECT_TRUE(FlowFilter{}.lets_through(flow("10.0.0.1", 10, 0xff, 0), slots));
}

TEST_F(FlowWatchTest, WhatASlowReaderOrAFullRingLosesIsCounted) {
    const auto feed = watch_.subscribe({});
    for (std::size_t n = 0; n < VerdictFeed::kMostPending + 5; ++n) {
        runtime_.add_verdict(flow("10.0.0.1", 10, scan_, 1.0));
    }
    runtime_.lose_verdicts(7);
    watch_.turn(now_);
    const auto portion = feed->take();
    EXPECT_EQ(portion.verdicts.size(), VerdictFeed::kMostPending);
    EXPECT_EQ(portion.missed, 5U + 7U);
    EXPECT_EQ(feed->take().missed, 0U);
    EXPECT_EQ(watch_.losses().ring, 7U);
    EXPECT_EQ(watch_.losses().reader, 5U);
}

TEST_F(FlowWatchTest, APortionHoldsTheOldestAndNoMoreThanAskedFor) {
    const auto feed = watch_.subscribe({});
    for (std::uint64_t n = 0; n < 5; ++n) {
        runtime_.add_verdict(flow("10.0.0.1", 10 + n, scan_, 1.0));
    }
    watch_.turn(now_);
    auto portion = feed->take(3);
    ASSERT_EQ(portion.verdicts.size(), 3U);
    EXPECT_EQ(portion.verdicts[2].bytes[0] - portion.verdicts[0].bytes[0], 2U);
    portion = feed->take(3);
    ASSERT_EQ(portion.verdicts.size(), 2U);
    EXPECT_TRUE(portion.models);
    EXPECT_TRUE(feed->take(3).verdicts.empty());
}

TEST_F(FlowWatchTest, QueriesThatWaitAreBounded) {
    std::size_t answers = 0;
    const auto count = [&](const FlowAnswer&) { ++answers; };
    for (std::size_t i = 0; i < FlowWatch::kMostQueries; ++i) {
        EXPECT_TRUE(watch_.query({}, count));
    }
    EXPECT_FALSE(watch_.query({}, count));
    watch_.turn(now_);  // the walk begins, and does not end
    EXPECT_FALSE(watch_.query({}, count)) << "those of a walk under way count";
    runtime_.finish_walks(true);
    watch_.turn(now_);
    EXPECT_EQ(answers, FlowWatch::kMostQueries);
    EXPECT_TRUE(watch_.query({}, count));
}

TEST_F(FlowWatchTest, ALateReaderGetsNothingOld) {
    runtime_.add_verdict(flow("10.0.0.1", 10, scan_, 1.0));
    runtime_.lose_verdicts(3);
    const auto feed = watch_.subscribe({});
    watch_.turn(now_);
    const auto portion = feed->take();
    EXPECT_TRUE(portion.verdicts.empty());
    EXPECT_EQ(portion.missed, 0U);
}

TEST_F(FlowWatchTest, TheGreatestComeFirst) {
    for (std::uint64_t n = 0; n < 3000; ++n) {  // more than one portion of the ring
        runtime_.add_flow(flow("10.0.0.1", 10 + n * 7919 % 3001, scan_, n == 5 ? 1.0 : 0.5));
    }
    runtime_.finish_walks(true);
    FlowAnswer answer = ask({.top = 3});
    EXPECT_EQ(bytes_of(answer), (std::vector<std::uint64_t>{3010, 3009, 3008}));
    EXPECT_EQ(answer.live, 3000U);
    EXPECT_EQ(answer.matched, 3000U);
    EXPECT_TRUE(answer.complete);

    runtime_.add_flow(flow("10.0.0.1", 10, scan_, 0.9));
    runtime_.add_flow(flow("10.0.0.1", 20, benign_, 0.7));
    runtime_.add_flow(flow("10.0.0.1", 30, scan_, 0.8));
    answer = ask({.filter = {.slot = 0, .cls = "scan"}, .by = FlowOrder::score, .top = 9});
    EXPECT_EQ(bytes_of(answer), (std::vector<std::uint64_t>{10, 30}));
    EXPECT_EQ(answer.live, 3U);
    EXPECT_EQ(answer.matched, 2U);
}

TEST_F(FlowWatchTest, AWorkerThatDoesNotAnswerMakesAnIncompleteAnswer) {
    std::vector<FlowAnswer> answers;
    const auto ask_later = [&] {
        EXPECT_TRUE(
            watch_.query({}, [&](FlowAnswer answer) { answers.push_back(std::move(answer)); }));
    };
    runtime_.add_flow(flow("10.0.0.1", 10, scan_, 0.9));
    ask_later();
    watch_.turn(now_);
    watch_.turn(now_ + FlowWatch::kPatience);
    EXPECT_TRUE(answers.empty());
    ask_later();  // while the first walk is under way
    watch_.turn(now_ + FlowWatch::kPatience + 1ms);
    ASSERT_EQ(answers.size(), 2U);
    EXPECT_FALSE(answers[0].complete);
    EXPECT_EQ(answers[0].live, 1U);
    EXPECT_FALSE(answers[1].complete);
    EXPECT_EQ(runtime_.walks(), 1U) << "none begins before the one under way is over";

    runtime_.add_flow(flow("10.0.0.1", 20, scan_, 0.9));  // late, of the first walk
    runtime_.finish_walks(true);
    ask_later();
    watch_.turn(now_ + 1h);
    watch_.turn(now_ + 1h);
    ASSERT_EQ(answers.size(), 3U);
    EXPECT_TRUE(answers[2].complete);
    EXPECT_EQ(answers[2].live, 0U) << "another walk's flows are no answer";
    EXPECT_EQ(runtime_.walks(), 2U);
}

}  // namespace
}  // namespace weir::control::test
