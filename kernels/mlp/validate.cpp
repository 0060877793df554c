// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/classifier.h"
#include "kernels/mlp/mlp.h"

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
    std::size_t layer, const std::string& field, std::string what, std::string fix) {
    std::string path = "mlp.layers[" + std::to_string(layer) + "]";
    if (!field.empty()) {
        path += "." + field;
    }
    return fail("", std::move(path), std::move(what), std::move(fix));
}

Result<void> check_count(
    std::size_t layer, const char* field, std::size_t have, std::size_t want, const char* shape) {
    if (have == want) {
        return {};
    }
    return fail_layer(
        layer,
        field,
        "holds " + std::to_string(have) + " values where the layer's shape needs " +
            std::to_string(want),
        std::string("give ") + shape + " values");
}

Result<void> check_width(std::size_t layer, const char* field, std::uint32_t width) {
    if (width >= 1 && width <= kMlpMaxWidth) {
        return {};
    }
    return fail_layer(
        layer,
        field,
        "width " + std::to_string(width) + " is out of range",
        "use 1 to " + std::to_string(kMlpMaxWidth));
}

Result<void> check_values(std::size_t index, const MlpLayer& layer) {
    const auto at = [](const char* field, auto begin, auto found) {
        return std::string(field) + "[" + std::to_string(found - begin) + "]";
    };
    const auto weight = std::find(layer.weights.begin(), layer.weights.end(), std::int8_t{-128});
    if (weight != layer.weights.end()) {
        return fail_layer(
            index, at("weights", layer.weights.begin(), weight), "is -128", "use -127 to 127");
    }
    const auto bias = std::find_if(layer.bias.begin(), layer.bias.end(), [](std::int64_t b) {
        return b > kMaxAbsBias || b < -kMaxAbsBias;
    });
    if (bias != layer.bias.end()) {
        return fail_layer(
            index,
            at("bias", layer.bias.begin(), bias),
            std::to_string(*bias) + " is out of range",
            "use -2^24 to 2^24");
    }
    if (layer.shift > kMaxShift) {
        return fail_layer(
            index, "shift", std::to_string(layer.shift) + " is out of range", "use 0 to 16");
    }
    const auto multiplier =
        std::find_if(layer.multiplier.begin(), layer.multiplier.end(), [](int m) { return m < 0; });
    if (multiplier != layer.multiplier.end()) {
        return fail_layer(
            index,
            at("multiplier", layer.multiplier.begin(), multiplier),
            std::to_string(*multiplier) + " is negative",
            "use 0 to 32767");
    }
    return {};
}

Result<void> check_layer(std::size_t index, const MlpLayer& layer) {
    const std::size_t weights = std::size_t{layer.in} * layer.out;
    return check_width(index, "in", layer.in)
        .and_then([&] { return check_width(index, "out", layer.out); })
        .and_then([&] {
            return check_count(index, "weights", layer.weights.size(), weights, "out x in");
        })
        .and_then([&] { return check_count(index, "bias", layer.bias.size(), layer.out, "out"); })
        .and_then([&] {
            return check_count(index, "multiplier", layer.multiplier.size(), layer.out, "out");
        })
        .and_then([&] { return check_values(index, layer); });
}

}  // namespace

Result<void> validate(const MlpSpec& spec) {
    if (spec.layers.empty() || spec.layers.size() > kMlpMaxLayers) {
        return fail(
            "",
            "mlp.layers",
            "has " + std::to_string(spec.layers.size()) + " layers",
            "use 1 to " + std::to_string(kMlpMaxLayers));
    }
    for (std::size_t i = 0; i < spec.layers.size(); ++i) {
        if (auto checked = check_layer(i, spec.layers[i]); !checked) {
            return checked;
        }
        if (i > 0 && spec.layers[i].in != spec.layers[i - 1].out) {
            return fail_layer(
                i,
                "in",
                "is " + std::to_string(spec.layers[i].in) + ", but the layer before gives " +
                    std::to_string(spec.layers[i - 1].out),
                "make each layer's in equal the out of the layer before");
        }
    }
    if (spec.outputs() > kMaxOutputs) {
        return fail_layer(
            spec.layers.size() - 1,
            "out",
            "gives " + std::to_string(spec.outputs()) + " raw outputs",
            "use 1 to " + std::to_string(kMaxOutputs) + " in the last layer");
    }
    return {};
}

}  // namespace weir::kernels
