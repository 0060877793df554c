// SPDX-License-Identifier: BSD-3-Clause
// weirctl policy …
#include "config/load.h"
#include "control/ctl/client.h"
#include "control/ctl/print.h"

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

namespace weir::ctl {

namespace {

std::string rule_text(const v1::Rule& rule) {
    std::string text = rule.action();
    if (rule.action() == "mark") {
        text += " " + config::dscp_name(static_cast<std::uint8_t>(rule.dscp()));
    }
    if (rule.min_confidence() > 0.0) {
        char confidence[32];
        (void)std::snprintf(confidence, sizeof(confidence), " from %.3g", rule.min_confidence());
        text += confidence;
    }
    return text;
}

std::string effect_text(const v1::PolicyEffect& effect) {
    return std::to_string(effect.flows()) + " flows, " + std::to_string(effect.packets()) +
           " packets";
}

Exit print_effect(
    const Call& call, const v1::SetPolicyRequest& request, const v1::SetPolicyReply& reply) {
    warn(reply.warnings());
    if (call.json) {
        print_json(reply);
        return Exit::ok;
    }
    std::printf(
        "%s %s: %s -> %s%s\n",
        request.rule().slot().c_str(),
        request.rule().class_name().c_str(),
        reply.has_from() ? rule_text(reply.from()).c_str() : "no rule",
        reply.has_to() ? rule_text(reply.to()).c_str() : "no rule",
        reply.applied() ? "" : " (dry run: nothing changed)");
    std::printf(
        "flows of the class that ended in the last %.0f s: %s; the old rule acted on %s, the new "
        "one would on %s\n",
        reply.window_seconds(),
        effect_text(reply.matched()).c_str(),
        effect_text(reply.acted_before()).c_str(),
        effect_text(reply.acts_now()).c_str());
    return Exit::ok;
}

Exit send(Client& client, const Call& call, v1::SetPolicyRequest& request) {
    request.mutable_rule()->set_slot(call.get("SLOT"));
    request.mutable_rule()->set_class_name(call.get("CLASS"));
    request.set_dry_run(call.has("dry-run"));
    v1::SetPolicyReply reply;
    const auto context = client.context();
    const auto status = client.stub().SetPolicy(context.get(), request, &reply);
    return status.ok() ? print_effect(call, request, reply) : client.report_status(call, status);
}

}  // namespace

Exit run_policy_list(Client& client, const Call& call) {
    v1::GetPolicyRequest request;
    request.set_slot(call.get("slot"));
    v1::GetPolicyReply reply;
    const auto context = client.context();
    if (const auto status = client.stub().GetPolicy(context.get(), request, &reply); !status.ok()) {
        return client.report_status(call, status);
    }
    if (call.json) {
        print_json(reply);
        return Exit::ok;
    }
    TextTable table;
    table.row({"SLOT", "CLASS", "RULE", "SET BY"});
    for (const auto& rule : reply.rules()) {
        table.row(
            {rule.slot(),
             rule.class_name(),
             rule_text(rule),
             rule.overridden() ? "policy set" : "configuration"});
    }
    std::fputs(table.empty() ? "no rules\n" : table.text().c_str(), stdout);
    return Exit::ok;
}

Exit run_policy_set(Client& client, const Call& call) {
    v1::SetPolicyRequest request;
    auto& rule = *request.mutable_rule();
    const std::string action = call.get("ACTION");
    if (action == "pass" || action == "drop") {
        rule.set_action(action);
    } else if (const auto dscp = config::parse_dscp(action)) {
        rule.set_action("mark");
        rule.set_dscp(*dscp);
    } else {
        return report(
            call,
            "INVALID_ARGUMENT",
            "ACTION: '" + action + "' is none; fix: pass, drop, or a DSCP such as EF, AF41 or 46",
            Exit::bad_input);
    }
    const std::string confidence = call.get("min-confidence");
    char* end = nullptr;
    const double value = std::strtod(confidence.c_str(), &end);
    if (end == confidence.c_str() || *end != '\0' || !(value >= 0.0 && value <= 1.0)) {
        return report(
            call,
            "INVALID_ARGUMENT",
            "--min-confidence: '" + confidence + "' is not within 0 to 1",
            Exit::bad_input);
    }
    rule.set_min_confidence(value);
    if (action == "drop" && !call.has("dry-run")) {
        if (const auto said =
                confirm(call, "drop the packets of class " + call.get("CLASS") + " from now on")) {
            return *said;
        }
    }
    return send(client, call, request);
}

Exit run_policy_reset(Client& client, const Call& call) {
    v1::SetPolicyRequest request;
    request.set_remove(true);
    return send(client, call, request);
}

}  // namespace weir::ctl
