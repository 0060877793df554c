// SPDX-License-Identifier: BSD-3-Clause
// Networks in training, in float with nothing rounded: the yardstick of quantization.
#include "control/lab/train_network.h"

#include <algorithm>
#include <limits>

namespace weir::lab {
namespace {

constexpr double kCodes = 255.0;

/// Values by position and channel.
using Values = std::vector<double>;

/// ReLU up to what the layer's codes reach.
void relu(const FloatLayer& layer, Values& values) {
    const double most =
        layer.out_scale > 0.0 ? kCodes * layer.out_scale : std::numeric_limits<double>::infinity();
    for (double& v : values) {
        v = std::clamp(v, 0.0, most);
    }
}

Values dense(const FloatLayer& layer, const Values& x) {
    Values y = layer.bias;
    for (std::size_t j = 0; j < layer.out; ++j) {
        for (std::size_t k = 0; k < layer.in; ++k) {
            y[j] += layer.weights[j * layer.in + k] * x[k];
        }
    }
    return y;
}

/// A convolution, ReLU and max pooling; outside of `x` it reads `unseen`.
Values convolve(
    const LayerShape& like, const FloatLayer& layer, const Values& x, const Values& unseen) {
    Values out(like.out_values(), 0.0);
    const std::uint32_t used = like.pooled() * like.pool;
    for (std::uint32_t p = 0; p < used; ++p) {
        Values patch;
        for (std::uint32_t i = 0; i < like.kernel; ++i) {
            const std::int64_t at = std::int64_t{p} * like.stride + i - like.padding;
            const bool inside = at >= 0 && at < like.positions;
            const double* from =
                inside ? x.data() + static_cast<std::size_t>(at) * like.channels : unseen.data();
            patch.insert(patch.end(), from, from + like.channels);
        }
        auto y = dense(layer, patch);
        relu(layer, y);
        for (std::uint32_t c = 0; c < like.out; ++c) {
            double& z = out[std::size_t{p / like.pool} * like.out + c];
            z = std::max(z, y[c]);
        }
    }
    return out;
}

Values reduce(kernels::SequencePooling pooling, const Values& in, std::uint32_t channels) {
    if (pooling == kernels::SequencePooling::flatten) {
        return in;
    }
    Values out(channels, 0.0);
    const double positions = static_cast<double>(in.size()) / channels;
    for (std::size_t i = 0; i < in.size(); ++i) {
        double& z = out[i % channels];
        z = pooling == kernels::SequencePooling::max ? std::max(z, in[i]) : z + in[i] / positions;
    }
    return out;
}

/// Position by position, a packet's length and gap.
Values sequence(const NetworkShape& shape, const std::uint8_t* codes) {
    Values x;
    for (std::uint32_t t = 0; t < shape.steps; ++t) {
        x.push_back(codes[t]);
        x.push_back(t == 0 ? kernels::kSequenceUnseen[1] : codes[shape.steps + t - 1]);
    }
    return x;
}

}  // namespace

std::vector<double> float_forward(
    const NetworkShape& shape, const std::vector<FloatLayer>& layers, const std::uint8_t* codes) {
    Values x = shape.steps > 0 ? sequence(shape, codes) : Values(codes, codes + shape.inputs);
    Values unseen(kernels::kSequenceUnseen.begin(), kernels::kSequenceUnseen.end());
    for (std::size_t l = 0; l < layers.size(); ++l) {
        const LayerShape& like = shape.layers[l];
        if (!like.convolution) {
            x = dense(layers[l], x);
            if (l + 1 < layers.size()) {
                relu(layers[l], x);
            }
            continue;
        }
        x = convolve(like, layers[l], x, unseen);
        unseen.assign(like.out, 0.0);
        if (!shape.layers[l + 1].convolution) {
            x = reduce(shape.pooling, x, like.out);
        }
    }
    return x;
}

}  // namespace weir::lab
