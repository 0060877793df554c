// SPDX-License-Identifier: BSD-3-Clause
// What exporters count, for the metrics.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace weir::control {

enum class ExportTarget : std::uint8_t { eve, ipfix, mirror };
inline constexpr std::array<std::string_view, 3> kExportTargets{"eve", "ipfix", "mirror"};

/// Counters of one exporter. Thread: written by control and the exporter, read by any.
struct ExportCounters {
    std::atomic<std::uint64_t> exported{0};  ///< records; of `mirror` packets
    std::atomic<std::uint64_t> dropped{
        0};  ///< records that the queue had no room for; `mirror`: see WorkerStats
    std::atomic<std::uint64_t> failed{0};  ///< records that file, socket or collector did not take
    std::atomic<std::uint64_t> rotations{0};  ///< of the file
};
/// By ExportTarget. Outlives the exporters, so that counters survive a reload.
using ExportTotals = std::array<ExportCounters, kExportTargets.size()>;

}  // namespace weir::control
