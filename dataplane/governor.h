// SPDX-License-Identifier: BSD-3-Clause
// What a worker gives up when it cannot keep up: inference by steps, packets never.
#pragma once

#include "config/config.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::dataplane {

/// What is still scored, from everything to nothing.
enum class ShedStep : std::uint8_t {
    all,      ///< what the slots' cadences ask for
    due,      ///< every_packet becomes powers_of_two
    early,    ///< that, of a flow's first packets only
    forward,  ///< nothing; hosts are not followed either. Flows are, and their verdicts go on acting
    count_
};
inline constexpr std::size_t kShedSteps = static_cast<std::size_t>(ShedStep::count_);
inline constexpr std::array<const char*, kShedSteps> kShedStepNames{
    "all", "due", "early", "forward"};

/// Configuration in the clock's ticks.
struct GovernorLimits {
    bool enabled = false;
    std::uint32_t high_permille = 500;  ///< mean fill of a receive ring from which it is pressed
    std::uint32_t low_permille = 100;   ///< … up to which it is calm; between: neither
    std::uint64_t burst_budget = 0;     ///< ticks of a burst; 0: any
    std::uint64_t window = 1;           ///< ticks over which fill and bursts are judged
    std::uint32_t up_windows = 1;       ///< pressed ones in a row, for a step up
    std::uint32_t down_windows = 1;     ///< calm ones in a row, for a step down
    std::uint32_t early_packets = 16;   ///< of a flow, for ShedStep::early
};

/// `tsc_hz`: ticks a second.
[[nodiscard]] GovernorLimits governor_limits(
    const config::Overload& overload, double tsc_hz) noexcept;

/// Follows a worker's polls and says what is shed. Pure: time, fill and cost are told. A step up needs `up_windows`
/// windows in which the ring was full beyond `high` on average, or half of the bursts cost more than the budget; a
/// step down needs `down_windows` in which fill was `low` at most and one burst in eight too dear. A step down that
/// had to be taken back doubles the wait for the next one, up to 64-fold; one that held twice its wait ends that.
/// Windows that a descheduled worker slept through count once. Thread: the worker.
class Governor {
  public:
    explicit Governor(const GovernorLimits& limits) noexcept : limits_(limits) {}

    [[nodiscard]] bool enabled() const noexcept { return limits_.enabled; }
    [[nodiscard]] ShedStep step() const noexcept { return step_; }
    [[nodiscard]] std::uint32_t early_packets() const noexcept { return limits_.early_packets; }

    /// A poll at tick `now`: how full the fullest ring still is, and what the burst cost; 0 ticks: nothing came.
    /// True if the step has changed.
    bool note(std::uint64_t now, std::uint32_t fill_permille, std::uint64_t burst_ticks) noexcept;

  private:
    [[nodiscard]] bool judge_window() noexcept;
    [[nodiscard]] bool step_up() noexcept;
    [[nodiscard]] bool step_down() noexcept;

    static constexpr std::uint32_t kMostPatience = 64;

    GovernorLimits limits_;
    ShedStep step_ = ShedStep::all;
    // the window
    std::uint64_t begin_ = 0;
    std::uint64_t fill_sum_ = 0;
    std::uint32_t polls_ = 0;
    std::uint32_t bursts_ = 0;
    std::uint32_t dear_bursts_ = 0;
    // the row of windows
    std::uint32_t pressed_ = 0;
    std::uint32_t calm_ = 0;
    std::uint32_t since_down_ = 0;  ///< windows since the last step down; saturates
    std::uint32_t patience_ = 1;    ///< times down_windows
    bool on_trial_ = false;         ///< a step down has not held long enough yet
};

/// Is a due packet scored in this step? `packets`: its number in the flow, 1-based.
[[nodiscard]] bool kept(
    ShedStep step,
    std::uint32_t early_packets,
    config::CadenceKind cadence,
    std::uint64_t packets) noexcept;

}  // namespace weir::dataplane
