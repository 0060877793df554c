// SPDX-License-Identifier: BSD-3-Clause
// Logits for models that know what is benign alone.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace weir::lab {

/// HeadSpec::scale_q16 of logits divided by `temperature`, where one raw unit is `logit_per_raw`: at least 1.
[[nodiscard]] std::int32_t head_scale(double logit_per_raw, double temperature);

/// How strangeness, in whatever unit, becomes a logit: 0 where one benign row in ten is stranger, 5 where one in ten
/// thousand is. So that the head's 16 bits tell apart what is beyond any benign row, too.
struct StrangenessScale {
    double zero = 0.0;
    double logit_per_unit = 0.0;
};

/// From benign rows' strangeness and weights; not empty.
[[nodiscard]] StrangenessScale scale_strangeness(
    std::vector<std::pair<double, double>> strangeness_and_weight);

}  // namespace weir::lab
