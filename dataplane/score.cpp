// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/score.h"

namespace weir::dataplane {

void score(
    const Snapshot& snapshot, Rows& rows, ScoreScratch& scratch, WorkerStats& stats) noexcept {
    for (std::size_t s = 0; s < snapshot.slots.size(); ++s) {
        SlotRows& tile = rows[s];
        const SlotModel* model = snapshot.slots[s].active.get();
        if (tile.count == 0 || model == nullptr) {
            continue;
        }
        const kernels::Classifier& classifier = *model->classifier;
        classifier.score(
            tile.codes.data(), tile.stride, tile.count, scratch.raw.data(), scratch.bytes);
        kernels::apply_head(
            model->head,
            scratch.raw.data(),
            classifier.outputs(),
            tile.count,
            model->benign_class,
            tile.verdicts.data());
        stats.slots[s].scored.add(tile.count);
    }
}

}  // namespace weir::dataplane
