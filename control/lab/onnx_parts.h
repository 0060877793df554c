// SPDX-License-Identifier: BSD-3-Clause
// Within weirlab import: constants and attributes of an ONNX graph, and its tree ensembles.
#pragma once

#include "config/error.h"
#include "control/lab/onnx.pb.h"
#include "control/lab/onnx_model.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::lab {

inline constexpr const char* kOnnx = "onnx";

/// A constant of the graph.
struct Constant {
    std::vector<std::int64_t> dims;
    std::vector<double> values;
    bool unsigned_code = false;  ///< u8
};

/// Every value of `tensor` as double. Refuses other files, strange shapes and unknown types.
[[nodiscard]] Result<Constant> read_constant(const onnx::Tensor& tensor);

/// Attributes of one node.
class Attributes {
  public:
    explicit Attributes(const onnx::Node& node) : node_(node) {}
    [[nodiscard]] const onnx::Attribute* find(std::string_view name) const;
    [[nodiscard]] std::vector<float> floats(std::string_view name) const;
    [[nodiscard]] std::vector<std::int64_t> ints(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> strings(std::string_view name) const;
    [[nodiscard]] float number(std::string_view name, float otherwise) const;
    [[nodiscard]] std::int64_t whole(std::string_view name, std::int64_t otherwise) const;
    [[nodiscard]] std::string text(std::string_view name, const std::string& otherwise) const;

  private:
    const onnx::Node& node_;
};

/// A refusal that names the operator, and the node where it has a name.
[[nodiscard]] tl::unexpected<Error> refuse(
    const onnx::Node& node, const std::string& what, const std::string& fix = {});

/// What stands between the codes and the network, a column each: (code − offset) · scale, in single precision as ONNX
/// computes it. Empty: nothing; of one element: the same for all columns.
struct InputScaling {
    std::vector<float> offset;
    std::vector<float> scale;
};

/// The ensemble of a TreeEnsembleClassifier or -Regressor node. Behind `norm` its splits are of quotients: they fix the
/// grids of the columns, and `scaling` is between.
[[nodiscard]] Result<OnnxModel> read_trees(
    const onnx::Node& node, const InputScaling& scaling, const std::optional<InputNorm>& norm);

}  // namespace weir::lab
