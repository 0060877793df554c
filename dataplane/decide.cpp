// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/decide.h"

#include <algorithm>

namespace weir::dataplane {

namespace {

struct Decision {
    Disposition disposition = Disposition::forward;
    DropReason reason = DropReason::policy;
    std::uint8_t dscp = kKeepDscp;
};

[[nodiscard]] Decision fail_decision(config::FailAction action, DropReason reason) noexcept {
    const bool drop = action == config::FailAction::drop;
    return {drop ? Disposition::drop : Disposition::forward, reason, kKeepDscp};
}

// For packets that take part in no flow.
[[nodiscard]] Decision decide_without_flow(ParseResult parsed, const config::Fail& fail) noexcept {
    switch (parsed) {
        case ParseResult::truncated:
            return fail_decision(fail.truncated, DropReason::parse_truncated);
        case ParseResult::malformed:
            return fail_decision(fail.malformed, DropReason::parse_malformed);
        case ParseResult::unsupported:
            return fail_decision(fail.unsupported, DropReason::parse_unsupported);
        case ParseResult::flow:
            return fail_decision(fail.flow_table_full, DropReason::flow_table_full);
        case ParseResult::other:
        case ParseResult::count_:
            break;
    }
    return {};
}

// What one slot's cached verdict asks for, added to what the slots before asked for.
void apply_slot(const SnapshotSlot& slot, const Verdict& verdict, Decision& decision) noexcept {
    if (slot.active == nullptr && slot.model_missing == config::FailAction::drop) {
        decision.disposition = Disposition::drop;
        decision.reason = DropReason::model_missing;
        return;
    }
    if (verdict.cls == kNoClass) {
        return;
    }
    const ClassAction& action = slot.actions[verdict.cls];
    if (action.kind == config::ActionKind::pass || verdict.score < action.min_score) {
        return;
    }
    if (action.kind == config::ActionKind::drop) {
        decision.disposition = Disposition::drop;
        decision.reason = DropReason::policy;
        return;
    }
    decision.dscp = action.dscp;
}

}  // namespace

bool merge_verdict(
    Verdict& cached,
    const kernels::HeadVerdict& scored,
    const SlotModel& model,
    std::uint32_t hysteresis,
    std::uint32_t packet_number) noexcept {
    const bool alarms = model.benign_class >= 0;
    const std::uint16_t score = alarms ? scored.not_benign : scored.confidence;
    std::size_t index = scored.cls;
    if (score < model.min_score[index] && !(alarms && scored.cls == model.benign_class)) {
        if (!alarms) {
            return false;
        }
        index = static_cast<std::size_t>(model.benign_class);
    }
    const std::uint8_t cls = model.class_ids[index];
    if (cached.cls == cls) {
        cached.score = score;
        cached.model_ref = model.ref;
        cached.pending_count = 0;
        cached.pending_cls = kNoClass;
        return false;
    }
    cached.pending_count = cached.pending_cls == cls
                               ? static_cast<std::uint8_t>(std::min(cached.pending_count + 1, 255))
                               : 1;
    cached.pending_cls = cls;
    if (cached.cls != kNoClass && cached.pending_count < hysteresis) {
        return false;
    }
    const bool changed = cached.cls != kNoClass;
    cached.cls = cls;
    cached.score = score;
    cached.model_ref = model.ref;
    cached.decided_at_packet = packet_number;
    cached.pending_cls = kNoClass;
    cached.pending_count = 0;
    return changed;
}

void decide(
    Batch& batch,
    std::uint32_t begin,
    std::uint32_t end,
    FlowTable& flows,
    const Snapshot& snapshot,
    const Rows& rows,
    WorkerStats& stats) noexcept {
    for (std::uint32_t i = begin; i < end; ++i) {
        const std::uint32_t index = batch.flow[i];
        Decision decision;
        if (index == kNoFlow) {
            decision = decide_without_flow(batch.parsed[i], snapshot.fail);
        } else {
            Verdict* verdicts = flows.verdicts(index);
            for (std::size_t s = 0; s < snapshot.slots.size(); ++s) {
                const SnapshotSlot& slot = snapshot.slots[s];
                const std::uint16_t row = rows[s].row_of_packet[i];
                if (slot.active != nullptr && row != kNoRow) {
                    const kernels::HeadVerdict& scored = rows[s].verdicts[row];
                    const SlotModel& model = *slot.active;
                    SlotStats& counts = stats.slots[s];
                    counts.verdicts[slot.verdict_block][model.class_ids[scored.cls]].add(1);
                    const bool changed = merge_verdict(
                        verdicts[s], scored, model, slot.hysteresis, rows[s].packet_number[row]);
                    counts.changes.add(static_cast<std::uint64_t>(changed));
                }
                apply_slot(slot, verdicts[s], decision);
            }
            // In a tunnel the outer header would be marked; what the inner one asks for counts as well.
            const std::uint64_t kept = snapshot.never_remark >> (batch.header[i].tos >> 2) |
                                       snapshot.never_remark >> (batch.header[i].outer_tos >> 2);
            if ((kept & 1U) != 0) {
                decision.dscp = kKeepDscp;
            }
            Flow& flow = flows[index];
            flow.dropped = decision.disposition == Disposition::drop;
            if (decision.dscp != kKeepDscp) {
                flow.dscp_written = decision.dscp;
            }
        }
        batch.disposition[i] = decision.disposition;
        batch.drop_reason[i] = decision.reason;
        batch.dscp[i] = decision.dscp;
    }
}

}  // namespace weir::dataplane
