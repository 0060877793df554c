// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/evaluate.h"

#include <cmath>
#include <fstream>
#include <iomanip>
#include <ostream>
#include <thread>

#include <nlohmann/json.hpp>

namespace weir::lab {
namespace {

using Json = nlohmann::ordered_json;

std::string cpu_name() {
    std::ifstream in("/proc/cpuinfo");
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("model name")) {
            const auto colon = line.find(": ");
            return colon == std::string::npos ? line : line.substr(colon + 2);
        }
    }
    return "unknown";
}

void print_confusion(std::ostream& out, const Evaluation& evaluation) {
    out << "\nconfusion (rows: truth, columns: verdict)\n" << std::setw(24) << "";
    for (std::size_t c = 0; c < evaluation.classes.size(); ++c) {
        out << std::setw(8) << c;
    }
    out << '\n';
    for (std::size_t t = 0; t < evaluation.classes.size(); ++t) {
        out << std::right << std::setw(2) << t << ' ' << std::left << std::setw(21)
            << evaluation.classes[t].substr(0, 21) << std::right;
        for (const auto n : evaluation.whole_flow.confusion[t]) {
            out << std::setw(8) << n;
        }
        out << '\n';
    }
}

void print_intervals(std::ostream& out, const Evaluation& evaluation) {
    const Intervals& i = evaluation.intervals;
    const auto one = [&](const char* name, const Interval& interval) {
        out << name << ' ' << interval.low << "–" << interval.high;
    };
    one("95 % by resampling sources: accuracy", i.accuracy);
    one(", macro F1", i.macro_f1);
    if (evaluation.benign >= 0) {
        one(", ROC AUC", i.auc);
        one(", PR AUC", i.pr_auc);
        one(", TPR at FPR 1e-2", i.tpr_at_fpr_1e2);
        one(", at 1e-3", i.tpr_at_fpr_1e3);
        one(", at 1e-4", i.tpr_at_fpr_1e4);
        one(", benign flows over a threshold", i.false_alarm_rate);
    }
    one(", calibration error", i.calibration_error);
    if (std::isfinite(evaluation.false_alarms.per_hour)) {
        one(", false alarms an hour", evaluation.false_alarms.interval);
    }
    out << '\n';
}

void print_sources(std::ostream& out, const Evaluation& evaluation) {
    out << "\nby source (recall"
        << (evaluation.benign >= 0 ? "; share with another verdict than benign" : "")
        << "; mean score)\n";
    for (const auto& source : evaluation.sources) {
        out << std::left << std::setw(26) << evaluation.classes[source.label] << std::setw(48)
            << source.source << std::right << std::setw(7) << source.flows << std::setw(9)
            << source.recall;
        if (evaluation.benign >= 0) {
            out << std::setw(9) << source.alarms;
        }
        out << std::setw(9) << source.mean_score << '\n';
    }
}

void print_early(std::ostream& out, const Evaluation& evaluation) {
    out << "\nby packets seen     accuracy  macro F1"
        << (evaluation.benign >= 0 ? "       AUC  TPR@1e-2" : "") << "   95 % of "
        << (evaluation.benign >= 0 ? "AUC" : "macro F1") << '\n';
    for (const auto& early : evaluation.early) {
        out << "  ≤ " << std::left << std::setw(14) << early.packets << std::right << std::setw(10)
            << early.figures.accuracy << std::setw(10) << early.figures.macro_f1;
        if (evaluation.benign >= 0) {
            out << std::setw(10) << early.figures.auc << std::setw(10)
                << early.figures.tpr_at_fpr_1e2;
        }
        const Interval& interval =
            evaluation.benign >= 0 ? early.intervals.auc : early.intervals.macro_f1;
        out << "   " << interval.low << "–" << interval.high << '\n';
    }
}

void print_perturbed(std::ostream& out, const Evaluation& evaluation) {
    for (const Perturbed& perturbed : evaluation.perturbed) {
        const PerturbedSide& before = perturbed.before;
        const PerturbedSide& after = perturbed.after;
        out << "perturbed by " << perturbed.name << ": " << perturbed.flows
            << " flows, right class " << before.right << " -> " << after.right << ", mean score "
            << before.mean_score << " -> " << after.mean_score;
        if (evaluation.benign >= 0) {
            out << ", alarms " << before.alarms << " -> " << after.alarms << ", ROC AUC "
                << before.auc << " -> " << after.auc << ", TPR at FPR 1e-3 "
                << before.tpr_at_fpr_1e3 << " -> " << after.tpr_at_fpr_1e3;
        }
        out << '\n';
    }
}

/// One row of the common result form. A figure that does not exist here (NaN) is left out.
void add(
    Json& results,
    const std::string& name,
    double value,
    Json goal = nullptr,
    bool higher = true,
    const char* unit = "1") {
    if (std::isfinite(value)) {
        results.push_back(
            {{"name", name},
             {"value", value},
             {"unit", unit},
             {"goal", std::move(goal)},
             {"higher_is_better", higher}});
    }
}

void add_interval(Json& results, const std::string& name, const Interval& interval) {
    add(results, name + ".low", interval.low);
    add(results, name + ".high", interval.high);
}

void add_intervals(Json& results, const std::string& name, const Intervals& intervals) {
    const auto one = [&](const char* figure, const Interval& interval) {
        add_interval(results, name + figure, interval);
    };
    one(".accuracy", intervals.accuracy);
    one(".macro_f1", intervals.macro_f1);
    one(".calibration_error", intervals.calibration_error);
    one(".roc_auc", intervals.auc);
    one(".pr_auc", intervals.pr_auc);
    one(".tpr_at_fpr_1e2", intervals.tpr_at_fpr_1e2);
    one(".tpr_at_fpr_1e3", intervals.tpr_at_fpr_1e3);
    one(".tpr_at_fpr_1e4", intervals.tpr_at_fpr_1e4);
    one(".false_alarm_rate", intervals.false_alarm_rate);
}

}  // namespace

Result<void> write_text(const std::string& path, const std::string& text) {
    std::ofstream out(path);
    out << text;
    out.flush();
    if (!out) {
        return fail(path, "", "cannot be written", "check the directory and its rights");
    }
    return {};
}

void print(std::ostream& out, const Evaluation& evaluation) {
    const Figures& f = evaluation.whole_flow;
    out << std::fixed << std::setprecision(4);
    out << evaluation.slot << ", whole flows: " << f.count << " flows, accuracy " << f.accuracy
        << ", macro F1 " << f.macro_f1 << ", calibration error " << f.calibration_error << '\n';
    if (evaluation.benign >= 0) {
        out << "not benign: ROC AUC " << f.auc << ", TPR " << f.tpr_at_fpr_1e2 << " at FPR 1e-2, "
            << f.tpr_at_fpr_1e3 << " at FPR 1e-3, " << f.tpr_at_fpr_1e4 << " at FPR 1e-4, PR AUC "
            << f.pr_auc << "; at the model's thresholds " << f.false_alarm_rate
            << " of benign flows raise an alarm\n";
    }
    if (std::isfinite(evaluation.false_alarms.per_hour)) {
        out << "false alarms: " << evaluation.false_alarms.per_hour << " an hour of traffic ("
            << evaluation.false_alarms.flows << " benign flows at any decision point, in "
            << evaluation.false_alarms.hours << " h)\n";
    }
    print_intervals(out, evaluation);
    out << '\n'
        << std::left << std::setw(26) << "class" << std::right << std::setw(8) << "flows"
        << std::setw(11) << "precision" << std::setw(10) << "recall" << std::setw(10) << "F1"
        << "   95 % of F1\n";
    for (std::size_t c = 0; c < evaluation.classes.size(); ++c) {
        const auto& cls = f.classes[c];
        out << std::left << std::setw(26) << evaluation.classes[c] << std::right << std::setw(8)
            << cls.support << std::setw(11) << cls.precision << std::setw(10) << cls.recall
            << std::setw(10) << cls.f1;
        if (cls.support > 0) {
            const Interval& f1 = evaluation.intervals.classes[c].f1;
            out << "   " << f1.low << "–" << f1.high;
        }
        out << '\n';
    }
    print_confusion(out, evaluation);
    print_early(out, evaluation);
    print_sources(out, evaluation);
    print_perturbed(out, evaluation);
}

std::string to_json(
    const Evaluation& evaluation, const std::string& prefix, const std::string& revision) {
    Json results = Json::array();
    const auto add_figures = [&](const std::string& name, const Figures& f, bool whole) {
        const bool alarm = evaluation.benign >= 0;
        add(results, name + ".accuracy", f.accuracy);
        add(results, name + ".macro_f1", f.macro_f1, whole && !alarm ? Json(0.90) : Json());
        add(results, name + ".calibration_error", f.calibration_error, nullptr, false);
        add(results, name + ".roc_auc", f.auc, whole ? Json(0.98) : Json());
        add(results, name + ".pr_auc", f.pr_auc);
        add(results, name + ".tpr_at_fpr_1e2", f.tpr_at_fpr_1e2);
        add(results, name + ".tpr_at_fpr_1e3", f.tpr_at_fpr_1e3, whole ? Json(0.90) : Json());
        add(results, name + ".tpr_at_fpr_1e4", f.tpr_at_fpr_1e4);
        add(results, name + ".false_alarm_rate", f.false_alarm_rate, nullptr, false);
    };
    add_figures(prefix + ".whole_flow", evaluation.whole_flow, true);
    for (std::size_t c = 0; c < evaluation.classes.size(); ++c) {
        const auto& cls = evaluation.whole_flow.classes[c];
        if (cls.support > 0) {
            const std::string name = prefix + ".class." + evaluation.classes[c];
            add(results, name + ".precision", cls.precision);
            add(results, name + ".recall", cls.recall);
            add(results, name + ".f1", cls.f1);
            const ClassIntervals& interval = evaluation.intervals.classes[c];
            add_interval(results, name + ".precision", interval.precision);
            add_interval(results, name + ".recall", interval.recall);
            add_interval(results, name + ".f1", interval.f1);
        }
    }
    for (const auto& early : evaluation.early) {
        const std::string name = prefix + ".packets_" + std::to_string(early.packets);
        add_figures(name, early.figures, false);
        add_intervals(results, name, early.intervals);
    }
    add_intervals(results, prefix + ".whole_flow", evaluation.intervals);
    const FalseAlarms& alarms = evaluation.false_alarms;
    add(results, prefix + ".false_alarms.per_hour", alarms.per_hour, nullptr, false, "1/h");
    add_interval(results, prefix + ".false_alarms.per_hour", alarms.interval);
    add(results, prefix + ".false_alarms.flows", alarms.flows, nullptr, false);
    add(results, prefix + ".false_alarms.traffic", alarms.hours, nullptr, true, "h");
    for (const auto& source : evaluation.sources) {
        const std::string name =
            prefix + ".source." + source.source + "." + evaluation.classes[source.label];
        add(results, name + ".recall", source.recall);
        add(results, name + ".alarms", source.alarms, nullptr, false);
    }
    add(results, prefix + ".quantization.macro_f1_lost", evaluation.macro_f1_lost, 0.003, false);
    add(results, prefix + ".quantization.auc_lost", evaluation.auc_lost, 0.001, false);
    for (const Perturbed& perturbed : evaluation.perturbed) {
        const auto add_side = [&](const char* when, const PerturbedSide& side) {
            const std::string name = prefix + ".perturbed." + perturbed.name + "." + when;
            add(results, name + ".right_class", side.right);
            add(results, name + ".alarms", side.alarms);
            add(results, name + ".mean_score", side.mean_score);
            add(results, name + ".roc_auc", side.auc);
            add(results, name + ".tpr_at_fpr_1e3", side.tpr_at_fpr_1e3);
        };
        add_side("before", perturbed.before);
        add_side("after", perturbed.after);
    }
    const Json document{
        {"results", std::move(results)},
        {"machine", {{"cpu", cpu_name()}, {"threads", std::thread::hardware_concurrency()}}},
        {"revision", revision}};
    return document.dump(1) + "\n";
}

}  // namespace weir::lab
