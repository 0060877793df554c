// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "control/export/counters.h"
#include "control/gateway_view.h"

#include <vector>

#include <prometheus/metric_family.h>

namespace weir::control {

/// All families of kMetricTable, in its order, as of now. `exports` null: no exporter is there. Thread: any.
[[nodiscard]] std::vector<prometheus::MetricFamily> collect_metrics(
    const GatewayView& view, const ExportTotals* exports = nullptr);

}  // namespace weir::control
