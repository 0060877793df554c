// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/quantize_mlp.h"

#include "control/lab/quantize_calibrated.h"
#include "control/lab/quantize_ramps.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

namespace weir::lab {
namespace {

constexpr double kCodes = 255.0;
constexpr double kWeights = 127.0;
constexpr double kMultiplier = 32767.0;
constexpr double kQ15 = 32768.0;
constexpr double kBias = 1 << 23;  ///< half of what the kernel takes: the rounding comes on top
constexpr int kMaxShift = 16;
constexpr double kEvenness = 64.0;  ///< finest neuron's scale at least this part of the coarsest's

void forward(const FloatLayer& layer, const std::vector<double>& x, std::vector<double>& y) {
    y.assign(layer.out, 0.0);
    for (std::size_t j = 0; j < layer.out; ++j) {
        double sum = layer.bias[j];
        for (std::size_t k = 0; k < layer.in; ++k) {
            sum += layer.weights[j * layer.in + k] * x[k];
        }
        y[j] = sum;
    }
}

// One layer in the making.
struct Maker {
    const FloatLayer& layer;
    double in_scale;               ///< of one code of its inputs
    std::vector<double> in_error;  ///< of each input, in the network's units
    kernels::MlpLayer made{};
    std::vector<double> unit{};   ///< of one accumulator step, by neuron
    std::vector<double> error{};  ///< of each neuron before its output is rounded

    // Weights and biases; `unit` must be set.
    void round_weights();
    // Picks the scales of the neurons.
    void scale_neurons();
    // Largest |accumulator| of any row of codes.
    // Sets shift's rounding into the bias and the multipliers for outputs of `out_scale`.
    void finish(int shift, double out_scale);
};

void Maker::scale_neurons() {
    unit.assign(layer.out, 0.0);
    for (std::size_t j = 0; j < layer.out; ++j) {
        double largest = std::abs(layer.bias[j]) / in_scale / kBias * kWeights;
        for (std::size_t k = 0; k < layer.in; ++k) {
            largest = std::max(largest, std::abs(layer.weights[j * layer.in + k]));
        }
        unit[j] = in_scale * largest / kWeights;
    }
    const double coarsest = *std::max_element(unit.begin(), unit.end());
    for (double& u : unit) {
        u = std::max(u, coarsest / kEvenness);
    }
}

void Maker::round_weights() {
    made.in = layer.in;
    made.out = layer.out;
    made.weights.resize(layer.weights.size());
    made.bias.resize(layer.out);
    error.assign(layer.out, 0.0);
    for (std::size_t j = 0; j < layer.out; ++j) {
        const double step = unit[j] > 0.0 ? unit[j] / in_scale : 1.0;
        for (std::size_t k = 0; k < layer.in; ++k) {
            const double w = layer.weights[j * layer.in + k];
            const double q = std::clamp(std::nearbyint(w / step), -kWeights, kWeights);
            made.weights[j * layer.in + k] = static_cast<std::int8_t>(q);
            error[j] += std::abs(w - q * step) * kCodes * in_scale + std::abs(w) * in_error[k];
        }
        made.bias[j] =
            unit[j] > 0.0 ? static_cast<std::int32_t>(std::nearbyint(layer.bias[j] / unit[j])) : 0;
        error[j] += 0.5 * unit[j];
    }
}

void Maker::finish(int shift, double out_scale) {
    made.shift = static_cast<std::uint8_t>(shift);
    for (std::size_t j = 0; j < layer.out; ++j) {
        const double multiplier = unit[j] / out_scale * kQ15 * std::exp2(shift);
        made.multiplier.push_back(
            static_cast<std::int16_t>(std::min(std::nearbyint(multiplier), kMultiplier)));
        made.bias[j] += shift > 0 ? 1 << (shift - 1) : 0;  // the shift rounds down
        error[j] += 0.5 * unit[j] * std::exp2(shift);
    }
}

// A hidden layer: its outputs are codes of `out_scale` each, which may come out larger than asked for.
void make_hidden(Maker& maker, double& out_scale) {
    const double coarsest = *std::max_element(maker.unit.begin(), maker.unit.end());
    out_scale = std::max({out_scale, coarsest, 1e-30});
    const double room = coarsest > 0.0 ? kMultiplier / (coarsest / out_scale * kQ15) : 1.0;
    const int shift = std::clamp(static_cast<int>(std::floor(std::log2(room))), 0, kMaxShift);
    maker.finish(shift, out_scale);
    for (std::size_t j = 0; j < maker.error.size(); ++j) {
        const double multiplier = std::max<double>(maker.made.multiplier[j], 1.0);
        maker.error[j] += out_scale * (0.5 + kCodes * 0.5 / multiplier);
    }
}

// The last layer: raw outputs in 16 bits whatever the row, a whole head scale. Returns the error of the worst logit.
Result<double> make_last(Maker& maker, std::int32_t& scale_q16, double& logit_per_raw) {
    const double rows = largest_accumulator(maker.made);
    int shift = 0;
    while (shift < kMaxShift && rows / std::exp2(shift) > kMultiplier - 1.0) {
        ++shift;
    }
    const double coarsest = *std::max_element(maker.unit.begin(), maker.unit.end());
    // A raw unit is one step of the head's scale, or as many as needed.
    const double step = 1.0 / (std::numbers::log2e * 65536.0);
    const double smallest = coarsest * std::exp2(shift) * kQ15 / kMultiplier;
    const double scale = std::max(1.0, std::ceil(smallest / step));
    if (!(scale <= 1 << 24)) {
        return fail(
            "quantize", "layers", "the logits are not finite or too large", "scale the inputs");
    }
    scale_q16 = static_cast<std::int32_t>(scale);
    logit_per_raw = scale * step;
    maker.finish(shift, logit_per_raw);
    double worst = 0.0;
    for (const double error : maker.error) {
        worst = std::max(worst, error + logit_per_raw);  // multiplier and result: half a unit each
    }
    return worst;
}

// The errors of a layer's inputs.
std::vector<double> spread(const std::vector<double>& error, std::uint32_t in) {
    return error.size() == in
               ? error
               : std::vector<double>(in, *std::max_element(error.begin(), error.end()));
}

Result<void> check_finite(const FloatMlp& network) {
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
        const FloatLayer& layer = network.layers[l];
        const auto small = [](double v) { return std::abs(v) <= 1e12; };  // false for NaN
        if (!std::all_of(layer.weights.begin(), layer.weights.end(), small) ||
            !std::all_of(layer.bias.begin(), layer.bias.end(), small)) {
            return fail(
                "quantize",
                "layers[" + std::to_string(l) + "]",
                "has weights that are not finite or beyond 1e12",
                "scale the inputs");
        }
    }
    return {};
}

}  // namespace

double largest_accumulator(const kernels::MlpLayer& layer) {
    double largest = 1.0;
    for (std::size_t j = 0; j < layer.out; ++j) {
        double high = layer.bias[j];
        double low = layer.bias[j];
        for (std::size_t k = 0; k < layer.in; ++k) {
            const double w = layer.weights[j * layer.in + k];
            (w > 0.0 ? high : low) += w * kCodes;
        }
        largest = std::max({largest, std::abs(high), std::abs(low)});
    }
    return largest;
}

void float_logits(const FloatMlp& network, const std::uint8_t* codes, double* logits) {
    float_logits(network, std::vector<double>(codes, codes + network.layers.front().in), logits);
}

void float_logits(const FloatMlp& network, std::vector<double> x, double* logits) {
    std::vector<double> y;
    for (const FloatLayer& layer : network.layers) {
        forward(layer, x, y);
        if (&layer != &network.layers.back()) {
            for (double& v : y) {
                v = activation(layer, v);
            }
        }
        x.swap(y);
    }
    std::copy(x.begin(), x.end(), logits);
}

kernels::MlpLayer LayerQuantizer::hidden(const FloatLayer& layer, double out_scale) {
    Maker maker{layer, scale_, spread(error_, layer.in)};
    maker.scale_neurons();
    maker.round_weights();
    scale_ = out_scale;
    make_hidden(maker, scale_);
    error_ = std::move(maker.error);
    return std::move(maker.made);
}

Result<kernels::MlpLayer> LayerQuantizer::last(const FloatLayer& layer) {
    Maker maker{layer, scale_, spread(error_, layer.in)};
    maker.scale_neurons();
    maker.round_weights();
    const auto worst = make_last(maker, scale_q16_, logit_per_raw_);
    if (!worst) {
        return tl::unexpected(worst.error());
    }
    logit_error_ = *worst;
    return std::move(maker.made);
}

Result<QuantizedMlp> quantize(
    const FloatMlp& network, std::span<const std::uint8_t> codes, std::uint32_t most_pieces) {
    if (auto ok = check_finite(network); !ok) {
        return tl::unexpected(ok.error());
    }
    if (!codes.empty()) {
        auto calibrated = quantize_calibrated(network, codes, most_pieces);
        if (calibrated) {
            if (auto ok = kernels::validate(calibrated->spec); !ok) {
                return tl::unexpected(ok.error());
            }
        }
        return calibrated;
    }
    QuantizedMlp out;
    LayerQuantizer quantizer(network.layers.front().in);
    for (std::size_t l = 0; l + 1 < network.layers.size(); ++l) {
        out.spec.layers.push_back(quantizer.hidden(network.layers[l], network.layers[l].out_scale));
    }
    auto last = quantizer.last(network.layers.back());
    if (!last) {
        return tl::unexpected(last.error());
    }
    out.spec.layers.push_back(std::move(*last));
    out.scale_q16 = quantizer.scale_q16();
    out.logit_per_raw = quantizer.logit_per_raw();
    out.logit_error = quantizer.logit_error();
    if (auto ok = kernels::validate(out.spec); !ok) {
        return tl::unexpected(ok.error());
    }
    return out;
}

}  // namespace weir::lab
