// SPDX-License-Identifier: BSD-3-Clause
// Flow records as JSON lines.
#pragma once

#include "dataplane/events.h"
#include "dataplane/snapshot.h"

#include <memory>
#include <string>
#include <vector>

namespace weir::app {

/// One flow as one JSON object without line break: the form of `weir replay --verdicts`. `models`: every model that the
/// record's verdicts may refer to. Byte-for-byte deterministic.
[[nodiscard]] std::string verdict_json(
    const dataplane::FlowRecord& record,
    const std::vector<std::string>& slots,
    const std::vector<std::shared_ptr<const dataplane::SlotModel>>& models);

/// "192.0.2.1" of an IPv4-mapped address where the key says IPv4, else IPv6 text.
[[nodiscard]] std::string address_text(
    const std::array<std::uint8_t, 16>& address, std::uint8_t ip_version);

}  // namespace weir::app
