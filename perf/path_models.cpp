// SPDX-License-Identifier: BSD-3-Clause
#include "perf/path_models.h"

#include "dataplane/features/catalog.h"
#include "dataplane/snapshot_build.h"
#include "kernels/classifier.h"

#include <cstdio>
#include <random>
#include <utility>

namespace weir::perf {
namespace {

using dataplane::SlotModel;

[[nodiscard]] std::shared_ptr<const SlotModel> finish(
    const std::string& slot,
    const std::string& name,
    const std::vector<std::uint16_t>& features,
    const kernels::Network& network,
    std::uint32_t classes,
    bool benign) {
    static std::uint16_t next_ref = 1;
    auto classifier = kernels::make_classifier(network);
    if (!classifier) {
        std::fprintf(stderr, "%s: %s\n", name.c_str(), classifier.error().line().c_str());
        return nullptr;
    }
    auto model = std::make_shared<SlotModel>();
    model->classifier = std::move(*classifier);
    model->name = name;
    model->version = 1;
    model->ref = next_ref++;
    model->head.kind = classes == 2 ? kernels::HeadKind::sigmoid : kernels::HeadKind::softmax;
    model->head.scale_q16 = 1 << 10;
    model->features = features;
    for (std::uint32_t c = 0; c < classes; ++c) {
        model->classes.push_back(c == 0 && benign ? "benign" : slot + std::to_string(c));
        model->class_ids.push_back(*dataplane::class_id(slot, model->classes.back()));
    }
    model->benign_class = benign ? 0 : -1;
    return model;
}

}  // namespace

std::shared_ptr<const SlotModel> small_mlp(
    const std::string& slot, const std::vector<std::uint16_t>& features, bool benign) {
    constexpr std::uint32_t kClasses = 8;
    std::mt19937 random(11);
    kernels::MlpSpec spec;
    auto in = static_cast<std::uint32_t>(features.size());
    for (const std::uint32_t out : {32U, 16U, kClasses}) {
        kernels::MlpLayer layer;
        layer.in = in;
        layer.out = out;
        layer.shift = 4;
        for (std::uint32_t n = 0; n < out; ++n) {
            for (std::uint32_t k = 0; k < in; ++k) {
                layer.weights.push_back(
                    static_cast<std::int8_t>(static_cast<int>(random() % 127) - 63));
            }
            layer.bias.push_back(static_cast<std::int32_t>(random() % 2048));
            layer.multiplier.push_back(8192);
        }
        spec.layers.push_back(std::move(layer));
        in = out;
    }
    return finish(slot, "mlp", features, spec, kClasses, benign);
}

std::shared_ptr<const SlotModel> small_forest(
    const std::string& slot, const std::vector<std::uint16_t>& features) {
    constexpr std::uint32_t kTrees = 64;
    constexpr std::uint32_t kDepth = 5;
    constexpr std::int32_t kInner = (1 << kDepth) - 1;
    constexpr std::uint32_t kBins = 32;
    std::mt19937 random(13);
    kernels::ForestSpec spec;
    spec.inputs = static_cast<std::uint32_t>(features.size());
    spec.base = {0};
    for (std::uint32_t t = 0; t < kTrees; ++t) {
        kernels::ForestTree tree;
        for (std::int32_t n = 0; n < kInner; ++n) {
            kernels::ForestNode node;
            node.feature = static_cast<std::uint8_t>(random() % spec.inputs);
            node.threshold = static_cast<std::uint8_t>(random() % kBins * (256 / kBins));
            const auto child = [](std::int32_t c) { return c < kInner ? c : ~(c - kInner); };
            node.left = child(2 * n + 1);
            node.right = child(2 * n + 2);
            tree.nodes.push_back(node);
        }
        for (std::int32_t l = 0; l <= kInner; ++l) {
            tree.leaves.push_back(
                static_cast<std::int16_t>(static_cast<int>(random() % 2001) - 1000));
        }
        spec.trees.push_back(std::move(tree));
    }
    return finish(slot, "forest", features, spec, 2, true);
}

std::vector<std::uint16_t> spread_features(std::uint32_t count, bool with_hosts) {
    std::vector<std::uint16_t> all;
    for (const dataplane::FeatureInfo& feature : dataplane::catalog()) {
        if (feature.group != dataplane::FeatureGroup::payload &&
            (with_hosts || feature.group != dataplane::FeatureGroup::host)) {
            all.push_back(feature.id);
        }
    }
    std::vector<std::uint16_t> out;
    for (std::uint32_t i = 0; i < count; ++i) {
        out.push_back(all[i * all.size() / count]);
    }
    return out;
}

}  // namespace weir::perf
