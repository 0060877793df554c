// SPDX-License-Identifier: BSD-3-Clause
// Figures of merit of a classifier's verdicts.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace weir::lab {

/// One verdict beside the truth.
struct Judged {
    std::uint32_t truth = 0;      ///< class
    std::uint32_t predicted = 0;  ///< class
    double score =
        0.0;  ///< 0…1: that it is not benign; without a benign class, of the predicted class
};

struct ClassFigures {
    std::uint64_t support = 0;
    double precision = 0.0;  ///< 0 where nothing was predicted
    double recall = 0.0;
    double f1 = 0.0;
};

struct Figures {
    std::uint64_t count = 0;
    double accuracy = 0.0;
    double macro_f1 = 0.0;  ///< over the classes with support
    double calibration_error =
        0.0;  ///< expected |score − share of true claims|, 15 equal-count bins
    std::vector<ClassFigures> classes;
    std::vector<std::vector<std::uint64_t>> confusion;  ///< [truth][predicted]
    double auc = 0.0;     ///< of "not benign"; NaN without a benign class
    double pr_auc = 0.0;  ///< average precision of "not benign"
    double tpr_at_fpr_1e2 = 0.0;
    double tpr_at_fpr_1e3 = 0.0;
    double tpr_at_fpr_1e4 = 0.0;
    double false_alarm_rate = 0.0;  ///< benign predicted as anything else
};

/// `benign`: index of the benign class or −1.
[[nodiscard]] Figures judge(std::span<const Judged> verdicts, std::uint32_t classes, int benign);

/// Area under the ROC curve by ranks, ties counted half; NaN where one side is empty.
[[nodiscard]] double roc_auc(std::span<const double> positive, std::span<const double> negative);

/// Largest share of `positive` above a threshold that at most `fpr` of `negative` exceed; NaN where one side is empty.
[[nodiscard]] double tpr_at_fpr(
    std::span<const double> positive, std::span<const double> negative, double fpr);

/// Average precision: the mean, over `positive`, of the precision at a threshold that lets each of them pass; equal
/// scores pass together. NaN where one side is empty.
[[nodiscard]] double average_precision(
    std::span<const double> positive, std::span<const double> negative);

/// Points (false alarm share, share caught) of the ROC curve, from (0, 0) to (1, 1), at most `most` of them, denser where
/// false alarms are few. Empty where one side is.
[[nodiscard]] std::vector<std::pair<double, double>> roc_curve(
    std::span<const double> positive, std::span<const double> negative, std::size_t most);

/// Claims of about equal score: the mean score and the share that was true.
struct ReliabilityBin {
    double score = 0.0;
    double share = 0.0;
    std::uint64_t count = 0;
};
/// Equal-count bins, by rising score, of claims "not benign", or without a benign class "of the predicted class".
[[nodiscard]] std::vector<ReliabilityBin> reliability(
    std::span<const Judged> verdicts, int benign, std::size_t bins);

}  // namespace weir::lab
