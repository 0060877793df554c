// SPDX-License-Identifier: BSD-3-Clause
// Added latency: a log-linear histogram as HdrHistogram's, cheap enough for every burst.
#pragma once

#include "dataplane/counter.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::dataplane {

/// Buckets of ticks: exact below 32, then 16 to an octave (a bound is off by 6.25 % at most), up to 2^40 ticks.
struct LatencyBuckets {
    static constexpr std::uint32_t kSubBits = 4;
    static constexpr std::uint32_t kSub = 1U << kSubBits;
    static constexpr std::uint32_t kMaxBits = 40;
    static constexpr std::size_t kCount = (kMaxBits - kSubBits - 1) * kSub + 2 * kSub;

    /// The bucket of a duration; the last one takes all that is longer.
    [[nodiscard]] static constexpr std::size_t index(std::uint64_t ticks) noexcept {
        const auto bits = static_cast<std::uint32_t>(std::bit_width(ticks | kSub));
        const std::uint32_t shift = bits - kSubBits - 1;
        return std::min<std::size_t>(shift * kSub + (ticks >> shift), kCount - 1);
    }
    /// The longest duration of a bucket, in ticks.
    [[nodiscard]] static constexpr std::uint64_t highest(std::size_t index) noexcept {
        if (index < 2 * kSub) {
            return index;
        }
        const std::uint64_t shift = index / kSub - 1;
        return ((index % kSub + kSub + 1) << shift) - 1;
    }
};

using LatencyCounts = std::array<std::uint64_t, LatencyBuckets::kCount>;

/// From the receive call that brought a packet to the end of the transmit call that took it, in TSC ticks. All packets
/// of a poll count with the poll's time, which is the longest that one of them had. Time in the port's rings is not in
/// it. Writer: the worker.
struct LatencyHistogram {
    std::array<Counter, LatencyBuckets::kCount> packets;
    Counter ticks;    ///< sum over packets
    Counter longest;  ///< ticks

    void add(std::uint64_t duration, std::uint32_t count) noexcept {
        packets[LatencyBuckets::index(duration)].add(count);
        ticks.add(duration * count);
        if (duration > longest.get()) {
            longest.set(duration);
        }
    }
    /// Thread: any.
    void add_to(LatencyCounts& counts) const noexcept {
        for (std::size_t i = 0; i < counts.size(); ++i) {
            counts[i] += packets[i].get();
        }
    }
};

/// The shortest duration that `share` (0…1) of the packets stayed within, to its bucket's upper end; 0 if there are none.
[[nodiscard]] inline std::uint64_t latency_quantile(
    std::span<const std::uint64_t> counts, double share) noexcept {
    std::uint64_t total = 0;
    for (const std::uint64_t count : counts) {
        total += count;
    }
    const double wanted = share * static_cast<double>(total);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        seen += counts[i];
        if (seen != 0 && static_cast<double>(seen) >= wanted) {
            return LatencyBuckets::highest(i);
        }
    }
    return 0;
}

}  // namespace weir::dataplane
