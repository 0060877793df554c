// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/mlp/validate.h"

#include "kernels/classifier.h"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace weir::kernels {
namespace {

constexpr std::int64_t kMaxAbsBias = std::int64_t{1} << 24;
constexpr std::uint32_t kMaxShift = 16;
constexpr int kMaxAbsWeight = 127;
constexpr int kMaxCode = 255;

static_assert(kMaxAbsBias + std::int64_t{kMaxLayerIn} * kMaxCode * kMaxAbsWeight < (1LL << 31));
// An MLP's stay below 2^25.
static_assert(kMaxAbsBias + std::int64_t{kMlpMaxWidth} * kMaxCode * kMaxAbsWeight < (1LL << 25));

tl::unexpected<Error> fail_layer(
    const std::string& path, const std::string& field, std::string what, std::string fix) {
    return fail("", path + "." + field, std::move(what), std::move(fix));
}

Result<void> check_count(
    const std::string& path,
    const char* field,
    std::size_t have,
    std::size_t want,
    const char* shape) {
    if (have == want) {
        return {};
    }
    return fail_layer(
        path,
        field,
        "holds " + std::to_string(have) + " values where the layer's shape needs " +
            std::to_string(want),
        std::string("give ") + shape + " values");
}

Result<void> check_width(
    const std::string& path, const char* field, std::uint32_t width, std::uint32_t most) {
    if (width >= 1 && width <= most) {
        return {};
    }
    return fail_layer(
        path,
        field,
        "width " + std::to_string(width) + " is out of range",
        "use 1 to " + std::to_string(most));
}

Result<void> check_values(const std::string& path, const MlpLayer& layer) {
    const auto at = [](const char* field, auto begin, auto found) {
        return std::string(field) + "[" + std::to_string(found - begin) + "]";
    };
    const auto weight = std::find(layer.weights.begin(), layer.weights.end(), std::int8_t{-128});
    if (weight != layer.weights.end()) {
        return fail_layer(
            path, at("weights", layer.weights.begin(), weight), "is -128", "use -127 to 127");
    }
    const auto bias = std::find_if(layer.bias.begin(), layer.bias.end(), [](std::int64_t b) {
        return b > kMaxAbsBias || b < -kMaxAbsBias;
    });
    if (bias != layer.bias.end()) {
        return fail_layer(
            path,
            at("bias", layer.bias.begin(), bias),
            std::to_string(*bias) + " is out of range",
            "use -2^24 to 2^24");
    }
    if (layer.shift > kMaxShift) {
        return fail_layer(
            path, "shift", std::to_string(layer.shift) + " is out of range", "use 0 to 16");
    }
    const auto multiplier =
        std::find_if(layer.multiplier.begin(), layer.multiplier.end(), [](int m) { return m < 0; });
    if (multiplier != layer.multiplier.end()) {
        return fail_layer(
            path,
            at("multiplier", layer.multiplier.begin(), multiplier),
            std::to_string(*multiplier) + " is negative",
            "use 0 to 32767");
    }
    return {};
}

}  // namespace

Result<void> validate_layer(
    const std::string& path, const MlpLayer& layer, std::uint32_t max_in, std::uint32_t max_out) {
    const std::size_t weights = std::size_t{layer.in} * layer.out;
    return check_width(path, "in", layer.in, max_in)
        .and_then([&] { return check_width(path, "out", layer.out, max_out); })
        .and_then(
            [&] { return check_count(path, "weights", layer.weights.size(), weights, "out x in"); })
        .and_then([&] { return check_count(path, "bias", layer.bias.size(), layer.out, "out"); })
        .and_then([&] {
            return check_count(path, "multiplier", layer.multiplier.size(), layer.out, "out");
        })
        .and_then([&] { return check_values(path, layer); });
}

Result<void> validate_layers(
    const std::string& path, std::span<const MlpLayer> layers, const LayerLimits& limits) {
    if (layers.empty() || layers.size() > limits.layers) {
        return fail(
            "",
            path,
            "has " + std::to_string(layers.size()) + " layers",
            "use 1 to " + std::to_string(limits.layers));
    }
    for (std::size_t i = 0; i < layers.size(); ++i) {
        const std::string at = path + "[" + std::to_string(i) + "]";
        const bool last = i + 1 == layers.size();
        const std::uint32_t in = i == 0 ? limits.in : limits.width;
        if (auto checked = validate_layer(at, layers[i], in, last ? limits.out : limits.width);
            !checked) {
            return checked;
        }
        if (i > 0 && layers[i].in != layers[i - 1].out) {
            return fail_layer(
                at,
                "in",
                "is " + std::to_string(layers[i].in) + ", but the layer before gives " +
                    std::to_string(layers[i - 1].out),
                "make each layer's in equal the out of the layer before");
        }
    }
    return {};
}

Result<void> validate(const MlpSpec& spec) {
    return validate_layers(
        "mlp.layers", spec.layers, {kMlpMaxLayers, kMlpMaxWidth, kMlpMaxWidth, kMaxOutputs});
}

}  // namespace weir::kernels
