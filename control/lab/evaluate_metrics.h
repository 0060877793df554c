// SPDX-License-Identifier: BSD-3-Clause
// Figures of merit of a classifier's verdicts.
#pragma once

#include <cstdint>
#include <span>
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
    double auc = 0.0;  ///< of "not benign"; NaN without a benign class
    double tpr_at_fpr_1e2 = 0.0;
    double tpr_at_fpr_1e3 = 0.0;
    double false_alarm_rate = 0.0;  ///< benign predicted as anything else
};

/// `benign`: index of the benign class or −1.
[[nodiscard]] Figures judge(std::span<const Judged> verdicts, std::uint32_t classes, int benign);

/// Area under the ROC curve by ranks, ties counted half; NaN where one side is empty.
[[nodiscard]] double roc_auc(std::span<const double> positive, std::span<const double> negative);

/// Largest share of `positive` above a threshold that at most `fpr` of `negative` exceed; NaN where one side is empty.
[[nodiscard]] double tpr_at_fpr(
    std::span<const double> positive, std::span<const double> negative, double fpr);

}  // namespace weir::lab
