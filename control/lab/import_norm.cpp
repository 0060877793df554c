// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/import_norm.h"

#include <algorithm>
#include <cmath>

namespace weir::lab {
namespace {

constexpr double kSteps = 252.0;
constexpr double kMiddle = 127.0;
constexpr double kMostGainQ8 = 1 << 28;
constexpr double kLargestValue = 1 << 29;  ///< before the kernel's shift by 8: 2^21 units
constexpr double kTopCode = 255.0;
constexpr double kFinestOfRows = 64.0;

double at(const std::vector<double>& list, std::size_t i) noexcept {
    return list[list.size() == 1 ? 0 : i];
}

}  // namespace

NormGrid norm_grid(double low, double high, double finest) {
    const double span = std::max(high - low, 1.0 / finest);
    const double gain_q8 = std::clamp(std::floor(256.0 * kSteps / span), 1.0, kMostGainQ8);
    NormGrid grid;
    grid.gain_q8 = static_cast<std::uint32_t>(gain_q8);
    grid.zero = static_cast<std::int32_t>(kMiddle - std::floor((low + high) / 2.0 * grid.gain()));
    return grid;
}

std::vector<double> quotients(const InputNorm& norm, std::span<const std::uint8_t> codes) {
    std::vector<double> out(codes.size());
    double sum = 0.0;
    for (std::size_t k = 0; k < codes.size(); ++k) {
        const double v = at(norm.scale, k) * codes[k] + at(norm.shift, k);
        out[k] = v;
        switch (norm.norm) {
            case kernels::RowNorm::l1:
                sum += std::abs(v);
                break;
            case kernels::RowNorm::l2:
                sum += v * v;
                break;
            case kernels::RowNorm::max:
                sum = std::max(sum, v);
                break;
        }
    }
    const double divisor = norm.norm == kernels::RowNorm::l2 ? std::sqrt(sum) : sum;
    for (double& v : out) {
        v = divisor > 0.0 ? v / divisor : 0.0;
    }
    return out;
}

std::vector<kernels::NormColumn> norm_columns(
    const InputNorm& norm, std::span<const NormGrid> grid) {
    double largest = 0.0;
    for (std::size_t k = 0; k < grid.size(); ++k) {
        const double first = at(norm.shift, k);
        const double last = at(norm.scale, k) * kTopCode + first;
        largest = std::max({largest, std::abs(first), std::abs(last)});
    }
    const double unit = largest > 0.0 ? kLargestValue / largest : 0.0;
    std::vector<kernels::NormColumn> out;
    for (std::size_t k = 0; k < grid.size(); ++k) {
        const double offset = std::nearbyint(at(norm.shift, k) * unit);
        // Rounded to zero where the largest norm's values may not fall below it.
        double scale = std::nearbyint(at(norm.scale, k) * unit);
        if (norm.norm == kernels::RowNorm::max && scale * kTopCode + offset < 0.0) {
            scale = std::ceil(-offset / kTopCode);
        }
        out.push_back(
            {static_cast<std::int32_t>(scale),
             static_cast<std::int32_t>(offset),
             grid[k].gain_q8,
             grid[k].zero});
    }
    return out;
}

void float_logits(
    const FloatForest& forest,
    const InputNorm& norm,
    std::span<const double> quotients,
    double* logits) {
    std::vector<float> values(quotients.begin(), quotients.end());
    for (std::size_t k = 0; k < values.size() && !norm.after_scale.empty(); ++k) {
        const std::size_t i = norm.after_scale.size() == 1 ? 0 : k;
        values[k] = (values[k] - norm.after_offset[i]) * norm.after_scale[i];
    }
    std::copy(forest.base.begin(), forest.base.end(), logits);
    for (const FloatTree& tree : forest.trees) {
        std::int32_t at = tree.nodes.empty() ? ~0 : 0;
        while (at >= 0) {
            const auto i = static_cast<std::size_t>(at);
            const kernels::ForestNode& node = tree.nodes[i];
            at = values[node.feature] > tree.cuts[i] ? node.right : node.left;
        }
        logits[tree.output] += static_cast<double>(tree.leaves[static_cast<std::size_t>(~at)]);
    }
}

std::vector<NormGrid> grids_of_rows(
    const InputNorm& norm, std::span<const std::uint8_t> codes, std::size_t columns) {
    std::vector<double> low(columns, 1.0);
    std::vector<double> high(columns, -1.0);
    for (std::size_t row = 0; row + columns <= codes.size(); row += columns) {
        const auto y = quotients(norm, codes.subspan(row, columns));
        for (std::size_t k = 0; k < columns; ++k) {
            low[k] = std::min(low[k], y[k]);
            high[k] = std::max(high[k], y[k]);
        }
    }
    std::vector<NormGrid> out;
    for (std::size_t k = 0; k < columns; ++k) {
        out.push_back(norm_grid(low[k], high[k], kFinestOfRows));
    }
    return out;
}

std::vector<std::uint8_t> normalized_codes(
    const kernels::NormalizedSpec& spec, std::span<const std::uint8_t> codes) {
    const std::size_t columns = spec.columns.size();
    std::vector<std::uint8_t> out(codes.size() / columns * columns);
    kernels::normalize_rows(
        spec,
        codes.data(),
        columns,
        static_cast<std::uint32_t>(codes.size() / columns),
        out.data(),
        columns);
    return out;
}

}  // namespace weir::lab
