// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/autoencoder/quads.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace weir::kernels {
namespace {

constexpr std::uint32_t kTaps = 4;
constexpr std::uint32_t kNeurons = 4;  // of an accumulator

std::uint32_t parts(std::uint32_t whole, std::uint32_t part) {
    return (whole + part - 1) / part;
}

std::uint32_t multiplier_lanes(std::uint32_t groups) {
    return groups == 4 ? 2 : 1;
}

std::size_t block_bytes(std::uint32_t groups, std::uint32_t steps) {
    return (groups + multiplier_lanes(groups) + std::size_t{steps} * groups) * kLaneBytes;
}

template <typename T>
void put(std::byte* to, std::size_t index, T value) {
    std::memcpy(to + index * sizeof(T), &value, sizeof(T));
}

}  // namespace

std::uint32_t quad_steps(std::uint32_t inputs) noexcept {
    const std::uint32_t steps = parts(inputs, kTaps);
    return steps <= 2 ? 2 : parts(steps, 4) * 4;
}

std::uint32_t quad_groups(std::uint32_t neurons) noexcept {
    const std::uint32_t groups = parts(std::min(neurons, kQuadCodes), kNeurons);
    return groups == 3 ? 4 : groups;
}

AutoencoderQuads::AutoencoderQuads(const AutoencoderSpec& spec) : inputs_(spec.inputs()) {
    std::size_t bytes = std::size_t{parts(inputs_, kQuadCodes)} * sizeof(Line);
    for (const MlpLayer& layer : spec.layers) {
        const std::uint32_t steps = quad_steps(layer.in);
        for (std::uint32_t first = 0; first < layer.out; first += kQuadCodes) {
            bytes += block_bytes(quad_groups(layer.out - first), steps);
        }
    }
    arena_.resize((bytes + sizeof(Line) - 1) / sizeof(Line));
    pack_error(spec);
    for (const MlpLayer& layer : spec.layers) {
        QuadLayer& packed = layers_.emplace_back();
        packed.steps = quad_steps(layer.in);
        packed.shift = layer.shift;
        for (std::uint32_t first = 0; first < layer.out; first += kQuadCodes) {
            pack_block(layer, first, packed.steps, packed.blocks.emplace_back());
        }
    }
}

std::byte* AutoencoderQuads::take(std::size_t bytes) noexcept {
    std::byte* const at = reinterpret_cast<std::byte*>(arena_.data()) + taken_;
    taken_ += bytes;
    return at;
}

void AutoencoderQuads::pack_block(
    const MlpLayer& layer, std::uint32_t first, std::uint32_t steps, QuadBlock& block) {
    const std::uint32_t count = std::min(kQuadCodes, layer.out - first);
    const std::uint32_t groups = quad_groups(count);
    block.groups = groups;
    std::byte* const bias = take(groups * kLaneBytes);
    std::byte* const multiplier = take(multiplier_lanes(groups) * kLaneBytes);
    std::byte* const weights = take(std::size_t{steps} * groups * kLaneBytes);
    for (std::uint32_t n = 0; n < count; ++n) {
        const std::uint32_t neuron = first + n;
        put(bias, n, layer.bias[neuron]);
        put(multiplier, n, layer.multiplier[neuron]);
        if (groups == 1) {
            put(multiplier, n + kNeurons, layer.multiplier[neuron]);
        }
        for (std::uint32_t k = 0; k < layer.in; ++k) {
            const std::size_t lane = std::size_t{k / kTaps} * groups + n / kNeurons;
            const std::size_t at = lane * kLaneBytes + n % kNeurons * kTaps + k % kTaps;
            put(weights, at, layer.weights[std::size_t{neuron} * layer.in + k]);
        }
    }
    block.bias = bias;
    block.multiplier = multiplier;
    block.weights = weights;
}

void AutoencoderQuads::pack_error(const AutoencoderSpec& spec) {
    constexpr std::uint32_t kByte = 256;
    std::byte* const to = take(std::size_t{parts(inputs_, kQuadCodes)} * sizeof(Line));
    for (std::size_t k = 0; k < spec.weights.size(); ++k) {
        const std::uint32_t weight = spec.weights[k];
        std::byte* const line = to + k / kQuadCodes * sizeof(Line);
        put(line, k % kQuadCodes, static_cast<std::int16_t>(weight % kByte));
        put(line, k % kQuadCodes + kQuadCodes, static_cast<std::int16_t>(weight / kByte));
    }
    error_weights_ = to;
    weight_sum_ = std::accumulate(spec.weights.begin(), spec.weights.end(), std::uint64_t{0});
    shift_ = spec.shift;
    offset_ = spec.offset;
}

}  // namespace weir::kernels
