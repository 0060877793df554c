// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/evaluate.h"

#include "control/lab/evaluate_sources.h"
#include "kernels/classifier.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include <oneapi/tbb/parallel_for.h>

namespace weir::lab {
namespace {

constexpr std::array<std::uint32_t, 7> kEarly{1, 2, 4, 8, 16, 32, 64};
constexpr std::uint32_t kReplicates = 200;
constexpr std::size_t kAlign = 64;
constexpr double kFull = 65535.0;

/// The class that decide takes, whose rule this repeats: an alarm below its class's threshold is benign.
RowVerdict verdict_of(const kernels::Bundle& bundle, const kernels::HeadVerdict& head) {
    const int benign = bundle.benign_class();
    RowVerdict out{head.cls, (benign >= 0 ? head.not_benign : head.confidence) / kFull};
    const bool alarm = benign >= 0 && head.cls != benign;
    if (alarm && !bundle.thresholds.empty() && out.score < bundle.thresholds[head.cls]) {
        out.cls = static_cast<std::uint32_t>(benign);
    }
    return out;
}

}  // namespace

Evaluation evaluate(
    const FeatureTable& table, const std::string& slot, std::span<const RowVerdict> verdicts) {
    Evaluation out{.slot = slot, .classes = table.classes};
    const auto benign = std::find(out.classes.begin(), out.classes.end(), "benign");
    out.benign = benign == out.classes.end() ? -1 : static_cast<int>(benign - out.classes.begin());
    const auto classes = static_cast<std::uint32_t>(out.classes.size());
    // The last row of each flow that at most `packets` packets led to.
    const auto verdicts_at = [&](std::uint32_t packets) {
        std::vector<Judged> judged;
        judged.reserve(table.flows.size());
        for (const auto& flow : table.flows) {
            std::uint32_t row = flow.first_row;
            for (std::uint32_t r = 1; r < flow.rows && table.packets[flow.first_row + r] <= packets;
                 ++r) {
                row = flow.first_row + r;
            }
            judged.push_back({flow.label, verdicts[row].cls, verdicts[row].score});
        }
        return judged;
    };
    const auto last = verdicts_at(0xffffffffU);
    out.whole_flow = judge(last, classes, out.benign);
    out.early.resize(kEarly.size());
    oneapi::tbb::parallel_for(std::size_t{0}, kEarly.size(), [&](std::size_t i) {
        const auto judged = verdicts_at(kEarly[i]);
        out.early[i] = {
            kEarly[i],
            judge(judged, classes, out.benign),
            bootstrap(table, judged, out.benign, kReplicates / 2, 1)};
    });
    out.intervals = bootstrap(table, last, out.benign, kReplicates, 1);
    out.false_alarms = false_alarms(table, verdicts, out.benign, kReplicates, 1);
    out.sources = by_source(table, last, out.benign);
    out.reliability_bins = reliability(last, out.benign, 15);
    if (out.benign >= 0) {
        const auto benign_class = static_cast<std::uint32_t>(out.benign);
        std::array<std::vector<double>, 2> scores;
        for (const auto& v : last) {
            scores[v.truth == benign_class ? 0 : 1].push_back(v.score);
        }
        out.roc = roc_curve(scores[1], scores[0], 120);
    }
    return out;
}

Result<std::vector<RowVerdict>> score_table(
    const kernels::Bundle& bundle, const FeatureTable& table) {
    const auto classifier = kernels::make_classifier(bundle.network);
    if (!classifier) {
        return tl::unexpected(classifier.error());
    }
    const std::uint32_t outputs = (*classifier)->outputs();
    std::vector<std::byte> memory((*classifier)->scratch_bytes() + kAlign);
    void* scratch = memory.data();
    std::size_t space = memory.size();
    std::align(kAlign, memory.size() - kAlign, scratch, space);
    std::vector<std::int32_t> raw(std::size_t{kernels::kMaxRows} * outputs);
    std::vector<kernels::HeadVerdict> heads(kernels::kMaxRows);
    std::vector<RowVerdict> out;
    out.reserve(table.rows());
    for (std::uint32_t at = 0; at < table.rows(); at += kernels::kMaxRows) {
        const std::uint32_t n = std::min(kernels::kMaxRows, table.rows() - at);
        (*classifier)
            ->score(
                table.row(at).data(),
                table.features.size(),
                n,
                raw.data(),
                static_cast<std::byte*>(scratch));
        kernels::apply_head(
            bundle.head, raw.data(), outputs, n, bundle.benign_class(), heads.data());
        for (std::uint32_t i = 0; i < n; ++i) {
            out.push_back(verdict_of(bundle, heads[i]));
        }
    }
    return out;
}

}  // namespace weir::lab
