// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/import_cost.h"

#include "control/lab/evaluate_metrics.h"
#include "kernels/classifier.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

namespace weir::lab {
namespace {

void softmax(std::vector<double>& values) {
    const double top = *std::max_element(values.begin(), values.end());
    double sum = 0.0;
    for (double& v : values) {
        v = std::exp(v - top);
        sum += v;
    }
    for (double& v : values) {
        v /= sum;
    }
}

std::uint32_t likeliest(const std::vector<double>& values) {
    return static_cast<std::uint32_t>(
        std::max_element(values.begin(), values.end()) - values.begin());
}

// Verdicts of one of the two models.
class Tally {
  public:
    Tally(std::size_t classes, int benign)
        : classes_(classes), benign_(benign), of_class_(classes), others_(classes) {}

    void add(std::uint32_t truth, std::vector<double> probabilities) {
        const std::uint32_t predicted = likeliest(probabilities);
        const double score = benign_ >= 0 ? 1.0 - probabilities[static_cast<std::size_t>(benign_)]
                                          : probabilities[predicted];
        verdicts_.push_back({truth, predicted, score});
        for (std::size_t c = 0; c < classes_; ++c) {
            (truth == c ? of_class_ : others_)[c].push_back(probabilities[c]);
        }
    }
    [[nodiscard]] double macro_f1() const {
        return judge(verdicts_, static_cast<std::uint32_t>(classes_), benign_).macro_f1;
    }
    [[nodiscard]] double auc() const {
        if (benign_ >= 0) {
            // The share of benign ranks the other way round.
            const auto c = static_cast<std::size_t>(benign_);
            return roc_auc(of_class_[c], others_[c]);
        }
        double sum = 0.0;
        std::size_t counted = 0;
        for (std::size_t c = 0; c < classes_; ++c) {
            const double area = roc_auc(of_class_[c], others_[c]);
            sum += std::isnan(area) ? 0.0 : area;
            counted += std::isnan(area) ? 0 : 1;
        }
        return counted == 0 ? std::nan("") : sum / static_cast<double>(counted);
    }

  private:
    std::size_t classes_;
    int benign_;
    std::vector<Judged> verdicts_;
    std::vector<std::vector<double>> of_class_;
    std::vector<std::vector<double>> others_;
};

}  // namespace

Result<QuantizationCost> quantization_cost(
    const FeatureTable& table,
    const kernels::Bundle& bundle,
    double logit_per_raw,
    const std::function<void(const std::uint8_t* codes, double* logits)>& logits) {
    auto classifier = kernels::make_classifier(bundle.network);
    if (!classifier) {
        return tl::unexpected(classifier.error());
    }
    const std::size_t classes = bundle.classes.size();
    const auto benign = std::find(bundle.classes.begin(), bundle.classes.end(), "benign");
    const int benign_index =
        benign == bundle.classes.end() ? -1 : static_cast<int>(benign - bundle.classes.begin());
    Tally before(classes, benign_index);
    Tally after(classes, benign_index);
    const auto inputs = static_cast<std::uint32_t>(table.features.size());
    std::vector<std::byte> memory((*classifier)->scratch_bytes() + 64);
    void* scratch = memory.data();
    std::size_t space = memory.size();
    if (std::align(64, (*classifier)->scratch_bytes(), scratch, space) == nullptr) {
        return fail("import", {}, "no memory to score with");
    }
    QuantizationCost cost;
    cost.rows = table.rows();
    std::vector<std::int32_t> raw(std::size_t{kernels::kMaxRows} * classes);
    std::uint64_t same = 0;
    for (std::uint32_t at = 0; at < table.rows(); at += kernels::kMaxRows) {
        const std::uint32_t n = std::min(kernels::kMaxRows, table.rows() - at);
        const std::uint8_t* codes = table.codes.data() + std::size_t{at} * inputs;
        (*classifier)->score(codes, inputs, n, raw.data(), static_cast<std::byte*>(scratch));
        for (std::uint32_t r = 0; r < n; ++r) {
            const std::uint32_t truth = table.flows[table.flow_of[at + r]].label;
            std::vector<double> theirs(classes);
            logits(codes + std::size_t{r} * inputs, theirs.data());
            std::vector<double> ours(classes);
            for (std::size_t c = 0; c < classes; ++c) {
                ours[c] = raw[r * classes + c] * logit_per_raw;
                cost.worst_logit = std::max(cost.worst_logit, std::abs(ours[c] - theirs[c]));
            }
            same += likeliest(theirs) == likeliest(ours) ? 1 : 0;
            softmax(theirs);
            softmax(ours);
            before.add(truth, std::move(theirs));
            after.add(truth, std::move(ours));
        }
    }
    cost.agreement =
        cost.rows == 0 ? 1.0 : static_cast<double>(same) / static_cast<double>(cost.rows);
    cost.float_macro_f1 = before.macro_f1();
    cost.macro_f1 = after.macro_f1();
    cost.float_auc = before.auc();
    cost.auc = after.auc();
    return cost;
}

}  // namespace weir::lab
