// SPDX-License-Identifier: BSD-3-Clause
// What a worker does while nothing comes: spin a while, then sleep, longer and longer up to a bound.
#pragma once

#include "config/config.h"

#include <algorithm>
#include <cstdint>

namespace weir::dataplane {

/// Configuration in the clock's ticks.
struct IdleLimits {
    bool sleep = false;             ///< else it spins for ever (replay, benchmarks)
    std::uint64_t spin = 0;         ///< ticks without a packet before the first sleep
    std::uint32_t first_us = 5;     ///< of the first sleep; each further one is twice as long …
    std::uint32_t longest_us = 50;  ///< … up to this
};

/// `tsc_hz`: ticks a second.
[[nodiscard]] inline IdleLimits idle_limits(const config::Idle& idle, double tsc_hz) noexcept {
    return {
        idle.sleep,
        static_cast<std::uint64_t>(idle.spin_us * tsc_hz / 1e6),
        std::min(idle.first_us, idle.longest_us),
        idle.longest_us};
}

/// Pure: time is told. Thread: the worker.
class IdleBackoff {
  public:
    explicit IdleBackoff(const IdleLimits& limits) noexcept : limits_(limits) {}

    /// A poll brought packets.
    void busy() noexcept {
        waiting_ = false;
        next_us_ = limits_.first_us;
    }
    /// A poll at tick `now` brought none: microseconds to sleep before the next; 0: none.
    [[nodiscard]] std::uint32_t empty(std::uint64_t now) noexcept {
        if (!limits_.sleep) {
            return 0;
        }
        if (!waiting_) {
            waiting_ = true;
            since_ = now;
            next_us_ = limits_.first_us;
        }
        if (now - since_ < limits_.spin) {
            return 0;
        }
        const std::uint32_t us = next_us_;
        next_us_ = std::min(2 * next_us_, limits_.longest_us);
        return us;
    }

  private:
    IdleLimits limits_;
    bool waiting_ = false;
    std::uint64_t since_ = 0;
    std::uint32_t next_us_ = 0;
};

/// How a worker sleeps. A function and what it needs, so that tests can count and interfere.
struct Sleeper {
    /// Sleeps about `us` microseconds. Null: the thread's own sleep (clock_nanosleep).
    void (*sleep)(void* context, std::uint32_t us) = nullptr;
    void* context = nullptr;
};

}  // namespace weir::dataplane
