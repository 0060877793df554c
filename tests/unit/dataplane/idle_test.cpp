// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/idle.h"

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

TEST(IdleBackoff, SpinsFirstThenSleepsLongerAndLonger) {
    IdleBackoff backoff({true, 1000, 5, 50});
    EXPECT_EQ(backoff.empty(100), 0U);
    EXPECT_EQ(backoff.empty(1099), 0U);
    EXPECT_EQ(backoff.empty(1100), 5U);
    EXPECT_EQ(backoff.empty(1200), 10U);
    EXPECT_EQ(backoff.empty(1300), 20U);
    EXPECT_EQ(backoff.empty(1400), 40U);
    EXPECT_EQ(backoff.empty(1500), 50U);
    EXPECT_EQ(backoff.empty(9999), 50U) << "never longer";
}

TEST(IdleBackoff, APacketBeginsItAnew) {
    IdleBackoff backoff({true, 1000, 5, 50});
    (void)backoff.empty(0);
    EXPECT_EQ(backoff.empty(2000), 5U);
    backoff.busy();
    EXPECT_EQ(backoff.empty(2001), 0U);
    EXPECT_EQ(backoff.empty(3000), 0U);
    EXPECT_EQ(backoff.empty(3001), 5U);
}

TEST(IdleBackoff, WithoutSleepItSpinsForEver) {
    IdleBackoff backoff({false, 0, 5, 50});
    EXPECT_EQ(backoff.empty(0), 0U);
    EXPECT_EQ(backoff.empty(UINT64_MAX), 0U);
}

TEST(IdleBackoff, LimitsComeFromTheConfiguration) {
    const IdleLimits limits = idle_limits({true, config::IdleWait::automatic, 1000, 80, 60}, 2e9);
    EXPECT_TRUE(limits.sleep);
    EXPECT_EQ(limits.spin, 2'000'000U);
    EXPECT_EQ(limits.first_us, 60U) << "the first is no longer than the longest";
    EXPECT_EQ(limits.longest_us, 60U);
}

}  // namespace
}  // namespace weir::dataplane
