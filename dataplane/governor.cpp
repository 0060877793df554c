// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/governor.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace weir::dataplane {

namespace {

// A step up is decided by so many windows.
constexpr std::uint32_t kUpWindows = 4;

}  // namespace

GovernorLimits governor_limits(const config::Overload& overload, double tsc_hz) noexcept {
    const auto ticks_per_us = tsc_hz / 1e6;
    GovernorLimits limits;
    limits.enabled = overload.enabled;
    limits.high_permille = overload.queue_high_percent * 10;
    limits.low_permille = overload.queue_low_percent * 10;
    limits.burst_budget = static_cast<std::uint64_t>(ticks_per_us * overload.burst_budget_us);
    const double window_us = overload.up_ms * 1000.0 / kUpWindows;
    limits.window =
        std::max<std::uint64_t>(static_cast<std::uint64_t>(ticks_per_us * window_us), 1);
    limits.up_windows = kUpWindows;
    limits.down_windows = std::max<std::uint32_t>(
        static_cast<std::uint32_t>(overload.down_ms * 1000.0 / window_us), 1);
    limits.early_packets = overload.early_packets;
    return limits;
}

bool Governor::note(
    std::uint64_t now, std::uint32_t fill_permille, std::uint64_t burst_ticks) noexcept {
    if (polls_ == 0) {
        begin_ = now;
    }
    ++polls_;
    fill_sum_ += fill_permille;
    bursts_ += static_cast<std::uint32_t>(burst_ticks != 0);
    dear_bursts_ +=
        static_cast<std::uint32_t>(limits_.burst_budget != 0 && burst_ticks > limits_.burst_budget);
    if (now - begin_ < limits_.window) {
        return false;
    }
    const bool changed = judge_window();
    polls_ = bursts_ = dear_bursts_ = 0;
    fill_sum_ = 0;
    return changed;
}

bool Governor::judge_window() noexcept {
    const std::uint64_t fill = fill_sum_ / polls_;
    const bool pressed =
        fill >= limits_.high_permille || (dear_bursts_ != 0 && dear_bursts_ * 2 >= bursts_);
    const bool calm = fill <= limits_.low_permille && dear_bursts_ * 8 <= bursts_;
    pressed_ = pressed ? pressed_ + 1 : 0;
    calm_ = calm && !pressed ? std::min(calm_ + 1, UINT32_MAX - 1) : 0;
    since_down_ = std::min(since_down_ + 1, UINT32_MAX - 1);
    const std::uint64_t wait = std::uint64_t{limits_.down_windows} * patience_;
    if (on_trial_ && since_down_ > 2 * wait) {
        on_trial_ = false;
        patience_ = 1;
    }
    if (pressed_ >= limits_.up_windows) {
        return step_up();
    }
    return calm_ >= wait && step_down();
}

bool Governor::step_up() noexcept {
    pressed_ = 0;
    if (step_ == ShedStep::forward) {
        return false;
    }
    step_ = static_cast<ShedStep>(static_cast<std::uint8_t>(step_) + 1);
    if (on_trial_) {
        on_trial_ = false;
        patience_ = std::min(patience_ * 2, kMostPatience);
    }
    return true;
}

bool Governor::step_down() noexcept {
    calm_ = 0;
    if (step_ == ShedStep::all) {
        return false;
    }
    step_ = static_cast<ShedStep>(static_cast<std::uint8_t>(step_) - 1);
    since_down_ = 0;
    on_trial_ = true;
    return true;
}

bool kept(
    ShedStep step,
    std::uint32_t early_packets,
    config::CadenceKind cadence,
    std::uint64_t packets) noexcept {
    const bool sparse =
        cadence != config::CadenceKind::every_packet || std::has_single_bit(packets);
    switch (step) {
        case ShedStep::all:
            return true;
        case ShedStep::due:
            return sparse;
        case ShedStep::early:
            return sparse && packets <= early_packets;
        case ShedStep::forward:
        case ShedStep::count_:
            break;
    }
    return false;
}

}  // namespace weir::dataplane
