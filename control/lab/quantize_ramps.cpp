// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/quantize_ramps.h"

#include "kernels/classifier.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace weir::lab {
namespace {

constexpr double kCodes = 255.0;
constexpr double kFinest = 16.0;  ///< a neuron's codes at least this part of the layer's coarsest
constexpr std::size_t kRowsForScales = 256;  ///< calibration rows that a scale a neuron needs
constexpr std::uint32_t kMostPieces = 16;    ///< of a curve
constexpr double kTail = 8.0;                ///< a sigmoid is flat beyond, but for 0.0004
constexpr int kGrid = 4096;

double sigmoid(double x) noexcept {
    return 1.0 / (1.0 + std::exp(-x));
}

// Where the straight pieces of a sigmoid meet: dense where it bends, by the root of its second derivative.
std::vector<double> sigmoid_knots(std::uint32_t pieces) {
    std::array<double, kGrid + 1> bend{};
    const double step = 2.0 * kTail / kGrid;
    for (int i = 0; i < kGrid; ++i) {
        const double s = sigmoid(-kTail + (i + 0.5) * step);
        bend.at(i + 1) = bend.at(i) + std::sqrt(std::abs(s * (1.0 - s) * (1.0 - 2.0 * s)));
    }
    std::vector<double> knots;
    for (std::uint32_t p = 0; p <= pieces; ++p) {
        const double wanted = bend.back() * p / pieces;
        const auto at = std::lower_bound(bend.begin(), bend.end(), wanted) - bend.begin();
        knots.push_back(-kTail + static_cast<double>(at) * step);
    }
    return knots;
}

double distance_from_sigmoid(const std::vector<double>& knots) {
    double worst = sigmoid(-kTail);
    for (std::size_t p = 0; p + 1 < knots.size(); ++p) {
        const double low = sigmoid(knots[p]);
        const double high = sigmoid(knots[p + 1]);
        for (int i = 0; i <= 64; ++i) {
            const double share = i / 64.0;
            const double x = knots[p] + share * (knots[p + 1] - knots[p]);
            worst = std::max(worst, std::abs(sigmoid(x) - low - share * (high - low)));
        }
    }
    return worst;
}

// Value of an output code of each neuron: what leaves the least squared error over the rows.
std::vector<double> own_scales(
    const FloatLayer& layer, const ValueRows& values, std::vector<double>& off) {
    std::vector<double> largest(layer.out, 0.0);
    for (std::size_t r = 0; r < values.rows(); ++r) {
        for (std::size_t j = 0; j < layer.out; ++j) {
            largest[j] = std::max(largest[j], values.at(r, j));
        }
    }
    const double all = std::max(*std::max_element(largest.begin(), largest.end()), 1e-30);
    std::vector<double> scale(layer.out);
    for (std::size_t j = 0; j < layer.out; ++j) {
        const double finest = values.rows() < kRowsForScales ? all : all / kFinest;
        scale[j] = layer.out_scale > 0.0
                       ? layer.out_scale
                       : best_scale(values, j, std::max(largest[j], finest) / kCodes);
        off.push_back(std::max(0.0, largest[j] - scale[j] * kCodes));
    }
    return scale;
}

void add_ramp(
    Ramps& ramps, const FloatLayer& layer, std::uint32_t j, double low, double high, double rise) {
    const auto row = layer.weights.begin() + static_cast<std::ptrdiff_t>(j) * layer.in;
    ramps.layer.weights.insert(ramps.layer.weights.end(), row, row + layer.in);
    ramps.layer.bias.push_back(layer.bias[j] - low);
    ramps.neuron.push_back(j);
    ramps.low.push_back(low);
    ramps.scale.push_back((high - low) / kCodes);
    ramps.gain.push_back(rise / kCodes);
    ++ramps.layer.out;
}

}  // namespace

double activation(const FloatLayer& layer, double sum) noexcept {
    return layer.sigmoid ? sigmoid(sum) : std::max(sum, 0.0);
}

Ramps ramps_of(const FloatLayer& layer, const ValueRows& values, std::uint32_t pieces) {
    Ramps out;
    out.layer.in = layer.in;
    if (layer.sigmoid) {
        const auto knots =
            sigmoid_knots(std::min<std::uint32_t>(kMostPieces, kernels::kMaxInputs / layer.out));
        out.off.assign(layer.out, distance_from_sigmoid(knots));
        out.base.assign(layer.out, sigmoid(knots.front()));
        for (std::uint32_t j = 0; j < layer.out; ++j) {
            for (std::size_t p = 0; p + 1 < knots.size(); ++p) {
                add_ramp(
                    out,
                    layer,
                    j,
                    knots[p],
                    knots[p + 1],
                    sigmoid(knots[p + 1]) - sigmoid(knots[p]));
            }
        }
        return out;
    }
    const auto scale = own_scales(layer, values, out.off);
    out.base.assign(layer.out, 0.0);
    if (layer.out_scale > 0.0 || pieces * layer.out > kernels::kMaxInputs) {
        pieces = 1;
    }
    for (std::uint32_t j = 0; j < layer.out; ++j) {
        const double length = scale[j] * kCodes / pieces;
        for (std::uint32_t p = 0; p < pieces; ++p) {
            add_ramp(out, layer, j, p * length, (p + 1) * length, length);
        }
    }
    return out;
}

ValueRows ramp_values(const Ramps& ramps, const ValueRows& values) {
    ValueRows out{ramps.layer.out, {}};
    out.values.reserve(values.rows() * ramps.layer.out);
    for (std::size_t r = 0; r < values.rows(); ++r) {
        for (std::size_t e = 0; e < ramps.neuron.size(); ++e) {
            out.values.push_back(values.at(r, ramps.neuron[e]) - ramps.low[e]);
        }
    }
    return out;
}

FloatLayer behind(const Ramps& ramps, const FloatLayer& layer) {
    FloatLayer out = layer;
    out.in = ramps.layer.out;
    out.weights.clear();
    for (std::size_t j = 0; j < layer.out; ++j) {
        for (const std::uint32_t k : ramps.neuron) {
            out.weights.push_back(layer.weights[j * layer.in + k]);
        }
        for (std::size_t k = 0; k < layer.in; ++k) {
            out.bias[j] += layer.weights[j * layer.in + k] * ramps.base[k];
        }
    }
    return out;
}

}  // namespace weir::lab
