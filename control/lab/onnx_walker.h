// SPDX-License-Identifier: BSD-3-Clause
// Within weirlab import: a walk along an ONNX graph that is one chain from the columns to the scores.
#pragma once

#include "control/lab/onnx_parts.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::lab {

/// The state of the walk: constants met, the layers so far, and what waits for the next one. Thread: one.
class OnnxWalker {
  public:
    /// Each node in order, from the columns to the scores; errors name the operator.
    [[nodiscard]] Result<OnnxModel> walk(const onnx::Graph& graph);

  private:
    using Step = Result<void> (OnnxWalker::*)(const onnx::Node&);

    Result<void> begin(const onnx::Graph& graph);
    Result<void> take(const onnx::Node& node);
    Result<void> dense(const onnx::Node& node);
    Result<void> linear_matmul(const onnx::Node& node);
    Result<void> elementwise(const onnx::Node& node);
    Result<void> scaler(const onnx::Node& node);
    Result<void> trees(const onnx::Node& node);
    Result<void> relu(const onnx::Node& node);
    Result<void> scores(const onnx::Node& node);
    Result<void> sigmoid(const onnx::Node& node);
    Result<void> quantize_step(const onnx::Node& node);
    Result<void> constant(const onnx::Node& node);
    Result<void> normalizer(const onnx::Node& node);
    Result<void> rename(const onnx::Node& node);
    Result<void> add_layer(const onnx::Node& node, const Constant& weights, bool transposed);
    Result<void> affine(
        const onnx::Node& node, const std::vector<double>& scale, const std::vector<double>& shift);
    Result<OnnxModel> finish();

    [[nodiscard]] bool is_current(const onnx::Node& node, int input) const {
        return node.input_size() > input && node.input(input) == current_;
    }
    [[nodiscard]] const Constant* constant_at(const onnx::Node& node, int input) const {
        const auto found =
            node.input_size() > input ? constants_.find(node.input(input)) : constants_.end();
        return found == constants_.end() ? nullptr : &found->second;
    }
    void advance(const onnx::Node& node) {
        current_ = node.output_size() > 0 ? node.output(0) : "";
    }

    std::map<std::string, Constant> constants_;
    std::string current_;  ///< name of the value that the chain has come to
    std::vector<std::string> inputs_;
    std::vector<std::string> columns_;
    FloatMlp network_;
    bool relu_ = false;  ///< the last layer has had its ReLU or Sigmoid
    InputScaling scaling_;
    std::vector<double> scale_;  ///< affine step not yet in a layer; empty: none
    std::vector<double> shift_;
    std::optional<InputNorm> norm_;
    std::string finished_;  ///< the operator that gave the scores
    std::optional<OnnxModel> ensemble_;
};

}  // namespace weir::lab
