// SPDX-License-Identifier: BSD-3-Clause
#include "config/sections.h"

#include "config/load.h"

#include <algorithm>
#include <optional>

namespace weir::config {

namespace {

const std::vector<std::string_view> kActionWords{"pass", "mark", "drop"};
const std::vector<std::string_view> kLogWords{
    "trace", "debug", "info", "warn", "error", "critical", "off"};

/// A rule as written, before what it leaves open is filled in.
struct RuleInput {
    ActionKind action = ActionKind::pass;
    std::uint8_t dscp = 0;
    double min_confidence = 0.0;
};

const Section<RuleInput>& rule_section() {
    static const Section<RuleInput> section{
        choice(
            "action",
            &RuleInput::action,
            kActionWords,
            "What is done to the class's packets. Not needed beside `dscp`, which means `mark`."),
        Key<RuleInput>{
            "dscp",
            false,
            [](Context& context, const Node& node, const std::string& path, RuleInput& out) {
                read_dscp(context, node, path, out.dscp);
            },
            [](const std::string& path, const RuleInput& /*defaults*/, std::vector<KeyDoc>& out) {
                out.push_back(
                    {path,
                     "RFC name, or 0 to 63",
                     "none",
                     "What packets are marked with: `EF`, `AF41`, `46`."});
            }},
        Key<RuleInput>{
            "min_confidence",
            false,
            [](Context& context, const Node& node, const std::string& path, RuleInput& out) {
                read_share(context, node, path, out.min_confidence);
            },
            [](const std::string& path, const RuleInput& /*defaults*/, std::vector<KeyDoc>& out) {
                out.push_back(
                    {path,
                     "0 to 1",
                     "0",
                     "Confidence of the verdict from which on the rule acts; packets below pass "
                     "unchanged."});
            }}};
    return section;
}

void read_rule(Context& context, const Node& node, const std::string& path, ClassRule& out) {
    RuleInput input;
    read_section(context, node, path, rule_section(), input);
    const bool has_action = context.lines.count(path + ".action") != 0;
    const bool has_dscp = context.lines.count(path + ".dscp") != 0;
    const bool marks = input.action == ActionKind::mark;
    if (node.kind != Node::Kind::map && node.kind != Node::Kind::null) {
        return;
    }
    if (!has_action && !has_dscp) {
        context.add(
            path,
            "neither 'action' nor 'dscp'",
            "add 'dscp: EF' or 'action: drop', or remove the rule");
    } else if (has_action && has_dscp && !marks) {
        const std::string word(kActionWords[static_cast<std::size_t>(input.action)]);
        context.add(
            path + ".dscp",
            "contradicts 'action: " + word + "'",
            "remove 'dscp', or write 'action: mark'");
    } else if (has_action && marks && !has_dscp) {
        context.add(path + ".action", "'mark' without a 'dscp'", "add for instance 'dscp: AF41'");
    }
    out.action = has_action ? input.action : ActionKind::mark;
    out.dscp = input.dscp;
    out.min_confidence = input.min_confidence;
}

/// Classes, slots: they become metric labels and file names.
bool good_name(Context& context, const Node::Key& key, const std::string& path, std::size_t max) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    };
    const bool good = !key.text.empty() && key.text.size() <= max &&
                      std::all_of(key.text.begin(), key.text.end(), allowed);
    if (!good) {
        context.findings.add(
            key.line,
            path,
            quote(key.text) + " is not a name",
            "use 1 to " + std::to_string(max) + " of a-z 0-9 _ -");
    }
    return good;
}

void read_rules(Context& context, const Node& node, const std::string& path, Slot& out) {
    if (!expect_map(context, node, path)) {
        return;
    }
    out.rules.clear();
    out.default_rules = false;
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
        const std::string child = join_path(path, node.keys[i].text);
        context.lines[child] = node.keys[i].line;
        if (good_name(context, node.keys[i], child, 64)) {
            read_rule(context, node.items[i], child, out.rules[node.keys[i].text]);
        }
    }
    if (out.rules.size() > kMaxRules) {
        context.add(
            path,
            std::to_string(out.rules.size()) + " rules",
            "a slot has at most " + std::to_string(kMaxRules) + " classes");
    }
}

void read_score(Context& context, const Node& node, const std::string& path, Slot& out) {
    static const std::vector<std::string_view> kWords{"every_packet", "powers_of_two"};
    if (node.kind != Node::Kind::map) {
        std::size_t index = 0;
        if (node.kind != Node::Kind::scalar) {
            add_wrong_type(
                context,
                node,
                path,
                "one word or {every_ms: N}",
                "use every_packet, powers_of_two or {every_ms: N}");
        } else if (node.text == "every_ms" || node.text == "interval") {
            context.findings.add(
                node.line,
                path,
                quote(node.text) + " needs a number",
                "write 'score: {every_ms: 100}'");
        } else if (read_choice(context, node, path, kWords, index)) {
            out.cadence = {static_cast<CadenceKind>(index), 0};
        }
        return;
    }
    static const Section<Cadence> section{number("every_ms", &Cadence::interval_ms, 1, 60000, "")};
    Cadence cadence{CadenceKind::interval, 0};
    read_section(context, node, path, section, cadence);
    if (context.lines.count(path + ".every_ms") == 0) {
        context.add(
            path, "no 'every_ms' in the map", "use every_packet, powers_of_two or {every_ms: N}");
        return;
    }
    out.cadence = cadence;
}

std::string show_score(const Cadence& cadence) {
    switch (cadence.kind) {
        case CadenceKind::every_packet:
            return "every_packet";
        case CadenceKind::powers_of_two:
            return "powers_of_two";
        case CadenceKind::interval:
            break;
    }
    return "{every_ms: " + std::to_string(cadence.interval_ms) + "}";
}

void read_slots(Context& context, const Node& node, const std::string& path, Config& out) {
    if (!expect_map(context, node, path)) {
        return;
    }
    const std::vector<Slot> known = defaults().slots;
    out.slots.clear();
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
        const Node::Key& key = node.keys[i];
        const std::string child = join_path(path, key.text);
        context.lines[child] = key.line;
        if (!good_name(context, key, child, 32)) {
            continue;
        }
        const auto at = std::find_if(
            known.begin(), known.end(), [&](const Slot& slot) { return slot.name == key.text; });
        Slot slot;
        if (at != known.end()) {
            slot = *at;
        }
        slot.name = key.text;
        read_section(context, node.items[i], child, slots_section(), slot);
        out.slots.push_back(std::move(slot));
    }
}

bool read_reference(
    Context& context, const Node& node, const std::string& path, PortReference& out) {
    out.path = path;
    out.line = node.line;
    return read_text(context, node, path, out.port);
}

void read_pairs(Context& context, const Node& node, const std::string& path, Config& /*out*/) {
    if (!expect_list(context, node, path)) {
        return;
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
        const Node& item = node.items[i];
        const std::string child = index_path(path, i);
        context.lines[child] = item.line;
        if (item.kind != Node::Kind::sequence || item.items.size() != 2) {
            const std::string found =
                item.kind == Node::Kind::sequence
                    ? std::to_string(item.items.size()) + " ports instead of two"
                    : "not a list of two ports";
            context.findings.add(item.line, child, found, "write [lan, wan]");
            continue;
        }
        std::vector<PortReference> pair(2);
        const bool first = read_reference(context, item.items[0], index_path(child, 0), pair[0]);
        const bool second = read_reference(context, item.items[1], index_path(child, 1), pair[1]);
        if (first && second) {
            context.pairs.push_back(std::move(pair));
        }
    }
}

void read_taps(Context& context, const Node& node, const std::string& path, Config& /*out*/) {
    if (!expect_list(context, node, path)) {
        return;
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
        PortReference tap;
        if (read_reference(context, node.items[i], index_path(path, i), tap)) {
            context.taps.push_back(std::move(tap));
        }
    }
}

template <typename T>
auto described(std::string type, std::string value, std::string text) {
    return [=](const std::string& path, const T& /*defaults*/, std::vector<KeyDoc>& out) {
        out.push_back({path, type, value, text});
    };
}

}  // namespace

std::string check_principal(const std::string& text) {
    const auto colon = text.find(':');
    const std::string kind = text.substr(0, colon);
    const std::string name = colon == std::string::npos ? std::string() : text.substr(colon + 1);
    if (kind != "user" && kind != "group" && kind != "uid" && kind != "gid" && kind != "san") {
        return "names no kind of principal";
    }
    if (name.empty() || name.size() > 256) {
        return "has no name";
    }
    const bool number = kind == "uid" || kind == "gid";
    if (number && (name.size() > 9 || name.find_first_not_of("0123456789") != std::string::npos)) {
        return "has no number";
    }
    return {};
}

bool read_model(Context& context, const Node& node, const std::string& path, std::string& out) {
    const bool reserved =
        node.kind == Node::Kind::scalar && (node.text == "default" || node.text == "none");
    return reserved ? read_text(context, node, path, out)
                    : read_file_name(context, node, path, out);
}

Key<Slot> score_key() {
    return {
        "score",
        false,
        read_score,
        [](const std::string& path, const Slot& defaults, std::vector<KeyDoc>& out) {
            out.push_back(
                {path,
                 "every_packet, powers_of_two, {every_ms: 1 to 60000}",
                 show_score(defaults.cadence),
                 "Which packets of a flow are scored: all; the 1st, 2nd, 4th, 8th and so on; or "
                 "the first and then "
                 "one each so many milliseconds. The others follow the flow's last verdict."});
        }};
}

Key<Slot> rules_key() {
    return {
        "rules",
        false,
        read_rules,
        [](const std::string& path, const Slot& /*defaults*/, std::vector<KeyDoc>& out) {
            out.push_back(
                {path,
                 "map of class to rule",
                 "see below",
                 "What each class leads to. Classes that are not named pass unchanged. A map given "
                 "here replaces the "
                 "slot's default rules whole; `{}` is no rule at all."});
            describe_section(path + ".CLASS", rule_section(), RuleInput{}, out);
        }};
}

Key<Config> ports_key() {
    const auto read = [](Context& context, const Node& node, const std::string& path, Config& out) {
        if (!expect_list(context, node, path)) {
            return;
        }
        for (std::size_t i = 0; i < node.items.size(); ++i) {
            const std::string child = index_path(path, i);
            context.lines[child] = node.items[i].line;
            read_section(context, node.items[i], child, port_section(), out.ports.emplace_back());
        }
    };
    const auto describe =
        [](const std::string& path, const Config& /*defaults*/, std::vector<KeyDoc>& out) {
            out.push_back(
                {path, "list of ports", "required", "The network ports that Weir takes, 1 to 32."});
            describe_section(path + "[]", port_section(), Port{}, out);
        };
    return {"ports", true, read, describe};
}

Key<Config> pairs_key() {
    return {
        "pairs",
        false,
        read_pairs,
        described<Config>(
            "list of [port, port]",
            "[]",
            "Ports joined inline, by name: what comes in at one goes out at the other.")};
}

Key<Config> taps_key() {
    return {
        "taps",
        false,
        read_taps,
        described<Config>(
            "list of ports",
            "[]",
            "Ports that get mirrored traffic: it is scored and counted, never sent on.")};
}

Key<Config> slots_key() {
    const auto describe =
        [](const std::string& path, const Config& /*defaults*/, std::vector<KeyDoc>& out) {
            out.push_back(
                {path,
                 "map of slot to settings",
                 "anomaly and qos",
                 "The questions put to each flow, 1 to 4. A map given here names all slots there "
                 "are; a slot called "
                 "`anomaly` or `qos` starts from its defaults."});
            describe_section(path + ".NAME", slots_section(), Slot{}, out);
        };
    return {"slots", false, read_slots, describe};
}

Key<Log> log_level_key() {
    return {
        "level",
        false,
        [](Context& context, const Node& node, const std::string& path, Log& out) {
            std::size_t index = 0;
            if (read_choice(context, node, path, kLogWords, index)) {
                out.level = kLogWords[index];
            }
        },
        [](const std::string& path, const Log& defaults, std::vector<KeyDoc>& out) {
            out.push_back(
                {path,
                 list_words(kLogWords),
                 defaults.level,
                 "Least severe message that is logged."});
        }};
}

}  // namespace weir::config
