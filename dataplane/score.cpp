// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/score.h"

namespace weir::dataplane {

namespace {

void score_tile(
    const SlotModel& model,
    const std::uint8_t* codes,
    std::uint32_t stride,
    std::uint32_t count,
    ScoreScratch& scratch,
    kernels::HeadVerdict* verdicts) noexcept {
    const kernels::Classifier& classifier = *model.classifier;
    classifier.score(codes, stride, count, scratch.raw.data(), scratch.bytes.data());
    kernels::apply_head(
        model.head, scratch.raw.data(), classifier.outputs(), count, model.benign_class, verdicts);
}

}  // namespace

void score(
    const Snapshot& snapshot, Rows& rows, ScoreScratch& scratch, WorkerStats& stats) noexcept {
    for (std::size_t s = 0; s < snapshot.slots.size(); ++s) {
        const SnapshotSlot& slot = snapshot.slots[s];
        SlotRows& tile = rows[s];
        if (tile.count == 0) {
            continue;
        }
        if (slot.active != nullptr) {
            score_tile(
                *slot.active,
                tile.codes.data(),
                tile.stride,
                tile.count,
                scratch,
                tile.verdicts.data());
            stats.slots[s].scored.add(tile.count);
        }
        for (std::size_t t = 0; t < slot.trials.size(); ++t) {
            TrialRows& trial = tile.trials[t];
            score_tile(
                *slot.trials[t].model,
                trial.codes.data(),
                trial.stride,
                tile.count,
                scratch,
                trial.verdicts.data());
        }
    }
}

}  // namespace weir::dataplane
