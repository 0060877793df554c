// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/decide.h"

#include "dataplane/decide_steps.h"
#include "dataplane/overrides.h"

#include <array>

namespace weir::dataplane {

using namespace deciding;

namespace {

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

// What the packet's policy makes of it, in place of what the slots' class rules made of it. A missing model's fail
// policy stands above both. Kept out of the loop of a gateway without policies.
[[gnu::noinline]] void apply_policy(
    const Snapshot& snapshot,
    Batch& batch,
    std::uint32_t i,
    const Flow& flow,
    const CachedVerdict* verdicts,
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
        flow.all_packets(),
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

// A slot's part of the batch: what packets have in common, looked up once.
struct SlotView {
    const SnapshotSlot* slot;
    SlotRows* tile;
    const SlotModel* model;  ///< null: nothing is merged
    Counter* by_class;
    Counter* changes;
};

std::size_t view_slots(
    const Snapshot& snapshot,
    Rows& rows,
    WorkerStats& stats,
    std::array<SlotView, kMaxSlots>& views) noexcept {
    const std::size_t slots = snapshot.slots.size();
    for (std::size_t s = 0; s < slots; ++s) {
        const SnapshotSlot& slot = snapshot.slots[s];
        SlotStats& counts = stats.slots[s];
        views[s] = {
            &slot,
            &rows[s],
            slot.active.get(),
            counts.verdicts[slot.verdict_block].data(),
            &counts.changes};
    }
    return slots;
}

// A packet's verdict in a slot that nobody watches joins the flow's.
inline void decide_slot(const SlotView& view, std::uint32_t i, CachedVerdict& cached) noexcept {
    const std::uint16_t row = view.tile->row_of_packet[i];
    if (view.model == nullptr || row == kNoRow) {
        return;
    }
    const kernels::HeadVerdict& scored = view.tile->verdicts[row];
    const SlotModel& model = *view.model;
    view.by_class[model.class_ids[scored.cls]].add(1);
    const Merged merged =
        merge(cached, scored, model, view.slot->hysteresis, view.tile->packet_number[row]);
    note_merged(merged, i, *view.tile, *view.changes);
}

}  // namespace

Merged merge_verdict(
    CachedVerdict& cached,
    const kernels::HeadVerdict& scored,
    const SlotModel& model,
    std::uint32_t hysteresis,
    std::uint32_t packet_number) noexcept {
    return merge(cached, scored, model, hysteresis, packet_number);
}

void decide(
    Batch& batch,
    std::uint32_t begin,
    std::uint32_t end,
    FlowTable& flows,
    const Snapshot& snapshot,
    Rows& rows,
    WorkerStats& stats) noexcept {
    constexpr std::uint32_t kAhead = 8;  // packets whose verdicts are on their way to L1
    std::array<SlotView, kMaxSlots> views;
    const std::size_t slots = view_slots(snapshot, rows, stats, views);
    for (std::uint32_t i = begin; i < end; ++i) {
        const std::uint32_t index = batch.flow[i];
        if (i + kAhead < end && batch.flow[i + kAhead] != kNoFlow) {
            flows.prefetch_verdicts(batch.flow[i + kAhead]);
        }
        Decision decision;
        if (index == kNoFlow) [[unlikely]] {
            decision = decide_without_flow(batch.parsed[i], snapshot.fail);
            if (snapshot.overrides != nullptr && batch.parsed[i] == ParseResult::flow) {
                apply_override(snapshot, batch, i, decision, stats);
            }
        } else {
            CachedVerdict* const verdicts = flows.verdicts(index);
            for (std::size_t s = 0; s < slots; ++s) {
                const SlotView& view = views[s];
                if (view.slot->watched) [[unlikely]] {
                    decide_watched(
                        *view.slot,
                        *view.tile,
                        i,
                        batch.key[i],
                        verdicts[s],
                        stats.slots[s],
                        decision);
                    continue;
                }
                decide_slot(view, i, verdicts[s]);
                apply_slot(*view.slot, verdicts[s], decision);
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
            flows.note_outcome(index, decision.disposition == Disposition::drop, decision.dscp);
        }
        batch.disposition[i] = decision.disposition;
        batch.drop_reason[i] = decision.reason;
        batch.dscp[i] = decision.dscp;
    }
}

}  // namespace weir::dataplane
