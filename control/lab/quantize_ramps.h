// SPDX-License-Identifier: BSD-3-Clause
// Within quantize(): a hidden neuron as ramps. The kernels' neurons are ramps: they rise with their sum and stay between
// codes 0 and 255. Several of one neuron, each for a stretch of its values, give finer codes than one, or a curve.
#pragma once

#include "control/lab/quantize_moments.h"

#include <cstdint>
#include <vector>

namespace weir::lab {

struct Ramps {
    FloatLayer layer;                   ///< a row a ramp: the neuron's, with `low` taken off
    std::vector<std::uint32_t> neuron;  ///< that a ramp is of; ramps of one neuron stand together
    std::vector<double> low;            ///< sum where it begins to rise
    std::vector<double> scale;          ///< of the sum: value of one code
    std::vector<double> gain;           ///< of the neuron's output: value of one code
    std::vector<double> base;           ///< of the neuron's output: where all its ramps give 0
    std::vector<double> off;            ///< by neuron: largest distance of the ramps from the curve
};

/// The layer's neurons as `pieces` ramps each, or as the file's scale says; a Sigmoid as straight pieces, as many as the
/// kernels' width allows. `values`: the neurons' sums over the calibration rows.
[[nodiscard]] Ramps ramps_of(
    const FloatLayer& layer, const ValueRows& values, std::uint32_t pieces);

/// Sums that the ramps rise with, from the neurons' sums.
[[nodiscard]] ValueRows ramp_values(const Ramps& ramps, const ValueRows& values);

/// The layer behind, its inputs the ramps' codes at their gains.
[[nodiscard]] FloatLayer behind(const Ramps& ramps, const FloatLayer& layer);

/// What a hidden layer hands on.
[[nodiscard]] double activation(const FloatLayer& layer, double sum) noexcept;

/// Most neurons of a layer with Sigmoid: each takes at least four ramps.
inline constexpr std::uint32_t kMostSigmoids = 64;

}  // namespace weir::lab
