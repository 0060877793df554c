// SPDX-License-Identifier: BSD-3-Clause
// Within quantize(): what calibration rows say of a layer, and roundings of a neuron's weights that suit them.
#pragma once

#include "control/lab/onnx_model.h"

#include <cstdint>
#include <span>
#include <vector>

namespace weir::lab {

struct CodeRows {
    std::size_t columns = 0;
    std::vector<std::uint8_t> codes;
    [[nodiscard]] std::size_t rows() const noexcept { return codes.size() / columns; }
};
struct ValueRows {
    std::size_t columns = 0;
    std::vector<double> values;
    [[nodiscard]] std::size_t rows() const noexcept { return values.size() / columns; }
    [[nodiscard]] double at(std::size_t row, std::size_t column) const noexcept {
        return values[row * columns + column];
    }
};

/// At most 8,192 rows, spread evenly.
[[nodiscard]] CodeRows spread_rows(std::span<const std::uint8_t> codes, std::size_t columns);
[[nodiscard]] ValueRows values_of(const CodeRows& codes);
/// W x + b of each row.
[[nodiscard]] ValueRows applied(const FloatLayer& layer, const ValueRows& x);

/// Of a layer's input codes x and of the values y that it should give.
struct Moments {
    std::size_t in = 0;
    bool enough = false;          ///< rows to go by; else only the plainest use is made of them
    std::vector<double> mean_x;   ///< [in]
    std::vector<double> mean_y;   ///< [out]
    std::vector<double> spread;   ///< [in][in]: covariance of x, and a little on the diagonal
    std::vector<double> towards;  ///< [out][in]: covariance of x and y, and as much of the weights
};
/// `gain`: value of one code of each input. What is added pulls every weight to its own value, the more the fewer rows.
[[nodiscard]] Moments moments_of(
    const CodeRows& x,
    const ValueRows& y,
    const FloatLayer& layer,
    const std::vector<double>& gain);

struct Rounded {
    std::vector<std::int8_t> weights;
    double step = 0.0;   ///< value of 1
    double error = 0.0;  ///< mean square, less what is the same for all roundings of the neuron
};
/// Neuron j's weights `wanted` (value of one code of each input) in steps of `step`: to the nearest, then one by one up
/// or down while that brings the neuron nearer to its values.
[[nodiscard]] Rounded round_weights(
    const Moments& moments, std::size_t j, const std::vector<double>& wanted, double step);
/// The bias that leaves no mean error; with too few rows the layer's own.
[[nodiscard]] double bias_for(
    const Moments& moments, std::size_t j, const Rounded& rounded, double bias);

/// Value of one code for column j: `largest` or less, where cutting off the top costs less than finer codes gain.
[[nodiscard]] double best_scale(const ValueRows& values, std::size_t j, double largest);

}  // namespace weir::lab
