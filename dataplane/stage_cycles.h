// SPDX-License-Identifier: BSD-3-Clause
// Where a worker's time goes, by stage: for measuring only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::dataplane {

enum class Stage : std::uint8_t {
    rx,
    parse,
    prepare,  ///< track_prepare()
    track,
    observe,
    score,
    decide,
    act,
    tx,
    count_
};
inline constexpr std::size_t kStages = static_cast<std::size_t>(Stage::count_);
inline constexpr std::array<const char*, kStages> kStageNames{
    "rx", "parse", "prepare", "track", "observe", "score", "decide", "act", "tx"};

/// TSC ticks a stage has taken. Filled by a worker that was given it; read when the worker is between polls.
using StageCycles = std::array<std::uint64_t, kStages>;

/// Attributes the time since the lap before to a stage. Without a target it does nothing, and reads no clock.
class StageTimer {
  public:
    StageTimer(StageCycles* target, std::uint64_t now) noexcept : target_(target), last_(now) {}
    template <typename Clock>
    void lap(Stage stage, Clock clock) noexcept {
        if (target_ != nullptr) {
            const std::uint64_t now = clock();
            (*target_)[static_cast<std::size_t>(stage)] += now - last_;
            last_ = now;
        }
    }

  private:
    StageCycles* target_;
    std::uint64_t last_;
};

}  // namespace weir::dataplane
