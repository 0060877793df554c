// SPDX-License-Identifier: BSD-3-Clause
// Figures by source.
#pragma once

#include "control/lab/evaluate.h"

#include <span>
#include <vector>

namespace weir::lab {

/// One entry for each class that a source has. `judged` holds one verdict a flow of the table.
[[nodiscard]] std::vector<SourceFigures> by_source(
    const FeatureTable& table, std::span<const Judged> judged, int benign);

/// Benign flows with a verdict other than benign on any of their rows, and the time that their captures span.
/// `verdicts` holds one a row. The interval is of `replicates` draws of as many sources as there are.
[[nodiscard]] FalseAlarms false_alarms(
    const FeatureTable& table,
    std::span<const RowVerdict> verdicts,
    int benign,
    std::uint32_t replicates,
    std::uint64_t seed);

}  // namespace weir::lab
