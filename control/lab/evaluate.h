// SPDX-License-Identifier: BSD-3-Clause
// Judging a model's verdicts on a labelled table: at whole flows and by packets seen.
#pragma once

#include "control/lab/evaluate_metrics.h"
#include "control/lab/train_table.h"
#include "kernels/model/bundle.h"

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace weir::lab {

/// A row's verdict as the gateway's decide stage takes it.
struct RowVerdict {
    std::uint32_t cls = 0;
    double score = 0.0;  ///< not benign, or where there is no benign class, confidence of `cls`
};

/// A 95 % interval.
struct Interval {
    double low = 0.0;
    double high = 0.0;
};

/// Of the figures of one class; NaN where no draw has it.
struct ClassIntervals {
    Interval precision;
    Interval recall;
    Interval f1;
};

/// Of figures, by resampling sources: another corpus of as many sources would land in them.
struct Intervals {
    Interval accuracy;
    Interval macro_f1;
    Interval calibration_error;
    Interval auc;  ///< this and the next: NaN without a benign class
    Interval pr_auc;
    Interval tpr_at_fpr_1e2;
    Interval tpr_at_fpr_1e3;
    Interval tpr_at_fpr_1e4;
    Interval false_alarm_rate;
    std::vector<ClassIntervals> classes;
};

/// One source's flows of one class, at whole flows.
struct SourceFigures {
    std::string source;
    std::uint32_t label = 0;
    std::uint64_t flows = 0;
    double recall = 0.0;
    double alarms = 0.0;  ///< share with another verdict than benign; NaN without a benign class
    double mean_score = 0.0;  ///< RowVerdict::score
};

/// What an operator would be called for in vain. All NaN without a benign class or without times.
struct FalseAlarms {
    double hours =
        0.0;  ///< of traffic: in which benign flows run, silences of up to a minute among them
    double flows = 0.0;  ///< benign flows that had an alarm at any decision point
    double per_hour = 0.0;
    Interval interval;  ///< of per_hour, by resampling sources
};

/// Flows that an attacker sends (all flows, in a slot without a benign class), at whole flows.
struct PerturbedSide {
    double alarms = 0.0;  ///< share with another verdict than benign; NaN without a benign class
    double right = 0.0;   ///< share with the right class
    double mean_score = 0.0;  ///< RowVerdict::score
    double auc = 0.0;         ///< against the benign flows as they were; NaN without a benign class
    double tpr_at_fpr_1e3 = 0.0;  ///< the same
};
struct Perturbed {
    std::string name;
    std::uint64_t flows = 0;
    PerturbedSide before;
    PerturbedSide after;
};

struct Evaluation {
    std::string slot;
    std::vector<std::string> classes;
    int benign = -1;
    Figures whole_flow;  ///< the last row of each flow
    struct Early {
        std::uint32_t packets = 0;  ///< latest verdict after at most so many packets of the flow
        Figures figures;
        Intervals intervals;  ///< of half as many draws
    };
    std::vector<Early> early;
    Intervals intervals;
    FalseAlarms false_alarms;
    std::vector<SourceFigures> sources;            ///< by label, then by falling number of flows
    std::vector<std::pair<double, double>> roc;    ///< at whole flows; empty without a benign class
    std::vector<ReliabilityBin> reliability_bins;  ///< at whole flows
    std::vector<Perturbed> perturbed;              ///< empty: not asked for
    /// Float less integers of the same models; NaN: not measured.
    double macro_f1_lost = std::numeric_limits<double>::quiet_NaN();
    double auc_lost = std::numeric_limits<double>::quiet_NaN();
};

/// Judges verdicts given per row of the table, whose classes are the verdicts' classes too.
[[nodiscard]] Evaluation evaluate(
    const FeatureTable& table, const std::string& slot, std::span<const RowVerdict> verdicts);

/// Verdicts of a bundle's quantized model on the rows of `table`, whose columns are the bundle's inputs. In an alarm
/// slot a class whose threshold the score misses counts as benign. Fails where the network does not validate.
[[nodiscard]] Result<std::vector<RowVerdict>> score_table(
    const kernels::Bundle& bundle, const FeatureTable& table);

/// The verdicts on `table` beside those on `changed`, which holds the same flows as an attacker could have sent them.
[[nodiscard]] Perturbed compare_perturbed(
    const std::string& name,
    const FeatureTable& table,
    std::span<const RowVerdict> verdicts,
    const FeatureTable& changed,
    std::span<const RowVerdict> changed_verdicts);

/// Intervals of figures: `replicates` draws, with replacement, of as many sources as there are. Equal seeds give equal
/// intervals. `judged` holds one verdict a flow of the table.
[[nodiscard]] Intervals bootstrap(
    const FeatureTable& table,
    std::span<const Judged> judged,
    int benign,
    std::uint32_t replicates,
    std::uint64_t seed);

/// A page of its own with plots (inline SVG): no script, no other file.
[[nodiscard]] std::string to_html(const Evaluation& evaluation, const std::string& title);

/// Writes a whole text file.
[[nodiscard]] Result<void> write_text(const std::string& path, const std::string& text);

/// Tables for people.
void print(std::ostream& out, const Evaluation& evaluation);

/// {"results":[{"name","value","unit","goal","higher_is_better"}…],"machine":{…},"revision":…}
[[nodiscard]] std::string to_json(
    const Evaluation& evaluation, const std::string& prefix, const std::string& revision);

}  // namespace weir::lab
