// SPDX-License-Identifier: BSD-3-Clause
// ONNX models made in code, with their answer in plain arithmetic beside them.
#pragma once

#include "control/lab/onnx.pb.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

namespace weir::test {

namespace onnx = lab::onnx;

/// A graph whose nodes are added in order; each takes the value of the one before.
class OnnxBuilder {
  public:
    OnnxBuilder() {
        model_.set_ir_version(8);
        model_.mutable_graph()->add_input()->set_name("x");
    }
    onnx::Node& node(
        const std::string& op, std::initializer_list<std::string> constants, bool ml = false) {
        onnx::Node& made = *model_.mutable_graph()->add_node();
        made.set_op_type(op);
        if (ml) {
            made.set_domain("ai.onnx.ml");
        }
        made.add_input(current_);
        for (const std::string& name : constants) {
            made.add_input(name);
        }
        current_ = "v" + std::to_string(++values_);
        made.add_output(current_);
        return made;
    }
    std::string floats(
        const std::vector<double>& values, std::initializer_list<std::int64_t> dims) {
        onnx::Tensor& tensor = add(1, dims);
        for (const double v : values) {
            tensor.add_float_data(static_cast<float>(v));
        }
        return tensor.name();
    }
    /// `type`: 2 for u8, 3 for s8.
    std::string codes(
        const std::vector<int>& values, std::initializer_list<std::int64_t> dims, int type) {
        onnx::Tensor& tensor = add(type, dims);
        for (const int v : values) {
            tensor.mutable_raw_data()->push_back(static_cast<char>(v));
        }
        return tensor.name();
    }
    [[nodiscard]] onnx::Graph& graph() { return *model_.mutable_graph(); }
    [[nodiscard]] std::string bytes() const { return model_.SerializeAsString(); }

  private:
    onnx::Tensor& add(int type, std::initializer_list<std::int64_t> dims) {
        onnx::Tensor& tensor = *model_.mutable_graph()->add_initializer();
        tensor.set_name("c" + std::to_string(model_.graph().initializer_size()));
        tensor.set_data_type(type);
        for (const std::int64_t dim : dims) {
            tensor.add_dims(dim);
        }
        return tensor;
    }

    onnx::Model model_;
    std::string current_ = "x";
    int values_ = 0;
};

inline void set_floats(
    onnx::Node& node, const std::string& name, const std::vector<float>& values) {
    onnx::Attribute& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.mutable_floats()->Assign(values.begin(), values.end());
}
inline void set_ints(
    onnx::Node& node, const std::string& name, const std::vector<std::int64_t>& values) {
    onnx::Attribute& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.mutable_ints()->Assign(values.begin(), values.end());
}
inline void set_strings(
    onnx::Node& node, const std::string& name, const std::vector<std::string>& values) {
    onnx::Attribute& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.mutable_strings()->Assign(values.begin(), values.end());
}
inline void set_text(onnx::Node& node, const std::string& name, const std::string& value) {
    onnx::Attribute& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_s(value);
}

/// How a network's layers are written.
enum class OnnxForm { gemm, matmul, qdq, qlinear };

/// A network 8-16-12-3 on codes behind a StandardScaler, weights at random.
struct OnnxNetwork {
    static constexpr int kWidths[] = {8, 16, 12, 3};
    std::vector<std::vector<double>> weights;  ///< by layer, [in][out]
    std::vector<std::vector<double>> bias;
    std::vector<float> offset;
    std::vector<float> scale;

    explicit OnnxNetwork(std::uint64_t seed) {
        std::mt19937_64 random(seed);
        std::normal_distribution<double> normal;
        for (int l = 0; l < 3; ++l) {
            const int in = kWidths[l];
            const int out = kWidths[l + 1];
            weights.emplace_back();
            bias.emplace_back();
            for (int i = 0; i < in * out; ++i) {
                weights.back().push_back(static_cast<float>(normal(random) / std::sqrt(in)));
            }
            for (int i = 0; i < out; ++i) {
                bias.back().push_back(static_cast<float>(0.3 * normal(random)));
            }
        }
        for (int i = 0; i < kWidths[0]; ++i) {
            offset.push_back(static_cast<float>(100 + random() % 50));
            scale.push_back(static_cast<float>(1.0 / static_cast<double>(40 + random() % 60)));
        }
    }

    /// Weights as s8 with a scale of the whole tensor, for the quantized forms.
    [[nodiscard]] std::vector<int> weight_codes(int layer, double& step) const {
        step = 0.0;
        for (const double w : weights[layer]) {
            step = std::max(step, std::abs(w) / 127.0);
        }
        step = static_cast<float>(step);
        std::vector<int> out;
        for (const double w : weights[layer]) {
            out.push_back(static_cast<int>(std::clamp(std::nearbyint(w / step), -127.0, 127.0)));
        }
        return out;
    }

    [[nodiscard]] std::string bytes(OnnxForm form) const {
        OnnxBuilder out;
        onnx::Node& scaler = out.node("Scaler", {}, true);
        set_floats(scaler, "offset", offset);
        set_floats(scaler, "scale", scale);
        for (int l = 0; l < 3; ++l) {
            layer(out, l, form);
        }
        out.node("Softmax", {});
        out.node("ZipMap", {}, true);
        return out.bytes();
    }

    /// The answer by the definition of the operators, in double.
    [[nodiscard]] std::vector<double> logits(const std::uint8_t* codes, OnnxForm form) const {
        std::vector<double> x;
        for (int i = 0; i < kWidths[0]; ++i) {
            x.push_back(
                (codes[i] - static_cast<double>(offset[i])) * static_cast<double>(scale[i]));
        }
        for (int l = 0; l < 3; ++l) {
            const bool quantized = form == OnnxForm::qdq || form == OnnxForm::qlinear;
            double step = 1.0;
            const auto q = weight_codes(l, step);
            std::vector<double> y(kWidths[l + 1]);
            for (std::size_t j = 0; j < y.size(); ++j) {
                y[j] = bias[l][j];
                for (std::size_t k = 0; k < x.size(); ++k) {
                    const std::size_t at = k * y.size() + j;
                    y[j] += x[k] * (quantized ? q[at] * step : weights[l][at]);
                }
                y[j] = l < 2 ? std::max(y[j], 0.0) : y[j];
            }
            x = y;
        }
        return x;
    }

  private:
    void layer(OnnxBuilder& out, int l, OnnxForm form) const {
        const std::int64_t in = kWidths[l];
        const std::int64_t width = kWidths[l + 1];
        double step = 1.0;
        const auto q = weight_codes(l, step);
        switch (form) {
            case OnnxForm::gemm: {
                const std::string w = out.floats(weights[l], {in, width});
                out.node("Gemm", {w, out.floats(bias[l], {width})});
                break;
            }
            case OnnxForm::matmul:
                out.node("MatMul", {out.floats(weights[l], {in, width})});
                out.node("Add", {out.floats(bias[l], {width})});
                break;
            case OnnxForm::qdq: {
                // The weights' DequantizeLinear stands beside the chain.
                onnx::Node& weight = *out.graph().add_node();
                weight.set_op_type("DequantizeLinear");
                weight.add_input(out.codes(q, {in, width}, 3));
                weight.add_input(out.floats({step}, {}));
                weight.add_input(out.codes({0}, {}, 3));
                weight.add_output("w" + std::to_string(l));
                out.node("MatMul", {"w" + std::to_string(l)});
                out.node("Add", {out.floats(bias[l], {width})});
                break;
            }
            case OnnxForm::qlinear: {
                const std::string one = out.floats({0.02}, {});
                const std::string zero = out.codes({64}, {}, 2);
                out.node("QuantizeLinear", {one, zero});
                out.node(
                    "QLinearMatMul",
                    {one,
                     zero,
                     out.codes(q, {in, width}, 3),
                     out.floats({step}, {}),
                     out.codes({0}, {}, 3),
                     one,
                     zero});
                out.node("DequantizeLinear", {one, zero});
                out.node("Add", {out.floats(bias[l], {width})});
                break;
            }
        }
        if (l < 2) {
            out.node("Relu", {});
        }
    }
};

/// A complete tree of `depth` on `inputs` codes a class, with a Scaler in front.
struct OnnxForest {
    std::vector<std::int64_t> trees, ids, features, yes, no, leaf_trees, leaf_ids, leaf_outputs;
    std::vector<float> values, leaf_weights;
    std::vector<std::string> modes;
    float offset = 10.0F;
    float scale = 0.5F;
    int classes = 3;

    OnnxForest(std::uint64_t seed, int count, int depth, int inputs, const std::string& mode) {
        std::mt19937_64 random(seed);
        for (int t = 0; t < count; ++t) {
            const int splits = (1 << depth) - 1;
            for (int n = 0; n < 2 * splits + 1; ++n) {
                const bool leaf = n >= splits;
                trees.push_back(t);
                ids.push_back(n);
                features.push_back(leaf ? 0 : static_cast<std::int64_t>(random() % inputs));
                values.push_back(leaf ? 0.0F : (static_cast<float>(random() % 512) - 20.0F) / 4.0F);
                modes.push_back(leaf ? "LEAF" : mode);
                yes.push_back(leaf ? 0 : 2 * n + 1);
                no.push_back(leaf ? 0 : 2 * n + 2);
                if (leaf) {
                    leaf_trees.push_back(t);
                    leaf_ids.push_back(n);
                    leaf_outputs.push_back(t % classes);
                    leaf_weights.push_back(static_cast<float>(random() % 2000) / 1000.0F - 1.0F);
                }
            }
        }
    }

    [[nodiscard]] std::string bytes(const std::string& transform = "SOFTMAX") const {
        OnnxBuilder out;
        onnx::Node& scaler = out.node("Scaler", {}, true);
        set_floats(scaler, "offset", {offset});
        set_floats(scaler, "scale", {scale});
        add_to(out, transform);
        return out.bytes();
    }

    /// The ensemble alone, behind what `out` has.
    void add_to(OnnxBuilder& out, const std::string& transform = "SOFTMAX") const {
        onnx::Node& node = out.node("TreeEnsembleClassifier", {}, true);
        set_ints(node, "nodes_treeids", trees);
        set_ints(node, "nodes_nodeids", ids);
        set_ints(node, "nodes_featureids", features);
        set_floats(node, "nodes_values", values);
        set_strings(node, "nodes_modes", modes);
        set_ints(node, "nodes_truenodeids", yes);
        set_ints(node, "nodes_falsenodeids", no);
        set_ints(node, "class_treeids", leaf_trees);
        set_ints(node, "class_nodeids", leaf_ids);
        set_ints(node, "class_ids", leaf_outputs);
        set_floats(node, "class_weights", leaf_weights);
        set_floats(
            node, "base_values", std::vector<float>(static_cast<std::size_t>(classes), 0.5F));
        set_ints(node, "classlabels_int64s", {0, 1, 2});
        set_text(node, "post_transform", transform);
    }

    /// Sums by class, walking the lists as the operator is defined.
    [[nodiscard]] std::vector<double> logits(const std::uint8_t* codes) const {
        const std::int64_t inputs = *std::max_element(features.begin(), features.end()) + 1;
        std::vector<float> scaled;
        for (std::int64_t i = 0; i < inputs; ++i) {
            scaled.push_back((static_cast<float>(codes[i]) - offset) * scale);
        }
        return logits(scaled);
    }

    /// The same of the ensemble's own inputs.
    [[nodiscard]] std::vector<double> logits(const std::vector<float>& inputs) const {
        std::vector<double> sums(static_cast<std::size_t>(classes), 0.5);
        for (std::size_t first = 0; first < ids.size();) {
            std::size_t at = first;
            while (modes[at] != "LEAF") {
                const float x = inputs[static_cast<std::size_t>(features[at])];
                const float v = values[at];
                const bool go = modes[at] == "BRANCH_LEQ"   ? x <= v
                                : modes[at] == "BRANCH_LT"  ? x < v
                                : modes[at] == "BRANCH_GTE" ? x >= v
                                                            : x > v;
                at = first + static_cast<std::size_t>(go ? yes[at] : no[at]);
            }
            for (std::size_t i = 0; i < leaf_ids.size(); ++i) {
                if (leaf_trees[i] == trees[at] && leaf_ids[i] == ids[at]) {
                    sums[static_cast<std::size_t>(leaf_outputs[i])] +=
                        static_cast<double>(leaf_weights[i]);
                }
            }
            const std::int64_t tree = trees[first];
            while (first < ids.size() && trees[first] == tree) {
                ++first;
            }
        }
        return sums;
    }
};

}  // namespace weir::test
