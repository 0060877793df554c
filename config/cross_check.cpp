// SPDX-License-Identifier: BSD-3-Clause
// What no key can check alone.
#include "config/device.h"
#include "config/sections.h"

#include <algorithm>
#include <array>
#include <map>

#include <sys/un.h>

namespace weir::config {

namespace {

std::string port_path(std::size_t index, std::string_view key) {
    return join_path(index_path("ports", index), key);
}

std::string on_line(std::uint32_t line) {
    return line == 0 ? std::string() : " (line " + std::to_string(line) + ")";
}

void check_extra(Context& context, const Config& config) {
    struct Own {
        std::string_view argument;
        std::string_view instead;
    };
    static constexpr std::array kOwn{
        Own{"-l", "set workers.lcores"},
        Own{"-c", "set workers.lcores"},
        Own{"--lcores", "set workers.lcores"},
        Own{"--main-lcore", "set eal.main_lcore"},
        Own{"-m", "set eal.memory_mb"},
        Own{"--no-huge", "set eal.hugepages: off"},
        Own{"--in-memory", "set eal.hugepages"},
        Own{"--no-shconf", "set eal.hugepages"},
        Own{"--file-prefix", "set eal.file_prefix"},
        Own{"--no-pci", "remove it: Weir decides by ports[].device"},
        Own{"--vdev", "add a port with this device"},
        Own{"-a", "add a port with this device"},
        Own{"--allow", "add a port with this device"}};
    for (std::size_t i = 0; i < config.eal.extra.size(); ++i) {
        const std::string& argument = config.eal.extra[i];
        const std::string_view word = std::string_view(argument).substr(0, argument.find('='));
        // Short options may carry their value: -l1,2.
        const auto own = std::find_if(kOwn.begin(), kOwn.end(), [&](const Own& o) {
            return word == o.argument ||
                   (o.argument.size() == 2 && word.substr(0, 2) == o.argument);
        });
        const std::string path = index_path("eal.extra", i);
        if (own != kOwn.end()) {
            context.add(
                path, "Weir sets " + quote(own->argument) + " itself", std::string(own->instead));
        } else if (argument.empty()) {
            context.add(path, "an empty argument", "remove it");
        }
    }
}

void check_port_name(Context& context, const std::string& name, const std::string& path) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    };
    if (name.empty() || name.size() > 32 || !std::all_of(name.begin(), name.end(), allowed)) {
        context.add(path, quote(name) + " is not a port name", "use 1 to 32 of a-z 0-9 _ -");
    }
}

/// Adds a finding if `value` was seen before, else remembers it.
void check_unique(
    Context& context,
    std::map<std::string, std::string>& seen,
    const std::string& value,
    const std::string& path,
    const std::string& what,
    const std::string& fix) {
    const auto [at, is_new] = seen.emplace(value, path);
    if (!is_new) {
        context.add(
            path,
            what + quote(value) + " is also " + at->second + on_line(context.line(at->second)),
            fix);
    }
}

void check_ports(Context& context, const Config& config) {
    if (config.ports.empty() && context.lines.count("ports") != 0) {
        context.add("ports", "no port", "add for instance - {name: lan, device: \"0000:01:00.0\"}");
    }
    if (config.ports.size() > kMaxPorts) {
        context.add(
            "ports",
            std::to_string(config.ports.size()) + " ports",
            "one gateway takes at most " + std::to_string(kMaxPorts));
    }
    std::map<std::string, std::string> names;
    std::map<std::string, std::string> devices;
    std::map<std::string, std::string> interfaces;
    for (std::size_t i = 0; i < config.ports.size(); ++i) {
        const Port& port = config.ports[i];
        const std::string name_path = port_path(i, "name");
        const std::string device_path = port_path(i, "device");
        if (context.lines.count(name_path) != 0) {
            check_port_name(context, port.name, name_path);
            check_unique(
                context,
                names,
                port.name,
                name_path,
                "the name ",
                "give each port a name of its own");
        }
        if (context.lines.count(device_path) == 0) {
            continue;
        }
        const DeviceCheck device = check_device(port.device);
        if (!device.what.empty()) {
            context.add(device_path, device.what, device.fix);
            continue;
        }
        check_unique(
            context,
            devices,
            device.name,
            device_path,
            "the device ",
            "use a device once; number virtual ones (net_tap0, net_tap1)");
        if (!device.resource.empty()) {
            check_unique(
                context,
                interfaces,
                device.resource,
                device_path,
                "the interface ",
                "open an interface once");
        }
    }
}

/// Port names to indices, and who uses each port.
class PortUses {
  public:
    PortUses(Context& context, const Config& config)
        : context_(context), config_(config), used_by_(config.ports.size()) {}

    /// Nullopt, and a finding, if there is no such port or it is taken.
    std::optional<std::uint32_t> take(const PortReference& reference) {
        const auto at =
            std::find_if(config_.ports.begin(), config_.ports.end(), [&](const Port& port) {
                return port.name == reference.port;
            });
        if (at == config_.ports.end() || reference.port.empty()) {
            std::vector<std::string_view> names;
            for (const Port& port : config_.ports) {
                names.push_back(port.name);
            }
            context_.findings.add(
                reference.line,
                reference.path,
                "no port " + quote(reference.port),
                names.empty() ? "describe it in ports" : suggest(reference.port, names));
            return std::nullopt;
        }
        const auto index = static_cast<std::size_t>(at - config_.ports.begin());
        if (used_by_[index].empty()) {
            used_by_[index] = reference.path;
            return static_cast<std::uint32_t>(index);
        }
        context_.findings.add(
            reference.line,
            reference.path,
            "port " + quote(reference.port) + " is already " + used_by_[index],
            "use a port once: in one pair, or as one tap");
        return std::nullopt;
    }

    void report_unused() {
        for (std::size_t i = 0; i < used_by_.size(); ++i) {
            if (used_by_[i].empty() && !config_.ports[i].name.empty()) {
                context_.add(
                    index_path("ports", i),
                    "port " + quote(config_.ports[i].name) + " is in no pair and no tap",
                    "add it to pairs or taps, or remove it");
            }
        }
    }

  private:
    Context& context_;
    const Config& config_;
    std::vector<std::string> used_by_;
};

void resolve_ports(Context& context, Config& config) {
    PortUses uses(context, config);
    for (const auto& pair : context.pairs) {
        if (pair[0].port == pair[1].port) {
            context.findings.add(
                pair[1].line,
                pair[1].path,
                "a pair of port " + quote(pair[1].port) + " with itself",
                "name two ports; a single one belongs into taps");
            (void)uses.take(pair[0]);
            continue;
        }
        const auto a = uses.take(pair[0]);
        const auto b = uses.take(pair[1]);
        if (a && b) {
            config.pairs.push_back({*a, *b});
        }
    }
    for (const auto& tap : context.taps) {
        if (const auto port = uses.take(tap)) {
            config.taps.push_back(*port);
        }
    }
    uses.report_unused();
}

/// Guardrails that nothing could pass, or that could never speak.
void check_guardrails(Context& context, const Slot& slot) {
    const std::string path = "slots." + slot.name + ".";
    const Guardrails& rails = slot.guardrails;
    const bool drops = std::any_of(slot.rules.begin(), slot.rules.end(), [](const auto& rule) {
        return rule.second.action == ActionKind::drop;
    });
    if (rails.max_drop_share < 1.0 && !drops) {
        context.add(
            path + "guardrails.max_drop_share",
            "watches drops, but no rule of the slot drops",
            "remove it, or add a rule with 'action: drop'");
    }
    if (rails.max_alarm_rate < rails.max_drop_share && rails.max_drop_share < 1.0 &&
        slot.name == "anomaly" && slot.rules.count("benign") == 0) {
        context.add(
            path + "guardrails.max_drop_share",
            "is above max_alarm_rate" + on_line(context.line(path + "guardrails.max_alarm_rate")) +
                ", which would be broken first: only alarms are dropped",
            "make it lower than max_alarm_rate, or raise that");
    }
    if (rails.any() && rails.probation_s < rails.window_s) {
        context.add(
            path + "guardrails.probation_s",
            std::to_string(rails.probation_s) + " s is shorter than window_s, " +
                std::to_string(rails.window_s),
            "make it at least as long");
    }
    if (slot.stale != StaleAction::last && context.lines.count(path + "stale") != 0 &&
        slot.model_ttl_s == 0 && context.lines.count("control.contact_ttl_s") == 0) {
        context.add(
            path + "stale",
            "never holds: neither model_ttl_s nor control.contact_ttl_s is set",
            "set one of them, or remove it");
    }
}

/// Limits that the slot breaks by what it is there for, or cannot break.
void check_limits(Context& context, const Slot& slot) {
    const std::string path = "slots." + slot.name + ".guardrails.";
    const Guardrails& rails = slot.guardrails;
    const auto acting = std::find_if(slot.rules.begin(), slot.rules.end(), [](const auto& rule) {
        return rule.second.action == ActionKind::drop;
    });
    if (acting != slot.rules.end() && rails.max_drop_share == 0.0) {
        context.add(
            path + "max_drop_share",
            "is 0, but the rule for " + quote(acting->first) +
                on_line(context.line("slots." + slot.name + ".rules." + acting->first)) +
                " drops: the first packet that it drops would roll the model back",
            "allow a share, such as 0.01, or do not drop");
    }
    if (slot.name == "qos" && slot.model == "default" && rails.max_alarm_rate < 1.0) {
        context.add(
            path + "max_alarm_rate",
            "can never be broken: the default model of slot 'qos' has no class 'benign', so it "
            "raises "
            "no alarm",
            "remove it; max_class_shift watches a mix of classes");
    }
}

void check_slots(Context& context, const Config& config) {
    if (config.slots.size() > kMaxSlots) {
        context.add(
            "slots",
            std::to_string(config.slots.size()) + " slots",
            "a gateway has at most " + std::to_string(kMaxSlots));
    }
    if (config.slots.empty()) {
        context.add("slots", "no slot", "name one, such as 'anomaly: {}', or remove the key");
    }
    for (const Slot& slot : config.slots) {
        if (slot.model == "default" && slot.name != "anomaly" && slot.name != "qos") {
            context.add(
                "slots." + slot.name + ".model",
                "slot " + quote(slot.name) + " has no default model",
                "name a bundle file, or none");
        }
        check_guardrails(context, slot);
        check_limits(context, slot);
    }
}

void check_tls(Context& context, const ControlTls& tls) {
    if (tls.listen.empty()) {
        return;
    }
    if (const std::string wrong = check_listen(tls.listen); !wrong.empty()) {
        context.add(
            "control.tls.listen", wrong, "write an address and a port, such as 0.0.0.0:9443");
    }
    const std::array<std::pair<const char*, const std::string*>, 3> files{
        {{"certificate", &tls.certificate}, {"key", &tls.key}, {"client_ca", &tls.client_ca}}};
    for (const auto& [name, file] : files) {
        if (file->empty()) {
            context.add(
                std::string("control.tls.") + name,
                "missing beside control.tls.listen",
                std::string("add '") + name + ": FILE' (PEM), or remove listen");
        }
    }
}

void check_addresses(Context& context, const Config& config) {
    check_tls(context, config.control.tls);
    if (const std::string wrong = check_listen(config.metrics.listen); !wrong.empty()) {
        context.add(
            "metrics.listen",
            wrong,
            "write an address and a port, such as 127.0.0.1:9464; \"\" is off");
    }
    constexpr std::size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;
    if (config.control.socket.size() > kMaxSocketPath) {
        context.add(
            "control.socket",
            "a path of " + std::to_string(config.control.socket.size()) + " characters",
            "a Unix socket's path has at most " + std::to_string(kMaxSocketPath));
    }
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '.';
    };
    const std::string& prefix = config.eal.file_prefix;
    if (prefix.size() > 64 || !std::all_of(prefix.begin(), prefix.end(), allowed)) {
        context.add(
            "eal.file_prefix",
            quote(prefix) + " is not a prefix",
            "use at most 64 of a-z A-Z 0-9 . _ -");
    }
}

}  // namespace

void cross_check(Context& context, Config& config) {
    check_workers(context, config);
    check_extra(context, config);
    check_ports(context, config);
    resolve_ports(context, config);
    check_slots(context, config);
    check_policies(context, config);
    check_shaping(context, config);
    check_addresses(context, config);
    check_export(context);
}

}  // namespace weir::config
