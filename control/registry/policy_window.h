// SPDX-License-Identifier: BSD-3-Clause
// The flows of the last minute by class and confidence: what a rule would have done to them.
#pragma once

#include "config/config.h"
#include "dataplane/events.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <unordered_map>

namespace weir::control {

struct FlowSums {
    std::uint64_t flows = 0;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
};

/// Sums the records of ended flows, a second at a time; confidences are kept to 1/256. Thread: control.
class PolicyWindow {
  public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::size_t kSeconds = 60;

    void add(std::span<const dataplane::FlowRecord> records, Clock::time_point now);

    /// Flows of the last minute whose class in slot `slot` is `cls`, with a confidence of at least `min_confidence`.
    [[nodiscard]] FlowSums sum(
        std::size_t slot, std::uint8_t cls, double min_confidence, Clock::time_point now) const;
    /// Those that `rule` marks or drops.
    [[nodiscard]] FlowSums acted(
        std::size_t slot,
        std::uint8_t cls,
        const config::ClassRule& rule,
        Clock::time_point now) const;
    /// Seconds that the sums speak of: at most kSeconds, less after the start.
    [[nodiscard]] double seconds(Clock::time_point now) const;

  private:
    struct Second {
        std::int64_t number = -1;
        std::unordered_map<std::uint32_t, FlowSums> sums;  ///< by slot, class and score >> 8
    };
    Clock::time_point start_ = Clock::now();
    std::array<Second, kSeconds> seconds_;
};

}  // namespace weir::control
