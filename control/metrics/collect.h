// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "control/gateway_view.h"

#include <vector>

#include <prometheus/metric_family.h>

namespace weir::control {

/// All families of kMetricTable, in its order, as of now. Thread: any.
[[nodiscard]] std::vector<prometheus::MetricFamily> collect_metrics(const GatewayView& view);

}  // namespace weir::control
