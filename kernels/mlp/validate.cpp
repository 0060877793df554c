// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/classifier.h"
#include "kernels/mlp/check_layers.h"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace weir::kernels {
namespace {

constexpr std::int64_t kMaxAbsBias = std::int64_t{1} << 24;
constexpr std::uint32_t kMaxShift = 16;
constexpr int kMaxAbsWeight = 127;
constexpr int kMaxCode = 255;

// With every bound at its end an accumulator stays below 2^25, far from s32's ends.
static_assert(kMaxAbsBias + std::int64_t{kMlpMaxWidth} * kMaxCode * kMaxAbsWeight < (1LL << 25));

tl::unexpected<Error> fail_layer(
    const LayerLimits& limits,
    std::size_t layer,
    const std::string& field,
    std::string what,
    std::string fix) {
    std::string path = std::string(limits.family) + ".layers[" + std::to_string(layer) + "]";
    if (!field.empty()) {
        path += "." + field;
    }
    return fail("", std::move(path), std::move(what), std::move(fix));
}

Result<void> check_count(
    const LayerLimits& limits,
    std::size_t layer,
    const char* field,
    std::size_t have,
    std::size_t want,
    const char* shape) {
    if (have == want) {
        return {};
    }
    return fail_layer(
        limits,
        layer,
        field,
        "holds " + std::to_string(have) + " values where the layer's shape needs " +
            std::to_string(want),
        std::string("give ") + shape + " values");
}

Result<void> check_width(
    const LayerLimits& limits, std::size_t layer, const char* field, std::uint32_t width) {
    if (width >= 1 && width <= limits.width) {
        return {};
    }
    return fail_layer(
        limits,
        layer,
        field,
        "width " + std::to_string(width) + " is out of range",
        "use 1 to " + std::to_string(limits.width));
}

Result<void> check_values(const LayerLimits& limits, std::size_t index, const MlpLayer& layer) {
    const auto at = [](const char* field, auto begin, auto found) {
        return std::string(field) + "[" + std::to_string(found - begin) + "]";
    };
    const auto weight = std::find(layer.weights.begin(), layer.weights.end(), std::int8_t{-128});
    if (weight != layer.weights.end()) {
        return fail_layer(
            limits,
            index,
            at("weights", layer.weights.begin(), weight),
            "is -128",
            "use -127 to 127");
    }
    const auto bias = std::find_if(layer.bias.begin(), layer.bias.end(), [](std::int64_t b) {
        return b > kMaxAbsBias || b < -kMaxAbsBias;
    });
    if (bias != layer.bias.end()) {
        return fail_layer(
            limits,
            index,
            at("bias", layer.bias.begin(), bias),
            std::to_string(*bias) + " is out of range",
            "use -2^24 to 2^24");
    }
    if (layer.shift > kMaxShift) {
        return fail_layer(
            limits,
            index,
            "shift",
            std::to_string(layer.shift) + " is out of range",
            "use 0 to 16");
    }
    const auto multiplier =
        std::find_if(layer.multiplier.begin(), layer.multiplier.end(), [](int m) { return m < 0; });
    if (multiplier != layer.multiplier.end()) {
        return fail_layer(
            limits,
            index,
            at("multiplier", layer.multiplier.begin(), multiplier),
            std::to_string(*multiplier) + " is negative",
            "use 0 to 32767");
    }
    return {};
}

Result<void> check_layer(const LayerLimits& limits, std::size_t index, const MlpLayer& layer) {
    const std::size_t weights = std::size_t{layer.in} * layer.out;
    return check_width(limits, index, "in", layer.in)
        .and_then([&] { return check_width(limits, index, "out", layer.out); })
        .and_then([&] {
            return check_count(limits, index, "weights", layer.weights.size(), weights, "out x in");
        })
        .and_then(
            [&] { return check_count(limits, index, "bias", layer.bias.size(), layer.out, "out"); })
        .and_then([&] {
            return check_count(
                limits, index, "multiplier", layer.multiplier.size(), layer.out, "out");
        })
        .and_then([&] { return check_values(limits, index, layer); });
}

}  // namespace

Result<void> check_layers(const std::vector<MlpLayer>& layers, const LayerLimits& limits) {
    if (layers.empty() || layers.size() > limits.layers) {
        return fail(
            "",
            std::string(limits.family) + ".layers",
            "has " + std::to_string(layers.size()) + " layers",
            "use 1 to " + std::to_string(limits.layers));
    }
    for (std::size_t i = 0; i < layers.size(); ++i) {
        if (auto checked = check_layer(limits, i, layers[i]); !checked) {
            return checked;
        }
        if (i > 0 && layers[i].in != layers[i - 1].out) {
            return fail_layer(
                limits,
                i,
                "in",
                "is " + std::to_string(layers[i].in) + ", but the layer before gives " +
                    std::to_string(layers[i - 1].out),
                "make each layer's in equal the out of the layer before");
        }
    }
    if (layers.front().in > kMaxInputs) {
        return fail_layer(
            limits,
            0,
            "in",
            "takes " + std::to_string(layers.front().in) + " inputs",
            "use 1 to " + std::to_string(kMaxInputs) + " in the first layer");
    }
    if (layers.back().out > kMaxOutputs) {
        return fail_layer(
            limits,
            layers.size() - 1,
            "out",
            "gives " + std::to_string(layers.back().out) + " raw outputs",
            "use 1 to " + std::to_string(kMaxOutputs) + " in the last layer");
    }
    return {};
}

Result<void> validate(const MlpSpec& spec) {
    return check_layers(spec.layers, {"mlp", kMlpMaxLayers, kMlpMaxWidth});
}

}  // namespace weir::kernels
