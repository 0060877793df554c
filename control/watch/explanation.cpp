// SPDX-License-Identifier: BSD-3-Clause
#include "control/watch/explanation.h"

#include "kernels/explain/attribution.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace weir::control {

namespace {

constexpr double kScoreOne = 65535.0;

/// The strongest class but `cls`.
std::size_t rival_of(
    const dataplane::SlotModel& model, const std::vector<std::int32_t>& raw, std::size_t cls) {
    if (model.benign_class >= 0 && static_cast<std::size_t>(model.benign_class) != cls) {
        return static_cast<std::size_t>(model.benign_class);
    }
    std::size_t best = cls == 0 ? 1 : 0;
    for (std::size_t c = 0; c < raw.size(); ++c) {
        best = c != cls && raw[c] > raw[best] ? c : best;
    }
    return best;
}

}  // namespace

std::optional<Explanation> explain(
    const dataplane::SlotModel& model,
    const dataplane::FeatureRow& row,
    const std::optional<std::string>& cls) {
    if (model.basis == nullptr) {
        return std::nullopt;
    }
    std::vector<std::uint8_t> codes;
    for (const std::uint16_t feature : model.features) {
        codes.push_back(row.codes.at(feature));
    }
    const auto raw = kernels::raw_outputs(*model.classifier, codes);
    kernels::HeadVerdict verdict;
    kernels::apply_head(
        model.head,
        raw.data(),
        static_cast<std::uint32_t>(raw.size()),
        1,
        model.benign_class,
        &verdict);
    const auto named = std::find(model.classes.begin(), model.classes.end(), cls.value_or(""));
    const std::size_t of = named == model.classes.end()
                               ? verdict.cls
                               : static_cast<std::size_t>(named - model.classes.begin());
    // One raw output is class 1's odds against class 0.
    const bool sigmoid = raw.size() == 1;
    const std::size_t rival = sigmoid ? 1 - of : rival_of(model, raw, of);
    std::vector<std::int32_t> weights(raw.size(), 0);
    if (sigmoid) {
        weights[0] = of == 1 ? 1 : -1;
    } else {
        weights[of] += 1;
        weights[rival] -= 1;
    }
    const kernels::Attribution got = kernels::attribute(
        model.basis->network, *model.classifier, codes, model.basis->counts, weights);
    constexpr int kScaleBits = 16;
    const auto bits = [&](std::int64_t moved) {
        return std::ldexp(
            static_cast<double>(moved) * model.head.scale_q16,
            -kScaleBits - static_cast<int>(got.shift));
    };
    Explanation out;
    out.cls = model.classes.at(of);
    out.against = model.classes.at(rival);
    out.packet_class = model.classes.at(verdict.cls);
    out.packet_confidence =
        (model.benign_class >= 0 ? verdict.not_benign : verdict.confidence) / kScoreOne;
    out.score_bits = bits(got.score);
    out.bias_bits = bits(got.bias);
    std::int64_t rest = got.score - got.bias;
    for (std::size_t i = 0; i < codes.size(); ++i) {
        const std::uint16_t feature = model.features[i];
        rest -= got.by_input[i];
        out.parts.push_back({feature, row.raw.at(feature), codes[i], bits(got.by_input[i])});
    }
    out.rest_bits = bits(rest);
    out.method = kernels::method_name(got.method);
    std::stable_sort(out.parts.begin(), out.parts.end(), [](const auto& a, const auto& b) {
        return std::abs(a.bits) > std::abs(b.bits);
    });
    return out;
}

}  // namespace weir::control
