// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/trace.h"

namespace weir::dataplane {

namespace {

void drop(DecisionTrace& out, DropReason reason) noexcept {
    out.disposition = Disposition::drop;
    out.reason = reason;
}

/// Class rules and fail policies: of several drops the last slot's tells, of marks likewise, and drops before marks.
void trace_slots(const Snapshot& snapshot, const FlowSample& sample, DecisionTrace& out) noexcept {
    for (std::size_t s = 0; s < snapshot.slots.size(); ++s) {
        const SnapshotSlot& slot = snapshot.slots[s];
        if (slot.active == nullptr && slot.model_missing == config::FailAction::drop) {
            drop(out, DropReason::model_missing);
            out.source = RuleSource::model_missing;
            out.slot = static_cast<std::uint8_t>(s);
            out.action = {.kind = config::RowAction::drop};
            continue;
        }
        const Verdict& verdict = sample.flow.verdicts[s];
        if (verdict.cls == kNoClass) {
            continue;
        }
        const ClassAction& rule = slot.actions[verdict.cls];
        if (rule.kind == config::ActionKind::pass || verdict.score < rule.min_score) {
            continue;
        }
        const bool drops = rule.kind == config::ActionKind::drop;
        if (drops) {
            drop(out, DropReason::policy);
        } else {
            out.dscp = rule.dscp;
        }
        if (drops || out.disposition == Disposition::forward) {
            out.source = RuleSource::class_rule;
            out.slot = static_cast<std::uint8_t>(s);
            out.action = {
                .kind = drops ? config::RowAction::drop : config::RowAction::mark,
                .dscp = rule.dscp};
        }
    }
}

/// Which row of the flow's policy the action is of; none: the policy's default.
void locate(
    const PolicySet& set,
    const PolicySubject& subject,
    const RuleAction* action,
    DecisionTrace& out) noexcept {
    out.policy = policy_of(set, subject.key);
    out.source = RuleSource::policy_default;
    out.slot = kNone;
    const auto& rows = set.policies[out.policy].rows;
    for (std::size_t r = 0; r < rows.size(); ++r) {
        if (&rows[r].action == action) {
            out.source = RuleSource::policy_rule;
            out.row = static_cast<std::uint8_t>(r);
            out.slot = rows[r].verdict ? rows[r].slot : kNone;
        }
    }
}

void trace_policy(const PolicySet& set, const PolicySubject& subject, DecisionTrace& out) noexcept {
    bool observe = set.observe_only;
    const RuleAction* const action = match_policy(set, subject);
    if (action != nullptr) {
        out.action = *action;
        locate(set, subject, action, out);
        observe |= action->observe;
        out.disposition = Disposition::forward;
        out.dscp = action->kind == config::RowAction::mark ? action->dscp : kKeepDscp;
        if (action->kind >= config::RowAction::drop) {
            drop(out, DropReason::policy);
        }
    }
    const bool acts = out.disposition == Disposition::drop || out.dscp != kKeepDscp ||
                      (action != nullptr && action->enforced());
    if (acts && (observe || never_touched(set, subject))) {
        out.disposition = Disposition::forward;
        out.dscp = kKeepDscp;
        out.held = set.observe_only ? HeldBack::observe_only
                   : observe        ? HeldBack::rule_observes
                                    : HeldBack::never_touch;
    }
}

void trace_override(
    const Snapshot& snapshot, const PolicySubject& subject, DecisionTrace& out) noexcept {
    out.override_rule = snapshot.overrides->find(subject.key);
    if (out.override_rule == kNoOverride) {
        return;
    }
    if (snapshot.overrides->kind(out.override_rule) == OverrideKind::allow) {
        const bool acted = out.disposition == Disposition::drop || out.action.enforced();
        if (acted && out.held == HeldBack::no) {
            out.held = HeldBack::allowed;
        }
        out.disposition = Disposition::forward;
        return;
    }
    const PolicySet* const set = snapshot.policy.get();
    const bool observe = set != nullptr && set->observe_only;
    const bool held = observe || (set != nullptr && never_touched(*set, subject));
    if (held && out.disposition == Disposition::drop) {
        return;  // a missing model's fail policy, which nothing holds back
    }
    out.source = RuleSource::override_rule;
    out.slot = out.policy = out.row = kNone;
    out.action = {.kind = config::RowAction::drop};
    if (held) {
        out.held = observe ? HeldBack::observe_only : HeldBack::never_touch;
        return;
    }
    out.held = HeldBack::no;
    out.dscp = kKeepDscp;
    drop(out, DropReason::override_block);
}

}  // namespace

DecisionTrace trace_decision(const Snapshot& snapshot, const FlowSample& sample) noexcept {
    std::array<CachedVerdict, kMaxSlots> verdicts;
    for (std::size_t s = 0; s < verdicts.size(); ++s) {
        const Verdict& verdict = sample.flow.verdicts[s];
        verdicts[s].model_ref = verdict.model_ref;
        verdicts[s].score = verdict.score;
        verdicts[s].cls = verdict.cls;
    }
    const PolicySubject subject{
        sample.flow.key,
        sample.header,
        verdicts.data(),
        static_cast<std::uint32_t>(snapshot.slots.size()),
        std::uint64_t{sample.flow.packets[0]} + sample.flow.packets[1],
        sample.rx_port,
        sample.from_initiator};
    DecisionTrace out;
    trace_slots(snapshot, sample, out);
    const bool missing =
        out.disposition == Disposition::drop && out.reason == DropReason::model_missing;
    if (snapshot.policy != nullptr && !missing) {
        trace_policy(*snapshot.policy, subject, out);
    }
    if (snapshot.overrides != nullptr) {
        trace_override(snapshot, subject, out);
    }
    if (out.dscp != kKeepDscp && carries_dscp(sample.header, snapshot.never_remark)) {
        out.dscp = kKeepDscp;
        const bool marks = out.held == HeldBack::no && out.disposition == Disposition::forward;
        out.held = marks ? HeldBack::never_remark : out.held;
    }
    if (out.disposition == Disposition::drop && out.reason == DropReason::policy &&
        sample.disposition != Disposition::drop) {
        out.held = HeldBack::budget;
    }
    return out;
}

}  // namespace weir::dataplane
