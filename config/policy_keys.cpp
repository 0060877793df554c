// SPDX-License-Identifier: BSD-3-Clause
// The keys of `policy` and `policies`.
#include "config/load.h"
#include "config/sections.h"

namespace weir::config {

bool read_prefix(Context& context, const Node& node, const std::string& path, Prefix& out) {
    std::string text;
    if (!read_text(context, node, path, text)) {
        return false;
    }
    if (const auto prefix = parse_prefix(text)) {
        out = *prefix;
        return true;
    }
    context.findings.add(
        node.line,
        path,
        quote(text) + " is no prefix",
        "write for instance 10.0.0.0/8 or 2001:db8::/32, with no bit set beyond the length");
    return false;
}

namespace {

const std::vector<std::string_view> kActionWords{"pass", "mark", "drop", "reset"};
const std::vector<std::string_view> kDefaultWords{"class_rules", "pass", "drop"};
const std::vector<std::string_view> kSenderWords{"any", "initiator", "responder"};
constexpr std::uint64_t kMaxVlan = 4094;

std::string same_text(const std::string& item) {
    return item;
}

/// One name, or a list of them.
template <typename T>
Key<T> names(
    std::string name,
    std::vector<std::string> T::*member,
    std::string type,
    std::string text,
    std::string value = "any") {
    const Key<T> many = list(name, member, read_text, same_text, type, text);
    return {
        std::move(name),
        false,
        [=](Context& context, const Node& node, const std::string& path, T& out) {
            std::string one;
            if (node.kind != Node::Kind::scalar) {
                many.read(context, node, path, out);
            } else if (read_text(context, node, path, one)) {
                out.*member = {one};
            }
        },
        [=](const std::string& path, const T& /*defaults*/, std::vector<KeyDoc>& out) {
            out.push_back({path, type, value, text});
        }};
}

const Section<PolicyRule>& rule_section() {
    static const Section<PolicyRule> section{
        word(
            "slot",
            &PolicyRule::slot,
            read_text,
            "slot",
            "Whose verdict `class` and `min_confidence` are about."),
        names(
            "class",
            &PolicyRule::classes,
            "class, or list of classes",
            "The flow's decided class in `slot` is one of these."),
        Key<PolicyRule>{
            "min_confidence",
            false,
            [](Context& context, const Node& node, const std::string& path, PolicyRule& out) {
                read_share(context, node, path, out.min_confidence);
            },
            [](const std::string& path, const PolicyRule& /*d*/, std::vector<KeyDoc>& out) {
                out.push_back({path, "0 to 1", "0", "The verdict's confidence is at least this."});
            }},
        number(
            "min_packets",
            &PolicyRule::min_packets,
            0,
            UINT32_MAX,
            "The flow has had at least so many packets, this one included."),
        choice(
            "sender",
            &PolicyRule::sender,
            kSenderWords,
            "Whose packets: those of the flow's initiator, of its responder, or both."),
        names(
            "port",
            &PolicyRule::ports,
            "port, or list of ports",
            "The packet came in by one of these."),
        Key<PolicyRule>{
            "vlan",
            false,
            [](Context& context, const Node& node, const std::string& path, PolicyRule& out) {
                std::uint64_t id = 0;
                if (read_number(context, node, path, 0, kMaxVlan, id)) {
                    out.vlan = static_cast<std::uint16_t>(id);
                }
            },
            [](const std::string& path, const PolicyRule& /*d*/, std::vector<KeyDoc>& out) {
                out.push_back({path, "0 to 4094", "any", "Outermost VLAN id; 0: untagged."});
            }},
        list(
            "prefixes",
            &PolicyRule::prefixes,
            read_prefix,
            prefix_text,
            "list of prefixes",
            "One end of the flow lies in one of these; in a tunnel, of the inner flow."),
        choice(
            "action",
            &PolicyRule::action,
            kActionWords,
            "What is done. Not needed beside `dscp`, which means `mark`. `reset`: drop, and send "
            "both "
            "ends of a TCP flow a RST."),
        Key<PolicyRule>{
            "dscp",
            false,
            [](Context& context, const Node& node, const std::string& path, PolicyRule& out) {
                read_dscp(context, node, path, out.dscp);
            },
            [](const std::string& path, const PolicyRule& /*d*/, std::vector<KeyDoc>& out) {
                out.push_back(
                    {path, "RFC name, or 0 to 63", "none", "What packets are marked with."});
            }},
        flag(
            "inner",
            &PolicyRule::inner,
            "Mark the inner header of a tunnel as well, where no checksum around it covers it: "
            "IP-in-IP, GRE without checksum, VXLAN with UDP checksum 0."),
        Key<PolicyRule>{
            "pcp",
            false,
            [](Context& context, const Node& node, const std::string& path, PolicyRule& out) {
                std::uint64_t pcp = 0;
                if (read_number(context, node, path, 0, 7, pcp)) {
                    out.pcp = static_cast<std::uint8_t>(pcp);
                }
            },
            [](const std::string& path, const PolicyRule& /*d*/, std::vector<KeyDoc>& out) {
                out.push_back(
                    {path, "0 to 7", "none", "Priority written into the outermost VLAN tag."});
            }},
        word(
            "police",
            &PolicyRule::police,
            read_text,
            "meter",
            "The meter of `policy.meters` that the packets go through."),
        word(
            "redirect",
            &PolicyRule::redirect,
            read_text,
            "port",
            "The packet leaves by this port instead of the peer."),
        flag("mirror", &PolicyRule::mirror, "A copy, as received, goes to `policy.mirror`."),
        flag(
            "observe",
            &PolicyRule::observe,
            "Count what the row would do, and do nothing. The row still ends the search.")};
    return section;
}

bool read_rule(Context& context, const Node& node, const std::string& path, PolicyRule& out) {
    read_section(context, node, path, rule_section(), out);
    if (node.kind != Node::Kind::map) {
        context.findings.add(
            node.line, path, "no row", "write {slot: qos, class: telephony, dscp: EF}");
        return false;
    }
    const auto given = [&](const char* key) { return context.lines.count(path + "." + key) != 0; };
    const bool more = given("pcp") || given("police") || given("mirror") || given("redirect");
    if (!given("action") && !given("dscp") && !more) {
        context.add(path, "neither 'action' nor 'dscp'", "add 'dscp: EF' or 'action: drop'");
    } else if (given("action") && given("dscp") && out.action != RowAction::mark) {
        context.add(
            path + ".dscp",
            "contradicts 'action: " +
                std::string(kActionWords[static_cast<std::size_t>(out.action)]) + "'",
            "remove 'dscp', or write 'action: mark'");
    } else if (given("action") && !given("dscp") && out.action == RowAction::mark) {
        context.add(path + ".action", "'mark' without a 'dscp'", "add for instance 'dscp: AF41'");
    }
    if (!given("action") && given("dscp")) {
        out.action = RowAction::mark;
    }
    if (out.inner && out.action != RowAction::mark) {
        context.add(path + ".inner", "nothing is marked", "add for instance 'dscp: EF'");
    }
    if (more && (out.action == RowAction::drop || out.action == RowAction::reset) &&
        (given("pcp") || given("police"))) {
        context.add(
            path + (given("pcp") ? ".pcp" : ".police"),
            "beside 'action: " + std::string(kActionWords[static_cast<std::size_t>(out.action)]) +
                "'",
            "remove one of the two: a dropped packet is neither metered nor tagged");
    }
    if (out.slot.empty() && (given("class") || given("min_confidence"))) {
        context.add(path, "a class or a confidence without its slot", "add 'slot:'");
    } else if (!out.slot.empty() && out.classes.empty()) {
        context.add(path + ".slot", "a slot without a class", "add 'class:', or remove 'slot'");
    }
    return true;
}

const Section<Policy>& one_policy_section() {
    static const Section<Policy> section{
        list(
            "rules",
            &Policy::rules,
            read_rule,
            [](const PolicyRule& /*rule*/) { return std::string(); },
            "list of rows, at most 64",
            "The rows, in order: the first one that matches decides alone. A row matches if all "
            "that it names holds."),
        choice(
            "default",
            &Policy::otherwise,
            kDefaultWords,
            "What holds where no row matches: the rules of the slots (`slots.NAME.rules`), pass, "
            "or drop.")};
    return section;
}

const Section<NeverTouch>& never_touch_section() {
    static const Section<NeverTouch> section{
        list(
            "prefixes",
            &NeverTouch::prefixes,
            read_prefix,
            prefix_text,
            "list of prefixes",
            "Flows with an end in one of these."),
        list(
            "dscp",
            &NeverTouch::dscp,
            read_dscp,
            dscp_name,
            "list of DSCPs",
            "Packets that carry one of these. Whoever may set them may pass all rules by."),
        names(
            "trusted_ports",
            &NeverTouch::trusted_ports,
            "port, or list of ports",
            "Ports whose senders are trusted to mark.",
            "[]"),
        list(
            "trusted_port_dscp",
            &NeverTouch::trusted_port_dscp,
            read_dscp,
            dscp_name,
            "list of DSCPs",
            "Packets that come in by a trusted port with one of these, such as EF.")};
    return section;
}

template <typename K>
using NameMap = std::map<K, std::string> PolicyUse::*;

/// `key`: from the text of a map's key; false: it is none, and a finding.
template <typename K, typename Parse>
Key<PolicyUse> policy_map(
    std::string name, NameMap<K> member, Parse key, std::string type, std::string text) {
    return {
        std::move(name),
        false,
        [=](Context& context, const Node& node, const std::string& path, PolicyUse& out) {
            if (!expect_map(context, node, path)) {
                return;
            }
            for (std::size_t i = 0; i < node.keys.size(); ++i) {
                const std::string child = join_path(path, node.keys[i].text);
                context.lines[child] = node.keys[i].line;
                K id{};
                std::string policy;
                if (key(context, node.keys[i], child, id) &&
                    read_text(context, node.items[i], child, policy)) {
                    (out.*member)[id] = policy;
                }
            }
        },
        [=](const std::string& path, const PolicyUse& /*d*/, std::vector<KeyDoc>& out) {
            out.push_back({path, type, "{}", text});
        }};
}

bool port_of_key(
    Context& /*context*/, const Node::Key& key, const std::string& /*path*/, std::string& out) {
    out = key.text;
    return true;
}

bool vlan_of_key(
    Context& context, const Node::Key& key, const std::string& path, std::uint16_t& out) {
    Node node;
    node.kind = Node::Kind::scalar;
    node.text = key.text;
    node.line = key.line;
    std::uint64_t id = 0;
    const bool good = read_number(context, node, path, 0, kMaxVlan, id);
    out = static_cast<std::uint16_t>(id);
    return good;
}

void read_policies(Context& context, const Node& node, const std::string& path, Config& out) {
    if (!expect_map(context, node, path)) {
        return;
    }
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
        const std::string child = join_path(path, node.keys[i].text);
        context.lines[child] = node.keys[i].line;
        if (node.keys[i].text.empty() || node.keys[i].text.size() > 32) {
            context.add(child, "not a name", "use 1 to 32 characters");
            continue;
        }
        read_section(
            context, node.items[i], child, one_policy_section(), out.policies[node.keys[i].text]);
    }
}

}  // namespace

const Section<PolicyUse>& policy_section() {
    static const Section<PolicyUse> section{
        flag(
            "observe_only",
            &PolicyUse::observe_only,
            "Carry out no rule at all, of slots or of policies: what they would do is counted "
            "(`weir_policy_observed_packets_total`)."),
        word(
            "use",
            &PolicyUse::use,
            read_text,
            "policy, or \"\"",
            "The policy of all traffic for which `ports` and `vlans` name no other. Empty: the "
            "slots' rules alone."),
        policy_map<std::string>(
            "ports",
            &PolicyUse::ports,
            port_of_key,
            "map of port to policy",
            "The policy of the pair (both directions) or tap that the port belongs to."),
        policy_map<std::uint16_t>(
            "vlans",
            &PolicyUse::vlans,
            vlan_of_key,
            "map of VLAN id to policy",
            "The policy of a VLAN, by its outermost id. Goes before `ports`."),
        group("never_touch", &PolicyUse::never_touch, never_touch_section),
        meters_key(),
        new_flows_key(),
        mirror_key(),
        budget_key(),
        flag(
            "pcp_by_dscp",
            &PolicyUse::pcp_by_dscp,
            "What a rule marks gets the user priority of RFC 8325 for its DSCP as the PCP of its "
            "outermost VLAN tag, if it has one.")};
    return section;
}

Key<Config> policies_key() {
    return {
        "policies",
        false,
        read_policies,
        [](const std::string& path, const Config& /*defaults*/, std::vector<KeyDoc>& out) {
            out.push_back(
                {path,
                 "map of name to policy",
                 "{}",
                 "Named policies, at most 32, for `policy.use`, `policy.ports` and "
                 "`policy.vlans`."});
            describe_section(path + ".NAME", one_policy_section(), Policy{}, out);
            describe_section(path + ".NAME.rules[]", rule_section(), PolicyRule{}, out);
        }};
}

}  // namespace weir::config
