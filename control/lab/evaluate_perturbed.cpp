// SPDX-License-Identifier: BSD-3-Clause
// How far verdicts move when the same flows come as an attacker could have sent them.
#include "control/lab/evaluate.h"

#include <algorithm>
#include <cmath>

namespace weir::lab {
namespace {

// Verdicts at the last row of each flow that counts: all, or those that are not benign.
struct Last {
    std::vector<double> scores;
    double right = 0.0;
    double alarms = 0.0;

    Last(const FeatureTable& table, std::span<const RowVerdict> verdicts, int benign) {
        for (const TableFlow& flow : table.flows) {
            if (static_cast<int>(flow.label) == benign) {
                continue;
            }
            const RowVerdict& verdict = verdicts[flow.first_row + flow.rows - 1];
            scores.push_back(verdict.score);
            right += verdict.cls == flow.label ? 1 : 0;
            alarms += static_cast<int>(verdict.cls) != benign ? 1 : 0;
        }
    }
    [[nodiscard]] PerturbedSide side(std::span<const double> benign_scores) const {
        const auto n = static_cast<double>(scores.size());
        PerturbedSide out;
        for (const double score : scores) {
            out.mean_score += score / n;
        }
        out.right = right / n;
        const bool alarm_slot = !benign_scores.empty();
        out.alarms = alarm_slot ? alarms / n : std::nan("");
        out.auc = roc_auc(scores, benign_scores);
        out.tpr_at_fpr_1e3 = tpr_at_fpr(scores, benign_scores, 1e-3);
        return out;
    }
};

}  // namespace

Perturbed compare_perturbed(
    const std::string& name,
    const FeatureTable& table,
    std::span<const RowVerdict> verdicts,
    const FeatureTable& changed,
    std::span<const RowVerdict> changed_verdicts) {
    const auto found = std::find(table.classes.begin(), table.classes.end(), "benign");
    const int benign =
        found == table.classes.end() ? -1 : static_cast<int>(found - table.classes.begin());
    std::vector<double> benign_scores;
    for (const TableFlow& flow : table.flows) {
        if (static_cast<int>(flow.label) == benign) {
            benign_scores.push_back(verdicts[flow.first_row + flow.rows - 1].score);
        }
    }
    const Last before(table, verdicts, benign);
    const Last after(changed, changed_verdicts, benign);
    return {name, after.scores.size(), before.side(benign_scores), after.side(benign_scores)};
}

}  // namespace weir::lab
