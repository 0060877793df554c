// SPDX-License-Identifier: BSD-3-Clause
// What exporters count, for the metrics.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace weir::control {

enum class ExportTarget : std::uint8_t { eve, ipfix };
inline constexpr std::array<std::string_view, 2> kExportTargets{"eve", "ipfix"};

/// Counters of one exporter. Thread: written by control and the exporter, read by any.
struct ExportCounters {
    std::atomic<std::uint64_t> exported{0};  ///< records
    std::atomic<std::uint64_t> dropped{0};   ///< records that the queue had no room for
    std::atomic<std::uint64_t> failed{0};  ///< records that file, socket or collector did not take
    std::atomic<std::uint64_t> rotations{0};  ///< of the file
};
/// By ExportTarget. Outlives the exporters, so that counters survive a reload.
using ExportTotals = std::array<ExportCounters, kExportTargets.size()>;

}  // namespace weir::control
