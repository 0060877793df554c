// SPDX-License-Identifier: BSD-3-Clause
// Post-training quantization on calibration rows. Scales by squared error and biases without mean error: Nagel et al., "A
// White Paper on Neural Network Quantization" (2021), sections 3.1 and 3.3; weights rounded for the layer's output rather
// than each to the nearest: Nagel et al., "Up or Down?" (ICML 2020), here by descent over single roundings.
#include "control/lab/quantize_calibrated.h"

#include "control/lab/quantize_moments.h"
#include "control/lab/quantize_ramps.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

namespace weir::lab {
namespace {

constexpr double kCodes = 255.0;
constexpr double kWeights = 127.0;
constexpr double kMultiplier = 32767.0;
constexpr double kQ15 = 32768.0;
constexpr double kBias = 1 << 23;  ///< half of what the kernel takes: the rounding comes on top
constexpr int kMaxShift = 16;
constexpr double kStretch = 1.3;          ///< coarsest s8 scale tried, in parts of the finest
constexpr int kScales = 48;               ///< s8 scales tried
constexpr double kLeastMultiplier = 320;  ///< so that a saturated sum still gives code 255
constexpr double kGoodMultiplier = 2048;  ///< one that rounds the shifted sum to 1/16 code
constexpr double kChangedGoal = 0.003;    ///< calibration rows of another class than in float

// One layer in the making: what its inputs are, what it should give, and what it gives.
struct Maker {
    const FloatLayer& layer;
    std::vector<double> gain;   ///< value of one code, by input
    std::vector<double> error;  ///< of each input's value
    Moments moments;            ///< of the codes and of the wanted values before the ReLU
    int shift = 0;
    std::vector<double> scale{};  ///< value of one output code, by neuron
    kernels::MlpLayer made{};
    std::vector<double> out_error{};

    [[nodiscard]] double value_of_code(std::size_t j, std::size_t k) const {
        return layer.weights[j * layer.in + k] * gain[k];
    }
    // Value of one accumulator step, at the least that takes the weights and the bias.
    [[nodiscard]] double finest_step(std::size_t j) const {
        double largest = std::abs(layer.bias[j]) / kBias * kWeights;
        for (std::size_t k = 0; k < layer.in; ++k) {
            largest = std::max(largest, std::abs(value_of_code(j, k)));
        }
        return largest / kWeights;
    }
    // The multiplier that makes an accumulator step worth `step`.
    [[nodiscard]] double multiplier_of(std::size_t j, double step) const {
        return step / scale[j] * kQ15 * std::exp2(shift);
    }
    void round_neuron(std::size_t j);
    void round_all();
};

void Maker::round_neuron(std::size_t j) {
    std::vector<double> wanted(layer.in);
    for (std::size_t k = 0; k < layer.in; ++k) {
        wanted[k] = value_of_code(j, k);
    }
    const double least =
        std::max({multiplier_of(j, finest_step(j)), std::min(kLeastMultiplier, kMultiplier), 1.0});
    Rounded best;
    double best_multiplier = 0.0;
    for (int i = 0; i < kScales; ++i) {
        const double factor = 1.0 + (kStretch - 1.0) * i / (kScales - 1);
        const double multiplier = std::min(std::ceil(least * factor), kMultiplier);
        if (multiplier == best_multiplier) {
            continue;
        }
        const double step = multiplier * scale[j] / kQ15 / std::exp2(shift);
        auto tried = round_weights(moments, j, wanted, step);
        if (best.weights.empty() || tried.error < best.error) {
            best = std::move(tried);
            best_multiplier = multiplier;
        }
    }
    const double step = best_multiplier * scale[j] / kQ15 / std::exp2(shift);
    const double bias =
        std::clamp(std::nearbyint(bias_for(moments, j, best, layer.bias[j]) / step), -kBias, kBias);
    double error = std::abs(layer.bias[j] - bias * step) + 0.5 * step * std::exp2(shift);
    for (std::size_t k = 0; k < layer.in; ++k) {
        made.weights.push_back(best.weights[k]);
        error += std::abs(wanted[k] - best.weights[k] * step) * kCodes +
                 std::abs(layer.weights[j * layer.in + k]) * this->error[k];
    }
    made.bias.push_back(
        static_cast<std::int32_t>(bias) + (shift > 0 ? 1 << (shift - 1) : 0));  // rounds down
    made.multiplier.push_back(static_cast<std::int16_t>(best_multiplier));
    out_error.push_back(error);
}

void Maker::round_all() {
    made = {};
    out_error.clear();
    made.in = layer.in;
    made.out = layer.out;
    made.shift = static_cast<std::uint8_t>(shift);
    for (std::size_t j = 0; j < layer.out; ++j) {
        round_neuron(j);
    }
}

// Codes of the layer's outputs, by the kernel's arithmetic.
CodeRows codes_of(const kernels::MlpLayer& layer, const CodeRows& in) {
    CodeRows out{layer.out, {}};
    out.codes.reserve(in.rows() * layer.out);
    for (std::size_t r = 0; r < in.rows(); ++r) {
        const std::uint8_t* x = in.codes.data() + r * layer.in;
        for (std::size_t j = 0; j < layer.out; ++j) {
            std::int32_t sum = layer.bias[j];
            for (std::size_t k = 0; k < layer.in; ++k) {
                sum += x[k] * layer.weights[j * layer.in + k];
            }
            const std::int32_t v = std::clamp(sum >> layer.shift, -32768, 32767);
            out.codes.push_back(static_cast<std::uint8_t>(
                std::clamp((v * layer.multiplier[j] + (1 << 14)) >> 15, 0, 255)));
        }
    }
    return out;
}

void make_hidden(Maker& maker) {
    double smallest = kMultiplier;
    double largest = 1.0;
    for (std::size_t j = 0; j < maker.layer.out; ++j) {
        // A code is at least one accumulator step.
        maker.scale[j] = std::max(maker.scale[j], maker.finest_step(j) * kStretch * 1.01);
        const double multiplier = maker.multiplier_of(j, maker.finest_step(j));
        smallest = std::min(smallest, std::max(multiplier, 1e-3));
        largest = std::max(largest, multiplier);
    }
    while (maker.shift < kMaxShift && smallest * std::exp2(maker.shift) < kGoodMultiplier &&
           largest * std::exp2(maker.shift + 1) * kStretch < kMultiplier) {
        ++maker.shift;
    }
    maker.round_all();
}

// Raw outputs in 16 bits whatever the row, in whole steps of the head's scale.
Result<void> make_last(Maker& maker, QuantizedMlp& out) {
    double coarsest = 0.0;
    double rows = 1.0;
    for (std::size_t j = 0; j < maker.layer.out; ++j) {
        const double step = maker.finest_step(j);
        coarsest = std::max(coarsest, step);
        double sum = step > 0.0 ? std::abs(maker.layer.bias[j]) / step : 0.0;
        for (std::size_t k = 0; step > 0.0 && k < maker.layer.in; ++k) {
            sum += std::abs(maker.value_of_code(j, k)) / step * kCodes;
        }
        rows = std::max(rows, sum);
    }
    while (maker.shift < kMaxShift && rows / std::exp2(maker.shift) > kMultiplier - 1.0) {
        ++maker.shift;
    }
    const double head_step = 1.0 / (std::numbers::log2e * 65536.0);
    for (;; ++maker.shift) {
        const double smallest = coarsest * kStretch * 1.01 * std::exp2(maker.shift);
        const double scale = std::max(1.0, std::ceil(smallest / head_step));
        if (!(scale <= 1 << 24)) {
            return fail(
                "quantize", "layers", "the logits are not finite or too large", "scale the inputs");
        }
        out.scale_q16 = static_cast<std::int32_t>(scale);
        out.logit_per_raw = scale * head_step;
        maker.scale.assign(maker.layer.out, out.logit_per_raw);
        maker.round_all();
        if (maker.shift == kMaxShift ||
            largest_accumulator(maker.made) / std::exp2(maker.shift) <= kMultiplier) {
            break;
        }
    }
    out.logit_error = 0.0;
    for (const double error : maker.out_error) {
        out.logit_error = std::max(out.logit_error, error + 0.5 * out.logit_per_raw);
    }
    return {};
}

// What each neuron of a layer of ramps hands on is off by. Every ramp rises with its sum, and so does their total: sums that
// are off by at most e leave the total between the curve's values at y − e and y + e. Rounding is half a code of the sum.
std::vector<double> error_behind(const Ramps& ramps, const Maker& maker) {
    std::vector<double> error(ramps.neuron.size(), 0.0);
    for (std::size_t first = 0; first < ramps.neuron.size();) {
        double off = 0.0;
        double slope = 0.0;
        std::size_t e = first;
        for (; e < ramps.neuron.size() && ramps.neuron[e] == ramps.neuron[first]; ++e) {
            off = std::max(off, maker.out_error[e] + 0.5 * maker.scale[e]);
            slope = std::max(slope, ramps.gain[e] / maker.scale[e]);
        }
        error[first] = ramps.off[ramps.neuron[first]] + off * slope;  // stands for all of them
        first = e;
    }
    return error;
}

Result<QuantizedMlp> quantize_in_pieces(
    const FloatMlp& network, const CodeRows& rows, std::uint32_t pieces) {
    CodeRows in = rows;
    ValueRows values = values_of(in);
    QuantizedMlp out;
    std::vector<double> gain(network.layers.front().in, 1.0);
    std::vector<double> error(network.layers.front().in, 0.0);
    Ramps before;
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
        const FloatLayer& own = network.layers[l];
        const FloatLayer layer = l == 0 ? own : behind(before, own);
        ValueRows wanted = applied(own, values);
        if (l + 1 == network.layers.size()) {
            Maker maker{layer, gain, error, moments_of(in, wanted, layer, gain)};
            if (auto ok = make_last(maker, out); !ok) {
                return tl::unexpected(ok.error());
            }
            out.spec.layers.push_back(std::move(maker.made));
            break;
        }
        Ramps ramps = ramps_of(layer, wanted, pieces);
        Maker maker{
            ramps.layer,
            gain,
            error,
            moments_of(in, ramp_values(ramps, wanted), ramps.layer, gain)};
        maker.scale = ramps.scale;
        make_hidden(maker);
        in = codes_of(maker.made, in);
        for (std::size_t e = 0; e < ramps.gain.size(); ++e) {
            ramps.gain[e] *= maker.scale[e] / ramps.scale[e];
        }
        error = error_behind(ramps, maker);
        gain = ramps.gain;
        out.spec.layers.push_back(std::move(maker.made));
        values = std::move(wanted);
        for (double& v : values.values) {
            v = activation(own, v);
        }
        before = std::move(ramps);
    }
    return out;
}

// Share of the rows whose class is another than the float network's.
double changed_share(const FloatMlp& network, const QuantizedMlp& made, const CodeRows& rows) {
    const auto& last = made.spec.layers.back();
    CodeRows in = rows;
    for (std::size_t l = 0; l + 1 < made.spec.layers.size(); ++l) {
        in = codes_of(made.spec.layers[l], in);
    }
    std::vector<double> theirs(last.out);
    std::vector<double> ours(last.out);
    std::size_t changed = 0;
    for (std::size_t r = 0; r < rows.rows(); ++r) {
        float_logits(network, rows.codes.data() + r * rows.columns, theirs.data());
        for (std::size_t j = 0; j < last.out; ++j) {
            std::int32_t sum = last.bias[j];
            for (std::size_t k = 0; k < last.in; ++k) {
                sum += in.codes[r * last.in + k] * last.weights[j * last.in + k];
            }
            const std::int32_t v = std::clamp(sum >> last.shift, -32768, 32767);
            ours[j] = (v * last.multiplier[j] + (1 << 14)) >> 15;
        }
        changed += std::max_element(theirs.begin(), theirs.end()) - theirs.begin() !=
                           std::max_element(ours.begin(), ours.end()) - ours.begin()
                       ? 1
                       : 0;
    }
    return static_cast<double>(changed) / static_cast<double>(rows.rows());
}

}  // namespace

Result<QuantizedMlp> quantize_calibrated(
    const FloatMlp& network, std::span<const std::uint8_t> codes, std::uint32_t most_pieces) {
    const CodeRows rows = spread_rows(codes, network.layers.front().in);
    auto best = quantize_in_pieces(network, rows, 1);
    if (!best) {
        return best;
    }
    double least = changed_share(network, *best, rows);
    for (std::uint32_t pieces = 2; pieces <= most_pieces && least > kChangedGoal; pieces *= 2) {
        auto finer = quantize_in_pieces(network, rows, pieces);
        if (!finer) {
            return finer;
        }
        const double share = changed_share(network, *finer, rows);
        if (share >= least) {
            break;
        }
        least = share;
        best = std::move(finer);
    }
    return best;
}

}  // namespace weir::lab
