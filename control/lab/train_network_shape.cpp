// SPDX-License-Identifier: BSD-3-Clause
// Shapes of networks that the kernels run.
#include "control/lab/quantize_mlp.h"
#include "control/lab/train_network.h"
#include "kernels/mlp/mlp.h"

#include <algorithm>
#include <cmath>

namespace weir::lab {
namespace {

constexpr std::uint32_t kKernel = 3;
constexpr std::uint32_t kPool = 2;
constexpr double kLeastSpread = 4.0;

Result<void> add_dense(
    NetworkShape& shape, const std::vector<std::uint32_t>& widths, std::uint32_t in) {
    for (const std::uint32_t width : widths) {
        if (width == 0 || width > kernels::kMlpMaxWidth || in > kernels::kMlpMaxWidth) {
            return fail(
                "train",
                "--hidden",
                std::to_string(width == 0 || width > kernels::kMlpMaxWidth ? width : in) +
                    " is not a width of 1 to " + std::to_string(kernels::kMlpMaxWidth),
                "name smaller layers");
        }
        shape.layers.push_back({.channels = in, .out = width});
        in = width;
    }
    return {};
}

Result<void> few_layers(std::size_t layers, std::size_t most) {
    if (layers > most) {
        return fail(
            "train",
            "--hidden",
            std::to_string(layers) + " dense layers in all, of at most " + std::to_string(most),
            "name fewer hidden layers");
    }
    return {};
}

}  // namespace

Result<NetworkShape> mlp_shape(
    std::uint32_t inputs, std::uint32_t classes, const NetworkOptions& options) {
    NetworkShape shape;
    shape.inputs = inputs;
    auto widths = options.hidden.empty() ? std::vector<std::uint32_t>{48, 24} : options.hidden;
    widths.push_back(classes);
    auto ok = few_layers(widths.size(), kernels::kMlpMaxLayers);
    ok = ok ? add_dense(shape, widths, inputs) : ok;
    return ok ? Result<NetworkShape>(std::move(shape)) : tl::unexpected(ok.error());
}

Result<NetworkShape> autoencoder_shape(std::uint32_t inputs, const NetworkOptions& options) {
    NetworkShape shape;
    shape.inputs = inputs;
    shape.reconstructs = true;
    auto widths = options.hidden.empty() ? std::vector<std::uint32_t>{24, 8, 24} : options.hidden;
    widths.push_back(inputs);
    auto ok = few_layers(widths.size(), kernels::kMlpMaxLayers);
    ok = ok ? add_dense(shape, widths, inputs) : ok;
    return ok ? Result<NetworkShape>(std::move(shape)) : tl::unexpected(ok.error());
}

Result<NetworkShape> sequence_shape(
    std::uint32_t steps, std::uint32_t classes, const NetworkOptions& options) {
    NetworkShape shape;
    shape.steps = steps;
    shape.inputs = kernels::kSequenceChannels * steps - 1;
    shape.pooling = options.pooling;
    if (options.channels.empty() || options.channels.size() > kernels::kSequenceMaxConvolutions) {
        return fail("train", "--channels", "one to three convolutions may be", "name fewer");
    }
    std::uint32_t positions = steps;
    std::uint32_t channels = kernels::kSequenceChannels;
    for (const std::uint32_t out : options.channels) {
        if (out == 0 || out > kernels::kSequenceMaxChannels || positions < kPool) {
            return fail(
                "train",
                "--channels",
                std::to_string(out) + " channels on " + std::to_string(positions) +
                    " positions: 1 to " + std::to_string(kernels::kSequenceMaxChannels) +
                    " channels on 2 or more may be",
                "name smaller or fewer convolutions");
        }
        shape.layers.push_back({true, positions, channels, out, kKernel, 1, kKernel / 2, kPool});
        positions = shape.layers.back().pooled();
        channels = out;
    }
    const bool flat = options.pooling == kernels::SequencePooling::flatten;
    auto widths = options.hidden.empty() ? std::vector<std::uint32_t>{32} : options.hidden;
    widths.push_back(classes);
    auto ok = few_layers(widths.size(), kernels::kSequenceMaxDense);
    ok = ok ? add_dense(shape, widths, flat ? positions * channels : channels) : ok;
    return ok ? Result<NetworkShape>(std::move(shape)) : tl::unexpected(ok.error());
}

ColumnScale column_scale(const CodeMatrix& data) {
    ColumnScale out;
    for (std::uint32_t c = 0; c < data.columns; ++c) {
        double sum = 0.0;
        double squares = 0.0;
        double total = 0.0;
        for (std::uint32_t r = 0; r < data.rows(); ++r) {
            const double w = data.weights.empty() ? 1.0 : static_cast<double>(data.weights[r]);
            const double x = data.codes[std::size_t{r} * data.columns + c];
            sum += w * x;
            squares += w * x * x;
            total += w;
        }
        const double mean = total > 0.0 ? sum / total : 0.0;
        const double variance = total > 0.0 ? squares / total - mean * mean : 0.0;
        out.mean.push_back(static_cast<float>(std::nearbyint(mean)));
        out.spread.push_back(
            static_cast<float>(std::max(kLeastSpread, std::sqrt(std::max(0.0, variance)))));
    }
    return out;
}

Result<kernels::SequenceSpec> quantize_sequence(
    const NetworkShape& shape,
    const NetworkSnapshot& snapshot,
    std::int32_t& scale_q16,
    double& logit_per_raw) {
    kernels::SequenceSpec spec;
    spec.steps = shape.steps;
    spec.pooling = shape.pooling;
    LayerQuantizer quantizer(shape.inputs);
    for (std::size_t l = 0; l + 1 < shape.layers.size(); ++l) {
        auto layer = quantizer.hidden(snapshot.layers[l], snapshot.layers[l].out_scale);
        const LayerShape& like = shape.layers[l];
        if (like.convolution) {
            spec.convolutions.push_back(
                {like.channels,
                 like.out,
                 like.kernel,
                 like.stride,
                 like.padding,
                 like.pool,
                 std::move(layer.weights),
                 std::move(layer.bias),
                 layer.shift,
                 std::move(layer.multiplier)});
        } else {
            spec.dense.push_back(std::move(layer));
        }
    }
    auto last = quantizer.last(snapshot.layers.back());
    if (!last) {
        return tl::unexpected(last.error());
    }
    spec.dense.push_back(std::move(*last));
    scale_q16 = quantizer.scale_q16();
    logit_per_raw = quantizer.logit_per_raw();
    if (auto ok = kernels::validate(spec); !ok) {
        return tl::unexpected(ok.error());
    }
    return spec;
}

}  // namespace weir::lab
