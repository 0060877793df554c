// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/decide.h"

#include "dataplane/overrides.h"

#include <algorithm>
#include <array>
#include <cstring>

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

constexpr int kUndecided = -1;

// Index of the class that the verdict stands for once its threshold is applied; kUndecided if it decides nothing.
[[nodiscard]] int effective_class(
    const kernels::HeadVerdict& scored, const SlotModel& model) noexcept {
    const bool alarms = model.benign_class >= 0;
    const std::uint16_t score = alarms ? scored.not_benign : scored.confidence;
    if (score < model.min_score[scored.cls] && !(alarms && scored.cls == model.benign_class)) {
        return alarms ? model.benign_class : kUndecided;
    }
    return scored.cls;
}

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
    const SlotRows& tile,
    std::uint16_t row,
    const FlowKey& key,
    Verdict& cached,
    SlotStats& stats) noexcept {
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
        stats.changes.add(static_cast<std::uint64_t>(
            merge_verdict(cached, *verdict, *acting, slot.hysteresis, tile.packet_number[row])));
    }
}

// A slot with models on trial, under guardrails, or with a model just withdrawn: kept out of the plain path.
void decide_watched(
    const SnapshotSlot& slot,
    const SlotRows& tile,
    std::uint16_t row,
    const FlowKey& key,
    Verdict& cached,
    SlotStats& stats,
    Decision& decision) noexcept {
    if (is_withdrawn(slot, cached.model_ref)) {
        cached = Verdict{};
    }
    if (row != kNoRow) {
        merge_watched(slot, tile, row, key, cached, stats);
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

// What the packet's policy makes of it, in place of what the slots' class rules made of it. A missing model's fail
// policy stands above both. Kept out of the loop of a gateway without policies.
[[gnu::noinline]] void apply_policy(
    const Snapshot& snapshot,
    Batch& batch,
    std::uint32_t i,
    const Flow& flow,
    const Verdict* verdicts,
    Decision& decision,
    WorkerStats& stats) noexcept {
    batch.action[i] = nullptr;
    if (decision.disposition == Disposition::drop && decision.reason == DropReason::model_missing) {
        return;
    }
    const PolicySet& set = *snapshot.policy;
    const PolicySubject subject{
        batch.key[i],
        batch.header[i],
        verdicts,
        static_cast<std::uint32_t>(snapshot.slots.size()),
        std::uint64_t{flow.packets[0]} + flow.packets[1],
        batch.rx_port[i],
        batch.forward[i] != 0};
    bool observe = set.observe_only;
    const RuleAction* const action = match_policy(set, subject);
    if (action != nullptr) {
        decision = {};
        observe |= action->observe;
        if (action->kind >= config::RowAction::drop) {
            decision.disposition = Disposition::drop;
        } else if (action->kind == config::RowAction::mark) {
            decision.dscp = action->dscp;
        }
    }
    const bool acts = decision.disposition == Disposition::drop || decision.dscp != kKeepDscp ||
                      (action != nullptr && action->enforced());
    if (acts && (observe || never_touched(set, subject))) {
        decision = {};
        stats.policy_observed.add(static_cast<std::uint64_t>(observe));
        return;
    }
    batch.action[i] = action;
}

constexpr RuleAction kExempt{.exempt = true};

// What an operator said of the packet's flow or ends stands above rules and models. Only observing, and what is never
// touched, stand above a block; marks stay with what is let pass.
[[gnu::noinline]] void apply_override(
    const Snapshot& snapshot,
    Batch& batch,
    std::uint32_t i,
    Decision& decision,
    WorkerStats& stats) noexcept {
    const std::uint16_t rule = snapshot.overrides->find(batch.key[i]);
    if (rule == kNoOverride) {
        return;
    }
    const PolicySet* const set = snapshot.policy.get();
    const bool flow = batch.flow[i] != kNoFlow;
    if (snapshot.overrides->kind(rule) == OverrideKind::allow) {
        if (!flow) {
            return;  // there was no room for it: no model has dropped it
        }
        stats.override_allowed.add(
            static_cast<std::uint64_t>(decision.disposition == Disposition::drop));
        decision.disposition = Disposition::forward;
        if (set != nullptr) {
            batch.action[i] = &kExempt;
        }
        return;
    }
    if (set != nullptr) {
        const PolicySubject subject{
            batch.key[i],
            batch.header[i],
            nullptr,
            0,
            0,
            batch.rx_port[i],
            flow && batch.forward[i] != 0};
        if (set->observe_only || never_touched(*set, subject)) {
            stats.policy_observed.add(static_cast<std::uint64_t>(set->observe_only));
            return;
        }
        if (flow) {
            batch.action[i] = nullptr;
        }
    }
    decision = {Disposition::drop, DropReason::override_block, kKeepDscp};
}

}  // namespace

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

bool merge_verdict(
    Verdict& cached,
    const kernels::HeadVerdict& scored,
    const SlotModel& model,
    std::uint32_t hysteresis,
    std::uint32_t packet_number) noexcept {
    const std::uint16_t score = model.benign_class >= 0 ? scored.not_benign : scored.confidence;
    const int index = effective_class(scored, model);
    if (index == kUndecided) {
        return false;
    }
    const std::uint8_t cls = model.class_ids[static_cast<std::size_t>(index)];
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
    constexpr std::uint32_t kAhead = 8;  // packets whose verdicts are on their way to L1
    for (std::uint32_t i = begin; i < end; ++i) {
        const std::uint32_t index = batch.flow[i];
        if (i + kAhead < end && batch.flow[i + kAhead] != kNoFlow) {
            flows.prefetch_verdicts(batch.flow[i + kAhead]);
            __builtin_prefetch(&flows[batch.flow[i + kAhead]].dropped, 1, 3);
        }
        Decision decision;
        if (index == kNoFlow) {
            decision = decide_without_flow(batch.parsed[i], snapshot.fail);
            if (snapshot.overrides != nullptr && batch.parsed[i] == ParseResult::flow)
                [[unlikely]] {
                apply_override(snapshot, batch, i, decision, stats);
            }
        } else {
            Verdict* verdicts = flows.verdicts(index);
            for (std::size_t s = 0; s < snapshot.slots.size(); ++s) {
                const SnapshotSlot& slot = snapshot.slots[s];
                const std::uint16_t row = rows[s].row_of_packet[i];
                if (slot.watched) {
                    decide_watched(
                        slot,
                        rows[s],
                        row,
                        flows[index].key,
                        verdicts[s],
                        stats.slots[s],
                        decision);
                    continue;
                }
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
            if (snapshot.policy != nullptr) [[unlikely]] {
                apply_policy(snapshot, batch, i, flows[index], verdicts, decision, stats);
            }
            if (snapshot.overrides != nullptr) [[unlikely]] {
                apply_override(snapshot, batch, i, decision, stats);
            }
            if (carries_dscp(batch.header[i], snapshot.never_remark)) {
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
