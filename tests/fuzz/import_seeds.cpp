// SPDX-License-Identifier: BSD-3-Clause
// Writes the seeds of the import fuzzer anew: import_seeds FOLDER.
#include "tests/support/onnx.h"

#include <cstdio>
#include <fstream>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

namespace {

using namespace weir::test;

// Two trees of one split for two classes, as XGBoost saves them.
nlohmann::json small_booster() {
    nlohmann::json tree{
        {"left_children", {1, -1, -1}},
        {"right_children", {2, -1, -1}},
        {"split_indices", {1, 0, 0}},
        {"split_conditions", {100.0, 0.5, -0.25}},
        {"split_type", {0, 0, 0}}};
    nlohmann::json model;
    model["learner"]["objective"]["name"] = "multi:softprob";
    model["learner"]["learner_model_param"] = {
        {"num_feature", "2"}, {"num_class", "2"}, {"base_score", "5E-1"}};
    model["learner"]["gradient_booster"] = {
        {"name", "gbtree"}, {"model", {{"trees", {tree, tree}}, {"tree_info", {0, 1}}}}};
    return model;
}

// A Normalizer between two Scalers, in front of one layer or of trees.
std::string behind_norm(bool trees) {
    OnnxBuilder out;
    for (const char* op : {"Scaler", "Normalizer", "Scaler"}) {
        onnx::Node& node = out.node(op, {}, true);
        if (node.op_type() == "Scaler") {
            set_floats(node, "offset", {20.0F, 0.25F});
            set_floats(node, "scale", {0.5F, 2.0F});
        } else {
            set_text(node, "norm", trees ? "L1" : "L2");
        }
    }
    if (trees) {
        OnnxForest(5, 3, 2, 2, "BRANCH_LT").add_to(out);
    } else {
        out.node("MatMul", {out.floats({1, -2, 3, 0.5, 1, 2}, {2, 3})});
    }
    return out.bytes();
}

bool save(const std::string& path, const std::string& bytes) {
    std::ofstream out(path, std::ios::binary);
    out << bytes;
    return static_cast<bool>(out.flush());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        (void)std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    const std::string folder = std::string(argv[1]) + '/';
    const OnnxNetwork network(3);
    const auto ubjson = nlohmann::json::to_ubjson(small_booster(), true, true);
    bool ok = true;
    for (const auto& [name, bytes] :
         {std::pair{"gemm.onnx", network.bytes(OnnxForm::gemm)},
          std::pair{"matmul.onnx", network.bytes(OnnxForm::matmul)},
          std::pair{"qdq.onnx", network.bytes(OnnxForm::qdq)},
          std::pair{"qlinear.onnx", network.bytes(OnnxForm::qlinear)},
          std::pair{"forest.onnx", OnnxForest(5, 4, 3, 8, "BRANCH_LEQ").bytes()},
          std::pair{"stump.onnx", OnnxForest(5, 3, 1, 2, "BRANCH_GT").bytes("NONE")},
          std::pair{"norm.onnx", behind_norm(false)},
          std::pair{"norm_forest.onnx", behind_norm(true)},
          std::pair{"booster.json", small_booster().dump()},
          std::pair{"booster.ubj", std::string(ubjson.begin(), ubjson.end())}}) {
        ok = save(folder + name, bytes) && ok;
    }
    return ok ? 0 : 1;
}
