// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/mlp/validate.h"

#include "kernels/classifier.h"
#include "kernels/onednn/onednn.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace weir::kernels {
namespace {

constexpr double kMaxActivation = 1e30;
constexpr float kMaxRawScale = 1 << 20;

// With every bound at its end an int8 accumulator stays below 2^28.
static_assert((std::int64_t{1} << 24) + std::int64_t{kOnednnMaxWidth} * 255 * 127 < 1LL << 28);

tl::unexpected<Error> fail_at(
    std::size_t layer, const std::string& field, std::string what, std::string fix) {
    return fail(
        "",
        "onednn.layers[" + std::to_string(layer) + "]." + field,
        std::move(what),
        std::move(fix));
}

Result<void> check_width(
    std::size_t layer, const char* field, std::uint32_t width, std::uint32_t most) {
    if (width >= 1 && width <= most) {
        return {};
    }
    return fail_at(
        layer,
        field,
        "width " + std::to_string(width) + " is out of range",
        "use 1 to " + std::to_string(most));
}

Result<void> check_floats(
    std::size_t layer, const char* field, const std::vector<float>& values, std::size_t want) {
    if (values.size() != want) {
        return fail_at(
            layer,
            field,
            "holds " + std::to_string(values.size()) + " values where the layer's shape needs " +
                std::to_string(want),
            "give as many as the shape says");
    }
    const auto bad =
        std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
    if (bad != values.end()) {
        return fail_at(
            layer,
            std::string(field) + "[" + std::to_string(bad - values.begin()) + "]",
            "is not a finite number",
            "retrain, or clip the weights");
    }
    return {};
}

// The largest activation that `layer` can give where its inputs are at most `input`.
double largest_output(const OnednnF32Layer& layer, double input) {
    double largest = 0;
    for (std::uint32_t j = 0; j < layer.out; ++j) {
        double sum = std::abs(layer.bias[j]);
        for (std::uint32_t k = 0; k < layer.in; ++k) {
            sum += std::abs(layer.weights[std::size_t{j} * layer.in + k]) * input;
        }
        largest = std::max(largest, sum);
    }
    return largest;
}

Result<void> check_f32_layer(const OnednnF32& net, std::size_t i) {
    const OnednnF32Layer& layer = net.layers[i];
    const bool last = i + 1 == net.layers.size();
    return check_width(i, "in", layer.in, i == 0 ? kMaxInputs : kOnednnMaxWidth)
        .and_then(
            [&] { return check_width(i, "out", layer.out, last ? kMaxOutputs : kOnednnMaxWidth); })
        .and_then([&]() -> Result<void> {
            if (i > 0 && layer.in != net.layers[i - 1].out) {
                return fail_at(
                    i,
                    "in",
                    "is " + std::to_string(layer.in) + ", but the layer before gives " +
                        std::to_string(net.layers[i - 1].out),
                    "make each layer's in equal the out of the layer before");
            }
            return {};
        })
        .and_then([&] {
            return check_floats(i, "weights", layer.weights, std::size_t{layer.in} * layer.out);
        })
        .and_then([&] { return check_floats(i, "bias", layer.bias, layer.out); });
}

Result<void> check_f32(const OnednnF32& net) {
    if (net.layers.empty() || net.layers.size() > kOnednnMaxLayers) {
        return fail(
            "",
            "onednn.layers",
            "has " + std::to_string(net.layers.size()) + " layers",
            "use 1 to " + std::to_string(kOnednnMaxLayers));
    }
    if (!(net.raw_scale >= 1 / kMaxRawScale && net.raw_scale <= kMaxRawScale)) {
        return fail("", "onednn.raw_scale", "is out of range", "use 2^-20 to 2^20");
    }
    double largest = 255;
    for (std::size_t i = 0; i < net.layers.size(); ++i) {
        if (auto checked = check_f32_layer(net, i); !checked) {
            return checked;
        }
        largest = largest_output(net.layers[i], largest);
        if (largest > kMaxActivation) {
            return fail_at(
                i, "weights", "let activations exceed 10^30", "scale the layer's weights down");
        }
    }
    return {};
}

}  // namespace

std::uint32_t OnednnSpec::inputs() const noexcept {
    if (const auto* int8 = std::get_if<OnednnInt8>(&network)) {
        return int8->layers.empty() ? 0 : int8->layers.front().in;
    }
    const auto* f32 = std::get_if<OnednnF32>(&network);
    return f32 == nullptr || f32->layers.empty() ? 0 : f32->layers.front().in;
}

std::uint32_t OnednnSpec::outputs() const noexcept {
    if (const auto* int8 = std::get_if<OnednnInt8>(&network)) {
        return int8->layers.empty() ? 0 : int8->layers.back().out;
    }
    const auto* f32 = std::get_if<OnednnF32>(&network);
    return f32 == nullptr || f32->layers.empty() ? 0 : f32->layers.back().out;
}

Result<void> validate(const OnednnSpec& spec) {
    if (const auto* f32 = std::get_if<OnednnF32>(&spec.network)) {
        return check_f32(*f32);
    }
    const auto& int8 = std::get<OnednnInt8>(spec.network);
    return validate_layers(
        "onednn.layers", int8.layers, {kOnednnMaxLayers, kMaxInputs, kOnednnMaxWidth, kMaxOutputs});
}

}  // namespace weir::kernels
