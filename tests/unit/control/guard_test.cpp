// SPDX-License-Identifier: BSD-3-Clause
// Guardrails: each breaks at its limit, not before, and names itself.
#include "control/guard/guard.h"

#include "fake_runtime.h"

#include <gtest/gtest.h>

namespace weir::control::test {
namespace {

using namespace std::chrono_literals;

class GuardTest : public testing::Test {
  protected:
    GuardTest() {
        config_.slots = {{.name = "anomaly"}};
        config_.slots[0].guardrails.window_s = 5;
        config_.slots[0].guardrails.min_rows = 100;
        use_.resize(1);
        ModelInfo active;
        active.key = {"anomaly", "old", 1};
        active.stage = Stage::active;
        use_[0].active = active;
        use_[0].block = 0;
        TrialView canary;
        canary.info.key = {"anomaly", "new", 2};
        canary.info.stage = Stage::canary;
        canary.block = 1;
        canary.pair_block = 0;
        canary.base = std::make_shared<TrialBase>();
        use_[0].trials = {canary};
    }
    config::Guardrails& rails() { return config_.slots[0].guardrails; }
    dataplane::ModelOutcomes& outcomes(std::uint8_t block) {
        return runtime_.stats(0).slots[0].outcomes[block];
    }
    dataplane::VerdictBlock& classes(std::uint8_t block) {
        return runtime_.stats(1).slots[0].verdicts[block];
    }
    std::vector<Breach> judge(std::chrono::milliseconds after = 250ms) {
        now_ += after;
        return guard_.judge(config_, use_, now_);
    }

    config::Config config_;
    FakeRuntime runtime_;
    std::vector<SlotUse> use_;
    Guard guard_{runtime_.workers(), 1e9};
    Guard::Clock::time_point now_ = Guard::Clock::now();
};

TEST_F(GuardTest, ACanaryThatDropsEverythingIsCaughtAtItsFirstHundredRows) {
    rails().max_drop_share = 0.01;
    EXPECT_TRUE(judge().empty());
    outcomes(1).rows.add(99);
    outcomes(1).packets.add(500);
    outcomes(1).packets_dropped.add(500);
    EXPECT_TRUE(judge().empty()) << "too few rows to tell";
    outcomes(1).rows.add(1);
    const auto broken = judge();
    ASSERT_EQ(broken.size(), 1U);
    EXPECT_EQ(broken[0].key.name, "new");
    EXPECT_EQ(broken[0].rail, "max_drop_share");
    EXPECT_EQ(broken[0].why, "max_drop_share: dropped packets, of 500: 100 %, limit 1 % in 0.5 s");
    EXPECT_TRUE(judge().empty()) << "let in once more, it is judged by what it does from then on";
}

TEST_F(GuardTest, AtTheLimitNothingBreaks) {
    rails().max_alarm_rate = 0.25;
    (void)judge();
    outcomes(1).rows.add(1000);
    outcomes(1).alarms.add(250);
    EXPECT_TRUE(judge().empty());
    outcomes(1).alarms.add(1);
    EXPECT_EQ(judge().at(0).rail, "max_alarm_rate");
}

TEST_F(GuardTest, WhatIsOlderThanTheWindowDoesNotCount) {
    rails().max_alarm_rate = 0.25;
    (void)judge();
    outcomes(1).rows.add(200);
    outcomes(1).alarms.add(40);
    EXPECT_TRUE(judge().empty()) << "20 %";
    for (int i = 0; i < 30; ++i) {
        EXPECT_TRUE(judge().empty());
    }
    outcomes(1).rows.add(100);
    outcomes(1).alarms.add(30);
    EXPECT_EQ(judge().at(0).rail, "max_alarm_rate") << "30 % of what is in the window";
}

TEST_F(GuardTest, CountsOfTheBlocksFormerHolderDoNotCount) {
    rails().max_alarm_rate = 0.25;
    outcomes(1).rows.add(100'000);
    outcomes(1).alarms.add(100'000);
    (void)judge();
    outcomes(1).rows.add(1000);
    EXPECT_TRUE(judge().empty());
}

TEST_F(GuardTest, ShadowsAreJudgedByWhatTheyWouldDo) {
    use_[0].trials[0].info.stage = Stage::shadow;
    rails().max_drop_share = 0.5;
    (void)judge();
    outcomes(1).rows.add(1000);
    outcomes(1).drops.add(600);
    EXPECT_NE(judge().at(0).why.find("would-be drops of 1000 rows: 60 %"), std::string::npos);
}

TEST_F(GuardTest, DisagreementIsWhatIsOffTheDiagonal) {
    rails().max_disagreement = 0.1;
    (void)judge();
    outcomes(1).rows.add(1000);
    auto& pairs = runtime_.stats(1).slots[0].pairs[0];
    pairs[0][0].add(900);
    pairs[0][1].add(100);
    EXPECT_TRUE(judge().empty());
    pairs[dataplane::kMaxClasses][1].add(20);
    EXPECT_EQ(judge().at(0).rail, "max_disagreement");
}

TEST_F(GuardTest, ClassMixIsComparedWithTheActiveModels) {
    rails().max_class_shift = 0.3;
    (void)judge();
    outcomes(1).rows.add(1000);
    classes(0)[0].add(800);
    classes(0)[1].add(200);
    classes(1)[0].add(510);
    classes(1)[1].add(490);
    EXPECT_TRUE(judge().empty()) << "a total variation of 0.29";
    classes(1)[1].add(100);
    EXPECT_EQ(judge().at(0).rail, "max_class_shift");
}

TEST_F(GuardTest, ANewActiveModelIsComparedWithItsPredecessor) {
    rails().max_class_shift = 0.5;
    use_[0].trials.clear();
    (void)judge();
    classes(0)[0].add(1000);
    outcomes(0).rows.add(1000);
    EXPECT_TRUE(judge().empty()) << "not on probation";
    use_[0].active->key = {"anomaly", "new", 2};
    use_[0].block = 1;
    use_[0].judged = true;
    (void)judge();
    classes(1)[1].add(1000);
    outcomes(1).rows.add(1000);
    const auto broken = judge();
    ASSERT_EQ(broken.size(), 1U);
    EXPECT_EQ(broken[0].rail, "max_class_shift");
    EXPECT_EQ(broken[0].key.name, "new");
}

TEST_F(GuardTest, TheActiveModelIsJudgedOnProbationOnly) {
    rails().max_saturation = 0.9;
    use_[0].trials.clear();
    (void)judge();
    outcomes(0).rows.add(1000);
    outcomes(0).saturated.add(1000);
    EXPECT_TRUE(judge().empty());
    use_[0].judged = true;
    EXPECT_EQ(judge().at(0).rail, "max_saturation");
}

TEST_F(GuardTest, AddedTimeIsMeasuredAgainstTheTimeBeforeTheModelCame) {
    rails().max_added_p99_us = 10;
    const auto trials = std::exchange(use_[0].trials, {});
    (void)judge();
    auto& latency = runtime_.stats(0).latency;
    latency.add(6000, 1000);  // 6 us: cycles of 1 GHz
    (void)judge();
    use_[0].trials = trials;
    (void)judge();
    outcomes(1).rows.add(1000);
    latency.add(6000, 1000);
    EXPECT_TRUE(judge().empty()) << "as before";
    latency.add(48'000, 500);
    const auto broken = judge();
    ASSERT_EQ(broken.size(), 1U);
    EXPECT_EQ(broken[0].rail, "max_added_p99_us");
}

TEST_F(GuardTest, NothingIsJudgedWithoutARail) {
    (void)judge();
    outcomes(1).rows.add(1000);
    outcomes(1).alarms.add(1000);
    outcomes(1).saturated.add(1000);
    EXPECT_TRUE(judge().empty());
}

}  // namespace
}  // namespace weir::control::test
