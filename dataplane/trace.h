// SPDX-License-Identifier: BSD-3-Clause
// Why decide() did with a packet what it did: the same rules, told rather than carried out. Off the packet path.
#pragma once

#include "dataplane/overrides.h"
#include "dataplane/policy.h"
#include "dataplane/sample.h"
#include "dataplane/snapshot.h"

#include <cstdint>

namespace weir::dataplane {

/// What decided about the packet.
enum class RuleSource : std::uint8_t {
    none,            ///< nothing asks for anything
    model_missing,   ///< a slot's fail policy
    class_rule,      ///< of a slot
    policy_rule,     ///< a row of the packet's policy
    policy_default,  ///< no row of it matched
    override_rule    ///< an operator's
};

/// Why that was not carried out.
enum class HeldBack : std::uint8_t {
    no,
    observe_only,   ///< the whole gateway's
    rule_observes,  ///< the row's own
    never_touch,    ///< an address or DSCP of policy.never_touch
    never_remark,   ///< the packet carries a DSCP that is never rewritten
    budget,         ///< of false alarms: enforcement has stepped down
    allowed         ///< by an operator's override
};

struct DecisionTrace {
    RuleSource source = RuleSource::none;
    HeldBack held = HeldBack::no;
    std::uint8_t slot = kNone;  ///< of the class rule, of the row's class, or of the missing model
    std::uint8_t policy = kNone;                ///< by the order of names; of its row or default
    std::uint8_t row = kNone;                   ///< of the policy
    std::uint16_t override_rule = kNoOverride;  ///< that applies to the flow, whatever it did
    RuleAction action;                          ///< what the rule says
    Disposition disposition = Disposition::forward;  ///< as decide() leaves it
    DropReason reason = DropReason::policy;
    std::uint8_t dscp = kKeepDscp;
};

/// Of the packet that was sampled, under `snapshot`, which must be that of the sample's generation. That the budget held
/// something back shows by what became of the packet. Pure. Thread: control.
[[nodiscard]] DecisionTrace trace_decision(
    const Snapshot& snapshot, const FlowSample& sample) noexcept;

}  // namespace weir::dataplane
