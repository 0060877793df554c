// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/meter.h"
#include "dataplane/policy.h"
#include "dataplane/snapshot_build.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <string>

namespace weir::dataplane {

static_assert(kPolicySlots == kMaxSlots && kPolicyClasses == kMaxClasses);

namespace {

[[nodiscard]] PrefixMatch compile(const config::Prefix& prefix) noexcept {
    std::array<std::uint8_t, 16> mask{};
    for (unsigned bit = 0; bit < prefix.length; ++bit) {
        mask[bit / 8] = static_cast<std::uint8_t>(mask[bit / 8] | 0x80U >> bit % 8);
    }
    PrefixMatch out;
    std::memcpy(out.value.data(), prefix.address.data(), sizeof(out.value));
    std::memcpy(out.mask.data(), mask.data(), sizeof(out.mask));
    return out;
}

[[nodiscard]] std::uint32_t port_mask(
    const config::Config& config, const std::vector<std::string>& names) {
    std::uint32_t mask = 0;
    for (std::size_t p = 0; p < config.ports.size() && p < 32; ++p) {
        const bool named =
            std::find(names.begin(), names.end(), config.ports[p].name) != names.end();
        mask |= static_cast<std::uint32_t>(named) << p;
    }
    return mask;
}

[[nodiscard]] std::uint64_t dscp_mask(const std::vector<std::uint8_t>& dscps) noexcept {
    std::uint64_t mask = 0;
    for (const std::uint8_t dscp : dscps) {
        mask |= std::uint64_t{1} << (dscp & 63U);
    }
    return mask;
}

[[nodiscard]] std::size_t slot_index(const config::Config& config, const std::string& name) {
    const auto at =
        std::find_if(config.slots.begin(), config.slots.end(), [&](const config::Slot& slot) {
            return slot.name == name;
        });
    return static_cast<std::size_t>(at - config.slots.begin());
}

[[nodiscard]] std::uint8_t port_index(const config::Config& config, const std::string& name) {
    const auto at =
        std::find_if(config.ports.begin(), config.ports.end(), [&](const config::Port& port) {
            return port.name == name;
        });
    return at == config.ports.end() || name.empty()
               ? kNone
               : static_cast<std::uint8_t>(at - config.ports.begin());
}

// Meters are compiled in the order of their names.
[[nodiscard]] std::uint8_t meter_index(const config::Config& config, const std::string& name) {
    const auto& meters = config.policy.meters;
    const auto at = meters.find(name);
    return at == meters.end() ? kNone
                              : static_cast<std::uint8_t>(std::distance(meters.begin(), at));
}

[[nodiscard]] PolicyRow compile(
    const config::Config& config, const config::PolicyRule& rule, PolicySet& set) {
    PolicyRow row;
    row.min_packets = rule.min_packets;
    if (!rule.ports.empty()) {
        row.ports = port_mask(config, rule.ports);
    }
    row.prefix_begin = static_cast<std::uint32_t>(set.prefixes.size());
    row.prefix_count = static_cast<std::uint16_t>(rule.prefixes.size());
    for (const config::Prefix& prefix : rule.prefixes) {
        set.prefixes.push_back(compile(prefix));
    }
    row.min_score =
        static_cast<std::uint16_t>(std::lround(std::clamp(rule.min_confidence, 0.0, 1.0) * 65535));
    row.vlan = rule.vlan.value_or(PolicyRow::kAnyVlan);
    row.senders = rule.sender == config::Sender::any         ? std::uint8_t{3}
                  : rule.sender == config::Sender::initiator ? std::uint8_t{2}
                                                             : std::uint8_t{1};
    row.action.kind = rule.action;
    row.action.dscp = rule.dscp;
    row.action.pcp = rule.pcp.value_or(kNone);
    row.action.meter = meter_index(config, rule.police);
    row.action.redirect = port_index(config, rule.redirect);
    row.action.inner = rule.inner;
    row.action.mirror = rule.mirror;
    row.action.observe = rule.observe;
    return row;
}

void add_row(
    const config::Config& config,
    const config::PolicyRule& rule,
    PolicySet& set,
    CompiledPolicy& policy,
    std::vector<std::string>* warnings) {
    const std::uint64_t bit = std::uint64_t{1} << policy.rows.size();
    PolicyRow row = compile(config, rule, set);
    row.action.policy = static_cast<std::uint8_t>(&policy - set.policies.data());
    row.action.row = static_cast<std::uint8_t>(policy.rows.size());
    const std::size_t slot = slot_index(config, rule.slot);
    if (rule.slot.empty()) {
        policy.classless |= bit;
    } else if (slot < kPolicySlots && slot < config.slots.size()) {
        row.verdict = true;
        row.slot = row.action.slot = static_cast<std::uint8_t>(slot);
        for (const std::string& name : rule.classes) {
            const auto id = class_id(rule.slot, name);
            if (id) {
                policy.by_class[slot][*id] |= bit;
            } else if (warnings != nullptr) {
                warnings->push_back(id.error().line());
            }
        }
    }
    set.enforces |= row.action.enforced();
    policy.rows.push_back(row);
}

/// Which policy holds for the pair or tap `domain` whose ports these are.
[[nodiscard]] std::uint8_t policy_of_ports(
    const config::Config& config,
    std::initializer_list<std::uint32_t> ports,
    const std::map<std::string, std::uint8_t>& index,
    std::uint8_t otherwise) {
    for (const std::uint32_t port : ports) {
        const auto named = config.policy.ports.find(config.ports[port].name);
        if (named != config.policy.ports.end()) {
            const auto at = index.find(named->second);
            return at == index.end() ? otherwise : at->second;
        }
    }
    return otherwise;
}

void add_uses(
    const config::Config& config,
    const std::map<std::string, std::uint8_t>& index,
    PolicySet& set) {
    const auto find = [&](const std::string& name) {
        const auto at = index.find(name);
        return at == index.end() ? kNoPolicy : at->second;
    };
    set.by_pair.fill(find(config.policy.use));
    set.by_vlan.fill(kNoPolicy);
    const std::uint8_t use = find(config.policy.use);
    std::size_t domain = 0;  // pairs first, then taps: see Gateway
    for (const config::Pair& pair : config.pairs) {
        set.by_pair[domain++ % set.by_pair.size()] =
            policy_of_ports(config, {pair.a, pair.b}, index, use);
    }
    for (const std::uint32_t tap : config.taps) {
        set.by_pair[domain++ % set.by_pair.size()] = policy_of_ports(config, {tap}, index, use);
    }
    for (const auto& [vlan, name] : config.policy.vlans) {
        set.by_vlan[vlan & 0xfffU] = find(name);
    }
}

constexpr std::uint64_t kSecondNs = 1'000'000'000;

[[nodiscard]] PolicyLimits compile_limits(const config::Config& config) {
    const config::PolicyUse& use = config.policy;
    PolicyLimits out;
    if (use.new_flows.per_source_per_s != 0) {
        out.new_flow_gap_ns = kSecondNs / use.new_flows.per_source_per_s;
        out.new_flow_slack_ns = out.new_flow_gap_ns * (use.new_flows.burst - 1);
    }
    out.budget_flows = use.budget.flows;
    out.budget_window_ns = use.budget.window_s * kSecondNs;
    out.budget_recover_ns = use.budget.recover_s * kSecondNs;
    out.budget_meter = meter_index(config, use.budget.police);
    out.budget_dscp = use.budget.dscp;
    out.mirror_port = port_index(config, use.mirror.port);
    out.mirror_one_in = use.mirror.one_in;
    out.pcp_by_dscp = use.pcp_by_dscp;
    return out;
}

}  // namespace

std::shared_ptr<const PolicySet> build_policy(
    const config::Config& config, std::vector<std::string>* warnings) {
    const config::PolicyUse& use = config.policy;
    const config::NeverTouch& never = use.never_touch;
    if (config.policies.empty() && !use.observe_only && never.prefixes.empty() &&
        never.dscp.empty() && never.trusted_ports.empty() && use.new_flows.per_source_per_s == 0 &&
        use.budget.flows == 0 && !use.pcp_by_dscp) {
        return nullptr;
    }
    auto set = std::make_shared<PolicySet>();
    set->observe_only = use.observe_only;
    set->limits = compile_limits(config);
    set->enforces = set->limits.new_flow_gap_ns != 0 || set->limits.budget_flows != 0 ||
                    set->limits.pcp_by_dscp;
    for (const auto& [name, meter] : use.meters) {
        set->meters.push_back(compile_meter(meter, set->meters.size()));
    }
    std::map<std::string, std::uint8_t> index;
    for (const auto& [name, policy] : config.policies) {
        index[name] = static_cast<std::uint8_t>(set->policies.size());
        CompiledPolicy& out = set->policies.emplace_back();
        out.name = name;
        out.otherwise = policy.otherwise;
        for (const config::PolicyRule& rule : policy.rules) {
            add_row(config, rule, *set, out, warnings);
        }
    }
    add_uses(config, index, *set);
    for (const config::Prefix& prefix : never.prefixes) {
        set->never_prefixes.push_back(compile(prefix));
    }
    set->never_dscp = dscp_mask(never.dscp);
    set->trusted_dscp = dscp_mask(never.trusted_port_dscp);
    set->trusted_ports = port_mask(config, never.trusted_ports);
    return set;
}

}  // namespace weir::dataplane
