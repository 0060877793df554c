// SPDX-License-Identifier: BSD-3-Clause
// From a float network to the gateway's int8 MLP.
#pragma once

#include "config/error.h"
#include "control/lab/onnx_model.h"
#include "kernels/mlp/mlp.h"

#include <cstdint>
#include <span>
#include <vector>

namespace weir::lab {

struct QuantizedMlp {
    kernels::MlpSpec spec;
    std::int32_t scale_q16 = 0;  ///< HeadSpec::scale_q16 of softmax(logit)
    double logit_per_raw = 0.0;
    double logit_error =
        0.0;  ///< |logit_per_raw · raw − logit| is at most this while no hidden value exceeds the
              ///< largest of the calibration rows
};

/// Quantizes layers one after another. Each takes the codes that the one before gives; a layer of another width (a
/// convolution, which sees several positions at once) reckons with the largest error of any input.
class LayerQuantizer {
  public:
    /// `inputs` codes a row, which stand for themselves.
    explicit LayerQuantizer(std::uint32_t inputs) : error_(inputs, 0.0) {}

    /// A layer whose outputs become codes of `out_scale` each, or coarser: see scale().
    [[nodiscard]] kernels::MlpLayer hidden(const FloatLayer& layer, double out_scale);
    /// The layer that gives the raw outputs. Fails where its logits are too large.
    [[nodiscard]] Result<kernels::MlpLayer> last(const FloatLayer& layer);

    [[nodiscard]] double scale() const noexcept { return scale_; }  ///< of one code given last
    [[nodiscard]] std::int32_t scale_q16() const noexcept { return scale_q16_; }
    [[nodiscard]] double logit_per_raw() const noexcept { return logit_per_raw_; }
    [[nodiscard]] double logit_error() const noexcept { return logit_error_; }

  private:
    double scale_ = 1.0;
    std::vector<double> error_;
    std::int32_t scale_q16_ = 0;
    double logit_per_raw_ = 0.0;
    double logit_error_ = 0.0;
};

/// The largest magnitude, at least 1, that a neuron's sum can have, whatever the codes.
[[nodiscard]] double largest_accumulator(const kernels::MlpLayer& layer);

/// A trained network for the kernels. With calibration rows (`codes`: rows × the network's inputs) as
/// quantize_calibrated.h says; a network that lies on the grid already, each hidden layer with its scale, without any:
/// weights get one symmetric s8 scale a neuron by their largest, hidden layers the u8 scale that they bring. Errors name
/// the layer. Thread: any.
[[nodiscard]] Result<QuantizedMlp> quantize(
    const FloatMlp& network, std::span<const std::uint8_t> codes, std::uint32_t most_pieces = 2);

}  // namespace weir::lab
