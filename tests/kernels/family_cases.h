// SPDX-License-Identifier: BSD-3-Clause
// Specs of the linear, autoencoder and sequence families for tests and benchmarks.
#pragma once

#include "kernels/autoencoder/autoencoder.h"
#include "kernels/linear/linear.h"
#include "kernels/sequence/sequence.h"
#include "tests/kernels/mlp_cases.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

namespace weir::testing {

inline kernels::LinearSpec make_linear(
    std::uint32_t in, std::uint32_t out, Values values, std::mt19937& random) {
    return {make_spec({in, out}, values, random).layers.front()};
}

/// The least shift that validate() takes, `extra` bits more, and an offset in the middle of the errors.
inline void fit_error(kernels::AutoencoderSpec& spec, std::uint8_t extra) {
    const std::uint64_t most =
        255ULL * 255 * std::accumulate(spec.weights.begin(), spec.weights.end(), std::uint64_t{0});
    spec.shift = 0;
    while (most >> spec.shift > 0x7fffffff) {
        ++spec.shift;
    }
    spec.shift = static_cast<std::uint8_t>(std::min(spec.shift + extra, 24));
    spec.offset = static_cast<std::int32_t>((most >> spec.shift) / 2);
}

/// `widths`: of the input and each layer but the last, which is as wide as the input.
inline kernels::AutoencoderSpec make_autoencoder(
    std::vector<std::uint32_t> widths, Values values, std::mt19937& random) {
    widths.push_back(widths.front());
    kernels::AutoencoderSpec spec;
    spec.layers = make_spec(widths, values, random).layers;
    std::uniform_int_distribution<int> any(0, 65535);
    for (std::uint32_t k = 0; k < widths.front(); ++k) {
        const int weight = values == Values::random    ? any(random)
                           : values == Values::trained ? any(random) >> (any(random) % 12)
                           : values == Values::highest ? 65535
                           : values == Values::lowest  ? 1
                                                       : (any(random) % 2 != 0 ? 65535 : 0);
        spec.weights.push_back(static_cast<std::uint16_t>(weight));
    }
    fit_error(spec, values == Values::random ? static_cast<std::uint8_t>(random() % 4) : 0);
    return spec;
}

/// A convolution without its numbers.
struct Conv {
    std::uint32_t out = 16;
    std::uint32_t kernel = 3;
    std::uint32_t stride = 1;
    std::uint32_t padding = 1;
    std::uint32_t pool = 1;
};

struct SequenceCase {
    std::uint32_t steps = kernels::kSequenceMaxSteps;
    std::vector<Conv> convolutions{Conv{}};
    kernels::SequencePooling pooling = kernels::SequencePooling::flatten;
    std::vector<std::uint32_t> dense{8};  // widths after the flattened row
};

inline kernels::SequenceSpec make_sequence(
    const SequenceCase& shape, Values values, std::mt19937& random) {
    kernels::SequenceSpec spec;
    spec.steps = shape.steps;
    spec.pooling = shape.pooling;
    std::uint32_t channels = kernels::kSequenceChannels;
    std::uint32_t positions = shape.steps;
    for (const Conv& conv : shape.convolutions) {
        kernels::MlpLayer layer =
            make_spec({conv.kernel * channels, conv.out}, values, random).layers.front();
        kernels::Convolution made;
        made.in = channels;
        made.out = conv.out;
        made.kernel = conv.kernel;
        made.stride = conv.stride;
        made.padding = conv.padding;
        made.pool = conv.pool;
        made.weights = std::move(layer.weights);
        made.bias = std::move(layer.bias);
        made.shift = layer.shift;
        made.multiplier = std::move(layer.multiplier);
        channels = made.out;
        positions = made.pooled(positions);
        spec.convolutions.push_back(std::move(made));
    }
    const bool flatten = shape.pooling == kernels::SequencePooling::flatten;
    std::vector<std::uint32_t> widths{flatten ? channels * positions : channels};
    widths.insert(widths.end(), shape.dense.begin(), shape.dense.end());
    spec.dense = make_spec(widths, values, random).layers;
    return spec;
}

/// Any shape that validate() takes; `dense` of 1 to 4 layers.
inline SequenceCase random_sequence_case(std::mt19937& random) {
    const auto draw = [&](std::uint32_t low, std::uint32_t high) {
        return std::uniform_int_distribution<std::uint32_t>(low, high)(random);
    };
    SequenceCase shape;
    shape.steps = draw(0, 1) != 0 ? kernels::kSequenceMaxSteps : draw(1, 16);
    shape.convolutions.clear();
    std::uint32_t positions = shape.steps;
    const std::uint32_t layers = draw(1, kernels::kSequenceMaxConvolutions);
    for (std::uint32_t i = 0; i < layers; ++i) {
        Conv conv;
        conv.out = draw(1, kernels::kSequenceMaxChannels);
        conv.kernel = 1 + 2 * draw(0, 2);
        conv.padding = draw(0, conv.kernel / 2);
        conv.stride = draw(0, 2) == 0 ? draw(1, kernels::kSequenceMaxStride) : 1;
        conv.pool = draw(0, 1) == 0 ? draw(1, kernels::kSequenceMaxPool) : 1;
        kernels::Convolution sized;
        sized.kernel = conv.kernel;
        sized.padding = conv.padding;
        sized.stride = conv.stride;
        sized.pool = conv.pool;
        if (sized.pooled(positions) == 0) {
            conv = {conv.out, 1, 1, 0, 1};
        } else {
            positions = sized.pooled(positions);
        }
        shape.convolutions.push_back(conv);
    }
    shape.pooling = static_cast<kernels::SequencePooling>(draw(0, 2));
    shape.dense.clear();
    const std::uint32_t dense = draw(1, kernels::kSequenceMaxDense);
    for (std::uint32_t i = 1; i < dense; ++i) {
        shape.dense.push_back(draw(1, kernels::kSequenceMaxDenseWidth));
    }
    shape.dense.push_back(draw(1, 64));
    return shape;
}

}  // namespace weir::testing
