// SPDX-License-Identifier: BSD-3-Clause
// The report as one HTML page: tables and inline SVG, nothing fetched and nothing run.
#include "control/lab/evaluate.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

namespace weir::lab {
namespace {

constexpr double kWidth = 420.0;
constexpr double kHeight = 300.0;
constexpr double kMargin = 46.0;

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::string number(double value, int digits = 4) {
    if (!std::isfinite(value)) {
        return "–";
    }
    std::ostringstream out;
    out << std::fixed << std::setprecision(digits) << value;
    return out.str();
}

using Points = std::vector<std::pair<double, double>>;  // in 0…1 both ways

struct Tick {
    double at = 0.0;
    std::string text;
};

struct Plot {
    std::string title;
    std::string across;
    std::string up;
    std::vector<Tick> ticks;  // of the axis across; that up is always 0…1
    bool diagonal = false;
};

std::string position(double x, double y) {
    return number(kMargin + x * (kWidth - 2 * kMargin), 1) + "," +
           number(kHeight - kMargin - y * (kHeight - 2 * kMargin), 1);
}

void label(
    std::ostream& out, double x, double y, const std::string& anchor, const std::string& text) {
    out << "<text x='" << number(x, 1) << "' y='" << number(y, 1) << "' text-anchor='" << anchor
        << "'>" << escaped(text) << "</text>\n";
}

/// A line for each of `lines`, in the colours of the style sheet.
void draw(std::ostream& out, const Plot& plot, const std::vector<Points>& lines) {
    out << "<svg viewBox='0 0 " << kWidth << ' ' << kHeight << "' role='img'>\n";
    label(out, kWidth / 2, 18, "middle", plot.title);
    label(out, kWidth / 2, kHeight - 8, "middle", plot.across);
    out << "<text transform='translate(12," << kHeight / 2 << ") rotate(-90)' text-anchor='middle'>"
        << escaped(plot.up) << "</text>\n";
    for (const double y : {0.0, 0.25, 0.5, 0.75, 1.0}) {
        out << "<polyline class='grid' points='" << position(0, y) << ' ' << position(1, y)
            << "'/>\n";
        label(
            out,
            kMargin - 5,
            kHeight - kMargin - y * (kHeight - 2 * kMargin) + 4,
            "end",
            number(y, 2));
    }
    for (const auto& tick : plot.ticks) {
        out << "<polyline class='grid' points='" << position(tick.at, 0) << ' '
            << position(tick.at, 1) << "'/>\n";
        label(
            out,
            kMargin + tick.at * (kWidth - 2 * kMargin),
            kHeight - kMargin + 16,
            "middle",
            tick.text);
    }
    if (plot.diagonal) {
        out << "<polyline class='even' points='" << position(0, 0) << ' ' << position(1, 1)
            << "'/>\n";
    }
    for (std::size_t i = 0; i < lines.size(); ++i) {
        out << "<polyline class='line" << i << "' points='";
        for (const auto& [x, y] : lines[i]) {
            out << position(x, y) << ' ';
        }
        out << "'/>\n";
    }
    out << "</svg>\n";
}

void draw_roc(std::ostream& out, const Evaluation& evaluation) {
    constexpr double kDecades = 4.0;
    const auto place = [](double fpr) {
        return fpr <= 0.0 ? 0.0 : std::clamp(1.0 + std::log10(fpr) / kDecades, 0.0, 1.0);
    };
    Points line;
    for (const auto& [fpr, tpr] : evaluation.roc) {
        line.emplace_back(place(fpr), tpr);
    }
    const Plot plot{
        "Caught by false alarms",
        "share of benign flows that raise an alarm",
        "share of attacks caught",
        {{0.0, "1e-4"}, {0.25, "1e-3"}, {0.5, "1e-2"}, {0.75, "0.1"}, {1.0, "1"}}};
    draw(out, plot, {line});
}

void draw_early(std::ostream& out, const Evaluation& evaluation) {
    Points accuracy;
    Points second;
    std::vector<Tick> ticks;
    const auto last = static_cast<double>(evaluation.early.size() - 1);
    for (std::size_t i = 0; i < evaluation.early.size(); ++i) {
        const double x = last > 0.0 ? static_cast<double>(i) / last : 0.0;
        const auto& early = evaluation.early[i];
        const auto& f = early.figures;
        accuracy.emplace_back(x, f.accuracy);
        second.emplace_back(x, evaluation.benign >= 0 && std::isfinite(f.auc) ? f.auc : f.macro_f1);
        ticks.push_back({x, std::to_string(early.packets)});
    }
    const Plot plot{
        evaluation.benign >= 0 ? "Accuracy, and ROC AUC (dashed), by packets seen"
                               : "Accuracy, and macro F1 (dashed), by packets seen",
        "packets of the flow",
        "figure",
        ticks};
    draw(out, plot, {accuracy, second});
}

void draw_reliability(std::ostream& out, const Evaluation& evaluation) {
    Points line;
    for (const auto& bin : evaluation.reliability_bins) {
        line.emplace_back(std::clamp(bin.score, 0.0, 1.0), bin.share);
    }
    Plot plot{"Is a score of 0.9 right nine times in ten?", "score", "share that was true", {}};
    for (const double x : {0.0, 0.25, 0.5, 0.75, 1.0}) {
        plot.ticks.push_back({x, number(x, 2)});
    }
    plot.diagonal = true;
    draw(out, plot, {line});
}

void write_summary(std::ostream& out, const Evaluation& evaluation) {
    const Figures& f = evaluation.whole_flow;
    const auto row = [&](const char* name, double value, const Interval& interval) {
        out << "<tr><td>" << name << "</td><td>" << number(value) << "</td><td>"
            << number(interval.low) << " … " << number(interval.high) << "</td></tr>\n";
    };
    out << "<table><tr><th>whole flows: " << f.count
        << "</th><th>figure</th><th>95 %, by resampling sources</th></tr>\n";
    const Intervals& i = evaluation.intervals;
    row("accuracy", f.accuracy, i.accuracy);
    row("macro F1", f.macro_f1, i.macro_f1);
    row("calibration error", f.calibration_error, i.calibration_error);
    if (std::isfinite(evaluation.false_alarms.per_hour)) {
        row("false alarms an hour of traffic",
            evaluation.false_alarms.per_hour,
            evaluation.false_alarms.interval);
    }
    if (evaluation.benign >= 0) {
        row("ROC AUC", f.auc, i.auc);
        row("PR AUC", f.pr_auc, i.pr_auc);
        row("TPR at FPR 1e-2", f.tpr_at_fpr_1e2, i.tpr_at_fpr_1e2);
        row("TPR at FPR 1e-3", f.tpr_at_fpr_1e3, i.tpr_at_fpr_1e3);
        row("TPR at FPR 1e-4", f.tpr_at_fpr_1e4, i.tpr_at_fpr_1e4);
        row("false alarms at the model's thresholds", f.false_alarm_rate, i.false_alarm_rate);
    }
    out << "</table>\n";
}

void write_confusion(std::ostream& out, const Evaluation& evaluation) {
    const auto& f = evaluation.whole_flow;
    if (f.classes.size() != evaluation.classes.size()) {
        return;  // nothing was judged
    }
    out << "<h2>Classes</h2><table><tr><th>truth \\ verdict</th>";
    for (const auto& name : evaluation.classes) {
        out << "<th>" << escaped(name) << "</th>";
    }
    out << "<th>precision</th><th>recall</th><th>F1</th><th>95 % of F1</th></tr>\n";
    for (std::size_t t = 0; t < evaluation.classes.size(); ++t) {
        const auto& cls = f.classes[t];
        out << "<tr><td>" << escaped(evaluation.classes[t]) << "</td>";
        for (const auto n : f.confusion[t]) {
            const double share =
                cls.support > 0 ? static_cast<double>(n) / static_cast<double>(cls.support) : 0.0;
            out << "<td style='background:rgba(40,110,200," << number(0.7 * share, 3) << ")'>" << n
                << "</td>";
        }
        out << "<td>" << number(cls.precision) << "</td><td>" << number(cls.recall) << "</td><td>"
            << number(cls.f1) << "</td><td>" << number(evaluation.intervals.classes[t].f1.low)
            << " … " << number(evaluation.intervals.classes[t].f1.high) << "</td></tr>\n";
    }
    out << "</table>\n";
}

void write_sources(std::ostream& out, const Evaluation& evaluation) {
    out << "<h2>Sources</h2><table><tr><th>class</th><th>source</th><th>flows</th><th>recall</th>"
        << (evaluation.benign >= 0 ? "<th>alarms</th>" : "") << "<th>mean score</th></tr>\n";
    for (const auto& source : evaluation.sources) {
        out << "<tr><td>" << escaped(evaluation.classes[source.label]) << "</td><td>"
            << escaped(source.source) << "</td><td>" << source.flows << "</td><td>"
            << number(source.recall) << "</td>";
        if (evaluation.benign >= 0) {
            out << "<td>" << number(source.alarms) << "</td>";
        }
        out << "<td>" << number(source.mean_score) << "</td></tr>\n";
    }
    out << "</table>\n";
}

constexpr const char* kStyle =
    "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:72em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}"
    "td,th{border:1px solid #ccc;padding:.15em .5em;text-align:right}"
    "td:first-child,th:first-child{text-align:left}"
    "svg{width:420px;max-width:100%;font-size:11px}"
    "polyline{fill:none;stroke-width:1.8;stroke:#286ec8}"
    ".grid{stroke:#e4e4e4;stroke-width:1}.even{stroke:#999;stroke-dasharray:2 3}"
    ".line1{stroke-dasharray:6 3;stroke:#c04a1a}";

void write_perturbed(std::ostream& out, const Evaluation& evaluation) {
    if (evaluation.perturbed.empty()) {
        return;
    }
    out << "<h2>As an attacker could have sent them</h2>\n<table><tr><th>change</th><th>flows</th>"
           "<th>right class</th><th>alarms</th><th>mean score</th><th>ROC AUC</th>"
           "<th>TPR at FPR 1e-3</th></tr>\n";
    for (const Perturbed& perturbed : evaluation.perturbed) {
        const auto cell = [&](double PerturbedSide::*figure) {
            out << "<td>" << number(perturbed.before.*figure) << " → "
                << number(perturbed.after.*figure) << "</td>";
        };
        out << "<tr><td>" << escaped(perturbed.name) << "</td><td>" << perturbed.flows << "</td>";
        for (double PerturbedSide::*figure :
             {&PerturbedSide::right,
              &PerturbedSide::alarms,
              &PerturbedSide::mean_score,
              &PerturbedSide::auc,
              &PerturbedSide::tpr_at_fpr_1e3}) {
            cell(figure);
        }
        out << "</tr>\n";
    }
    out << "</table>\n";
}

}  // namespace

std::string to_html(const Evaluation& evaluation, const std::string& title) {
    std::ostringstream out;
    out << "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>" << escaped(title)
        << "</title><style>" << kStyle << "</style></head><body>\n<h1>" << escaped(title)
        << "</h1>\n";
    write_summary(out, evaluation);
    if (!evaluation.roc.empty()) {
        draw_roc(out, evaluation);
    }
    if (!evaluation.early.empty()) {
        draw_early(out, evaluation);
    }
    draw_reliability(out, evaluation);
    write_confusion(out, evaluation);
    write_sources(out, evaluation);
    write_perturbed(out, evaluation);
    out << "</body></html>\n";
    return out.str();
}

}  // namespace weir::lab
