// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/evaluate_metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace weir::lab {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double ratio(double part, double whole) {
    return whole > 0.0 ? part / whole : 0.0;
}

double expected_calibration_error(std::span<const Judged> verdicts, int benign) {
    std::vector<std::pair<double, bool>> claims;
    claims.reserve(verdicts.size());
    for (const auto& v : verdicts) {
        claims.emplace_back(
            v.score,
            benign >= 0 ? v.truth != static_cast<std::uint32_t>(benign) : v.truth == v.predicted);
    }
    std::sort(claims.begin(), claims.end());
    constexpr std::size_t kBins = 15;
    double error = 0.0;
    for (std::size_t b = 0; b < kBins; ++b) {
        double score = 0.0;
        double truth = 0.0;
        for (std::size_t i = b * claims.size() / kBins; i < (b + 1) * claims.size() / kBins; ++i) {
            score += claims[i].first;
            truth += claims[i].second ? 1.0 : 0.0;
        }
        error += std::abs(score - truth);
    }
    return ratio(error, static_cast<double>(claims.size()));
}

void judge_alarm(std::span<const Judged> verdicts, std::uint32_t benign, Figures& out) {
    std::vector<double> positive;
    std::vector<double> negative;
    std::uint64_t alarms = 0;
    for (const auto& v : verdicts) {
        (v.truth == benign ? negative : positive).push_back(v.score);
        alarms += v.truth == benign && v.predicted != benign ? 1 : 0;
    }
    out.auc = roc_auc(positive, negative);
    out.tpr_at_fpr_1e2 = tpr_at_fpr(positive, negative, 1e-2);
    out.tpr_at_fpr_1e3 = tpr_at_fpr(positive, negative, 1e-3);
    out.false_alarm_rate = ratio(static_cast<double>(alarms), static_cast<double>(negative.size()));
}

}  // namespace

Figures judge(std::span<const Judged> verdicts, std::uint32_t classes, int benign) {
    Figures out;
    out.count = verdicts.size();
    out.auc = out.tpr_at_fpr_1e2 = out.tpr_at_fpr_1e3 = out.false_alarm_rate = kNan;
    out.confusion.assign(classes, std::vector<std::uint64_t>(classes, 0));
    for (const auto& v : verdicts) {
        ++out.confusion[v.truth][v.predicted];
    }
    std::uint64_t right = 0;
    std::uint32_t present = 0;
    for (std::uint32_t c = 0; c < classes; ++c) {
        ClassFigures figures;
        std::uint64_t predicted = 0;
        for (std::uint32_t o = 0; o < classes; ++o) {
            figures.support += out.confusion[c][o];
            predicted += out.confusion[o][c];
        }
        const auto hit = static_cast<double>(out.confusion[c][c]);
        figures.precision = ratio(hit, static_cast<double>(predicted));
        figures.recall = ratio(hit, static_cast<double>(figures.support));
        figures.f1 = ratio(2.0 * hit, static_cast<double>(predicted + figures.support));
        right += out.confusion[c][c];
        if (figures.support > 0) {
            ++present;
            out.macro_f1 += figures.f1;
        }
        out.classes.push_back(figures);
    }
    out.accuracy = ratio(static_cast<double>(right), static_cast<double>(out.count));
    out.macro_f1 = ratio(out.macro_f1, present);
    out.calibration_error = expected_calibration_error(verdicts, benign);
    if (benign >= 0) {
        judge_alarm(verdicts, static_cast<std::uint32_t>(benign), out);
    }
    return out;
}

double roc_auc(std::span<const double> positive, std::span<const double> negative) {
    if (positive.empty() || negative.empty()) {
        return kNan;
    }
    std::vector<double> sorted(negative.begin(), negative.end());
    std::sort(sorted.begin(), sorted.end());
    double wins = 0.0;
    for (const double p : positive) {
        const auto [below, above] = std::equal_range(sorted.begin(), sorted.end(), p);
        wins +=
            static_cast<double>(below - sorted.begin()) + 0.5 * static_cast<double>(above - below);
    }
    return wins / static_cast<double>(positive.size()) / static_cast<double>(negative.size());
}

double tpr_at_fpr(std::span<const double> positive, std::span<const double> negative, double fpr) {
    if (positive.empty() || negative.empty()) {
        return kNan;
    }
    std::vector<double> sorted(negative.begin(), negative.end());
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    // Alarm is score > threshold: the (allowed + 1)-th largest benign score and its equals stay silent.
    const auto allowed =
        static_cast<std::size_t>(std::floor(fpr * static_cast<double>(sorted.size())));
    if (allowed >= sorted.size()) {
        return 1.0;
    }
    const double threshold = sorted[allowed];
    const auto caught =
        std::count_if(positive.begin(), positive.end(), [&](double p) { return p > threshold; });
    return static_cast<double>(caught) / static_cast<double>(positive.size());
}

}  // namespace weir::lab
