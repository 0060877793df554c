// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/sequence/pack.h"

#include "kernels/sequence/cost.h"

#include <algorithm>

namespace weir::kernels {
namespace {

constexpr std::uint32_t kLine = 64;
// Rows that the smallest tile of any variant multiplies at once, so the most that it may write past the last.
constexpr std::uint32_t kSmallTile = 4;
// Tiles take up to 4 dot steps of 4 bytes at once, those past a patch's end of zero weights.
constexpr std::uint32_t kDotSteps = 16;

std::uint32_t round_up(std::uint32_t value, std::uint32_t to) {
    return (value + to - 1) / to * to;
}

// The codes of one layer's rows as matrices see them.
struct Channels {
    std::uint32_t positions = 0;
    std::uint32_t padded = 0;  // channels, with those of zeros
    bool first = false;        // arranged from the input row
};

MlpLayer empty_layer(std::uint32_t in, std::uint32_t out, std::uint8_t shift) {
    MlpLayer layer;
    layer.in = in;
    layer.out = out;
    layer.weights.resize(std::size_t{in} * out);
    layer.bias.resize(out);
    layer.shift = shift;
    layer.multiplier.resize(out);
    return layer;
}

// Writes channel j's kernel into neuron `n` of the matrix; codes outside of x go into its bias.
void write_kernel(
    const Convolution& layer,
    std::uint32_t j,
    const Channels& x,
    std::int64_t from,
    MlpLayer& matrix,
    std::uint32_t n) {
    matrix.bias[n] += layer.bias[j];
    matrix.multiplier[n] = layer.multiplier[j];
    for (std::uint32_t i = 0; i < layer.kernel; ++i) {
        const std::int64_t at = from + i;
        const bool outside = at < 0 || at >= x.positions;
        for (std::uint32_t c = 0; c < layer.in; ++c) {
            const std::int8_t weight =
                layer.weights[(std::size_t{j} * layer.kernel + i) * layer.in + c];
            if (outside) {
                matrix.bias[n] += x.first ? kSequenceUnseen[c] * weight : 0;
            } else {
                matrix.weights
                    [std::size_t{n} * matrix.in + static_cast<std::size_t>(at) * x.padded + c] =
                    weight;
            }
        }
    }
}

// One patch to one position's channels.
MlpLayer direct(const Convolution& layer, Channels x, std::uint32_t padded_out) {
    MlpLayer matrix = empty_layer(layer.kernel * x.padded, padded_out, layer.shift);
    x.positions = layer.kernel;
    for (std::uint32_t j = 0; j < layer.out; ++j) {
        write_kernel(layer, j, x, 0, matrix, j);
    }
    return matrix;
}

// All positions to all positions' channels.
MlpLayer expanded(const Convolution& layer, const Channels& x, std::uint32_t padded_out) {
    const std::uint32_t positions = layer.convolved(x.positions);
    MlpLayer matrix = empty_layer(x.positions * x.padded, positions * padded_out, layer.shift);
    for (std::uint32_t p = 0; p < positions; ++p) {
        const std::int64_t from = std::int64_t{p} * layer.stride - layer.padding;
        for (std::uint32_t j = 0; j < layer.out; ++j) {
            write_kernel(layer, j, x, from, matrix, p * padded_out + j);
        }
    }
    return matrix;
}

// The dense layers, inputs of the first where the last convolution leaves its channels.
MlpSpec dense_layers(const SequenceSpec& spec, std::uint32_t lanes) {
    MlpSpec dense{spec.dense};
    const std::uint32_t used = spec.convolutions.back().out;
    const std::uint32_t padded = padded_channels(used, lanes);
    const MlpLayer& from = spec.dense.front();
    MlpLayer layer = empty_layer(from.in / used * padded, from.out, from.shift);
    layer.bias = from.bias;
    layer.multiplier = from.multiplier;
    for (std::uint32_t n = 0; n < from.out; ++n) {
        for (std::uint32_t k = 0; k < from.in; ++k) {
            layer.weights[std::size_t{n} * layer.in + k / used * padded + k % used] =
                from.weights[std::size_t{n} * from.in + k];
        }
    }
    dense.layers.front() = std::move(layer);
    return dense;
}

// Rows for `written` positions that a layer with `padding` reads next.
SequenceRows rows_of(
    std::uint32_t positions,
    std::uint32_t written,
    std::uint32_t padded,
    std::uint32_t padding,
    const SequenceShape& shape) {
    SequenceRows rows;
    rows.step = padded * shape.code_bytes;
    rows.positions = positions;
    rows.margin = padding * rows.step;
    rows.begin = round_up(rows.margin, kLine);
    const std::uint32_t behind = std::max(round_up(written, kSmallTile), positions + padding);
    rows.pitch = round_up(rows.begin + behind * rows.step, kLine);
    return rows;
}

}  // namespace

SequencePacked::SequencePacked(
    const SequenceSpec& spec, const SequenceShape& shape, Lowering lowering)
    : steps_(spec.steps),
      pooling_(spec.pooling),
      dense_(dense_layers(spec, shape.dots.lanes), shape.dots) {
    const std::size_t layers = spec.convolutions.size();
    std::vector<bool> expand;
    std::vector<std::uint32_t> padding;  // in the rows given; expanded layers have it in their bias
    std::uint32_t positions = spec.steps;
    std::uint32_t channels = kSequenceChannels;
    for (const Convolution& layer : spec.convolutions) {
        const bool cheaper = expanded_cycles(layer, positions, channels, shape.isa) <
                             direct_cycles(layer, positions, channels, shape.isa);
        expand.push_back(
            lowering == Lowering::expanded || (lowering == Lowering::cheaper && cheaper));
        padding.push_back(expand.back() ? 0 : layer.padding);
        positions = layer.pooled(positions);
        channels = padded_channels(layer.out, shape.dots.lanes);
    }
    padding.push_back(0);
    given_ = rows_of(steps_, steps_, kSequenceChannels, padding.front(), shape);
    stages_.reserve(layers);
    for (std::size_t i = 0; i < layers; ++i) {
        add_stage(spec.convolutions[i], expand[i], padding[i + 1], shape);
    }
}

void SequencePacked::add_stage(
    const Convolution& layer, bool expand, std::uint32_t next_padding, const SequenceShape& shape) {
    const bool first = stages_.empty();
    const SequenceRows& from = first ? given_ : stages_.back().to;
    const Channels x{from.positions, from.step / shape.code_bytes, first};
    const std::uint32_t padded = padded_channels(layer.out, shape.dots.lanes);
    const std::uint32_t positions = layer.convolved(x.positions);
    const MlpLayer matrix = expand ? expanded(layer, x, padded) : direct(layer, x, padded);
    SequenceStage stage{MlpPacked(MlpSpec{{matrix}}, shape.dots)};
    stage.expanded = expand;
    stage.patch_begin = from.begin - (expand ? 0 : layer.padding * from.step);
    stage.patch_step = layer.stride * from.step;
    const std::uint32_t full = shape.tile / std::min(padded / shape.dots.lanes, 4U);
    stage.run = expand ? positions : patches_to_run(positions, full);
    stage.pool = layer.pool;
    stage.to = rows_of(layer.pooled(x.positions), stage.run, padded, next_padding, shape);

    const std::uint32_t patches = expand ? 1 : round_up(stage.run, kSmallTile);
    const std::uint32_t patch_bytes = round_up(matrix.in * shape.code_bytes, kDotSteps);
    const std::size_t reach =
        std::size_t{stage.patch_begin} + std::size_t{patches - 1} * stage.patch_step + patch_bytes;
    grow(from, reach, shape);
    grow(stage.to, stage.to.pitch, shape);
    stages_.push_back(std::move(stage));
}

// Junk patches of a block's last row may lie far behind it.
void SequencePacked::grow(const SequenceRows& rows, std::size_t reach, const SequenceShape& shape) {
    const std::size_t needed =
        (shape.block_rows + shape.spare_rows - 1) * rows.pitch + std::max(rows.pitch, reach);
    rows_bytes_ = std::max(rows_bytes_, (needed + kLine - 1) / kLine * kLine);
}

}  // namespace weir::kernels
