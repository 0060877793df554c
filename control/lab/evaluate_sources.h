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

}  // namespace weir::lab
