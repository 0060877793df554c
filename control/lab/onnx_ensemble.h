// SPDX-License-Identifier: BSD-3-Clause
// Within weirlab import: the nodes of an ai.onnx.ml tree ensemble as the file has them.
#pragma once

#include "control/lab/onnx_parts.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace weir::lab {

enum class Mode : std::uint8_t { leaf, at_most, below, at_least, above };

struct Split {
    std::int64_t feature = 0;
    float value = 0.0F;
    Mode mode = Mode::leaf;
    std::size_t yes = 0;
    std::size_t no = 0;
    std::map<std::uint32_t, double> weights;  ///< by output, of a leaf
};

struct Ensemble {
    std::vector<Split> nodes;
    std::map<std::int64_t, std::vector<std::size_t>> trees;  ///< node indices by tree id, in order
    std::uint32_t inputs = 0;
    std::uint32_t outputs = 0;
};

/// What a split of `mode` answers for `value`.
[[nodiscard]] bool holds(Mode mode, float value, float threshold) noexcept;

/// Nodes of a TreeEnsemble node: shapes, children and finite thresholds are checked, that they form trees is not.
[[nodiscard]] Result<Ensemble> read_nodes(const onnx::Node& node);

/// `kind`: "class" or "target", which says what each leaf adds to which output.
[[nodiscard]] Result<void> read_leaves(
    const onnx::Node& node, const std::string& kind, Ensemble& ensemble);

}  // namespace weir::lab
