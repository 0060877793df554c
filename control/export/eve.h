// SPDX-License-Identifier: BSD-3-Clause
// Events as Suricata's EVE JSON: its fields and types (etc/schema.json of OISF/suricata), and one object `weir` of ours.
#pragma once

#include "control/export/flow_event.h"

#include <cstdint>
#include <map>
#include <string>

namespace weir::control {

/// Counters for an event of type stats, since start.
struct StatsSample {
    std::uint64_t unix_ns = 0;
    std::uint64_t uptime_s = 0;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    std::uint64_t invalid = 0;  ///< truncated, malformed, unsupported
    std::uint64_t sent = 0;
    std::uint64_t marked = 0;
    std::uint64_t flows_live = 0;
    std::uint64_t flows_created = 0;
    std::uint64_t records_lost = 0;               ///< by the workers' event rings
    std::map<std::string, std::uint64_t> drops;   ///< by reason
    std::map<std::string, std::uint64_t> scored;  ///< rows by slot
};

/// One line each, without its end. Thread: any.
[[nodiscard]] std::string eve_flow(const FlowEvent& event);
/// `event.alarm()` must be set.
[[nodiscard]] std::string eve_alert(const FlowEvent& event);
[[nodiscard]] std::string eve_stats(const StatsSample& sample);

}  // namespace weir::control
