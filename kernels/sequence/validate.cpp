// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/mlp/validate.h"

#include "kernels/classifier.h"
#include "kernels/sequence/sequence.h"

#include <string>

namespace weir::kernels {
namespace {

static_assert(kSequenceChannels * kSequenceMaxSteps - 1 <= kMaxInputs);
// The widest patch is narrower than the widest flattened row, whose sums stay below 2^25 with every bound at its end.
constexpr std::uint32_t kWidest = kSequenceMaxSteps * kSequenceMaxChannels;
static_assert(kSequenceMaxKernel * kSequenceMaxChannels <= kWidest && kWidest <= kMaxLayerIn);
static_assert((1LL << 24) + std::int64_t{kWidest} * 255 * 127 < (1LL << 25));

tl::unexpected<Error> out_of_range(std::string path, std::uint32_t value, std::string fix) {
    return fail("", std::move(path), std::to_string(value) + " is out of range", std::move(fix));
}

Result<void> check_range(
    const std::string& path, std::uint32_t value, std::uint32_t least, std::uint32_t most) {
    if (value >= least && value <= most) {
        return {};
    }
    return out_of_range(
        path, value, "use " + std::to_string(least) + " to " + std::to_string(most));
}

Result<void> check_kernel(const std::string& path, const Convolution& layer) {
    if (layer.kernel != 1 && layer.kernel != 3 && layer.kernel != 5) {
        return out_of_range(path + ".kernel", layer.kernel, "use 1, 3 or 5");
    }
    return check_range(path + ".stride", layer.stride, 1, kSequenceMaxStride)
        .and_then(
            [&] { return check_range(path + ".padding", layer.padding, 0, layer.kernel / 2); })
        .and_then([&] { return check_range(path + ".pool", layer.pool, 1, kSequenceMaxPool); });
}

Result<void> check_channels(const std::string& path, const Convolution& layer, std::uint32_t in) {
    if (layer.in != in) {
        return fail(
            "",
            path + ".in",
            "is " + std::to_string(layer.in) + ", but it is given " + std::to_string(in) +
                " channels",
            "use 2 in the first convolution, then the out of the one before");
    }
    return check_range(path + ".out", layer.out, 1, kSequenceMaxChannels);
}

// Values and counts are those of the dense layer that it is for one position.
Result<void> check_weights(const std::string& path, const Convolution& layer) {
    const MlpLayer dense{
        layer.kernel * layer.in,
        layer.out,
        layer.weights,
        layer.bias,
        layer.shift,
        layer.multiplier};
    return validate_layer(
        path, dense, kSequenceMaxKernel * kSequenceMaxChannels, kSequenceMaxChannels);
}

Result<void> check_positions(
    const std::string& path, const Convolution& layer, std::uint32_t given) {
    if (layer.pooled(given) >= 1) {
        return {};
    }
    const bool pool = layer.convolved(given) >= 1;
    return fail(
        "",
        path + (pool ? ".pool" : ".kernel"),
        "leaves nothing of " + std::to_string(pool ? layer.convolved(given) : given) + " positions",
        "use fewer or smaller steps, or more padding");
}

Result<void> check_dense(const SequenceSpec& spec, std::uint32_t positions) {
    const bool flatten = spec.pooling == SequencePooling::flatten;
    const std::uint32_t flat = spec.convolutions.back().out * (flatten ? positions : 1);
    const LayerLimits limits{kSequenceMaxDense, kWidest, kSequenceMaxDenseWidth, kMaxOutputs};
    return validate_layers("sequence.dense", spec.dense, limits).and_then([&]() -> Result<void> {
        if (spec.dense.front().in == flat) {
            return {};
        }
        return fail(
            "",
            "sequence.dense[0].in",
            "is " + std::to_string(spec.dense.front().in) + ", but the convolutions give " +
                std::to_string(flat),
            flatten ? "use positions x channels" : "use the channels of the last convolution");
    });
}

}  // namespace

Result<void> validate(const SequenceSpec& spec) {
    if (auto checked = check_range("sequence.steps", spec.steps, 1, kSequenceMaxSteps); !checked) {
        return checked;
    }
    if (spec.convolutions.empty() || spec.convolutions.size() > kSequenceMaxConvolutions) {
        return fail(
            "",
            "sequence.convolutions",
            "has " + std::to_string(spec.convolutions.size()) + " layers",
            "use 1 to " + std::to_string(kSequenceMaxConvolutions));
    }
    std::uint32_t positions = spec.steps;
    std::uint32_t channels = kSequenceChannels;
    for (std::size_t i = 0; i < spec.convolutions.size(); ++i) {
        const Convolution& layer = spec.convolutions[i];
        const std::string path = "sequence.convolutions[" + std::to_string(i) + "]";
        auto checked = check_channels(path, layer, channels)
                           .and_then([&] { return check_kernel(path, layer); })
                           .and_then([&] { return check_weights(path, layer); })
                           .and_then([&] { return check_positions(path, layer, positions); });
        if (!checked) {
            return checked;
        }
        positions = layer.pooled(positions);
        channels = layer.out;
    }
    if (spec.pooling > SequencePooling::average) {
        return fail(
            "",
            "sequence.pooling",
            "unknown kind " + std::to_string(static_cast<int>(spec.pooling)),
            "use flatten, max or average");
    }
    return check_dense(spec, positions);
}

}  // namespace weir::kernels
