// SPDX-License-Identifier: BSD-3-Clause
// What operators block or let pass for a while: as it is told, kept over restarts, and handed to workers.
#pragma once

#include "config/error.h"
#include "dataplane/overrides.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::control {

/// One override. Its end is kept as wall-clock time, for people and over restarts, and by a clock that nobody can set:
/// a wall clock that jumps makes none end early or late while the gateway runs, nor last longer than was asked for.
struct Override {
    using Clock = std::chrono::steady_clock;

    dataplane::OverrideRule rule;
    std::string target;  ///< "10.0.0.0/8", or a flow as weirctl prints it
    std::int64_t since_unix = 0;
    std::uint32_t seconds = 0;  ///< that it was set for
    std::string by;             ///< who set it
    Clock::time_point until{};

    [[nodiscard]] std::int64_t until_unix() const noexcept { return since_unix + seconds; }
};

inline constexpr std::uint32_t kLongestOverride = 30 * 86'400;  ///< seconds

[[nodiscard]] std::string_view kind_name(dataplane::OverrideKind kind) noexcept;

/// Reads a prefix, an address or a flow (not by id) into target and rule. The Error gives the forms.
[[nodiscard]] Result<Override> parse_target(std::string_view text);
/// Both stand for the same packets.
[[nodiscard]] bool same_target(
    const dataplane::OverrideRule& a, const dataplane::OverrideRule& b) noexcept;

/// What workers follow; null: there are none.
[[nodiscard]] std::shared_ptr<const dataplane::OverrideSet> compile(
    const std::vector<Override>& overrides);

}  // namespace weir::control
