// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/train.h"

#include "control/lab/train_calibrate.h"
#include "dataplane/features/catalog.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

namespace weir::lab {
namespace {

constexpr double kLeastThreshold = 0.5;
constexpr double kMostThreshold = 0.95;

/// What held-out logits become: the head's arithmetic in real numbers.
struct Calibration {
    double temperature = 1.0;
    std::vector<kernels::CalibrationPoint> curve;
    std::vector<double> thresholds;
};

int benign_of(const FeatureTable& table) {
    const auto it = std::find(table.classes.begin(), table.classes.end(), "benign");
    return it == table.classes.end() ? -1 : static_cast<int>(it - table.classes.begin());
}

/// Argmax class and uncalibrated score of one row.
RowVerdict raw_verdict(std::span<const float> logits, double temperature, int benign) {
    const auto top = std::max_element(logits.begin(), logits.end());
    double sum = 0.0;
    double own = 0.0;
    for (std::size_t c = 0; c < logits.size(); ++c) {
        const double e =
            std::exp((static_cast<double>(logits[c]) - static_cast<double>(*top)) / temperature);
        sum += e;
        own += benign >= 0 && c == static_cast<std::size_t>(benign) ? e : 0.0;
    }
    const auto cls = static_cast<std::uint32_t>(top - logits.begin());
    return {cls, benign >= 0 ? 1.0 - own / sum : 1.0 / sum};
}

std::vector<RowVerdict> raw_verdicts(
    const FeatureTable& table, const CrossValidation& cv, double temperature) {
    std::vector<RowVerdict> out;
    const std::size_t classes = table.classes.size();
    for (std::uint32_t r = 0; r < table.rows(); ++r) {
        out.push_back(raw_verdict(
            std::span(cv.logits).subspan(r * classes, classes), temperature, benign_of(table)));
    }
    return out;
}

/// Per class, the least score at which no more than `budget` of benign flows (each source counting by the square
/// root of its flows) ever raise it, within limits.
std::vector<double> alarm_thresholds(
    const FeatureTable& table, const std::vector<RowVerdict>& verdicts, int benign, double budget) {
    std::vector<double> flows(table.groups.size(), 0.0);
    for (const auto& flow : table.flows) {
        flows[flow.group] += flow.label == static_cast<std::uint32_t>(benign) ? 1.0 : 0.0;
    }
    double total = 0.0;
    for (const double n : flows) {
        total += std::sqrt(n);
    }
    std::vector<std::vector<std::pair<double, double>>> alarms(
        table.classes.size());  // (score, weight)
    for (const auto& flow : table.flows) {
        if (flow.label != static_cast<std::uint32_t>(benign)) {
            continue;
        }
        std::vector<double> worst(table.classes.size(), -1.0);
        for (std::uint32_t r = flow.first_row; r < flow.first_row + flow.rows; ++r) {
            worst[verdicts[r].cls] = std::max(worst[verdicts[r].cls], verdicts[r].score);
        }
        for (std::size_t c = 0; c < worst.size(); ++c) {
            if (worst[c] >= 0.0) {
                alarms[c].emplace_back(worst[c], 1.0 / std::sqrt(flows[flow.group]));
            }
        }
    }
    std::vector<double> thresholds(table.classes.size(), 0.0);
    for (std::size_t c = 0; c < thresholds.size(); ++c) {
        if (c == static_cast<std::size_t>(benign)) {
            continue;
        }
        std::sort(alarms[c].begin(), alarms[c].end(), std::greater<>());
        double spent = 0.0;
        double threshold = 0.0;
        for (const auto& [score, weight] : alarms[c]) {
            spent += weight;
            if (spent > budget * total) {
                threshold = score + 1e-4;
                break;
            }
        }
        thresholds[c] = std::clamp(threshold, kLeastThreshold, kMostThreshold);
    }
    return thresholds;
}

Calibration calibrate(
    const FeatureTable& table,
    std::span<const float> weights,
    const CrossValidation& cv,
    double alarm_budget) {
    Calibration out;
    std::vector<std::uint32_t> labels;
    for (const std::uint32_t flow : table.flow_of) {
        labels.push_back(table.flows[flow].label);
    }
    const auto classes = static_cast<std::uint32_t>(table.classes.size());
    out.temperature = fit_temperature(cv.logits, classes, labels, weights);
    const int benign = benign_of(table);
    auto verdicts = raw_verdicts(table, cv, out.temperature);
    std::vector<Observation> observations;
    for (std::uint32_t r = 0; r < table.rows(); ++r) {
        const bool truth = benign >= 0 ? labels[r] != static_cast<std::uint32_t>(benign)
                                       : labels[r] == verdicts[r].cls;
        if (weights[r] > 0.0F) {
            observations.push_back({verdicts[r].score, truth, static_cast<double>(weights[r])});
        }
    }
    out.curve = fit_isotonic(std::move(observations));
    for (auto& verdict : verdicts) {
        verdict.score = apply_curve(out.curve, verdict.score);
    }
    if (benign >= 0) {
        out.thresholds = alarm_thresholds(table, verdicts, benign, alarm_budget);
    }
    return out;
}

Evaluation held_out(
    const FeatureTable& table,
    const TrainOptions& options,
    const CrossValidation& cv,
    const Calibration& calibration) {
    auto verdicts = raw_verdicts(table, cv, calibration.temperature);
    const int benign = benign_of(table);
    for (auto& verdict : verdicts) {
        verdict.score = apply_curve(calibration.curve, verdict.score);
        if (benign >= 0 && verdict.score < calibration.thresholds[verdict.cls]) {
            verdict.cls = static_cast<std::uint32_t>(benign);
        }
    }
    return evaluate(table, options.slot, verdicts);
}

/// Compares the gateway's kernel with the model as it was validated, on every row of `data`.
Result<void> check_quantization(
    const CodeMatrix& data, const Fitted& model, const QuantizedNetwork& made, TrainOutcome& out) {
    const auto logits = model.logits(data, model.stages());
    const auto raw = kernel_raw(made.network, data);
    if (!logits || !raw) {
        return tl::unexpected(!logits ? logits.error() : raw.error());
    }
    const auto outputs = static_cast<std::uint32_t>(raw->size() / data.rows());
    const auto ours = logits_of_raw(*raw, outputs, made.logit_per_raw);
    const std::size_t classes = ours.size() / data.rows();
    std::uint64_t equal = 0;
    for (std::size_t r = 0; r < data.rows(); ++r) {
        const auto a = std::span(ours).subspan(r * classes, classes);
        const auto b = std::span(*logits).subspan(r * classes, classes);
        for (std::size_t c = 0; c < classes; ++c) {
            out.logit_error_seen =
                std::max(out.logit_error_seen, std::abs(static_cast<double>(a[c] - b[c])));
        }
        equal += std::max_element(a.begin(), a.end()) - a.begin() ==
                         std::max_element(b.begin(), b.end()) - b.begin()
                     ? 1
                     : 0;
    }
    out.logit_error = made.logit_error;
    out.agreement = static_cast<double>(equal) / std::max(1U, data.rows());
    // The library sums floats: allow their rounding beside the bound.
    if (out.logit_error_seen > made.logit_error + 1e-4) {
        return fail(
            "train", "quantization", "error above the stated bound", "report this: it is a defect");
    }
    return {};
}

/// Whole-flow figures of the likeliest class and the score, before any calibration.
Figures figures_of(const FeatureTable& table, std::span<const float> logits) {
    const std::size_t classes = table.classes.size();
    std::vector<Judged> judged;
    for (const auto& flow : table.flows) {
        const std::size_t row = flow.first_row + flow.rows - 1;
        const auto verdict =
            raw_verdict(logits.subspan(row * classes, classes), 1.0, benign_of(table));
        judged.push_back({flow.label, verdict.cls, verdict.score});
    }
    return judge(judged, static_cast<std::uint32_t>(classes), benign_of(table));
}

/// Training stops where validation was best.
void stop_at(std::uint32_t stage, FitOptions& options) {
    if (options.family == Family::gbdt) {
        options.boost.rounds = stage;
    } else {
        options.epochs =
            options.family == Family::mlp || options.family == Family::conv1d ? stage : 0;
    }
}

Result<void> check_options(const FeatureTable& table, const TrainOptions& options) {
    const bool two = table.classes.size() == 2 && table.classes[0] == "benign" &&
                     table.classes[1] == kAnomalyClass;
    if (is_one_class(options.fit.family) && !two) {
        return fail(
            "train",
            "--family",
            std::string(family_name(options.fit.family)) +
                " tells benign from the rest: it needs a table of the classes benign and anomaly",
            "use it in a slot that has the class benign");
    }
    return {};
}

void describe_inputs(
    const FeatureTable& table,
    const FittedModel& model,
    const CodeMatrix& data,
    kernels::Bundle& bundle) {
    for (std::size_t i = 0; i < model.columns.size(); ++i) {
        const std::string& name = table.features[model.columns[i]];
        const auto catalog = dataplane::catalog();
        const auto info = std::find_if(catalog.begin(), catalog.end(), [&](const auto& feature) {
            return feature.name == name;
        });
        bundle.inputs.push_back(
            {name, info == catalog.end() ? std::string() : std::string(info->encoder_text)});
        kernels::CodeHistogram histogram(256, 0);
        for (std::size_t r = 0; r < table.rows(); ++r) {
            ++histogram[data.codes[r * data.columns + i]];
        }
        bundle.histograms.push_back(std::move(histogram));
    }
}

}  // namespace

Result<TrainOutcome> train(
    const FeatureTable& table, const TrainOptions& options, const FeatureTable* extra) {
    if (auto ok = check_options(table, options); !ok) {
        return tl::unexpected(ok.error());
    }
    TrainOptions tuned = options;
    tuned.fit.boost.classes = static_cast<std::uint32_t>(table.classes.size());
    tuned.fit.own_groups = static_cast<std::uint32_t>(table.groups.size());
    FeatureTable joined = table;  // its first rows are the table's
    if (extra != nullptr) {
        if (auto ok = append_table(joined, *extra); !ok) {
            return tl::unexpected(ok.error());
        }
    }
    const auto all_weights = row_weights(joined, tuned.fit.weights);
    const auto weights = std::span(all_weights).first(table.rows());
    TrainOutcome out;
    auto validation = cross_validate(
        joined, all_weights, tuned.fit, assign_folds(table, tuned.folds), tuned.folds);
    if (!validation) {
        return tl::unexpected(validation.error());
    }
    out.validation = std::move(*validation);
    stop_at(out.validation.rounds, tuned.fit);
    auto calibration = calibrate(table, weights, out.validation, tuned.alarm_budget);
    out.temperature = calibration.temperature;
    out.held_out = held_out(table, tuned, out.validation, calibration);
    out.in_float = figures_of(table, out.validation.float_logits);
    out.in_integers = figures_of(table, out.validation.integer_logits);
    out.held_out.macro_f1_lost = out.in_float.macro_f1 - out.in_integers.macro_f1;
    out.held_out.auc_lost = out.in_float.auc - out.in_integers.auc;

    std::vector<std::uint32_t> all(joined.rows());
    std::iota(all.begin(), all.end(), 0U);
    std::vector<std::uint32_t> counted;
    std::copy_if(all.begin(), all.end(), std::back_inserter(counted), [&](std::uint32_t r) {
        return all_weights[r] > 0.0F;
    });
    const auto model = fit(joined, counted, all_weights, tuned.fit);
    if (!model) {
        return tl::unexpected(model.error());
    }
    auto quantized = model->model->quantized(calibration.temperature, model->model->stages());
    if (!quantized) {
        return tl::unexpected(quantized.error());
    }
    const auto data = gather(joined, all, model->columns);
    if (const auto checked = check_quantization(data, *model->model, *quantized, out); !checked) {
        return tl::unexpected(checked.error());
    }
    kernels::Bundle& bundle = out.bundle;
    bundle.name = tuned.name.empty() ? tuned.slot + "-default" : tuned.name;
    bundle.slot = tuned.slot;
    bundle.version = tuned.version;
    bundle.created_unix = tuned.created_unix;
    bundle.data_digest = joined.digest;
    bundle.description = tuned.description;
    bundle.catalog_version = dataplane::catalog_view().version;
    bundle.classes = table.classes;
    bundle.thresholds = std::move(calibration.thresholds);
    bundle.network = std::move(quantized->network);
    bundle.head = std::move(quantized->head);
    bundle.head.calibration = std::move(calibration.curve);
    describe_inputs(table, *model, data, bundle);
    return out;
}

}  // namespace weir::lab
