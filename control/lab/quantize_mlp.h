// SPDX-License-Identifier: BSD-3-Clause
// From a float network to the gateway's int8 MLP.
#pragma once

#include "config/error.h"
#include "control/lab/onnx_model.h"
#include "kernels/mlp/mlp.h"

#include <cstdint>
#include <span>

namespace weir::lab {

struct QuantizedMlp {
    kernels::MlpSpec spec;
    std::int32_t scale_q16 = 0;  ///< HeadSpec::scale_q16 of softmax(logit)
    double logit_per_raw = 0.0;
    double logit_error =
        0.0;  ///< |logit_per_raw · raw − logit| is at most this while no hidden value exceeds the
              ///< largest of the calibration rows
};

/// Weights get one symmetric s8 scale a neuron, hidden layers one u8 scale: that of the file, or the largest value among
/// the calibration rows (`codes`: rows × the network's inputs, at least one row). Errors name the layer. Thread: any.
[[nodiscard]] Result<QuantizedMlp> quantize(
    const FloatMlp& network, std::span<const std::uint8_t> codes);

}  // namespace weir::lab
