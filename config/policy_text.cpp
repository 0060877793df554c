// SPDX-License-Identifier: BSD-3-Clause
#include "config/policy_text.h"

#include "config/load.h"

#include <cstdio>

namespace weir::config {

namespace {

template <typename T, typename Show>
std::string list_text(const std::vector<T>& items, Show show) {
    std::string out = "[";
    for (const T& item : items) {
        out += (out.size() > 1 ? ", " : "") + show(item);
    }
    return out + "]";
}

std::string same(const std::string& text) {
    return text;
}

std::string share_text(double share) {
    std::array<char, 32> buffer{};
    (void)std::snprintf(buffer.data(), buffer.size(), "%.6g", share);
    return buffer.data();
}

std::string colour_text(const ColourAction& action) {
    switch (action.kind) {
        case ActionKind::pass:
            return "pass";
        case ActionKind::mark:
            return dscp_name(action.dscp);
        case ActionKind::drop:
            break;
    }
    return "drop";
}

std::string meter_text(const Meter& meter) {
    static constexpr std::array<const char*, 3> kKinds{"srtcm", "trtcm", "trtcm4115"};
    static constexpr std::array<const char*, 3> kScopes{"meter", "class", "flow"};
    return "{algorithm: " + std::string(kKinds[static_cast<std::size_t>(meter.algorithm)]) +
           ", per: " + kScopes[static_cast<std::size_t>(meter.per)] +
           ", cir_kbps: " + std::to_string(meter.cir_kbps) +
           ", cbs_bytes: " + std::to_string(meter.cbs_bytes) +
           ", excess_kbps: " + std::to_string(meter.excess_kbps) +
           ", excess_bytes: " + std::to_string(meter.excess_bytes) +
           ", yellow: " + colour_text(meter.yellow) + ", red: " + colour_text(meter.red) + "}";
}

}  // namespace

std::string rule_text(const PolicyRule& rule) {
    std::string out = "{";
    const auto add = [&out](const char* key, const std::string& value) {
        out += (out.size() > 1 ? ", " : "") + std::string(key) + ": " + value;
    };
    if (!rule.slot.empty()) {
        add("slot", rule.slot);
        add("class", list_text(rule.classes, same));
    }
    if (rule.min_confidence > 0.0) {
        add("min_confidence", share_text(rule.min_confidence));
    }
    if (rule.min_packets != 0) {
        add("min_packets", std::to_string(rule.min_packets));
    }
    if (rule.sender != Sender::any) {
        add("sender", rule.sender == Sender::initiator ? "initiator" : "responder");
    }
    if (!rule.ports.empty()) {
        add("port", list_text(rule.ports, same));
    }
    if (rule.vlan) {
        add("vlan", std::to_string(*rule.vlan));
    }
    if (!rule.prefixes.empty()) {
        add("prefixes", list_text(rule.prefixes, prefix_text));
    }
    static constexpr std::array<const char*, 4> kActions{"pass", "mark", "drop", "reset"};
    if (rule.action == RowAction::mark) {
        add("dscp", dscp_name(rule.dscp));
    } else {
        add("action", kActions[static_cast<std::size_t>(rule.action)]);
    }
    if (rule.inner) {
        add("inner", "true");
    }
    if (rule.pcp) {
        add("pcp", std::to_string(*rule.pcp));
    }
    if (!rule.police.empty()) {
        add("police", rule.police);
    }
    if (!rule.redirect.empty()) {
        add("redirect", rule.redirect);
    }
    if (rule.mirror) {
        add("mirror", "true");
    }
    if (rule.observe) {
        add("observe", "true");
    }
    return out + "}";
}

std::vector<std::pair<std::string, std::string>> policy_fields(
    const PolicyUse& use, const std::map<std::string, Policy>& policies) {
    std::vector<std::pair<std::string, std::string>> out;
    out.emplace_back("policy.observe_only", use.observe_only ? "true" : "false");
    out.emplace_back("policy.use", use.use.empty() ? "\"\"" : use.use);
    for (const auto& [port, name] : use.ports) {
        out.emplace_back("policy.ports." + port, name);
    }
    for (const auto& [vlan, name] : use.vlans) {
        out.emplace_back("policy.vlans." + std::to_string(vlan), name);
    }
    const std::string never = "policy.never_touch.";
    out.emplace_back(never + "prefixes", list_text(use.never_touch.prefixes, prefix_text));
    out.emplace_back(never + "dscp", list_text(use.never_touch.dscp, dscp_name));
    out.emplace_back(never + "trusted_ports", list_text(use.never_touch.trusted_ports, same));
    out.emplace_back(
        never + "trusted_port_dscp", list_text(use.never_touch.trusted_port_dscp, dscp_name));
    for (const auto& [name, meter] : use.meters) {
        out.emplace_back("policy.meters." + name, meter_text(meter));
    }
    out.emplace_back(
        "policy.new_flows.per_source_per_s", std::to_string(use.new_flows.per_source_per_s));
    out.emplace_back("policy.new_flows.burst", std::to_string(use.new_flows.burst));
    out.emplace_back("policy.mirror.port", use.mirror.port.empty() ? "\"\"" : use.mirror.port);
    out.emplace_back("policy.mirror.one_in", std::to_string(use.mirror.one_in));
    out.emplace_back("policy.budget.flows", std::to_string(use.budget.flows));
    out.emplace_back("policy.budget.window_s", std::to_string(use.budget.window_s));
    out.emplace_back(
        "policy.budget.police", use.budget.police.empty() ? "\"\"" : use.budget.police);
    out.emplace_back("policy.budget.dscp", dscp_name(use.budget.dscp));
    out.emplace_back("policy.budget.recover_s", std::to_string(use.budget.recover_s));
    out.emplace_back("policy.pcp_by_dscp", use.pcp_by_dscp ? "true" : "false");
    for (const auto& [name, policy] : policies) {
        const std::string path = "policies." + name + ".";
        for (std::size_t i = 0; i < policy.rules.size(); ++i) {
            out.emplace_back(path + "rules[" + std::to_string(i) + "]", rule_text(policy.rules[i]));
        }
        static constexpr std::array<const char*, 3> kDefaults{"class_rules", "pass", "drop"};
        out.emplace_back(path + "default", kDefaults[static_cast<std::size_t>(policy.otherwise)]);
    }
    return out;
}

std::vector<std::pair<std::string, std::string>> shaping_fields(const Shaping& shaping) {
    std::vector<std::pair<std::string, std::string>> out;
    const auto item = [](const char* list, std::size_t i) {
        return std::string("shaping.") + list + "[" + std::to_string(i) + "]";
    };
    for (std::size_t i = 0; i < shaping.ports.size(); ++i) {
        const ShapedPort& port = shaping.ports[i];
        out.emplace_back(
            item("ports", i),
            "{port: " + port.port + ", rate_kbps: " + std::to_string(port.rate_kbps) +
                ", burst_bytes: " + std::to_string(port.burst_bytes) + "}");
    }
    out.emplace_back("shaping.slot", shaping.slot);
    for (std::size_t i = 0; i < shaping.queues.size(); ++i) {
        const ShapedQueue& queue = shaping.queues[i];
        out.emplace_back(
            item("queues", i),
            "{name: " + queue.name + ", weight: " + std::to_string(queue.weight) + ", classes: " +
                list_text(queue.classes, same) + ", dscp: " + list_text(queue.dscp, dscp_name) +
                ", max_share: " + share_text(queue.max_share) +
                ", otherwise: " + (queue.otherwise ? "true" : "false") + "}");
    }
    out.emplace_back("shaping.queue_packets", std::to_string(shaping.queue_packets));
    out.emplace_back("shaping.max_packets", std::to_string(shaping.max_packets));
    out.emplace_back("shaping.frame_overhead_bytes", std::to_string(shaping.frame_overhead_bytes));
    out.emplace_back("shaping.red.min_packets", std::to_string(shaping.red.min_packets));
    out.emplace_back("shaping.red.max_packets", std::to_string(shaping.red.max_packets));
    out.emplace_back("shaping.red.one_in", std::to_string(shaping.red.one_in));
    out.emplace_back("shaping.red.ecn", shaping.red.ecn ? "true" : "false");
    for (std::size_t i = 0; i < shaping.subscribers.size(); ++i) {
        const Subscriber& one = shaping.subscribers[i];
        const auto number = [](std::uint16_t vlan) { return std::to_string(vlan); };
        out.emplace_back(
            item("subscribers", i),
            "{name: " + one.name + ", rate_kbps: " + std::to_string(one.rate_kbps) +
                ", prefixes: " + list_text(one.prefixes, prefix_text) +
                ", vlans: " + list_text(one.vlans, number) + "}");
    }
    return out;
}

}  // namespace weir::config
