// SPDX-License-Identifier: BSD-3-Clause
// Roles of calls, stages and policy.
#include "control/server/calls.h"
#include "control/server/convert.h"
#include "dataplane/snapshot_build.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace weir::control {

namespace {

constexpr std::array<std::string_view, 3> kActions{"pass", "mark", "drop"};

grpc::Status invalid(const std::string& text) {
    return {grpc::StatusCode::INVALID_ARGUMENT, text};
}

std::optional<Stage> stage_of(v1::ModelStage stage) {
    switch (stage) {
        case v1::MODEL_STAGE_VERIFIED:
            return Stage::verified;
        case v1::MODEL_STAGE_SHADOW:
            return Stage::shadow;
        case v1::MODEL_STAGE_CANARY:
            return Stage::canary;
        case v1::MODEL_STAGE_ACTIVE:
            return Stage::active;
        default:
            return std::nullopt;
    }
}

void fill_rule(
    const std::string& slot, const std::string& cls, const config::ClassRule& rule, v1::Rule& out) {
    out.set_slot(slot);
    out.set_class_name(cls);
    out.set_action(std::string(kActions[static_cast<std::size_t>(rule.action)]));
    out.set_dscp(rule.dscp);
    out.set_min_confidence(rule.min_confidence);
}

void fill_sums(const FlowSums& sums, v1::PolicyEffect& out) {
    out.set_flows(sums.flows);
    out.set_packets(sums.packets);
    out.set_bytes(sums.bytes);
}

/// The rule that a request describes, or what is wrong with it.
grpc::Status rule_of(const v1::Rule& wire, config::ClassRule& out) {
    const auto at = std::find(kActions.begin(), kActions.end(), wire.action());
    if (at == kActions.end()) {
        return invalid("rule.action: is not one of pass, mark, drop");
    }
    out.action = static_cast<config::ActionKind>(at - kActions.begin());
    if (wire.dscp() > 63) {
        return invalid("rule.dscp: is not within 0 to 63");
    }
    if (!(wire.min_confidence() >= 0.0 && wire.min_confidence() <= 1.0)) {
        return invalid("rule.min_confidence: is not within 0 to 1");
    }
    out.dscp = static_cast<std::uint8_t>(wire.dscp());
    out.min_confidence = wire.min_confidence();
    return grpc::Status::OK;
}

/// OK if some model that the slot holds, or some rule, knows the class.
grpc::Status check_class(
    const ControlServer::Parts& parts, const std::string& slot, const std::string& cls) {
    const auto models = parts.registry.list(slot);
    const auto rules = parts.registry.rules(slot);
    if (!models) {
        return to_status(models.error());
    }
    std::vector<std::string> known;
    for (const auto& model : *models) {
        known.insert(known.end(), model.classes.begin(), model.classes.end());
    }
    for (const auto& rule : *rules) {
        known.push_back(rule.cls);
    }
    std::sort(known.begin(), known.end());
    known.erase(std::unique(known.begin(), known.end()), known.end());
    if (std::binary_search(known.begin(), known.end(), cls)) {
        return grpc::Status::OK;
    }
    std::string names;
    for (const auto& name : known) {
        names += (names.empty() ? "" : ", ") + name;
    }
    const Failure failure{
        FailureKind::invalid,
        {"slot " + slot, "class", "no model of the slot has it", "use one of " + names}};
    return to_status(failure);
}

}  // namespace

grpc::Status permit(
    const ControlServer::Parts& parts, const Actor& actor, Role needed, const std::string& what) {
    if (!parts.access) {
        return grpc::Status::OK;
    }
    const Role role = parts.access->role_of(actor);
    if (role < needed) {
        return {
            grpc::StatusCode::PERMISSION_DENIED,
            what + ": needs the role " + std::string(role_name(needed)) + ", " +
                describe_actor(actor) + " is " + std::string(role_name(role)) +
                "; fix: add it to control." + std::string(role_name(needed)) +
                "s of the configuration"};
    }
    if (role != Role::admin && !parts.access->admit(actor, std::chrono::steady_clock::now())) {
        return {
            grpc::StatusCode::RESOURCE_EXHAUSTED,
            what + ": more calls than control.requests_per_s allows; fix: try again later"};
    }
    return grpc::Status::OK;
}

Role role_for(const v1::ActivateModelRequest& request) noexcept {
    return request.override_bar() ? Role::admin : Role::operator_;
}

Role role_for(const v1::StageModelRequest& request) noexcept {
    return request.override_bar() ? Role::admin : Role::operator_;
}

Role role_for(const v1::PushHeader& header) noexcept {
    return header.allow_older() ? Role::admin : Role::operator_;
}

void who_am_i(const ControlServer::Parts& parts, const Actor& actor, v1::WhoAmIReply& reply) {
    const Role role = parts.access ? parts.access->role_of(actor) : Role::admin;
    reply.set_role(std::string(role_name(role)));
    reply.set_via(actor.via);
    reply.set_name(describe_actor(actor));
}

grpc::Status stage_model(
    ControlServer::Parts& parts,
    const v1::StageModelRequest& request,
    const Actor& actor,
    v1::ActivateModelReply& reply) {
    const auto stage = stage_of(request.stage());
    if (!stage) {
        return invalid("stage: is not one of verified, shadow, canary, active");
    }
    const auto done = parts.registry.stage(
        {{request.slot(), request.name(), request.version()},
         *stage,
         request.canary_permyriad(),
         request.override_bar()},
        actor);
    if (!done) {
        return to_status(done.error());
    }
    parts.changed();
    fill(*done, reply);
    return grpc::Status::OK;
}

grpc::Status get_policy(
    ControlServer::Parts& parts, const v1::GetPolicyRequest& request, v1::GetPolicyReply& reply) {
    const auto rules = parts.registry.rules(request.slot());
    if (!rules) {
        return to_status(rules.error());
    }
    for (const auto& rule : *rules) {
        auto& out = *reply.add_rules();
        fill_rule(rule.slot, rule.cls, rule.rule, out);
        out.set_overridden(rule.overridden);
    }
    return grpc::Status::OK;
}

grpc::Status set_policy(
    ControlServer::Parts& parts,
    const v1::SetPolicyRequest& request,
    const Actor& actor,
    v1::SetPolicyReply& reply) {
    const auto& slot = request.rule().slot();
    const auto& cls = request.rule().class_name();
    std::optional<config::ClassRule> to;
    if (request.remove()) {
        to = parts.registry.configured_rule(slot, cls);
    } else {
        to.emplace();
        if (auto status = rule_of(request.rule(), *to); !status.ok()) {
            return status;
        }
    }
    if (auto status = check_class(parts, slot, cls); !status.ok()) {
        return status;
    }
    const auto& slots = parts.registry.config().slots;
    const auto at =
        std::find_if(slots.begin(), slots.end(), [&](const auto& s) { return s.name == slot; });
    if (at == slots.end()) {
        return invalid("rule.slot: is empty");
    }
    const auto rule = at->rules.find(cls);
    std::optional<config::ClassRule> from;
    if (rule != at->rules.end()) {
        from = rule->second;
        fill_rule(slot, cls, *from, *reply.mutable_from());
    }
    if (to) {
        fill_rule(slot, cls, *to, *reply.mutable_to());
    }
    const auto id = dataplane::class_id(slot, cls);
    if (parts.window && id) {
        const auto now = PolicyWindow::Clock::now();
        const auto index = static_cast<std::size_t>(at - slots.begin());
        const config::ClassRule none;
        fill_sums(parts.window->sum(index, *id, 0.0, now), *reply.mutable_matched());
        fill_sums(
            parts.window->acted(index, *id, from.value_or(none), now),
            *reply.mutable_acted_before());
        fill_sums(
            parts.window->acted(index, *id, to.value_or(none), now), *reply.mutable_acts_now());
        reply.set_window_seconds(parts.window->seconds(now));
    }
    if (request.dry_run()) {
        return grpc::Status::OK;
    }
    const auto done = parts.registry.set_rule(slot, cls, to, request.remove(), actor);
    if (!done) {
        return to_status(done.error());
    }
    reply.set_applied(true);
    reply.mutable_warnings()->Assign(done->begin(), done->end());
    parts.changed();
    return grpc::Status::OK;
}

}  // namespace weir::control
