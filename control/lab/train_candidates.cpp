// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/train_candidates.h"

#include "control/lab/evaluate_metrics.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace weir::lab {
namespace {

constexpr std::uint32_t kFolds = 4;

/// Rows to learn from, with weights, and last rows of the other sources' flows.
struct Fold {
    CodeMatrix known;
    CodeMatrix judged;
};

CodeMatrix weighted(
    const FeatureTable& table,
    std::span<const std::uint32_t> rows,
    std::span<const float> weights,
    std::span<const std::uint32_t> columns) {
    CodeMatrix out = gather(table, rows, columns);
    for (const std::uint32_t r : rows) {
        out.weights.push_back(weights[r]);
    }
    return out;
}

/// The flows that have a row in `rows` and are of a source that may be held out.
FeatureTable flows_of(
    const FeatureTable& table, std::span<const std::uint32_t> rows, std::uint32_t own_groups) {
    FeatureTable out;
    out.classes = table.classes;
    out.groups.assign(
        table.groups.begin(),
        table.groups.begin() + std::min<std::ptrdiff_t>(own_groups, std::ssize(table.groups)));
    std::uint32_t last = table.rows();
    for (const std::uint32_t r : rows) {
        const std::uint32_t flow = table.flow_of[r];
        if (flow != last && table.flows[flow].group < out.groups.size()) {
            out.flows.push_back(table.flows[flow]);
        }
        last = flow;
    }
    return out;
}

std::vector<Fold> folds_of(
    const FeatureTable& table,
    std::span<const std::uint32_t> rows,
    std::span<const float> weights,
    std::span<const std::uint32_t> columns,
    std::uint32_t own_groups) {
    const FeatureTable own = flows_of(table, rows, own_groups);
    const auto fold_of = assign_folds(own, kFolds);
    std::vector<Fold> out;
    for (std::uint32_t fold = 0; fold < kFolds; ++fold) {
        std::vector<std::uint32_t> known;
        std::vector<std::uint32_t> last;
        for (const std::uint32_t r : rows) {
            const std::uint32_t group = table.flows[table.flow_of[r]].group;
            if (group >= fold_of.size() || fold_of[group] != fold) {
                known.push_back(r);
            }
        }
        for (const TableFlow& flow : own.flows) {
            if (fold_of[flow.group] == fold) {
                last.push_back(flow.first_row + flow.rows - 1);
            }
        }
        if (!known.empty() && !last.empty()) {
            out.push_back({weighted(table, known, weights, columns), gather(table, last, columns)});
        }
    }
    return out;
}

/// Likeliest class and score of each row.
void judge_rows(
    const CodeMatrix& data,
    std::span<const float> logits,
    std::size_t benign,
    std::vector<Judged>& out) {
    const std::size_t classes = logits.size() / data.rows();
    for (std::size_t r = 0; r < data.rows(); ++r) {
        const auto row = logits.subspan(r * classes, classes);
        const auto top = std::max_element(row.begin(), row.end());
        double sum = 0.0;
        for (const float z : row) {
            sum += std::exp(static_cast<double>(z - *top));
        }
        const double own =
            benign < classes ? std::exp(static_cast<double>(row[benign] - *top)) / sum : 0.0;
        out.push_back({data.labels[r], static_cast<std::uint32_t>(top - row.begin()), 1.0 - own});
    }
}

}  // namespace

Result<std::uint64_t> best_seed(
    const FeatureTable& table,
    std::span<const std::uint32_t> rows,
    std::span<const float> weights,
    std::span<const std::uint32_t> columns,
    const FitOptions& options) {
    FitOptions tried = options;
    const auto folds = folds_of(table, rows, weights, columns, options.own_groups);
    const auto classes = static_cast<std::uint32_t>(table.classes.size());
    const auto benign = static_cast<std::size_t>(
        std::find(table.classes.begin(), table.classes.end(), "benign") - table.classes.begin());
    std::pair<double, std::uint64_t> best{-1.0, options.network.seed};
    for (std::uint32_t i = 0; i < options.candidates; ++i) {
        tried.network.seed = options.network.seed + i;
        std::vector<Judged> judged;
        for (const Fold& fold : folds) {
            const auto model = fit_family(fold.known, tried, static_cast<std::uint32_t>(benign));
            const auto logits = model ? (*model)->logits(fold.judged, (*model)->stages())
                                      : Result<std::vector<float>>(tl::unexpected(model.error()));
            if (!logits) {
                return tl::unexpected(logits.error());
            }
            judge_rows(fold.judged, *logits, benign, judged);
        }
        const auto figures =
            judge(judged, classes, benign < classes ? static_cast<int>(benign) : -1);
        // Without both sides there is no AUC: the first seed stays.
        const double worth = benign < classes ? figures.auc : figures.macro_f1;
        if (worth > best.first) {
            best = {worth, tried.network.seed};
        }
    }
    return best.second;
}

}  // namespace weir::lab
