// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/quantize_moments.h"

#include <algorithm>
#include <cmath>

namespace weir::lab {
namespace {

constexpr std::size_t kMostRows = 8192;
constexpr std::size_t kRowsAnInput = 8;  ///< for covariances to go by
constexpr double kPull = 0.02;           ///< of a weight to its own value, in parts of the variance
constexpr double kWeights = 127.0;
constexpr double kCodes = 255.0;
constexpr double kReach = 1.5;  ///< furthest rounding, in steps
constexpr double kLeastScale = 0.5;
constexpr int kScaleTries = 11;

}  // namespace

CodeRows spread_rows(std::span<const std::uint8_t> codes, std::size_t columns) {
    const std::size_t all = codes.size() / columns;
    const std::size_t rows = std::min(all, kMostRows);
    CodeRows out{columns, {}};
    out.codes.reserve(rows * columns);
    for (std::size_t i = 0; i < rows; ++i) {
        const auto row = codes.subspan(i * all / rows * columns, columns);
        out.codes.insert(out.codes.end(), row.begin(), row.end());
    }
    return out;
}

ValueRows values_of(const CodeRows& codes) {
    return {codes.columns, {codes.codes.begin(), codes.codes.end()}};
}

ValueRows applied(const FloatLayer& layer, const ValueRows& x) {
    ValueRows out{layer.out, {}};
    out.values.reserve(x.rows() * layer.out);
    for (std::size_t r = 0; r < x.rows(); ++r) {
        const double* row = x.values.data() + r * layer.in;
        for (std::size_t j = 0; j < layer.out; ++j) {
            double sum = layer.bias[j];
            for (std::size_t k = 0; k < layer.in; ++k) {
                sum += layer.weights[j * layer.in + k] * row[k];
            }
            out.values.push_back(sum);
        }
    }
    return out;
}

Moments moments_of(
    const CodeRows& x,
    const ValueRows& y,
    const FloatLayer& layer,
    const std::vector<double>& gain) {
    const std::size_t in = layer.in;
    const std::size_t rows = x.rows();
    Moments out{in, rows >= kRowsAnInput * in, {}, {}, {}, {}};
    out.mean_x.assign(in, 0.0);
    out.mean_y.assign(layer.out, 0.0);
    out.spread.assign(in * in, 0.0);
    out.towards.assign(layer.out * in, 0.0);
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t k = 0; k < in; ++k) {
            out.mean_x[k] += x.codes[r * in + k] / static_cast<double>(rows);
        }
        for (std::size_t j = 0; j < layer.out; ++j) {
            out.mean_y[j] += y.at(r, j) / static_cast<double>(rows);
        }
    }
    std::vector<double> centered(in);
    for (std::size_t r = 0; out.enough && r < rows; ++r) {
        for (std::size_t k = 0; k < in; ++k) {
            centered[k] = x.codes[r * in + k] - out.mean_x[k];
        }
        for (std::size_t k = 0; k < in; ++k) {
            for (std::size_t i = 0; i < in; ++i) {
                out.spread[k * in + i] += centered[k] * centered[i] / static_cast<double>(rows);
            }
        }
        for (std::size_t j = 0; j < layer.out; ++j) {
            const double off = (y.at(r, j) - out.mean_y[j]) / static_cast<double>(rows);
            for (std::size_t k = 0; k < in; ++k) {
                out.towards[j * in + k] += off * centered[k];
            }
        }
    }
    double pull = 0.0;
    for (std::size_t k = 0; k < in; ++k) {
        pull += out.spread[k * in + k] * kPull / static_cast<double>(in);
    }
    pull = std::max(pull, 1e-6);
    for (std::size_t k = 0; k < in; ++k) {
        out.spread[k * in + k] += pull;
        for (std::size_t j = 0; j < layer.out; ++j) {
            out.towards[j * in + k] += pull * layer.weights[j * in + k] * gain[k];
        }
    }
    return out;
}

Rounded round_weights(
    const Moments& moments, std::size_t j, const std::vector<double>& wanted, double step) {
    const std::size_t in = moments.in;
    const double* towards = moments.towards.data() + j * in;
    std::vector<double> q(in);
    for (std::size_t k = 0; k < in; ++k) {
        q[k] = std::clamp(std::nearbyint(wanted[k] / step), -kWeights, kWeights);
    }
    // error(q) = step² qᵀ spread q − 2 step q · towards; slope: half its derivative by step·q.
    std::vector<double> slope(in);
    for (std::size_t k = 0; k < in; ++k) {
        slope[k] = -towards[k];
        for (std::size_t i = 0; i < in; ++i) {
            slope[k] += step * q[i] * moments.spread[k * in + i];
        }
    }
    for (std::size_t turn = 0; moments.enough && turn < 4 * in; ++turn) {
        double best = 0.0;
        std::size_t at = in;
        double by = 0.0;
        for (std::size_t k = 0; k < in; ++k) {
            for (const double d : {-1.0, 1.0}) {
                const double gain =
                    2.0 * d * step * slope[k] + step * step * moments.spread[k * in + k];
                if (gain < best && std::abs(q[k] + d) <= kWeights &&
                    std::abs(q[k] + d - wanted[k] / step) <= kReach) {
                    best = gain;
                    at = k;
                    by = d;
                }
            }
        }
        if (at == in) {
            break;
        }
        q[at] += by;
        for (std::size_t k = 0; k < in; ++k) {
            slope[k] += step * by * moments.spread[at * in + k];
        }
    }
    Rounded out{std::vector<std::int8_t>(in), step, 0.0};
    for (std::size_t k = 0; k < in; ++k) {
        out.weights[k] = static_cast<std::int8_t>(q[k]);
        out.error += step * q[k] * (slope[k] - towards[k]);
    }
    return out;
}

double bias_for(const Moments& moments, std::size_t j, const Rounded& rounded, double bias) {
    if (!moments.enough) {
        return bias;
    }
    double out = moments.mean_y[j];
    for (std::size_t k = 0; k < moments.in; ++k) {
        out -= rounded.step * rounded.weights[k] * moments.mean_x[k];
    }
    return out;
}

double best_scale(const ValueRows& values, std::size_t j, double largest) {
    double best = largest;
    double least = -1.0;
    for (int i = 0; i < kScaleTries; ++i) {
        const double scale = largest * (1.0 - (1.0 - kLeastScale) * i / (kScaleTries - 1));
        double sum = 0.0;
        for (std::size_t r = 0; r < values.rows(); ++r) {
            const double v = std::max(values.at(r, j), 0.0);
            const double code = std::min(std::nearbyint(v / scale), kCodes);
            sum += (v - code * scale) * (v - code * scale);
        }
        if (least < 0.0 || sum < least) {
            least = sum;
            best = scale;
        }
    }
    return best;
}

}  // namespace weir::lab
