// SPDX-License-Identifier: BSD-3-Clause
// The layers of an ONNX network: dense, affine and quantized steps.
#include "control/lab/onnx_walker.h"
#include "control/lab/quantize_ramps.h"
#include "kernels/classifier.h"
#include "kernels/mlp/mlp.h"

#include <algorithm>
#include <cmath>

namespace weir::lab {
namespace {

// (q − zero point) · scale, scale and zero point of the whole or of each index along `axis`.
Result<Constant> dequantized(
    const onnx::Node& node,
    const Constant& q,
    const Constant* scale,
    const Constant* zero,
    int axis) {
    const auto fits = [&](const Constant* c) {
        return c != nullptr && (c->values.size() == 1 ||
                                (q.dims.size() == 2 &&
                                 c->values.size() == static_cast<std::size_t>(q.dims[axis & 1])));
    };
    if (!fits(scale) || (zero != nullptr && !fits(zero))) {
        return refuse(node, "has a scale or zero point that does not fit its weights");
    }
    Constant out = q;
    out.unsigned_code = false;
    for (std::size_t i = 0; i < out.values.size(); ++i) {
        std::size_t along = 0;
        if (q.dims.size() == 2) {
            const auto columns = static_cast<std::size_t>(q.dims[1]);
            along = (axis & 1) == 0 ? i / columns : i % columns;
        }
        const auto at = [&](const Constant& c) {
            return c.values[c.values.size() == 1 ? 0 : along];
        };
        out.values[i] = (out.values[i] - (zero != nullptr ? at(*zero) : 0.0)) * at(*scale);
    }
    return out;
}

}  // namespace

// y = scale · x + shift, each of one element or one a column.
Result<void> OnnxWalker::affine(
    const onnx::Node& node, const std::vector<double>& scale, const std::vector<double>& shift) {
    const auto at = [](const std::vector<double>& list, std::size_t i) {
        return list[list.size() == 1 ? 0 : i];
    };
    if (!network_.layers.empty() && !relu_) {
        FloatLayer& layer = network_.layers.back();
        if ((scale.size() != 1 && scale.size() != layer.out) ||
            (shift.size() != 1 && shift.size() != layer.out)) {
            return refuse(node, "does not fit the width of the layer before it");
        }
        for (std::size_t j = 0; j < layer.out; ++j) {
            layer.bias[j] = layer.bias[j] * at(scale, j) + at(shift, j);
            for (std::size_t k = 0; k < layer.in; ++k) {
                layer.weights[j * layer.in + k] *= at(scale, j);
            }
        }
    } else {
        const std::size_t width =
            std::max({scale_.size(), scale.size(), shift.size(), std::size_t{1}});
        if (scale_.empty()) {
            scale_ = {1.0};
            shift_ = {0.0};
        }
        std::vector<double> next_scale(width);
        std::vector<double> next_shift(width);
        for (const std::size_t size : {scale_.size(), scale.size(), shift.size()}) {
            if (size != 1 && size != width) {
                return refuse(node, "does not fit the number of columns before it");
            }
        }
        for (std::size_t i = 0; i < width; ++i) {
            next_scale[i] = at(scale_, i) * at(scale, i);
            next_shift[i] = at(shift_, i) * at(scale, i) + at(shift, i);
        }
        scale_ = std::move(next_scale);
        shift_ = std::move(next_shift);
    }
    advance(node);
    return {};
}

Result<void> OnnxWalker::elementwise(const onnx::Node& node) {
    const bool first = is_current(node, 0);
    const Constant* value = constant_at(node, first ? 1 : 0);
    if (value == nullptr || value->values.empty() || (!first && !is_current(node, 1))) {
        return refuse(node, "does not join the chain with a constant");
    }
    const std::string& op = node.op_type();
    if (!first && (op == "Sub" || op == "Div")) {
        return refuse(node, "has its constant first");
    }
    std::vector<double> numbers = value->values;
    if (network_.layers.empty()) {
        scaling_ = {};
    }
    if (op == "Add" || op == "Sub") {
        for (double& v : numbers) {
            v = op == "Sub" ? -v : v;
        }
        return affine(node, {1.0}, numbers);
    }
    for (double& v : numbers) {
        v = op == "Div" ? 1.0 / v : v;
        if (!std::isfinite(v)) {
            return refuse(node, "divides by zero");
        }
    }
    return affine(node, numbers, {0.0});
}

Result<void> OnnxWalker::add_layer(
    const onnx::Node& node, const Constant& weights, bool transposed) {
    if (weights.dims.size() != 2 || weights.dims[0] < 1 || weights.dims[1] < 1 ||
        weights.dims[0] > std::int64_t{kernels::kMaxInputs} ||
        weights.dims[1] > std::int64_t{kernels::kMaxInputs} ||
        network_.layers.size() == kernels::kMlpMaxLayers) {
        return refuse(node, "is wider than 256 or the seventh layer", "train a smaller network");
    }
    if (!network_.layers.empty() && network_.layers.back().sigmoid &&
        network_.layers.back().out > kMostSigmoids) {
        return refuse(
            node,
            "follows a Sigmoid of " + std::to_string(network_.layers.back().out) +
                " neurons, which the gateway makes of four ramps each at least, 256 in all",
            "use Relu, or at most 64 neurons");
    }
    FloatLayer layer;
    layer.in = static_cast<std::uint32_t>(weights.dims[transposed ? 1 : 0]);
    layer.out = static_cast<std::uint32_t>(weights.dims[transposed ? 0 : 1]);
    if ((!network_.layers.empty() && (network_.layers.back().out != layer.in || !relu_)) ||
        (scale_.size() > 1 && scale_.size() != layer.in)) {
        return refuse(
            node,
            !network_.layers.empty() && !relu_ ? "follows a layer without a Relu or Sigmoid between"
                                               : "does not fit the width before it",
            "use Relu between layers");
    }
    layer.weights.resize(std::size_t{layer.in} * layer.out);
    layer.bias.assign(layer.out, 0.0);
    for (std::size_t j = 0; j < layer.out; ++j) {
        for (std::size_t k = 0; k < layer.in; ++k) {
            const double w = weights.values[transposed ? j * layer.in + k : k * layer.out + j];
            const std::size_t column = scale_.size() > 1 ? k : 0;
            layer.bias[j] += scale_.empty() ? 0.0 : w * shift_[column];
            layer.weights[j * layer.in + k] = scale_.empty() ? w : w * scale_[column];
        }
    }
    scale_.clear();
    shift_.clear();
    relu_ = false;
    network_.layers.push_back(std::move(layer));
    advance(node);
    return {};
}

Result<void> OnnxWalker::dense(const onnx::Node& node) {
    const Constant* weights = constant_at(node, 1);
    if (!is_current(node, 0) || weights == nullptr) {
        return refuse(node, "does not multiply the chain by constant weights");
    }
    if (node.op_type() == "MatMul") {
        return add_layer(node, *weights, false);
    }
    const Attributes attributes(node);
    const double alpha = static_cast<double>(attributes.number("alpha", 1.0F));
    const double beta = static_cast<double>(attributes.number("beta", 1.0F));
    if (attributes.whole("transA", 0) != 0 || !std::isfinite(alpha) || !std::isfinite(beta)) {
        return refuse(node, "has transA, or an alpha or beta that is not finite");
    }
    if (auto ok = add_layer(node, *weights, attributes.whole("transB", 0) != 0); !ok) {
        return ok;
    }
    if (auto ok = affine(node, {alpha}, {0.0}); !ok || node.input_size() < 3) {
        return ok;
    }
    const Constant* bias = constant_at(node, 2);
    if (bias == nullptr || bias->values.empty()) {
        return refuse(node, "has a bias that is not constant");
    }
    std::vector<double> shift = bias->values;
    for (double& v : shift) {
        v *= beta;
    }
    return affine(node, {1.0}, shift);
}

Result<void> OnnxWalker::quantize_step(const onnx::Node& node) {
    const Constant* scale = constant_at(node, 1);
    const Constant* zero = constant_at(node, 2);
    if (const Constant* q = constant_at(node, 0);
        q != nullptr && node.op_type() == "DequantizeLinear" && node.output_size() > 0) {
        const auto axis = static_cast<int>(Attributes(node).whole("axis", 1) & 1);
        auto value = dequantized(node, *q, scale, zero, axis);
        if (!value) {
            return tl::unexpected(value.error());
        }
        constants_[node.output(0)] = std::move(*value);
        return {};
    }
    if (!is_current(node, 0) || scale == nullptr || scale->values.size() != 1 ||
        !(scale->values[0] > 0.0)) {
        return refuse(node, "is not on the chain, or has no single scale above 0");
    }
    const bool plain = zero == nullptr || (zero->values.size() == 1 && zero->values[0] == 0.0);
    if (node.op_type() == "QuantizeLinear" && plain && relu_ && !network_.layers.empty()) {
        network_.layers.back().out_scale = scale->values[0];
    }
    advance(node);
    return {};
}

Result<void> OnnxWalker::linear_matmul(const onnx::Node& node) {
    const Constant* b = constant_at(node, 3);
    const Constant* y_scale = constant_at(node, 6);
    const Constant* y_zero = constant_at(node, 7);
    if (!is_current(node, 0) || b == nullptr || y_scale == nullptr || y_scale->values.size() != 1 ||
        !(y_scale->values[0] > 0.0) || y_zero == nullptr || y_zero->values.size() != 1) {
        return refuse(node, "does not multiply the chain by constant weights, or lacks a scale");
    }
    const auto weights = dequantized(node, *b, constant_at(node, 4), constant_at(node, 5), 1);
    if (!weights) {
        return tl::unexpected(weights.error());
    }
    if (auto ok = add_layer(node, *weights, false); !ok) {
        return ok;
    }
    // A u8 result with zero point 0 has no negative values.
    if (y_zero->values[0] == 0.0 && y_zero->unsigned_code) {
        relu_ = true;
        network_.layers.back().out_scale = y_scale->values[0];
    }
    return {};
}

}  // namespace weir::lab
