// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/train_one_class.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace weir::lab {
namespace {

constexpr double kZeroAt = 0.9;
constexpr double kFarAt = 0.9999;
constexpr double kFarLogit = 5.0;
constexpr double kMostScale = 1 << 24;

}  // namespace

std::int32_t head_scale(double logit_per_raw, double temperature) {
    const double scale =
        std::nearbyint(logit_per_raw * std::numbers::log2e * 65536.0 / temperature);
    return static_cast<std::int32_t>(std::clamp(scale, 1.0, kMostScale));
}

StrangenessScale scale_strangeness(std::vector<std::pair<double, double>> rows) {
    std::sort(rows.begin(), rows.end());
    double total = 0.0;
    for (const auto& row : rows) {
        total += row.second;
    }
    const auto quantile = [&](double share) {
        double sum = 0.0;
        for (const auto& [strangeness, weight] : rows) {
            sum += weight;
            if (sum >= share * total) {
                return strangeness;
            }
        }
        return rows.back().first;
    };
    const double zero = quantile(kZeroAt);
    const double far = quantile(kFarAt);
    const double span = std::max(far - zero, 1e-3 * std::max(1.0, std::abs(zero)));
    return {zero, kFarLogit / span};
}

}  // namespace weir::lab
