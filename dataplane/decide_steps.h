// SPDX-License-Identifier: BSD-3-Clause
// The steps of decide that both its ways share: how a verdict joins the flow's, and what that asks for.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/decide.h"
#include "dataplane/flow/flow.h"
#include "dataplane/rows.h"
#include "dataplane/snapshot.h"
#include "dataplane/worker_stats.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace weir::dataplane::deciding {

struct Decision {
    Disposition disposition = Disposition::forward;
    DropReason reason = DropReason::policy;
    std::uint8_t dscp = kKeepDscp;
};

/// What one slot's cached verdict asks for, added to what the slots before asked for. Selected, not branched on: from
/// flow to flow classes and scores are as good as random.
inline void apply_slot(
    const SnapshotSlot& slot, const CachedVerdict& verdict, Decision& decision) noexcept {
    if (slot.active == nullptr && slot.model_missing == config::FailAction::drop) [[unlikely]] {
        decision.disposition = Disposition::drop;
        decision.reason = DropReason::model_missing;
        return;
    }
    const ClassAction& action = slot.actions[std::min<std::size_t>(verdict.cls, kMaxClasses)];
    const bool acts =
        (action.kind != config::ActionKind::pass) & (verdict.score >= action.min_score);
    const bool drops = acts & (action.kind == config::ActionKind::drop);
    const bool marks = acts & !drops;
    decision.disposition = drops ? Disposition::drop : decision.disposition;
    decision.reason = drops ? DropReason::policy : decision.reason;
    decision.dscp = marks ? action.dscp : decision.dscp;
}

inline constexpr int kUndecided = -1;

// Index of the class that the verdict stands for once its threshold is applied; kUndecided if it decides nothing.
[[nodiscard]] inline int effective_class(
    const kernels::HeadVerdict& scored, const SlotModel& model) noexcept {
    const bool alarms = model.benign_class >= 0;
    const std::uint16_t score = alarms ? scored.not_benign : scored.confidence;
    if (score < model.min_score[scored.cls] && !(alarms && scored.cls == model.benign_class)) {
        return alarms ? model.benign_class : kUndecided;
    }
    return scored.cls;
}

/// A class that is not the flow's yet: it takes over when it was seen often enough.
inline Merged take_over(
    CachedVerdict& cached,
    std::uint8_t cls,
    std::uint16_t score,
    std::uint16_t model_ref,
    std::uint32_t hysteresis,
    std::uint32_t packet_number) noexcept {
    cached.pending_count = cached.pending_cls == cls
                               ? static_cast<std::uint8_t>(std::min(cached.pending_count + 1, 255))
                               : 1;
    cached.pending_cls = cls;
    if (cached.cls != kNoClass && cached.pending_count < hysteresis) {
        return Merged::kept;
    }
    const Merged out = cached.cls != kNoClass ? Merged::changed : Merged::decided;
    cached.cls = cls;
    cached.score = score;
    cached.model_ref = model_ref;
    cached.decided_at = PacketNumber::pack(packet_number);
    cached.pending_cls = kNoClass;
    cached.pending_count = 0;
    return out;
}

/// merge_verdict(). The usual outcomes, the flow's own class or nothing decided, are told apart by selection.
[[nodiscard]] inline Merged merge(
    CachedVerdict& cached,
    const kernels::HeadVerdict& scored,
    const SlotModel& model,
    std::uint32_t hysteresis,
    std::uint32_t packet_number) noexcept {
    const bool alarms = model.benign_class >= 0;
    const std::uint16_t score = alarms ? scored.not_benign : scored.confidence;
    const bool below = score < model.min_score[scored.cls];
    const bool decides = alarms | !below;
    const auto index = static_cast<std::size_t>(
        alarms & below ? model.benign_class : static_cast<int>(scored.cls));
    const std::uint8_t cls = model.class_ids[index];
    if (decides & (cached.cls != cls)) [[unlikely]] {
        return take_over(cached, cls, score, model.ref, hysteresis, packet_number);
    }
    cached.score = decides ? score : cached.score;
    cached.model_ref = decides ? model.ref : cached.model_ref;
    cached.pending_cls = decides ? kNoClass : cached.pending_cls;
    cached.pending_count = decides ? std::uint8_t{0} : cached.pending_count;
    return Merged::kept;
}

/// Packet i's row was merged.
inline void note_merged(Merged merged, std::uint32_t i, SlotRows& tile, Counter& changes) noexcept {
    if (merged != Merged::kept) [[unlikely]] {
        tile.decided.set(i);
        changes.add(static_cast<std::uint64_t>(merged == Merged::changed));
    }
}

/// Packet i in a slot with models on trial, under guardrails, or with a model just withdrawn: kept out of the plain path.
/// decide_watched.cpp.
void decide_watched(
    const SnapshotSlot& slot,
    SlotRows& tile,
    std::uint32_t i,
    const FlowKey& key,
    CachedVerdict& cached,
    SlotStats& stats,
    Decision& decision) noexcept;

}  // namespace weir::dataplane::deciding
