// SPDX-License-Identifier: BSD-3-Clause
// Networks trained as the gateway's integers will run them.
#pragma once

#include "config/error.h"
#include "control/lab/onnx_model.h"
#include "control/lab/train_booster.h"
#include "kernels/sequence/sequence.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::lab {

/// A dense layer (one position, kernel 1), or a convolution over positions with max pooling behind it, laid out position
/// by position.
struct LayerShape {
    bool convolution = false;
    std::uint32_t positions = 1;  ///< of its input
    std::uint32_t channels = 0;   ///< of its input, a position
    std::uint32_t out = 0;
    std::uint32_t kernel = 1;
    std::uint32_t stride = 1;
    std::uint32_t padding = 0;
    std::uint32_t pool = 1;

    [[nodiscard]] std::uint32_t convolved() const noexcept {
        return (positions + 2 * padding - kernel) / stride + 1;
    }
    [[nodiscard]] std::uint32_t pooled() const noexcept { return convolved() / pool; }
    [[nodiscard]] std::uint32_t fan_in() const noexcept { return kernel * channels; }
    /// Values a row.
    [[nodiscard]] std::size_t in_values() const noexcept {
        return std::size_t{positions} * channels;
    }
    [[nodiscard]] std::size_t own_values() const noexcept { return std::size_t{convolved()} * out; }
    [[nodiscard]] std::size_t out_values() const noexcept { return std::size_t{pooled()} * out; }
};

struct NetworkOptions {
    std::vector<std::uint32_t> hidden;  ///< widths of the hidden dense layers; empty: the family's
    std::vector<std::uint32_t> channels{8, 16};  ///< of the convolutions
    kernels::SequencePooling pooling = kernels::SequencePooling::flatten;
    std::uint32_t epochs = 24;            ///< at most, and what the learning rate falls over
    std::uint32_t rows_an_epoch = 32768;  ///< drawn by weight, rounded up to batches of 512
    double learning_rate = 0.004;
    double decay = 1e-4;  ///< of weights, a step, in parts of the learning rate
    std::uint64_t seed = 1;
};

/// What a network looks like. Every layer but the last is followed by a ReLU whose values become codes.
struct NetworkShape {
    std::vector<LayerShape> layers;
    kernels::SequencePooling pooling =
        kernels::SequencePooling::flatten;  ///< after the last convolution
    bool reconstructs = false;              ///< an autoencoder: the last layer gives the codes back
    std::uint32_t inputs = 0;               ///< codes a row
    std::uint32_t steps = 0;                ///< of a sequence; 0: the inputs as they are
};

/// One epoch's end.
struct NetworkSnapshot {
    std::vector<FloatLayer> layers;  ///< on the grid, each hidden one with the scale of its codes
    std::vector<FloatLayer> latent;  ///< the float weights behind, with the same scales
    double loss = 0.0;               ///< mean of the epoch's rows
};

/// Widths and positions for `inputs` columns and `classes` outputs. Errors name the option.
[[nodiscard]] Result<NetworkShape> mlp_shape(
    std::uint32_t inputs, std::uint32_t classes, const NetworkOptions& options);
[[nodiscard]] Result<NetworkShape> autoencoder_shape(
    std::uint32_t inputs, const NetworkOptions& options);
[[nodiscard]] Result<NetworkShape> sequence_shape(
    std::uint32_t steps, std::uint32_t classes, const NetworkOptions& options);

/// Trains on rows drawn by their weights, the forward pass with weights on the s8 grid and hidden values rounded to the
/// codes that the kernels hand on, gradients straight through the rounding. A batch is cut into shards whose gradients
/// are added in their order, so the outcome does not depend on the number of threads (oneTBB); it may differ between
/// instruction sets, as oneDNN's sums do. Stops after `epochs` of options.epochs. Softmax and cross entropy, or of
/// `spread` (per input) squared errors. Thread: any.
[[nodiscard]] Result<std::vector<NetworkSnapshot>> train_network(
    const NetworkShape& shape,
    const CodeMatrix& data,
    const NetworkOptions& options,
    std::uint32_t epochs);

/// Standard deviation of each column over the rows with weight, at least 4 codes, and mean.
struct ColumnScale {
    std::vector<float> mean;
    std::vector<float> spread;
};
[[nodiscard]] ColumnScale column_scale(const CodeMatrix& data);

/// Outputs of one row of codes, in float with nothing rounded. Hidden values are clipped where their codes end: that is
/// part of the network, which was trained so.
[[nodiscard]] std::vector<double> float_forward(
    const NetworkShape& shape, const std::vector<FloatLayer>& layers, const std::uint8_t* codes);

/// The gateway's layers from a snapshot.
[[nodiscard]] Result<kernels::SequenceSpec> quantize_sequence(
    const NetworkShape& shape,
    const NetworkSnapshot& snapshot,
    std::int32_t& scale_q16,
    double& logit_per_raw);

}  // namespace weir::lab
