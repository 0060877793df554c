// SPDX-License-Identifier: BSD-3-Clause
// What the keys of `policy` and `policies` cannot check alone.
#include "config/load.h"
#include "config/sections.h"

#include <algorithm>
#include <set>

namespace weir::config {

namespace {

template <typename T>
bool holds_all(const std::vector<T>& all, const std::vector<T>& some) {
    return std::all_of(some.begin(), some.end(), [&](const T& one) {
        return std::find(all.begin(), all.end(), one) != all.end();
    });
}

/// Every packet that `later` matches is one that `earlier` matches as well.
bool shadows(const PolicyRule& earlier, const PolicyRule& later) {
    const bool verdict = earlier.slot.empty() ||
                         (earlier.slot == later.slot && holds_all(earlier.classes, later.classes) &&
                          earlier.min_confidence <= later.min_confidence);
    const bool ports =
        earlier.ports.empty() || (!later.ports.empty() && holds_all(earlier.ports, later.ports));
    const bool prefixes =
        earlier.prefixes.empty() ||
        (!later.prefixes.empty() &&
         std::all_of(later.prefixes.begin(), later.prefixes.end(), [&](const Prefix& inner) {
             return std::any_of(
                 earlier.prefixes.begin(), earlier.prefixes.end(), [&](const Prefix& outer) {
                     return covers(outer, inner);
                 });
         }));
    return verdict && ports && prefixes && earlier.min_packets <= later.min_packets &&
           (earlier.sender == Sender::any || earlier.sender == later.sender) &&
           (!earlier.vlan || earlier.vlan == later.vlan);
}

/// Names that exist: of ports, slots, policies.
struct Known {
    std::vector<std::string_view> ports;
    std::vector<std::string_view> slots;
    std::vector<std::string_view> policies;
    std::vector<std::string_view> meters;
    bool mirrors = false;
};

void check_name(
    Context& context,
    const std::vector<std::string_view>& known,
    const std::string& name,
    const char* what,
    const std::string& path) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
        context.add(
            path,
            std::string("no ") + what + " " + quote(name),
            known.empty() ? "describe it first" : suggest(name, known));
    }
}

void check_rule(
    Context& context, const Known& known, const PolicyRule& rule, const std::string& path) {
    for (const std::string& port : rule.ports) {
        check_name(context, known.ports, port, "port", path + ".port");
    }
    if (!rule.slot.empty()) {
        check_name(context, known.slots, rule.slot, "slot", path + ".slot");
    }
    if (!rule.police.empty()) {
        check_name(context, known.meters, rule.police, "meter", path + ".police");
    }
    if (!rule.redirect.empty()) {
        check_name(context, known.ports, rule.redirect, "port", path + ".redirect");
    }
    if (rule.mirror && !known.mirrors) {
        context.add(
            path + ".mirror",
            "nowhere to mirror to",
            "set policy.mirror.port or policy.mirror.file");
    }
    if (rule.prefixes.size() > kMaxPrefixes) {
        context.add(
            path + ".prefixes",
            std::to_string(rule.prefixes.size()) + " prefixes",
            "a row has at most " + std::to_string(kMaxPrefixes));
    }
}

void check_policy(
    Context& context, const Known& known, const Policy& policy, const std::string& path) {
    const std::string list = path + ".rules";
    if (policy.rules.size() > kMaxRules) {
        context.add(
            list,
            std::to_string(policy.rules.size()) + " rows",
            "a policy has at most " + std::to_string(kMaxRules));
        return;
    }
    for (std::size_t j = 0; j < policy.rules.size(); ++j) {
        const std::string own = index_path(list, j);
        check_rule(context, known, policy.rules[j], own);
        for (std::size_t i = 0; i < j; ++i) {
            if (shadows(policy.rules[i], policy.rules[j])) {
                const std::string before = index_path(list, i);
                context.add(
                    own,
                    "no packet reaches this row: " + before + " (line " +
                        std::to_string(context.line(before)) + ") matches all that it does",
                    "move it up, or remove one of the two");
                break;
            }
        }
    }
}

void check_use(Context& context, const Known& known, const Config& config) {
    const PolicyUse& policy = config.policy;
    std::set<std::string> used;
    const auto use = [&](const std::string& name, const std::string& path) {
        check_name(context, known.policies, name, "policy", path);
        used.insert(name);
    };
    if (!policy.use.empty()) {
        use(policy.use, "policy.use");
    }
    for (const auto& [port, name] : policy.ports) {
        const std::string path = join_path("policy.ports", port);
        check_name(context, known.ports, port, "port", path);
        use(name, path);
    }
    for (const Pair& pair : config.pairs) {
        const auto a = policy.ports.find(config.ports[pair.a].name);
        const auto b = policy.ports.find(config.ports[pair.b].name);
        if (a != policy.ports.end() && b != policy.ports.end() && a->second != b->second) {
            context.add(
                join_path("policy.ports", b->first),
                "its pair's other port has policy " + quote(a->second),
                "a pair has one policy: name it at one of its ports");
        }
    }
    for (const auto& [vlan, name] : policy.vlans) {
        use(name, join_path("policy.vlans", std::to_string(vlan)));
    }
    for (const auto& [name, one] : config.policies) {
        if (used.count(name) == 0) {
            context.add(
                join_path("policies", name),
                "policy " + quote(name) + " is used nowhere",
                "name it in policy.use, policy.ports or policy.vlans, or remove it");
        }
    }
}

void check_never_touch(Context& context, const Known& known, const NeverTouch& never) {
    const std::string path = "policy.never_touch";
    for (const std::string& port : never.trusted_ports) {
        check_name(context, known.ports, port, "port", path + ".trusted_ports");
    }
    if (never.trusted_ports.empty() != never.trusted_port_dscp.empty()) {
        const bool ports = never.trusted_ports.empty();
        context.add(
            path,
            ports ? "'trusted_port_dscp' without 'trusted_ports'"
                  : "'trusted_ports' without 'trusted_port_dscp'",
            ports ? "name the ports, or use 'dscp'" : "add for instance 'trusted_port_dscp: [EF]'");
    }
    if (never.prefixes.size() > kMaxPrefixes) {
        context.add(
            path + ".prefixes",
            std::to_string(never.prefixes.size()) + " prefixes",
            "at most " + std::to_string(kMaxPrefixes) + " are possible");
    }
}

void check_mirror(Context& context, const Known& known, const Mirror& mirror) {
    if (!mirror.port.empty()) {
        check_name(context, known.ports, mirror.port, "port", "policy.mirror.port");
    }
    for (const char* key : {"snap_bytes", "queue_packets", "rotate_mb", "rotate_s", "keep"}) {
        const std::string path = std::string("policy.mirror.") + key;
        if (mirror.file.empty() && context.lines.count(path) != 0) {
            context.add(path, "no file is written", "add 'file: FILE', or remove it");
        }
    }
    if (mirror.file.empty() && mirror.port.empty() &&
        context.lines.count("policy.mirror.one_in") != 0) {
        context.add("policy.mirror.one_in", "nowhere to mirror to", "add 'port:' or 'file:'");
    }
}

void check_actions(Context& context, const Known& known, const PolicyUse& policy) {
    if (policy.meters.size() > kMaxMeters) {
        context.add(
            "policy.meters",
            std::to_string(policy.meters.size()) + " meters",
            "a gateway has at most " + std::to_string(kMaxMeters));
    }
    for (const auto& [name, meter] : policy.meters) {
        const std::string path = join_path("policy.meters", name);
        if (meter.algorithm == MeterKind::trtcm && meter.excess_kbps < meter.cir_kbps) {
            context.add(
                path,
                "the peak rate " + std::to_string(meter.excess_kbps) +
                    " kb/s is below the committed " + std::to_string(meter.cir_kbps),
                "set excess_kbps to at least cir_kbps (RFC 2698)");
        } else if (meter.algorithm == MeterKind::srtcm && meter.excess_kbps != 0) {
            context.add(
                path + ".excess_kbps",
                "srtcm has one rate",
                "remove it, or use 'algorithm: trtcm'");
        }
    }
    if (!policy.budget.police.empty()) {
        check_name(context, known.meters, policy.budget.police, "meter", "policy.budget.police");
    }
    check_mirror(context, known, policy.mirror);
}

}  // namespace

void check_policies(Context& context, const Config& config) {
    Known known;
    for (const Port& port : config.ports) {
        known.ports.push_back(port.name);
    }
    for (const Slot& slot : config.slots) {
        known.slots.push_back(slot.name);
    }
    for (const auto& [name, meter] : config.policy.meters) {
        known.meters.push_back(name);
    }
    known.mirrors = !config.policy.mirror.port.empty() || !config.policy.mirror.file.empty();
    check_actions(context, known, config.policy);
    for (const auto& [name, policy] : config.policies) {
        known.policies.push_back(name);
        check_policy(context, known, policy, join_path("policies", name));
    }
    if (config.policies.size() > kMaxPolicies) {
        context.add(
            "policies",
            std::to_string(config.policies.size()) + " policies",
            "a gateway has at most " + std::to_string(kMaxPolicies));
    }
    check_use(context, known, config);
    check_never_touch(context, known, config.policy.never_touch);
}

}  // namespace weir::config
