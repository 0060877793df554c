// SPDX-License-Identifier: BSD-3-Clause
// Flows in words, and options that several commands read.
#pragma once

#include "control/ctl/client.h"

#include <cstdint>
#include <optional>
#include <string>

namespace weir::ctl {

/// "tcp 10.0.0.1:40000 > 192.0.2.1:443 vlan 5": who began comes first.
[[nodiscard]] std::string ends(const v1::Flow& flow);
/// "drop", "EF", "pass"
[[nodiscard]] std::string treatment(const v1::Flow& flow);
/// "anomaly=scan 0.998  qos=standard 0.7", with the model and the packet that decided, or without.
[[nodiscard]] std::string verdicts(const v1::Flow& flow, bool with_model);
/// Packet time, UTC, to the millisecond.
[[nodiscard]] std::string time_of_day(std::uint64_t unix_ns);

/// A whole number from `least` to `most`; none: it is not, and that was reported.
[[nodiscard]] std::optional<std::uint32_t> whole_number(
    const Call& call, const char* option, std::uint32_t least, std::uint32_t most);
/// Seconds of "90", "90s", "10m", "2h", "1d", within `least` and `most`; none: it is not, and that was reported.
[[nodiscard]] std::optional<std::uint32_t> time_span(
    const Call& call, const char* option, std::uint32_t least, std::uint32_t most);

}  // namespace weir::ctl
