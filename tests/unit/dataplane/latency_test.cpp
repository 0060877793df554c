// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/latency.h"

#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

using Buckets = LatencyBuckets;

TEST(LatencyBuckets, CoverEveryDurationWithoutGapsOrOverlaps) {
    std::uint64_t next = 0;
    for (std::size_t i = 0; i < Buckets::kCount; ++i) {
        EXPECT_EQ(Buckets::index(next), i);
        EXPECT_EQ(Buckets::index(Buckets::highest(i)), i);
        EXPECT_GE(Buckets::highest(i), next);
        next = Buckets::highest(i) + 1;
    }
    EXPECT_EQ(next, std::uint64_t{1} << Buckets::kMaxBits);
    EXPECT_EQ(Buckets::index(next), Buckets::kCount - 1) << "the last one takes what is longer";
    EXPECT_EQ(Buckets::index(UINT64_MAX), Buckets::kCount - 1);
}

TEST(LatencyBuckets, AreWithinASixteenthOfWhatTheyHold) {
    for (std::uint64_t ticks = 1; ticks < std::uint64_t{1} << 39; ticks += ticks / 7 + 1) {
        const std::uint64_t highest = Buckets::highest(Buckets::index(ticks));
        EXPECT_GE(highest, ticks);
        EXPECT_LE(highest - ticks, ticks / 16) << ticks;
    }
}

TEST(LatencyQuantile, AgreesWithASortedList) {
    const auto histogram = std::make_unique<LatencyHistogram>();
    std::minstd_rand random(3);
    std::vector<std::uint64_t> all;
    for (int n = 0; n < 2000; ++n) {
        const std::uint64_t ticks = 1000 + random() % 100'000;
        const std::uint32_t packets = 1 + random() % 64;
        histogram->add(ticks, packets);
        all.insert(all.end(), packets, ticks);
    }
    std::sort(all.begin(), all.end());
    LatencyCounts counts{};
    histogram->add_to(counts);
    for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
        const auto at =
            static_cast<std::size_t>(std::max(0.0, share * static_cast<double>(all.size()) - 1.0));
        const auto exact = static_cast<double>(all[at]);
        const auto found = static_cast<double>(latency_quantile(counts, share));
        EXPECT_GE(found, exact) << share;
        EXPECT_LE(found, exact * 1.07) << share;
    }
    EXPECT_EQ(histogram->longest.get(), all.back());
}

TEST(LatencyQuantile, OfNothingIsZero) {
    const LatencyCounts none{};
    EXPECT_EQ(latency_quantile(none, 0.99), 0U);
}

}  // namespace
}  // namespace weir::dataplane
