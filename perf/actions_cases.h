// SPDX-License-Identifier: BSD-3-Clause
// The cases of the benchmark of actions: a policy, and what it must do to every packet.
#pragma once

#include "perf/actions_traffic.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::perf {

/// What one packet leads to, on average and exactly.
struct Effect {
    std::uint32_t sent = 1;  ///< by the peer port, or still waiting in its scheduler
    std::uint32_t marked = 0;
    std::uint32_t tagged = 0;
    std::uint32_t metered = 0;
    std::uint32_t mirrored = 0;
    std::uint32_t redirected = 0;
    std::uint32_t dropped = 0;
    std::uint32_t resets = 0;
};

struct Case {
    std::string name;
    Traffic traffic = Traffic::v4;
    std::string policy;  ///< empty: none
    Effect effect;
    Look look;  ///< of what leaves by the peer port
    bool shaped = false;
    std::vector<double> ns{};  ///< a packet, by round
};

/// A case whose name ends with ".none" is the yardstick of those after it, up to the next.
[[nodiscard]] std::vector<Case> action_cases();

}  // namespace weir::perf
