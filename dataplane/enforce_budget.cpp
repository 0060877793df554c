// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/enforce.h"

namespace weir::dataplane {

EnforcementLevel BudgetWatch::level(const PolicyLimits& limits, std::uint64_t now_ns) noexcept {
    if (limits.budget_flows == 0) {
        level_ = EnforcementLevel::drop;
        return level_;
    }
    if (now_ns >= window_start_ns_ + limits.budget_window_ns) {
        window_start_ns_ = now_ns;
        flows_ = 0;
    }
    if (level_ != EnforcementLevel::drop && now_ns >= last_step_ns_ + limits.budget_recover_ns) {
        level_ = static_cast<EnforcementLevel>(static_cast<unsigned>(level_) - 1);
        last_step_ns_ = now_ns;
    }
    return level_;
}

bool BudgetWatch::flow_dropped(const PolicyLimits& limits, std::uint64_t now_ns) noexcept {
    if (limits.budget_flows == 0 || ++flows_ <= limits.budget_flows) {
        return false;
    }
    // The next step has a budget of its own; at the lowest one alarms keep it there.
    flows_ = 0;
    window_start_ns_ = now_ns;
    last_step_ns_ = now_ns;
    if (level_ == EnforcementLevel::observe) {
        return false;
    }
    const bool no_meter = level_ == EnforcementLevel::drop && limits.budget_meter == kNone;
    level_ = no_meter ? EnforcementLevel::mark
                      : static_cast<EnforcementLevel>(static_cast<unsigned>(level_) + 1);
    return true;
}

}  // namespace weir::dataplane
