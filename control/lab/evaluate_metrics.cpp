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
    constexpr std::size_t kBins = 15;
    double error = 0.0;
    for (const auto& bin : reliability(verdicts, benign, kBins)) {
        error += static_cast<double>(bin.count) * std::abs(bin.score - bin.share);
    }
    return ratio(error, static_cast<double>(verdicts.size()));
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
    out.pr_auc = average_precision(positive, negative);
    out.tpr_at_fpr_1e4 = tpr_at_fpr(positive, negative, 1e-4);
    out.tpr_at_fpr_1e2 = tpr_at_fpr(positive, negative, 1e-2);
    out.tpr_at_fpr_1e3 = tpr_at_fpr(positive, negative, 1e-3);
    out.false_alarm_rate = ratio(static_cast<double>(alarms), static_cast<double>(negative.size()));
}

}  // namespace

Figures judge(std::span<const Judged> verdicts, std::uint32_t classes, int benign) {
    Figures out;
    out.count = verdicts.size();
    out.auc = out.pr_auc = out.false_alarm_rate = kNan;
    out.tpr_at_fpr_1e2 = out.tpr_at_fpr_1e3 = out.tpr_at_fpr_1e4 = kNan;
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

double average_precision(std::span<const double> positive, std::span<const double> negative) {
    if (positive.empty() || negative.empty()) {
        return kNan;
    }
    std::vector<double> hits(positive.begin(), positive.end());
    std::vector<double> alarms(negative.begin(), negative.end());
    std::sort(hits.begin(), hits.end(), std::greater<>());
    std::sort(alarms.begin(), alarms.end(), std::greater<>());
    double sum = 0.0;
    std::size_t false_alarms = 0;
    for (std::size_t i = 0; i < hits.size();) {
        std::size_t end = i;
        while (end < hits.size() && hits[end] == hits[i]) {
            ++end;
        }
        while (false_alarms < alarms.size() && alarms[false_alarms] >= hits[i]) {
            ++false_alarms;
        }
        const auto passed = static_cast<double>(end);
        sum += static_cast<double>(end - i) * passed / (passed + static_cast<double>(false_alarms));
        i = end;
    }
    return sum / static_cast<double>(hits.size());
}

std::vector<std::pair<double, double>> roc_curve(
    std::span<const double> positive, std::span<const double> negative, std::size_t most) {
    std::vector<std::pair<double, double>> curve;
    if (positive.empty() || negative.empty()) {
        return curve;
    }
    std::vector<double> hits(positive.begin(), positive.end());
    std::vector<double> alarms(negative.begin(), negative.end());
    std::sort(hits.begin(), hits.end(), std::greater<>());
    std::sort(alarms.begin(), alarms.end(), std::greater<>());
    const auto above = [](const std::vector<double>& sorted, double threshold) {
        const auto end =
            std::lower_bound(sorted.begin(), sorted.end(), threshold, std::greater<>());
        return static_cast<double>(end - sorted.begin()) / static_cast<double>(sorted.size());
    };
    curve.emplace_back(0.0, above(hits, alarms.front()));
    const double ends = std::log(static_cast<double>(alarms.size()));
    std::size_t last = 0;
    for (std::size_t i = 0; i + 2 < most; ++i) {
        const double log_rank = ends * static_cast<double>(i + 1) / static_cast<double>(most - 1);
        const auto rank = static_cast<std::size_t>(std::exp(log_rank));
        if (rank > last && rank < alarms.size()) {
            curve.emplace_back(above(alarms, alarms[rank]), above(hits, alarms[rank]));
            last = rank;
        }
    }
    curve.emplace_back(1.0, 1.0);
    return curve;
}

std::vector<ReliabilityBin> reliability(
    std::span<const Judged> verdicts, int benign, std::size_t bins) {
    std::vector<std::pair<double, bool>> claims;
    claims.reserve(verdicts.size());
    for (const auto& v : verdicts) {
        claims.emplace_back(
            v.score,
            benign >= 0 ? v.truth != static_cast<std::uint32_t>(benign) : v.truth == v.predicted);
    }
    std::sort(claims.begin(), claims.end());
    std::vector<ReliabilityBin> out;
    for (std::size_t b = 0; b < bins; ++b) {
        ReliabilityBin bin;
        for (std::size_t i = b * claims.size() / bins; i < (b + 1) * claims.size() / bins; ++i) {
            bin.score += claims[i].first;
            bin.share += claims[i].second ? 1.0 : 0.0;
            ++bin.count;
        }
        if (bin.count > 0) {
            bin.score /= static_cast<double>(bin.count);
            bin.share /= static_cast<double>(bin.count);
            out.push_back(bin);
        }
    }
    return out;
}

}  // namespace weir::lab
