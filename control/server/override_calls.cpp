// SPDX-License-Identifier: BSD-3-Clause
// SetOverride, RemoveOverride, ListOverrides.
#include "config/load.h"
#include "control/registry/flow_name.h"
#include "control/server/calls.h"
#include "control/server/convert.h"
#include "control/server/service.h"

#include <algorithm>
#include <optional>
#include <string>

namespace weir::control {

namespace {

std::optional<dataplane::OverrideKind> kind_of(const std::string& name) {
    for (const auto kind : {dataplane::OverrideKind::block, dataplane::OverrideKind::allow}) {
        if (name == kind_name(kind)) {
            return kind;
        }
    }
    return std::nullopt;
}

/// What keeps a block from being carried out, or is wider than one may think.
void warn_of(const config::Config& config, const Override& override, v1::SetOverrideReply& reply) {
    if (override.rule.kind == dataplane::OverrideKind::allow) {
        return;
    }
    if (config.policy.observe_only) {
        reply.add_warnings("policy.observe_only is set: nothing is dropped, it is only counted");
    }
    const auto& never = config.policy.never_touch;
    const bool overlaps =
        !override.rule.exact &&
        std::any_of(never.prefixes.begin(), never.prefixes.end(), [&](const auto& prefix) {
            return config::covers(prefix, override.rule.prefix) ||
                   config::covers(override.rule.prefix, prefix);
        });
    if (overlaps) {
        reply.add_warnings(
            "the prefix meets policy.never_touch.prefixes: packets from or to those are not "
            "dropped");
    }
}

}  // namespace

grpc::Status set_override(
    ControlServer::Parts& parts,
    const v1::SetOverrideRequest& request,
    const Actor& actor,
    v1::SetOverrideReply& reply) {
    const auto kind = kind_of(request.kind());
    if (!kind) {
        return {grpc::StatusCode::INVALID_ARGUMENT, "kind: is neither block nor allow"};
    }
    const auto done =
        parts.registry.set_override(request.target(), *kind, request.seconds(), actor);
    if (!done) {
        return to_status(done.error());
    }
    fill(done->override, *reply.mutable_override());
    reply.set_replaced(done->replaced);
    for (const auto& warning : done->warnings) {
        reply.add_warnings(warning);
    }
    warn_of(parts.registry.config(), done->override, reply);
    parts.changed();
    return grpc::Status::OK;
}

grpc::Status remove_override(
    ControlServer::Parts& parts,
    const v1::RemoveOverrideRequest& request,
    const Actor& actor,
    v1::RemoveOverrideReply& reply) {
    const auto done = parts.registry.remove_override(request.target(), actor);
    if (!done) {
        return to_status(done.error());
    }
    fill(*done, *reply.mutable_override());
    parts.changed();
    return grpc::Status::OK;
}

void list_overrides(const ControlServer::Parts& parts, v1::ListOverridesReply& reply) {
    for (const auto& override : parts.registry.overrides()) {
        fill(override, *reply.add_overrides());
    }
}

grpc::ServerUnaryReactor* Service::SetOverride(
    grpc::CallbackServerContext* context,
    const v1::SetOverrideRequest* request,
    v1::SetOverrideReply* reply) {
    const auto work = [this, request, reply](const Actor& who) {
        return set_override(parts_, *request, who, *reply);
    };
    return on_control(context, Role::operator_, "override", work);
}

grpc::ServerUnaryReactor* Service::RemoveOverride(
    grpc::CallbackServerContext* context,
    const v1::RemoveOverrideRequest* request,
    v1::RemoveOverrideReply* reply) {
    const auto work = [this, request, reply](const Actor& who) {
        return remove_override(parts_, *request, who, *reply);
    };
    return on_control(context, Role::operator_, "override", work);
}

grpc::ServerUnaryReactor* Service::ListOverrides(
    grpc::CallbackServerContext* context,
    const v1::ListOverridesRequest* /*request*/,
    v1::ListOverridesReply* reply) {
    return on_control(context, Role::viewer, "overrides", [this, reply](const Actor&) {
        list_overrides(parts_, *reply);
        return grpc::Status::OK;
    });
}

}  // namespace weir::control
