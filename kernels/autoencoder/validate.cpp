// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/mlp/validate.h"

#include "kernels/autoencoder/autoencoder.h"

#include <limits>
#include <numeric>
#include <string>

namespace weir::kernels {
namespace {

constexpr std::uint64_t kMaxSquare = 255 * 255;
constexpr std::uint64_t kMaxWeight = std::numeric_limits<std::uint16_t>::max();
constexpr std::uint64_t kMaxError = std::numeric_limits<std::int32_t>::max();
constexpr std::uint32_t kMaxShift = 24;

static_assert(kMaxSquare * kMaxWeight < (1ULL << 32));
static_assert(kMlpMaxWidth * kMaxSquare * kMaxWeight < (1ULL << 40));

Result<void> check_error(const AutoencoderSpec& spec) {
    if (spec.weights.size() != spec.inputs()) {
        return fail(
            "",
            "autoencoder.weights",
            "holds " + std::to_string(spec.weights.size()) + " values where the layers take " +
                std::to_string(spec.inputs()) + " inputs",
            "give one value an input");
    }
    if (spec.shift > kMaxShift) {
        return fail(
            "",
            "autoencoder.shift",
            std::to_string(spec.shift) + " is out of range",
            "use 0 to " + std::to_string(kMaxShift));
    }
    const std::uint64_t largest =
        kMaxSquare * std::accumulate(spec.weights.begin(), spec.weights.end(), std::uint64_t{0});
    if (largest >> spec.shift > kMaxError) {
        return fail(
            "",
            "autoencoder.shift",
            "leaves errors up to " + std::to_string(largest >> spec.shift) + ", beyond 2^31 - 1",
            "use a larger shift, or smaller weights");
    }
    if (spec.offset < 0) {
        return fail(
            "",
            "autoencoder.offset",
            std::to_string(spec.offset) + " is negative",
            "use 0 to 2^31 - 1");
    }
    return {};
}

}  // namespace

Result<void> validate(const AutoencoderSpec& spec) {
    constexpr LayerLimits kLimits{kMlpMaxLayers, kMlpMaxWidth, kMlpMaxWidth, kMlpMaxWidth};
    if (auto checked = validate_layers("autoencoder.layers", spec.layers, kLimits); !checked) {
        return checked;
    }
    if (spec.layers.back().out != spec.inputs()) {
        return fail(
            "",
            "autoencoder.layers[" + std::to_string(spec.layers.size() - 1) + "].out",
            "is " + std::to_string(spec.layers.back().out) + ", but the first layer takes " +
                std::to_string(spec.inputs()) + " inputs",
            "make the last layer as wide as the input");
    }
    return check_error(spec);
}

}  // namespace weir::kernels
