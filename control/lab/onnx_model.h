// SPDX-License-Identifier: BSD-3-Clause
// An ONNX file as one of the two shapes that the gateway has networks for.
#pragma once

#include "config/error.h"
#include "control/lab/import_norm.h"
#include "control/lab/train_convert.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weir::lab {

/// y = W x + b in double; every layer but the last is followed by a ReLU or a Sigmoid.
struct FloatLayer {
    std::uint32_t in = 0;
    std::uint32_t out = 0;
    std::vector<double> weights;  ///< [out][in]
    std::vector<double> bias;     ///< [out]
    double out_scale =
        0.0;  ///< of one code of the outputs, where the file quantizes them (zero point 0); 0: open
    bool sigmoid = false;  ///< what follows, unless the layer is the last
};

struct FloatMlp {
    std::vector<FloatLayer> layers;
};

/// Logits of one row, in double: the yardstick of quantization. `logits` has the last layer's width.
void float_logits(const FloatMlp& network, const std::uint8_t* codes, double* logits);
/// The same of any inputs.
void float_logits(const FloatMlp& network, std::vector<double> inputs, double* logits);

struct OnnxModel {
    std::variant<FloatMlp, FloatForest> network;
    std::vector<std::string>
        columns;  ///< names of the graph's inputs if there is one a column; else empty
    std::optional<InputNorm> norm;  ///< in front of the network, whose inputs its quotients are
    bool probabilities = false;     ///< the outputs are shares of votes rather than logits
};

/// Most bytes that are read.
inline constexpr std::size_t kMaxOnnxBytes = std::size_t{64} << 20;

/// Reads a model on u8 codes: layers of Gemm or MatMul and Add with Relu or Sigmoid between, at the end nothing, Softmax
/// or Sigmoid, as floats, QDQ or QLinearMatMul; or one ai.onnx.ml TreeEnsembleClassifier or TreeEnsembleRegressor; either
/// with a Scaler (or Sub, Mul, Div, Add of constants), a Normalizer, or both in any order in front. A network of one output becomes two: benign's logit is 0.
/// Whatever else is in the graph is refused by its operator's name. Thread: any; bounded by the size of `bytes`.
[[nodiscard]] Result<OnnxModel> parse_onnx(std::string_view bytes);

}  // namespace weir::lab
