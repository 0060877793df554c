// SPDX-License-Identifier: BSD-3-Clause
// The governor against a clock, a queue and a cost that the tests make.
#include "dataplane/governor.h"

#include <algorithm>
#include <array>
#include <vector>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

constexpr std::uint64_t kPoll = 10;  // ticks; a window is ten polls

GovernorLimits limits() {
    GovernorLimits out;
    out.enabled = true;
    out.burst_budget = 50;
    out.window = 10 * kPoll;
    out.up_windows = 4;
    out.down_windows = 20;
    out.early_packets = 16;
    return out;
}

class GovernorTest : public testing::Test {
  protected:
    /// Polls through `windows` windows; returns the steps taken.
    int run(std::uint32_t windows, std::uint32_t fill, std::uint64_t burst_ticks = 20) {
        int changes = 0;
        for (std::uint32_t n = 0; n < windows * 11; ++n) {
            changes += static_cast<int>(governor_.note(now_, fill, burst_ticks));
            now_ += kPoll;
        }
        return changes;
    }

    Governor governor_{limits()};
    std::uint64_t now_ = 1'000'000;
};

TEST_F(GovernorTest, PressureShedsStepByStepDownToForwarding) {
    EXPECT_EQ(governor_.step(), ShedStep::all);
    EXPECT_EQ(run(3, 500), 0) << "not for long enough yet";
    EXPECT_EQ(run(1, 500), 1);
    EXPECT_EQ(governor_.step(), ShedStep::due);
    EXPECT_EQ(run(4, 1000), 1);
    EXPECT_EQ(governor_.step(), ShedStep::early);
    EXPECT_EQ(run(4, 1000), 1);
    EXPECT_EQ(governor_.step(), ShedStep::forward);
    EXPECT_EQ(run(100, 1000), 0) << "there is no step beyond";
}

TEST_F(GovernorTest, CalmTakesTheStepsBackOneByOne) {
    run(12, 1000);
    ASSERT_EQ(governor_.step(), ShedStep::forward);
    EXPECT_EQ(run(19, 100), 0) << "calm must last longer than pressure";
    EXPECT_EQ(run(1, 100), 1);
    EXPECT_EQ(governor_.step(), ShedStep::early);
    EXPECT_EQ(run(20, 0), 1);
    EXPECT_EQ(governor_.step(), ShedStep::due);
    EXPECT_EQ(run(20, 0, 0), 1) << "empty polls are calm as well";
    EXPECT_EQ(governor_.step(), ShedStep::all);
    EXPECT_EQ(run(1000, 0), 0);
}

TEST_F(GovernorTest, BetweenTheThresholdsNothingMoves) {
    EXPECT_EQ(run(1000, 499), 0);
    run(4, 500);
    ASSERT_EQ(governor_.step(), ShedStep::due);
    EXPECT_EQ(run(1000, 101), 0);
    EXPECT_EQ(run(1000, 499), 0);
}

TEST_F(GovernorTest, APauseInThePressureBeginsTheCountAnew) {
    for (int n = 0; n < 50; ++n) {
        EXPECT_EQ(run(3, 1000), 0);
        EXPECT_EQ(run(1, 300), 0);
    }
    run(4, 1000);
    for (int n = 0; n < 50; ++n) {
        EXPECT_EQ(run(19, 0), 0);
        EXPECT_EQ(run(1, 300), 0);
    }
}

TEST_F(GovernorTest, BurstsBeyondTheirBudgetArePressureWhateverTheQueue) {
    EXPECT_EQ(run(4, 0, 51), 1);
    EXPECT_EQ(governor_.step(), ShedStep::due);
    EXPECT_EQ(run(1000, 0, 50), 1) << "within it they are calm";
    EXPECT_EQ(governor_.step(), ShedStep::all);
}

TEST_F(GovernorTest, OneDearBurstInTenIsNeitherPressureNorCalmUpset) {
    const auto window = [&](std::uint64_t first) {
        int changes = 0;
        for (int n = 0; n < 11; ++n, now_ += kPoll) {
            changes += static_cast<int>(governor_.note(now_, 0, n == 0 ? first : 20));
        }
        return changes;
    };
    for (int n = 0; n < 100; ++n) {
        EXPECT_EQ(window(1000), 0);
    }
    run(4, 1000);
    int back = 0;
    for (int n = 0; n < 20; ++n) {
        back += window(1000);
    }
    EXPECT_EQ(back, 1);
}

TEST_F(GovernorTest, NoBudgetNoPressureFromBursts) {
    GovernorLimits free = limits();
    free.burst_budget = 0;
    governor_ = Governor(free);
    EXPECT_EQ(run(1000, 0, 1'000'000), 0);
}

TEST_F(GovernorTest, ADescheduledWorkerDoesNotShedForTheTimeItSlept) {
    for (int n = 0; n < 3; ++n) {
        EXPECT_FALSE(governor_.note(now_, 1000, 20));
        now_ += 1000 * limits().window;  // one full burst, then gone for a thousand windows
        EXPECT_FALSE(governor_.note(now_, 1000, 20)) << n;
        now_ += kPoll;
    }
    EXPECT_EQ(governor_.step(), ShedStep::all);
}

/// A queue of 1000 packets, emptied as fast as the step allows.
struct Plant {
    std::array<double, kShedSteps> served{};  ///< packets a poll
    double waiting = 0.0;
    double lost = 0.0;

    std::uint32_t poll(double offered, ShedStep step) {
        waiting = std::max(0.0, waiting + offered - served[static_cast<std::size_t>(step)]);
        lost += std::max(0.0, waiting - 1000.0);
        waiting = std::min(waiting, 1000.0);
        return static_cast<std::uint32_t>(waiting);
    }
};

TEST_F(GovernorTest, SteadyOverloadFindsItsStepAndHardlyEverLeavesIt) {
    Plant plant{{50, 70, 90, 200}};
    int changes = 0;
    std::array<std::uint64_t, kShedSteps> polls{};
    constexpr std::uint64_t kPolls = 1'000'000;  // 100,000 windows: 5000 waits of a step down
    for (std::uint64_t n = 0; n < kPolls; ++n, now_ += kPoll) {
        ++polls[static_cast<std::size_t>(governor_.step())];
        changes += static_cast<int>(governor_.note(now_, plant.poll(80, governor_.step()), kPoll));
    }
    EXPECT_LT(polls[3], kPolls / 1000) << "`early` serves the load, once the queue is empty";
    EXPECT_GT(polls[2], kPolls * 95 / 100);
    EXPECT_LT(changes, 200) << "a governor without patience would take 10,000";
    EXPECT_GT(changes, 4) << "yet it keeps on trying";
    EXPECT_EQ(governor_.step(), ShedStep::early);
}

TEST_F(GovernorTest, RecoversWhenTheLoadIsGoneAndThenAnswersAsQuicklyAsAtFirst) {
    Plant plant{{50, 70, 90, 200}};
    const auto offer = [&](double offered, std::uint64_t polls) {
        for (std::uint64_t n = 0; n < polls; ++n, now_ += kPoll) {
            (void)governor_.note(now_, plant.poll(offered, governor_.step()), kPoll);
        }
    };
    offer(80, 200'000);
    EXPECT_EQ(governor_.step(), ShedStep::early);
    offer(10, 100'000);
    EXPECT_EQ(governor_.step(), ShedStep::all);
    offer(80, 600);
    EXPECT_NE(governor_.step(), ShedStep::all);
    plant.waiting = 0;
    offer(10, 2 * 21 * 11);
    EXPECT_EQ(governor_.step(), ShedStep::all) << "the patience of before is forgotten";
}

TEST(Kept, EachStepKeepsLess) {
    using config::CadenceKind;
    const auto every = CadenceKind::every_packet;
    for (const std::uint64_t packets : {1U, 2U, 3U, 16U, 17U, 32U, 100U}) {
        EXPECT_TRUE(kept(ShedStep::all, 16, every, packets));
        EXPECT_EQ(kept(ShedStep::due, 16, every, packets), (packets & (packets - 1)) == 0);
        EXPECT_EQ(
            kept(ShedStep::early, 16, every, packets),
            (packets & (packets - 1)) == 0 && packets <= 16);
        EXPECT_FALSE(kept(ShedStep::forward, 16, every, packets));
    }
    EXPECT_TRUE(kept(ShedStep::due, 16, CadenceKind::interval, 7)) << "sparse as it is";
    EXPECT_TRUE(kept(ShedStep::early, 16, CadenceKind::interval, 7));
    EXPECT_FALSE(kept(ShedStep::early, 16, CadenceKind::interval, 17));
}

TEST(Limits, ComeFromTheConfiguration) {
    config::Overload overload;
    const auto out = governor_limits(overload, 2e9);
    EXPECT_TRUE(out.enabled);
    EXPECT_EQ(out.high_permille, 500U);
    EXPECT_EQ(out.low_permille, 100U);
    EXPECT_EQ(out.burst_budget, 2'000'000U);
    EXPECT_EQ(out.window * out.up_windows, 4'000'000U) << "2 ms";
    EXPECT_EQ(out.window * out.down_windows, 1'000'000'000U) << "500 ms";
}

}  // namespace
}  // namespace weir::dataplane
