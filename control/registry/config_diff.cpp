// SPDX-License-Identifier: BSD-3-Clause
#include "control/registry/config_diff.h"

#include "config/policy_text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

namespace weir::control {

namespace {

using Fields = std::vector<ConfigField>;

constexpr const char* kAbsent = "(absent)";

std::string text(const std::string& value) {
    return value.empty() ? "\"\"" : value;
}
std::string text(bool value) {
    return value ? "true" : "false";
}
std::string text(config::FailAction action) {
    return action == config::FailAction::pass ? "pass" : "drop";
}
std::string text(double value) {
    std::array<char, 32> buffer{};
    (void)std::snprintf(buffer.data(), buffer.size(), "%.6g", value);
    return buffer.data();
}
template <typename T>
requires std::is_integral_v<T> &&(!std::is_same_v<T, bool>)std::string text(T value) {
    return std::to_string(value);
}
template <typename T>
std::string text(const std::vector<T>& values) {
    std::string out = "[";
    for (const auto& value : values) {
        out += (out.size() > 1 ? ", " : "") + text(value);
    }
    return out + "]";
}

std::string text(const config::Cadence& cadence) {
    switch (cadence.kind) {
        case config::CadenceKind::every_packet:
            return "every_packet";
        case config::CadenceKind::powers_of_two:
            return "powers_of_two";
        case config::CadenceKind::interval:
            return "interval " + std::to_string(cadence.interval_ms) + " ms";
    }
    return "?";
}

std::string text(const config::ClassRule& rule) {
    std::string out;
    switch (rule.action) {
        case config::ActionKind::pass:
            out = "pass";
            break;
        case config::ActionKind::mark:
            out = "mark dscp " + std::to_string(rule.dscp);
            break;
        case config::ActionKind::drop:
            out = "drop";
            break;
    }
    return rule.min_confidence > 0.0 ? out + " from confidence " + text(rule.min_confidence) : out;
}

std::string text(config::StaleAction action) {
    constexpr std::array<const char*, 3> kNames{"last", "pass", "drop"};
    return kNames[static_cast<std::size_t>(action)];
}

std::string text(config::Hugepages hugepages) {
    constexpr std::array<const char*, 3> kNames{"auto", "require", "off"};
    return kNames[static_cast<std::size_t>(hugepages)];
}

std::string text(config::Distribute distribute) {
    constexpr std::array<const char*, 3> kNames{"auto", "rss", "software"};
    return kNames[static_cast<std::size_t>(distribute)];
}

std::string text(config::IdleWait wait) {
    constexpr std::array<const char*, 3> kNames{"auto", "sleep", "interrupt"};
    return kNames[static_cast<std::size_t>(wait)];
}

void add_start_only(Fields& out, const config::Config& c) {
    const auto add = [&out](std::string path, const auto& value) {
        out.push_back({std::move(path), text(value), false});
    };
    add("eal.hugepages", c.eal.hugepages);
    add("eal.memory_mb", c.eal.memory_mb);
    add("eal.main_lcore", c.eal.main_lcore);
    add("eal.file_prefix", c.eal.file_prefix);
    add("eal.extra", c.eal.extra);
    add("workers.lcores", c.workers.lcores);
    add("workers.distribute", c.workers.distribute);
    add("workers.distributor_lcore", c.workers.distributor_lcore);
    add("workers.burst", c.workers.burst);
    add("workers.gather_us", c.workers.gather_us);
    const auto& table = c.workers.flow_table;
    add("workers.flow_table.capacity", table.capacity);
    add("workers.flow_table.tcp_established_s", table.tcp_established_s);
    add("workers.flow_table.tcp_opening_s", table.tcp_opening_s);
    add("workers.flow_table.tcp_closed_s", table.tcp_closed_s);
    add("workers.flow_table.udp_s", table.udp_s);
    add("workers.flow_table.other_s", table.other_s);
    add("workers.flow_table.host_capacity", table.host_capacity);
    const auto& overload = c.workers.overload;
    add("workers.overload.enabled", overload.enabled);
    add("workers.overload.queue_high_percent", overload.queue_high_percent);
    add("workers.overload.queue_low_percent", overload.queue_low_percent);
    add("workers.overload.burst_budget_us", overload.burst_budget_us);
    add("workers.overload.up_ms", overload.up_ms);
    add("workers.overload.down_ms", overload.down_ms);
    add("workers.overload.early_packets", overload.early_packets);
    const auto& idle = c.workers.idle;
    add("workers.idle.sleep", idle.sleep);
    add("workers.idle.wait", idle.wait);
    add("workers.idle.spin_us", idle.spin_us);
    add("workers.idle.first_us", idle.first_us);
    add("workers.idle.longest_us", idle.longest_us);
    add("features.payload", c.features.payload);
    for (std::size_t i = 0; i < c.ports.size(); ++i) {
        const auto& port = c.ports[i];
        const std::string prefix = "ports[" + std::to_string(i) + "].";
        add(prefix + "name", port.name);
        add(prefix + "device", port.device);
        add(prefix + "mtu", port.mtu);
        add(prefix + "promiscuous", port.promiscuous);
        add(prefix + "rx_descriptors", port.rx_descriptors);
        add(prefix + "tx_descriptors", port.tx_descriptors);
    }
    std::vector<std::uint32_t> pairs;
    for (const auto& pair : c.pairs) {
        pairs.push_back(pair.a);
        pairs.push_back(pair.b);
    }
    add("pairs", pairs);
    add("taps", c.taps);
    for (const auto& [path, value] : config::shaping_fields(c.shaping)) {
        out.push_back({path, value, false});
    }
    const auto& mirror = c.policy.mirror;
    add("policy.mirror.file", mirror.file);
    add("policy.mirror.snap_bytes", mirror.snap_bytes);
    add("policy.mirror.queue_packets", mirror.queue_packets);
    add("policy.mirror.rotate_mb", mirror.rotate_mb);
    add("policy.mirror.rotate_s", mirror.rotate_s);
    add("policy.mirror.keep", mirror.keep);
    add("control.socket", c.control.socket);
    add("control.keyring", c.control.keyring);
    add("control.state_dir", c.control.state_dir);
    add("control.max_bundle_mb", c.control.max_bundle_mb);
    add("control.sealing_keys", c.control.sealing_keys);
    add("control.group", c.control.group);
    add("control.tls.listen", c.control.tls.listen);
    add("control.tls.certificate", c.control.tls.certificate);
    add("control.tls.key", c.control.tls.key);
    add("control.tls.client_ca", c.control.tls.client_ca);
    add("control.tls.crl", c.control.tls.crl);
    add("control.run_as", c.control.run_as);
    add("control.audit_max_mb", c.control.audit_max_mb);
    add("control.audit_keep", c.control.audit_keep);
    add("metrics.listen", c.metrics.listen);
}

void add_hot(Fields& out, const config::Config& c) {
    const auto add = [&out](std::string path, const auto& value) {
        out.push_back({std::move(path), text(value), true});
    };
    for (const auto& slot : c.slots) {
        const std::string prefix = "slots." + slot.name + ".";
        add(prefix + "model", slot.model);
        add(prefix + "cadence", slot.cadence);
        add(prefix + "hysteresis", slot.hysteresis);
        add(prefix + "model_missing", slot.model_missing);
        add(prefix + "max_cycles_per_row", slot.max_cycles_per_row);
        add(prefix + "model_ttl_s", slot.model_ttl_s);
        add(prefix + "stale", slot.stale);
        const auto& rails = slot.guardrails;
        add(prefix + "guardrails.window_s", rails.window_s);
        add(prefix + "guardrails.min_rows", rails.min_rows);
        add(prefix + "guardrails.probation_s", rails.probation_s);
        add(prefix + "guardrails.max_alarm_rate", rails.max_alarm_rate);
        add(prefix + "guardrails.max_drop_share", rails.max_drop_share);
        add(prefix + "guardrails.max_class_shift", rails.max_class_shift);
        add(prefix + "guardrails.max_disagreement", rails.max_disagreement);
        add(prefix + "guardrails.max_saturation", rails.max_saturation);
        add(prefix + "guardrails.max_added_p99_us", rails.max_added_p99_us);
        for (const auto& [cls, rule] : slot.rules) {
            add(prefix + "rules." + cls, rule);
        }
    }
    add("never_remark", c.never_remark);
    for (const auto& [path, value] : config::policy_fields(c.policy, c.policies)) {
        out.push_back({path, value, true});
    }
    add("fail.truncated", c.fail.truncated);
    add("fail.malformed", c.fail.malformed);
    add("fail.unsupported", c.fail.unsupported);
    add("fail.flow_table_full", c.fail.flow_table_full);
    add("log.level", c.log.level);
    add("control.viewers", c.control.viewers);
    add("control.operators", c.control.operators);
    add("control.admins", c.control.admins);
    add("control.requests_per_s", c.control.requests_per_s);
    add("control.contact_ttl_s", c.control.contact_ttl_s);
}

const config::Slot* find_slot(const config::Config& config, const std::string& name) {
    const auto at =
        std::find_if(config.slots.begin(), config.slots.end(), [&](const config::Slot& slot) {
            return slot.name == name;
        });
    return at == config.slots.end() ? nullptr : &*at;
}

/// `config` without the slots that `other` has not.
config::Config common_slots(config::Config config, const config::Config& other) {
    std::erase_if(
        config.slots, [&](const config::Slot& slot) { return !find_slot(other, slot.name); });
    return config;
}

const ConfigField* find_field(const Fields& fields, const std::string& path) {
    const auto at = std::find_if(
        fields.begin(), fields.end(), [&](const ConfigField& f) { return f.path == path; });
    return at == fields.end() ? nullptr : &*at;
}

}  // namespace

std::vector<ConfigField> config_fields(const config::Config& config) {
    Fields out;
    add_start_only(out, config);
    add_hot(out, config);
    return out;
}

std::vector<ConfigChange> config_diff(const config::Config& from, const config::Config& to) {
    const Fields before = config_fields(common_slots(from, to));
    const Fields after = config_fields(common_slots(to, from));
    std::vector<ConfigChange> changes;
    for (const auto& field : before) {
        const auto* now = find_field(after, field.path);
        if (!now || now->value != field.value) {
            changes.push_back({field.path, field.value, now ? now->value : kAbsent, field.hot});
        }
    }
    for (const auto& field : after) {
        if (!find_field(before, field.path)) {
            changes.push_back({field.path, kAbsent, field.value, field.hot});
        }
    }
    for (const auto& slot : from.slots) {
        if (!find_slot(to, slot.name)) {
            changes.push_back({"slots." + slot.name, "present", kAbsent, false});
        }
    }
    for (const auto& slot : to.slots) {
        if (!find_slot(from, slot.name)) {
            changes.push_back({"slots." + slot.name, kAbsent, "present", false});
        }
    }
    return changes;
}

config::Config merge_hot(const config::Config& running, const config::Config& next) {
    config::Config merged = running;
    for (auto& slot : merged.slots) {
        if (const auto* now = find_slot(next, slot.name)) {
            slot = *now;
        }
    }
    merged.never_remark = next.never_remark;
    merged.policy = next.policy;
    config::Mirror& mirror = merged.policy.mirror;  // its queues and its file are made at the start
    mirror = running.policy.mirror;
    mirror.port = next.policy.mirror.port;
    mirror.one_in = next.policy.mirror.one_in;
    merged.policies = next.policies;
    merged.fail = next.fail;
    merged.log = next.log;
    merged.control.viewers = next.control.viewers;
    merged.control.operators = next.control.operators;
    merged.control.admins = next.control.admins;
    merged.control.requests_per_s = next.control.requests_per_s;
    merged.control.contact_ttl_s = next.control.contact_ttl_s;
    return merged;
}

}  // namespace weir::control
