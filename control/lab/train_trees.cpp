// SPDX-License-Identifier: BSD-3-Clause
// Ensembles of XGBoost: boosted, or bagged.
#include "control/lab/train_convert.h"
#include "control/lab/train_family.h"

#include <utility>

namespace weir::lab {
namespace {

class Trees final : public Fitted {
  public:
    Trees(Booster booster, std::uint32_t rounds) : booster_(std::move(booster)), rounds_(rounds) {}

    [[nodiscard]] std::uint32_t stages() const noexcept override { return rounds_; }

    [[nodiscard]] Result<std::vector<float>> logits(
        const CodeMatrix& data, std::uint32_t stage) const override {
        return booster_.margins(data, stage);
    }
    [[nodiscard]] Result<std::vector<float>> float_logits(
        const CodeMatrix& data, std::uint32_t stage) const override {
        return booster_.margins(data, stage);
    }

    [[nodiscard]] Result<QuantizedNetwork> quantized(
        double temperature, std::uint32_t stage) const override {
        const auto json = booster_.json();
        if (!json) {
            return tl::unexpected(json.error());
        }
        const auto forest = parse_xgboost_json(*json, stage == rounds_ ? 0 : stage);
        if (!forest) {
            return tl::unexpected(forest.error());
        }
        auto quantized = quantize(*forest, temperature);
        if (!quantized) {
            return tl::unexpected(quantized.error());
        }
        return QuantizedNetwork{
            std::move(quantized->spec),
            {kernels::HeadKind::softmax, quantized->scale_q16, {}},
            quantized->logit_per_raw,
            quantized->logit_error};
    }

  private:
    Booster booster_;
    std::uint32_t rounds_;
};

}  // namespace

Result<std::unique_ptr<Fitted>> fit_trees(const CodeMatrix& data, const FamilyOptions& options) {
    BoostOptions boost = options.boost;
    if (options.family == Family::random_forest) {
        // One round of as many trees, each on a draw of the rows: the library divides their leaves by their number.
        boost.parallel_trees = boost.rounds;
        boost.rounds = 1;
        boost.learning_rate = 1.0;
    }
    auto booster = Booster::train(data, boost);
    if (!booster) {
        return tl::unexpected(booster.error());
    }
    return std::make_unique<Trees>(std::move(*booster), boost.rounds);
}

}  // namespace weir::lab
