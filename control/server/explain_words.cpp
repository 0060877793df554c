// SPDX-License-Identifier: BSD-3-Clause
#include "control/server/explain_words.h"

#include "config/load.h"
#include "dataplane/enforce.h"
#include "dataplane/features/catalog.h"
#include "dataplane/snapshot_build.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string>

namespace weir::control {

namespace {

using dataplane::HeldBack;
using dataplane::RuleSource;

std::string mark_text(std::uint8_t dscp) {
    return "mark " + config::dscp_name(dscp);
}

std::string outcome_text(const dataplane::FlowSample& sample) {
    switch (sample.disposition) {
        case dataplane::Disposition::drop:
            return "drop";
        case dataplane::Disposition::redirect:
            return "redirect";
        case dataplane::Disposition::wait:
            return "wait";
        case dataplane::Disposition::forward:
            break;
    }
    return sample.dscp == dataplane::kKeepDscp ? "pass" : mark_text(sample.dscp);
}

template <typename Map>
std::string name_at(const Map& by_name, std::uint8_t index) {
    return index < by_name.size() ? std::next(by_name.begin(), index)->first : std::string("?");
}

std::string slot_name(const config::Config& config, std::uint8_t slot) {
    return slot < config.slots.size() ? config.slots[slot].name : std::string("?");
}

std::string rule_text(
    const ModelRegistry& registry,
    const dataplane::DecisionTrace& trace,
    const dataplane::FlowSample& sample) {
    const config::Config& config = registry.config();
    switch (trace.source) {
        case RuleSource::none:
            return "";
        case RuleSource::model_missing:
            return "slots." + slot_name(config, trace.slot) + ".model_missing";
        case RuleSource::class_rule: {
            const std::string slot = slot_name(config, trace.slot);
            const std::string cls =
                dataplane::class_name(slot, sample.flow.verdicts.at(trace.slot).cls);
            const auto rules = registry.rules(slot);
            const bool set = rules && std::any_of(rules->begin(), rules->end(), [&](const auto& r) {
                                 return r.cls == cls && r.overridden;
                             });
            return "slots." + slot + ".rules." + cls + (set ? " (set by weirctl policy set)" : "");
        }
        case RuleSource::policy_rule:
            return "policies." + name_at(config.policies, trace.policy) + ".rules[" +
                   std::to_string(trace.row) + "]";
        case RuleSource::policy_default:
            return "policies." + name_at(config.policies, trace.policy) + ".default";
        case RuleSource::override_rule:
            break;
    }
    return "an operator's override";
}

std::string action_text(const config::Config& config, const dataplane::RuleAction& action) {
    constexpr std::array<const char*, 4> kKinds{"pass", "mark", "drop", "reset"};
    std::string text = action.kind == config::RowAction::mark
                           ? mark_text(action.dscp)
                           : kKinds.at(static_cast<std::size_t>(action.kind));
    const auto add = [&](bool present, const std::string& more) {
        text += present ? ", " + more : "";
    };
    add(action.meter != dataplane::kNone, "police " + name_at(config.policy.meters, action.meter));
    add(action.pcp != dataplane::kNone, "PCP " + std::to_string(action.pcp));
    add(action.redirect < config.ports.size(),
        "redirect " +
            (action.redirect < config.ports.size() ? config.ports[action.redirect].name : ""));
    add(action.mirror, "mirror");
    add(action.inner, "inner");
    return text;
}

std::string held_text(HeldBack held, std::uint64_t level) {
    constexpr std::array<const char*, 4> kLevels{"drop", "police", "mark", "observe"};
    switch (held) {
        case HeldBack::no:
            return "";
        case HeldBack::observe_only:
            return "policy.observe_only: the gateway carries out no rule";
        case HeldBack::rule_observes:
            return "the rule only observes";
        case HeldBack::never_touch:
            return "policy.never_touch: the packet's address or DSCP is in it";
        case HeldBack::never_remark:
            return "never_remark: the packet's DSCP is in it";
        case HeldBack::budget:
            return std::string("policy.budget is spent: enforcement has stepped down to ") +
                   kLevels.at(std::min<std::uint64_t>(level, kLevels.size() - 1));
        case HeldBack::allowed:
            break;
    }
    return "an operator lets the flow pass";
}

}  // namespace

void fill_decision(
    const ModelRegistry& registry,
    const dataplane::Snapshot& snapshot,
    std::span<const dataplane::WorkerInfo> workers,
    const dataplane::FlowSample& sample,
    v1::Decision& out) {
    out.set_outcome(outcome_text(sample));
    if (sample.disposition == dataplane::Disposition::drop) {
        out.set_drop_reason(std::string(dataplane::drop_reason_name(sample.reason)));
    }
    if (sample.generation != snapshot.generation) {
        return;
    }
    const dataplane::DecisionTrace trace = dataplane::trace_decision(snapshot, sample);
    out.set_rule(rule_text(registry, trace, sample));
    if (trace.source != RuleSource::none) {
        out.set_says(action_text(registry.config(), trace.action));
    }
    const std::uint64_t level =
        sample.worker < workers.size() ? workers[sample.worker].stats->enforcement_level.get() : 0;
    out.set_held_back(held_text(trace.held, level));
    if (trace.override_rule < registry.overrides().size()) {
        const Override& override = registry.overrides()[trace.override_rule];
        out.set_override(
            std::string(kind_name(override.rule.kind)) + " " + override.target + ", set by " +
            override.by);
    }
}

void fill(const Explanation& explanation, std::size_t top, v1::SlotExplanation& out) {
    out.set_packet_class(explanation.packet_class);
    out.set_packet_confidence(explanation.packet_confidence);
    out.set_against(explanation.against);
    out.set_score_bits(explanation.score_bits);
    out.set_bias_bits(explanation.bias_bits);
    out.set_rest_bits(explanation.rest_bits);
    out.set_method(explanation.method);
    for (const FeaturePart& part : explanation.parts) {
        if (static_cast<std::size_t>(out.features_size()) == top || part.bits == 0.0) {
            break;
        }
        const auto& info = dataplane::catalog()[part.feature];
        auto& told = *out.add_features();
        told.set_feature(std::string(info.name));
        told.set_unit(std::string(info.unit));
        told.set_description(std::string(info.description));
        told.set_value(part.raw);
        told.set_code(part.code);
        told.set_bits(part.bits);
    }
}

}  // namespace weir::control
