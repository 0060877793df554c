// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/evaluate_sources.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>

namespace weir::lab {
namespace {

/// The middle 95 % of what the replicates gave, those left out that have no figure.
Interval middle(std::vector<double> values) {
    std::erase_if(values, [](double v) { return !std::isfinite(v); });
    if (values.empty()) {
        constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
        return {kNan, kNan};
    }
    std::sort(values.begin(), values.end());
    const auto at = [&](double share) {
        const double index = share * static_cast<double>(values.size() - 1);
        return values[static_cast<std::size_t>(std::lround(index))];
    };
    return {at(0.025), at(0.975)};
}

using Spans = std::vector<std::pair<double, double>>;  ///< begin and end of flows, s

/// Seconds of a capture in which its flows run. Silence counts up to kSilence: captures are joined from parts, and clocks
/// jump.
double seconds_covered(Spans& spans) {
    constexpr double kSilence = 60.0;
    std::sort(spans.begin(), spans.end());
    double sum = 0.0;
    double until = std::numeric_limits<double>::lowest();
    for (const auto& [begin, end] : spans) {
        const double from = begin - until > kSilence ? begin : until;
        sum += std::max(0.0, end - from);
        until = std::max(until, end);
    }
    return sum;
}

}  // namespace

std::vector<SourceFigures> by_source(
    const FeatureTable& table, std::span<const Judged> judged, int benign) {
    std::map<std::pair<std::uint32_t, std::uint32_t>, SourceFigures> sums;  // by (label, group)
    for (std::size_t f = 0; f < judged.size(); ++f) {
        const auto& v = judged[f];
        const std::uint32_t group = table.flows[f].group;
        auto& sum = sums[{v.truth, group}];
        sum.source = table.groups[group];
        sum.label = v.truth;
        ++sum.flows;
        sum.recall += v.predicted == v.truth ? 1.0 : 0.0;
        sum.alarms += v.predicted != static_cast<std::uint32_t>(benign) ? 1.0 : 0.0;
        sum.mean_score += v.score;
    }
    std::vector<SourceFigures> out;
    for (auto& [key, sum] : sums) {
        const auto flows = static_cast<double>(sum.flows);
        sum.recall /= flows;
        sum.alarms = benign >= 0 ? sum.alarms / flows : std::numeric_limits<double>::quiet_NaN();
        sum.mean_score /= flows;
        out.push_back(std::move(sum));
    }
    std::stable_sort(out.begin(), out.end(), [](const SourceFigures& a, const SourceFigures& b) {
        return a.label != b.label ? a.label < b.label : a.flows > b.flows;
    });
    return out;
}

FalseAlarms false_alarms(
    const FeatureTable& table,
    std::span<const RowVerdict> verdicts,
    int benign,
    std::uint32_t replicates,
    std::uint64_t seed) {
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    std::vector<Spans> spans(table.captures);
    std::map<std::pair<std::uint32_t, std::uint32_t>, Spans> of_source;  // by (group, capture)
    std::vector<FalseAlarms> sources(table.groups.size());
    FalseAlarms out;
    for (const TableFlow& flow : table.flows) {
        if (static_cast<int>(flow.label) != benign || flow.capture >= spans.size()) {
            continue;
        }
        spans[flow.capture].emplace_back(flow.begin, flow.end);
        of_source[{flow.group, flow.capture}].emplace_back(flow.begin, flow.end);
        const auto rows = verdicts.subspan(flow.first_row, flow.rows);
        const bool alarm = std::any_of(rows.begin(), rows.end(), [&](const RowVerdict& v) {
            return static_cast<int>(v.cls) != benign;
        });
        out.flows += alarm ? 1.0 : 0.0;
        sources[flow.group].flows += alarm ? 1.0 : 0.0;
    }
    for (auto& capture : spans) {
        out.hours += seconds_covered(capture) / 3600.0;
    }
    if (benign < 0 || !(out.hours > 0.0)) {
        return {kNan, kNan, kNan, {kNan, kNan}};
    }
    for (auto& [key, capture] : of_source) {
        sources[key.first].hours += seconds_covered(capture) / 3600.0;
    }
    out.per_hour = out.flows / out.hours;
    std::mt19937_64 random(seed);
    std::vector<double> rates;
    for (std::uint32_t r = 0; r < replicates; ++r) {
        FalseAlarms sum;
        for (std::size_t g = 0; g < sources.size(); ++g) {
            const FalseAlarms& source = sources[random() % sources.size()];
            sum.flows += source.flows;
            sum.hours += source.hours;
        }
        rates.push_back(sum.hours > 0.0 ? sum.flows / sum.hours : kNan);
    }
    out.interval = middle(std::move(rates));
    return out;
}

Intervals bootstrap(
    const FeatureTable& table,
    std::span<const Judged> judged,
    int benign,
    std::uint32_t replicates,
    std::uint64_t seed) {
    std::vector<std::vector<Judged>> of_group(table.groups.size());
    for (std::size_t f = 0; f < judged.size(); ++f) {
        of_group[table.flows[f].group].push_back(judged[f]);
    }
    std::mt19937_64 random(seed);
    std::vector<Figures> drawn_figures;
    std::vector<Judged> drawn;
    for (std::uint32_t r = 0; r < replicates; ++r) {
        drawn.clear();
        for (std::size_t g = 0; g < of_group.size(); ++g) {
            // The library's distributions differ between implementations: a remainder does not.
            const auto& flows = of_group[random() % of_group.size()];
            drawn.insert(drawn.end(), flows.begin(), flows.end());
        }
        drawn_figures.push_back(
            judge(drawn, static_cast<std::uint32_t>(table.classes.size()), benign));
    }
    const auto of = [&](const auto& figure) {
        std::vector<double> values;
        for (const Figures& figures : drawn_figures) {
            values.push_back(figure(figures));
        }
        return middle(std::move(values));
    };
    Intervals out;
    out.accuracy = of([](const Figures& f) { return f.accuracy; });
    out.macro_f1 = of([](const Figures& f) { return f.macro_f1; });
    out.calibration_error = of([](const Figures& f) { return f.calibration_error; });
    out.auc = of([](const Figures& f) { return f.auc; });
    out.pr_auc = of([](const Figures& f) { return f.pr_auc; });
    out.tpr_at_fpr_1e2 = of([](const Figures& f) { return f.tpr_at_fpr_1e2; });
    out.tpr_at_fpr_1e3 = of([](const Figures& f) { return f.tpr_at_fpr_1e3; });
    out.tpr_at_fpr_1e4 = of([](const Figures& f) { return f.tpr_at_fpr_1e4; });
    out.false_alarm_rate = of([](const Figures& f) { return f.false_alarm_rate; });
    for (std::size_t c = 0; c < table.classes.size(); ++c) {
        // A draw without a flow of the class says nothing about it.
        const auto of_class = [&](double ClassFigures::*figure) {
            return of([&](const Figures& f) {
                return c < f.classes.size() && f.classes[c].support > 0
                           ? f.classes[c].*figure
                           : std::numeric_limits<double>::quiet_NaN();
            });
        };
        out.classes.push_back(
            {of_class(&ClassFigures::precision),
             of_class(&ClassFigures::recall),
             of_class(&ClassFigures::f1)});
    }
    return out;
}

}  // namespace weir::lab
