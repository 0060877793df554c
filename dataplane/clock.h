// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

namespace weir::dataplane {

/// Wall-clock nanoseconds from the TSC, without a system call. Two reads never run backwards; drift against the
/// wall clock is that of the TSC's calibration (parts per million), which no feature can see.
class TscClock {
  public:
    /// Anchors to the wall clock now. `tsc_hz` > 0.
    TscClock(std::uint64_t tsc_hz, std::uint64_t tsc_now, std::uint64_t wall_ns_now) noexcept
        : base_tsc_(tsc_now),
          base_ns_(wall_ns_now),
          // ns = ticks · (10^9 / hz), as a 32.32 fixed-point factor
          factor_((std::uint64_t{1'000'000'000} << 32) / tsc_hz) {}

    [[nodiscard]] std::uint64_t ns(std::uint64_t tsc) const noexcept {
        __extension__ using Wide = unsigned __int128;
        return base_ns_ +
               static_cast<std::uint64_t>(static_cast<Wide>(tsc - base_tsc_) * factor_ >> 32);
    }

  private:
    std::uint64_t base_tsc_;
    std::uint64_t base_ns_;
    std::uint64_t factor_;
};

}  // namespace weir::dataplane
