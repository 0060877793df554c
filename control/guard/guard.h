// SPDX-License-Identifier: BSD-3-Clause
// The judge of guardrails: which models in use have left the bounds that the configuration sets.
#pragma once

#include "config/config.h"
#include "control/registry/registry.h"
#include "control/registry/trial_counts.h"
#include "dataplane/runtime.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::control {

struct Breach {
    std::size_t slot = 0;
    ModelKey key;
    std::string rail;  ///< "max_alarm_rate"
    std::string why;   ///< "max_drop_share: dropped 100 % of 5120 packets in 3.2 s, limit 1 %"
};

/// Half the sum of differences of shares, 0…1; 0 if either has no rows.
[[nodiscard]] double total_variation(const ClassCounts& a, const ClassCounts& b);

/// Follows worker counters over sliding windows. What it is asked at is what it knows: the caller asks several times a
/// second. Pure but for the counters it reads. Thread: one (control).
class Guard {
  public:
    using Clock = std::chrono::steady_clock;

    Guard(std::span<const dataplane::WorkerInfo> workers, double tsc_hz)
        : workers_(workers), tsc_hz_(tsc_hz) {}

    /// At most one breach a model. A model is judged over the last `window_s` (or since it came), once it has
    /// `min_rows` there; the active one while it is on probation, trials always.
    [[nodiscard]] std::vector<Breach> judge(
        const config::Config& config, const std::vector<SlotUse>& use, Clock::time_point now);

  private:
    struct Sample {
        Clock::time_point at;
        Outcomes outcomes;
        ClassCounts classes{};
        ClassCounts active_classes{};
        std::uint64_t compared = 0;
        std::uint64_t disagreed = 0;
    };
    struct Watch {
        ModelKey key;
        Stage stage = Stage::active;
        std::uint8_t block = 0;
        std::deque<Sample> samples;              ///< the first at or before the window's begin
        double p99_before = 0.0;                 ///< of the added latency, ticks
        std::optional<ClassCounts> predecessor;  ///< of an active model: what the one before said
    };
    struct Latencies {
        Clock::time_point at;
        dataplane::LatencyCounts counts{};
    };
    struct Judged;

    /// A model in use at one look.
    struct Subject {
        std::size_t slot = 0;
        const ModelInfo& info;
        std::uint8_t block = 0;
        std::optional<std::uint8_t> pair_block;  ///< of a trial
        Clock::time_point now;
    };
    [[nodiscard]] Watch& follow(const Subject& subject);
    [[nodiscard]] Watch look(
        const Subject& subject, const ClassCounts& active_classes, std::uint32_t window_s);
    [[nodiscard]] std::optional<Breach> judge_one(
        const config::Guardrails& rails, const Watch& watch, std::size_t slot) const;
    void sample_latency(Clock::time_point now, std::chrono::seconds window);
    [[nodiscard]] dataplane::LatencyCounts latency_since(Clock::time_point from) const;

    std::span<const dataplane::WorkerInfo> workers_;
    double tsc_hz_;
    std::array<std::vector<Watch>, dataplane::kMaxSlots> watches_;
    std::deque<Latencies> latencies_;
};

}  // namespace weir::control
