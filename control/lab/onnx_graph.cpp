// SPDX-License-Identifier: BSD-3-Clause
// Walks an ONNX graph that is one chain from the columns to the scores.
#include "control/lab/onnx_walker.h"
#include "kernels/classifier.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace weir::lab {
namespace {

template <std::size_t N>
bool is_one_of(const std::string& text, const std::array<std::string_view, N>& names) {
    return std::find(names.begin(), names.end(), text) != names.end();
}

// What only renames a value, and what makes labels of scores.
constexpr std::array<std::string_view, 6> kRenaming{
    "Identity", "Cast", "Dropout", "Flatten", "Reshape", "Squeeze"};
constexpr std::array<std::string_view, 11> kAfterScores{
    "Identity",
    "Cast",
    "Reshape",
    "ArgMax",
    "ArrayFeatureExtractor",
    "ZipMap",
    "Sub",
    "Concat",
    "Constant",
    "Squeeze",
    "DequantizeLinear"};

constexpr double kTopCode = 255.0;

constexpr std::array<std::string_view, 5> kAfterOneScore{
    "ArgMax", "ArrayFeatureExtractor", "ZipMap", "Sub", "Concat"};

}  // namespace

Result<void> OnnxWalker::begin(const onnx::Graph& graph) {
    for (const onnx::Tensor& tensor : graph.initializer()) {
        auto value = read_constant(tensor);
        if (!value) {
            return tl::unexpected(value.error());
        }
        constants_[tensor.name()] = std::move(*value);
    }
    for (const onnx::ValueInfo& input : graph.input()) {
        if (!constants_.contains(input.name())) {
            inputs_.push_back(input.name());
        }
    }
    if (inputs_.empty()) {
        return fail(kOnnx, "graph.input", "is missing", "export the model again");
    }
    current_ = inputs_.size() == 1 ? inputs_.front() : std::string();
    return {};
}

Result<void> OnnxWalker::take(const onnx::Node& node) {
    static const std::map<std::string, Step, std::less<>> steps{
        {"Add", &OnnxWalker::elementwise},
        {"Constant", &OnnxWalker::constant},
        {"DequantizeLinear", &OnnxWalker::quantize_step},
        {"Div", &OnnxWalker::elementwise},
        {"Gemm", &OnnxWalker::dense},
        {"MatMul", &OnnxWalker::dense},
        {"Mul", &OnnxWalker::elementwise},
        {"Normalizer", &OnnxWalker::normalizer},
        {"QLinearMatMul", &OnnxWalker::linear_matmul},
        {"QuantizeLinear", &OnnxWalker::quantize_step},
        {"Relu", &OnnxWalker::relu},
        {"Scaler", &OnnxWalker::scaler},
        {"Sigmoid", &OnnxWalker::sigmoid},
        {"Softmax", &OnnxWalker::scores},
        {"Sub", &OnnxWalker::elementwise},
        {"TreeEnsembleClassifier", &OnnxWalker::trees},
        {"TreeEnsembleRegressor", &OnnxWalker::trees}};
    const bool ml = node.domain() == "ai.onnx.ml";
    if (finished_.empty() && !network_.layers.empty() && network_.layers.back().sigmoid &&
        network_.layers.back().out == 1 && is_one_of(node.op_type(), kAfterOneScore)) {
        finished_ = "Sigmoid";
    }
    if (!node.domain().empty() && !ml && node.domain() != "ai.onnx") {
        return refuse(node, "is not supported");
    }
    if (!finished_.empty()) {
        if (is_one_of(node.op_type(), kAfterScores)) {
            return {};  // labels and shapes: the gateway makes its own
        }
        return refuse(
            node,
            "comes after " + finished_ + ", which the gateway has at the end only",
            "use Relu between layers");
    }
    if (columns_.empty() && inputs_.size() > 1) {
        const bool all =
            node.op_type() == "Concat" &&
            std::equal(inputs_.begin(), inputs_.end(), node.input().begin(), node.input().end());
        if (!all) {
            return refuse(node, "is not the Concat of all inputs in their order");
        }
        columns_ = inputs_;
        advance(node);
        return {};
    }
    if (is_one_of(node.op_type(), kRenaming)) {
        return rename(node);
    }
    const auto step = steps.find(node.op_type());
    if (step == steps.end()) {
        return refuse(node, "is not supported");
    }
    return (this->*step->second)(node);
}

Result<void> OnnxWalker::rename(const onnx::Node& node) {
    if (const Constant* value = constant_at(node, 0);
        value != nullptr && node.op_type() != "Reshape" && node.output_size() > 0) {
        constants_[node.output(0)] = Constant(*value);
        return {};
    }
    if (!is_current(node, 0)) {
        return refuse(node, "is not on the one chain from the columns to the scores");
    }
    advance(node);
    return {};
}

Result<void> OnnxWalker::constant(const onnx::Node& node) {
    const auto* value = Attributes(node).find("value");
    if (value == nullptr || !value->has_t() || node.output_size() == 0) {
        return refuse(node, "has no tensor as its value");
    }
    auto read = read_constant(value->t());
    if (!read) {
        return tl::unexpected(read.error());
    }
    constants_[node.output(0)] = std::move(*read);
    return {};
}

Result<void> OnnxWalker::normalizer(const onnx::Node& node) {
    if (!is_current(node, 0) || !network_.layers.empty() || norm_) {
        return refuse(node, "is not the one Normalizer in front of all layers and trees");
    }
    static const std::map<std::string, kernels::RowNorm, std::less<>> norms{
        {"L1", kernels::RowNorm::l1}, {"L2", kernels::RowNorm::l2}, {"MAX", kernels::RowNorm::max}};
    const std::string text = Attributes(node).text("norm", "MAX");
    const auto found = norms.find(text);
    if (found == norms.end()) {
        return refuse(node, "has norm " + text, "use MAX, L1 or L2");
    }
    InputNorm norm;
    norm.norm = found->second;
    if (!scale_.empty()) {
        norm.scale = scale_;
        norm.shift = shift_;
    }
    for (std::size_t i = 0; i < norm.scale.size(); ++i) {
        const double least = std::min(norm.shift[i], norm.scale[i] * kTopCode + norm.shift[i]);
        if (norm.norm == kernels::RowNorm::max && least < 0.0) {
            return refuse(
                node,
                "takes the largest value of columns that may be below 0, which tools divide by "
                "differently",
                "use L1 or L2, or no Scaler in front");
        }
        if (!std::isfinite(norm.scale[i]) || !std::isfinite(norm.shift[i])) {
            return refuse(node, "has columns in front that are not finite");
        }
    }
    norm_ = std::move(norm);
    scale_.clear();
    shift_.clear();
    scaling_ = {};
    advance(node);
    return {};
}

Result<void> OnnxWalker::scaler(const onnx::Node& node) {
    const Attributes attributes(node);
    InputScaling read{attributes.floats("offset"), attributes.floats("scale")};
    const auto finite = [](const std::vector<float>& list) {
        return std::all_of(list.begin(), list.end(), [](float v) { return std::isfinite(v); });
    };
    if (!is_current(node, 0) || !network_.layers.empty() || !scale_.empty() ||
        read.offset.empty() || read.offset.size() != read.scale.size() || !finite(read.offset) ||
        !finite(read.scale)) {
        return refuse(node, "is not in front of all else, or has no offset and scale a column");
    }
    std::vector<double> shift;
    for (std::size_t i = 0; i < read.scale.size(); ++i) {
        shift.push_back(-static_cast<double>(read.offset[i]) * static_cast<double>(read.scale[i]));
    }
    scaling_ = read;
    return affine(node, {read.scale.begin(), read.scale.end()}, shift);
}

Result<void> OnnxWalker::relu(const onnx::Node& node) {
    if (!is_current(node, 0) || network_.layers.empty()) {
        return refuse(node, "does not follow a layer");
    }
    relu_ = true;
    advance(node);
    return {};
}

Result<void> OnnxWalker::scores(const onnx::Node& node) {
    if (!is_current(node, 0) || network_.layers.empty() || relu_) {
        return refuse(node, "does not follow the last layer");
    }
    if (network_.layers.back().out == 1) {
        return refuse(
            node, "has 1 inputs", "use Softmax for several classes and Sigmoid for one score");
    }
    finished_ = node.op_type();
    return {};
}

// Whether it ends the network or stands between layers, what comes after it says.
Result<void> OnnxWalker::sigmoid(const onnx::Node& node) {
    if (!is_current(node, 0) || network_.layers.empty() || relu_) {
        return refuse(node, "does not follow a layer");
    }
    network_.layers.back().sigmoid = true;
    relu_ = true;
    advance(node);
    return {};
}

Result<void> OnnxWalker::trees(const onnx::Node& node) {
    if (!is_current(node, 0) || !network_.layers.empty() ||
        (!scale_.empty() && scaling_.scale.empty())) {
        return refuse(node, "has more in front than a Scaler");
    }
    auto model = read_trees(node, scaling_, norm_);
    if (!model) {
        return tl::unexpected(model.error());
    }
    ensemble_ = std::move(*model);
    finished_ = node.op_type();
    return {};
}

Result<OnnxModel> OnnxWalker::finish() {
    if (ensemble_) {
        ensemble_->columns = columns_;
        return std::move(*ensemble_);
    }
    if (network_.layers.empty()) {
        return fail(
            kOnnx,
            "graph",
            "has neither layers nor an ensemble of trees",
            "export the network with its last layer");
    }
    FloatLayer& last = network_.layers.back();
    if (relu_ && (!last.sigmoid || last.out != 1)) {
        return fail(
            kOnnx,
            "graph",
            last.sigmoid ? "ends in a Sigmoid of " + std::to_string(last.out) + " inputs"
                         : "ends in a Relu, so it has no logits",
            last.sigmoid ? "use Softmax for several classes and Sigmoid for one score"
                         : "export the network with its last layer");
    }
    last.sigmoid = false;
    if (last.out == 1) {  // one score against benign's logit 0
        last.weights.insert(last.weights.begin(), last.in, 0.0);
        last.bias.insert(last.bias.begin(), 0.0);
        last.out = 2;
    }
    if (last.out > kernels::kMaxOutputs) {
        return fail(kOnnx, "graph", "has more than 64 outputs", "train on fewer classes");
    }
    OnnxModel model;
    model.network = std::move(network_);
    model.norm = std::move(norm_);
    model.columns = columns_;
    return model;
}

Result<OnnxModel> OnnxWalker::walk(const onnx::Graph& graph) {
    if (auto ok = begin(graph); !ok) {
        return tl::unexpected(ok.error());
    }
    for (const onnx::Node& node : graph.node()) {
        if (auto ok = take(node); !ok) {
            return tl::unexpected(ok.error());
        }
    }
    return finish();
}

Result<OnnxModel> parse_onnx(std::string_view bytes) {
    onnx::Model model;
    if (bytes.size() > kMaxOnnxBytes ||
        !model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !model.has_graph()) {
        return fail(
            kOnnx, {}, "is not an ONNX model of at most 64 MB", "export it with a current tool");
    }
    return OnnxWalker().walk(model.graph());
}

}  // namespace weir::lab
