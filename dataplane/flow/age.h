// SPDX-License-Identifier: BSD-3-Clause
// A bucket's age word: phase and last-seen second of a flow in 16 bits.
#pragma once

#include "dataplane/flow/flow.h"

#include <cstdint>

namespace weir::dataplane {

inline constexpr std::uint64_t kAgeUnitNs = 1'000'000'000;
inline constexpr std::uint32_t kAgeBits = 14;
inline constexpr std::uint32_t kAgeMask = (1U << kAgeBits) - 1;  ///< seconds run in this circle

[[nodiscard]] inline std::uint16_t pack_age(FlowPhase phase, std::uint64_t now_ns) noexcept {
    const auto second = static_cast<std::uint32_t>(now_ns / kAgeUnitNs) & kAgeMask;
    return static_cast<std::uint16_t>((static_cast<std::uint32_t>(phase) << kAgeBits) | second);
}

[[nodiscard]] inline FlowPhase age_phase(std::uint16_t age) noexcept {
    return static_cast<FlowPhase>(age >> kAgeBits);
}

/// Seconds from then to `now_s`.
[[nodiscard]] inline std::uint32_t age_seconds(std::uint16_t age, std::uint32_t now_s) noexcept {
    const auto seconds = (now_s - age) & kAgeMask;
    // Packets may be older than the flow's last one: the upper half of the circle is the recent past's future.
    return seconds > kAgeMask / 2 + kAgeMask / 4 ? 0 : seconds;
}

}  // namespace weir::dataplane
