// SPDX-License-Identifier: BSD-3-Clause
// Field numbers: onnx/onnx.proto; attributes: the operator's page in ONNX's ml operators.
#include "perf/onnxruntime_forest.h"

#include <bit>
#include <stdexcept>
#include <string>
#include <vector>

#include <onnxruntime_c_api.h>

namespace weir::perf {
namespace {

using kernels::ForestNode;
using kernels::ForestSpec;
using kernels::ForestTree;

/// A protobuf message under construction.
class Message {
  public:
    void number(std::uint32_t field, std::uint64_t value) {
        varint(field << 3);
        varint(value);
    }
    void text(std::uint32_t field, const std::string& value) {
        varint(field << 3 | 2);
        varint(value.size());
        bytes_ += value;
    }
    void real(std::uint32_t field, float value) {
        varint(field << 3 | 5);
        const auto bits = std::bit_cast<std::uint32_t>(value);
        bytes_.append(reinterpret_cast<const char*>(&bits), sizeof bits);
    }
    void message(std::uint32_t field, const Message& inner) { text(field, inner.bytes_); }
    [[nodiscard]] const std::string& bytes() const { return bytes_; }

  private:
    void varint(std::uint64_t value) {
        for (; value >= 0x80; value >>= 7) {
            bytes_ += static_cast<char>(value | 0x80);
        }
        bytes_ += static_cast<char>(value);
    }
    std::string bytes_;
};

Message attribute(const char* name, std::uint32_t type) {
    Message made;
    made.text(1, name);
    made.number(20, type);
    return made;
}

Message attribute(const char* name, const std::vector<std::int64_t>& values) {
    Message made = attribute(name, 7);
    for (const std::int64_t value : values) {
        made.number(8, static_cast<std::uint64_t>(value));
    }
    return made;
}

Message attribute(const char* name, const std::vector<float>& values) {
    Message made = attribute(name, 6);
    for (const float value : values) {
        made.real(7, value);
    }
    return made;
}

Message attribute(const char* name, const std::vector<std::string>& values) {
    Message made = attribute(name, 8);
    for (const std::string& value : values) {
        made.text(9, value);
    }
    return made;
}

/// The operator's columns: inner nodes first, then leaves, tree by tree.
struct Columns {
    std::vector<std::int64_t> trees, nodes, features, on_true, on_false;
    std::vector<std::string> modes;
    std::vector<float> values;
    std::vector<std::int64_t> leaf_trees, leaf_nodes, leaf_outputs;
    std::vector<float> leaf_values;

    void add(const ForestTree& tree, std::int64_t number) {
        const auto inner = static_cast<std::int64_t>(tree.nodes.size());
        const auto place = [inner](std::int32_t child) {
            return child >= 0 ? std::int64_t{child} : inner + ~child;
        };
        for (const ForestNode& node : tree.nodes) {
            row(number, node.feature, node.threshold, "BRANCH_LEQ");
            on_true.push_back(place(node.left));
            on_false.push_back(place(node.right));
        }
        for (const std::int16_t leaf : tree.leaves) {
            row(number, 0, 0, "LEAF");
            on_true.push_back(0);
            on_false.push_back(0);
            leaf_trees.push_back(number);
            leaf_nodes.push_back(nodes.back());
            leaf_outputs.push_back(tree.output);
            leaf_values.push_back(leaf);
        }
    }

  private:
    void row(std::int64_t tree, std::int64_t feature, float value, const char* mode) {
        const bool first = trees.empty() || trees.back() != tree;
        nodes.push_back(first ? 0 : nodes.back() + 1);
        trees.push_back(tree);
        features.push_back(feature);
        values.push_back(value);
        modes.emplace_back(mode);
    }
};

// A float tensor of any rows × `columns`.
Message value_info(const char* name, std::uint64_t columns) {
    Message any;
    any.text(2, "rows");
    Message fixed;
    fixed.number(1, columns);
    Message shape;
    shape.message(1, any);
    shape.message(1, fixed);
    Message tensor;
    tensor.number(1, 1);
    tensor.message(2, shape);
    Message type;
    type.message(1, tensor);
    Message made;
    made.text(1, name);
    made.message(2, type);
    return made;
}

std::string model_of(const ForestSpec& spec) {
    Columns columns;
    for (std::size_t t = 0; t < spec.trees.size(); ++t) {
        columns.add(spec.trees[t], static_cast<std::int64_t>(t));
    }
    Message node;
    node.text(1, "x");
    node.text(2, "y");
    node.text(4, "TreeEnsembleRegressor");
    node.text(7, "ai.onnx.ml");
    node.message(5, attribute("nodes_treeids", columns.trees));
    node.message(5, attribute("nodes_nodeids", columns.nodes));
    node.message(5, attribute("nodes_featureids", columns.features));
    node.message(5, attribute("nodes_modes", columns.modes));
    node.message(5, attribute("nodes_values", columns.values));
    node.message(5, attribute("nodes_truenodeids", columns.on_true));
    node.message(5, attribute("nodes_falsenodeids", columns.on_false));
    node.message(5, attribute("target_treeids", columns.leaf_trees));
    node.message(5, attribute("target_nodeids", columns.leaf_nodes));
    node.message(5, attribute("target_ids", columns.leaf_outputs));
    node.message(5, attribute("target_weights", columns.leaf_values));
    node.message(
        5, attribute("base_values", std::vector<float>(spec.base.begin(), spec.base.end())));
    Message targets = attribute("n_targets", 2);
    targets.number(3, spec.base.size());
    node.message(5, targets);
    Message graph;
    graph.message(1, node);
    graph.text(2, "forest");
    graph.message(11, value_info("x", spec.inputs));
    graph.message(12, value_info("y", spec.base.size()));
    Message trees;
    trees.text(1, "ai.onnx.ml");
    trees.number(2, 1);
    Message rest;
    rest.text(1, "");
    rest.number(2, 13);
    Message model;
    model.number(1, 7);
    model.message(7, graph);
    model.message(8, trees);
    model.message(8, rest);
    return model.bytes();
}

}  // namespace

struct OnnxRuntimeForest::State {
    const OrtApi* api = OrtGetApiBase()->GetApi(ORT_API_VERSION);
    OrtEnv* env = nullptr;
    OrtSessionOptions* options = nullptr;
    OrtSession* session = nullptr;
    OrtMemoryInfo* memory = nullptr;
    OrtValue* x = nullptr;
    OrtValue* y = nullptr;
    std::int64_t inputs = 0;
    std::int64_t outputs = 0;
    std::vector<float> out;

    ~State() {
        api->ReleaseValue(y);
        api->ReleaseValue(x);
        api->ReleaseMemoryInfo(memory);
        api->ReleaseSession(session);
        api->ReleaseSessionOptions(options);
        api->ReleaseEnv(env);
    }
    void require(OrtStatus* status) const {
        if (status != nullptr) {
            const std::string message = api->GetErrorMessage(status);
            api->ReleaseStatus(status);
            throw std::runtime_error("ONNX Runtime: " + message);
        }
    }
    OrtValue* tensor(float* values, std::int64_t rows, std::int64_t columns) const {
        const std::int64_t shape[] = {rows, columns};
        const std::size_t bytes = static_cast<std::size_t>(rows * columns) * sizeof(float);
        OrtValue* made = nullptr;
        require(api->CreateTensorWithDataAsOrtValue(
            memory, values, bytes, shape, 2, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &made));
        return made;
    }
};

OnnxRuntimeForest::OnnxRuntimeForest(const ForestSpec& spec) : state_(std::make_unique<State>()) {
    State& s = *state_;
    s.inputs = spec.inputs;
    s.outputs = static_cast<std::int64_t>(spec.base.size());
    s.require(s.api->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "weir", &s.env));
    s.require(s.api->CreateSessionOptions(&s.options));
    s.require(s.api->SetIntraOpNumThreads(s.options, 1));
    s.require(s.api->SetInterOpNumThreads(s.options, 1));
    s.require(s.api->SetSessionGraphOptimizationLevel(s.options, ORT_ENABLE_ALL));
    const std::string model = model_of(spec);
    s.require(
        s.api->CreateSessionFromArray(s.env, model.data(), model.size(), s.options, &s.session));
    s.require(s.api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &s.memory));
}

OnnxRuntimeForest::~OnnxRuntimeForest() = default;

void OnnxRuntimeForest::set_rows(const float* values, std::size_t rows) {
    State& s = *state_;
    const auto count = static_cast<std::int64_t>(rows);
    s.api->ReleaseValue(s.x);
    s.api->ReleaseValue(s.y);
    s.out.resize(static_cast<std::size_t>(count * s.outputs));
    s.x = s.tensor(const_cast<float*>(values), count, s.inputs);
    s.y = s.tensor(s.out.data(), count, s.outputs);
}

void OnnxRuntimeForest::run() {
    static constexpr const char* kIn[] = {"x"};
    static constexpr const char* kOut[] = {"y"};
    State& s = *state_;
    const OrtValue* const in[] = {s.x};
    s.require(s.api->Run(s.session, nullptr, kIn, in, 1, kOut, 1, &s.y));
}

std::span<const float> OnnxRuntimeForest::output() const noexcept {
    return state_->out;
}

}  // namespace weir::perf
