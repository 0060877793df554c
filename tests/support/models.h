// SPDX-License-Identifier: BSD-3-Clause
// Small models made in code, for tests that need verdicts but no bundle.
#pragma once

#include "dataplane/features/catalog.h"
#include "dataplane/snapshot.h"
#include "dataplane/snapshot_build.h"
#include "kernels/classifier.h"

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace weir::test {

/// A one-layer network with seeded random weights over every catalog feature of `groups` (bit g: FeatureGroup g): classes
/// fall all over the place, so that any difference in a code shows in a verdict. Ready for `slot`.
[[nodiscard]] inline std::shared_ptr<const dataplane::SlotModel> random_model(
    const std::string& slot,
    std::vector<std::string> classes,
    std::uint32_t seed,
    std::uint16_t ref = 1,
    std::uint32_t groups = dataplane::kAllGroups) {
    std::mt19937 random(seed);
    std::vector<std::uint16_t> features;
    for (const dataplane::FeatureInfo& feature : dataplane::catalog()) {
        if ((groups >> static_cast<std::uint32_t>(feature.group) & 1U) != 0) {
            features.push_back(feature.id);
        }
    }
    const auto inputs = static_cast<std::uint32_t>(features.size());
    kernels::MlpLayer layer;
    layer.in = inputs;
    layer.out = static_cast<std::uint32_t>(classes.size());
    layer.shift = 4;
    for (std::uint32_t n = 0; n < layer.out; ++n) {
        std::int32_t centre = 0;
        for (std::uint32_t k = 0; k < inputs; ++k) {
            const auto weight = static_cast<std::int8_t>(static_cast<int>(random() % 61) - 30);
            layer.weights.push_back(weight);
            centre += weight * 64;
        }
        layer.bias.push_back(-centre);
        layer.multiplier.push_back(8192);
    }
    auto model = std::make_shared<dataplane::SlotModel>();
    auto classifier = kernels::make_classifier(kernels::MlpSpec{{layer}});
    if (!classifier) {
        return nullptr;
    }
    model->classifier = std::move(*classifier);
    model->name = "random";
    model->version = 1;
    model->ref = ref;
    model->head.scale_q16 = 64;
    for (std::size_t c = 0; c < classes.size(); ++c) {
        model->class_ids.push_back(*dataplane::class_id(slot, classes[c]));
        model->benign_class = classes[c] == "benign" ? static_cast<int>(c) : model->benign_class;
    }
    model->classes = std::move(classes);
    model->features = std::move(features);
    return model;
}

}  // namespace weir::test
