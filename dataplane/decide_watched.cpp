// SPDX-License-Identifier: BSD-3-Clause
// Deciding in a slot that is watched: what models on trial say is counted, and a canary's share of flows follows it.
#include "dataplane/decide.h"
#include "dataplane/decide_steps.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace weir::dataplane {

using namespace deciding;

namespace {

[[nodiscard]] std::size_t pair_index(const SlotModel& model, int cls) noexcept {
    return cls == kUndecided ? kMaxClasses : model.class_ids[static_cast<std::size_t>(cls)];
}

// What a row's verdict would lead to, were its model to act on it alone. Returns effective_class().
int count_outcome(
    const SnapshotSlot& slot,
    const SlotModel& model,
    const kernels::HeadVerdict& scored,
    std::uint8_t block,
    SlotStats& stats) noexcept {
    ModelOutcomes& counts = stats.outcomes[block];
    const int cls = effective_class(scored, model);
    const std::uint16_t score = model.benign_class >= 0 ? scored.not_benign : scored.confidence;
    stats.verdicts[block][model.class_ids[scored.cls]].add(1);
    counts.rows.add(1);
    counts.saturated.add(static_cast<std::uint64_t>(scored.confidence >= kSaturated));
    if (cls == kUndecided) {
        return cls;
    }
    counts.alarms.add(
        static_cast<std::uint64_t>(model.benign_class >= 0 && cls != model.benign_class));
    const ClassAction& action = slot.actions[pair_index(model, cls)];
    counts.drops.add(static_cast<std::uint64_t>(
        action.kind == config::ActionKind::drop && score >= action.min_score));
    return cls;
}

[[nodiscard]] bool is_withdrawn(const SnapshotSlot& slot, std::uint16_t ref) noexcept {
    const auto* const end = slot.withdrawn.begin() + slot.withdrawn_count;
    return ref != 0 && std::find(slot.withdrawn.begin(), end, ref) != end;
}

// Counts a due row for the active model and those on trial, then merges the verdict of the one that acts.
void merge_watched(
    const SnapshotSlot& slot,
    SlotRows& tile,
    std::uint32_t i,
    const FlowKey& key,
    CachedVerdict& cached,
    SlotStats& stats) noexcept {
    const std::uint16_t row = tile.row_of_packet[i];
    const SlotModel* acting = slot.active.get();
    const kernels::HeadVerdict* verdict = &tile.verdicts[row];
    std::size_t active_class = kMaxClasses;
    if (acting != nullptr) {
        const int cls = count_outcome(slot, *acting, *verdict, slot.verdict_block, stats);
        active_class = pair_index(*acting, cls);
    }
    for (std::size_t t = 0; t < slot.trials.size(); ++t) {
        const Trial& trial = slot.trials[t];
        const kernels::HeadVerdict& scored = tile.trials[t].verdicts[row];
        const int cls = count_outcome(slot, *trial.model, scored, trial.verdict_block, stats);
        stats.pairs[trial.pair_block][active_class][pair_index(*trial.model, cls)].add(1);
    }
    if (slot.canary >= 0 && follows_canary(key, slot.share)) {
        const auto canary = static_cast<std::size_t>(slot.canary);
        acting = slot.trials[canary].model.get();
        verdict = &tile.trials[canary].verdicts[row];
    }
    if (acting != nullptr) {
        const Merged merged =
            merge_verdict(cached, *verdict, *acting, slot.hysteresis, tile.packet_number[row]);
        note_merged(merged, i, tile, stats.changes);
    }
}

}  // namespace

void deciding::decide_watched(
    const SnapshotSlot& slot,
    SlotRows& tile,
    std::uint32_t i,
    const FlowKey& key,
    CachedVerdict& cached,
    SlotStats& stats,
    Decision& decision) noexcept {
    if (is_withdrawn(slot, cached.model_ref)) {
        cached = CachedVerdict{};
    }
    if (tile.row_of_packet[i] != kNoRow) {
        merge_watched(slot, tile, i, key, cached, stats);
    }
    Decision own;
    apply_slot(slot, cached, own);
    apply_slot(slot, cached, decision);
    const bool by_canary =
        slot.canary >= 0 &&
        cached.model_ref == slot.trials[static_cast<std::size_t>(slot.canary)].model->ref;
    if (by_canary || (slot.active != nullptr && cached.model_ref == slot.active->ref)) {
        ModelOutcomes& counts =
            stats.outcomes
                [by_canary ? slot.trials[static_cast<std::size_t>(slot.canary)].verdict_block
                           : slot.verdict_block];
        counts.packets.add(1);
        counts.packets_dropped.add(
            static_cast<std::uint64_t>(own.disposition == Disposition::drop));
    }
}

bool follows_canary(const FlowKey& key, const CanaryShare& share) noexcept {
    std::array<std::uint64_t, sizeof(FlowKey) / sizeof(std::uint64_t)> words;
    std::memcpy(words.data(), &key, sizeof(key));
    std::uint64_t h = share.salt;
    for (const std::uint64_t word : words) {
        h = (h ^ word) * 0x9e3779b97f4a7c15U;
        h ^= h >> 29;
    }
    h *= 0xbf58476d1ce4e5b9U;
    return (h >> 32) < share.below;
}

}  // namespace weir::dataplane
