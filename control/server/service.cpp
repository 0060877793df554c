// SPDX-License-Identifier: BSD-3-Clause
#include "control/server/service.h"

#include "control/server/calls.h"
#include "control/server/convert.h"

namespace weir::control {

grpc::Status Service::enter(const Actor& actor, Role needed, const std::string& what) {
    auto status = permit(parts_, actor, needed, what);
    if (status.ok() && parts_.access && parts_.access->role_of(actor) != Role::viewer) {
        (void)parts_.control.post([this] { parts_.registry.contact(ModelRegistry::Clock::now()); });
    }
    return status;
}

grpc::ServerUnaryReactor* Service::on_control(
    grpc::CallbackServerContext* context,
    Role needed,
    const char* what,
    std::function<grpc::Status(const Actor& actor)> work) {
    auto* reactor = context->DefaultReactor();
    const Actor caller = actor(*context);
    const auto allowed = guarded([&] { return enter(caller, needed, what); });
    if (!allowed.ok()) {
        // A refusal to change something is worth a line; reading too often is not.
        if (needed != Role::viewer) {
            (void)parts_.control.post([this, caller, allowed, what] {
                parts_.registry.refused(what, {"", "", allowed.error_message(), ""}, caller);
            });
        }
        reactor->Finish(allowed);
        return reactor;
    }
    const bool queued = parts_.control.post([context, reactor, caller, work = std::move(work)] {
        // The client gave up, or its deadline passed, before its turn came: nothing is changed for it.
        reactor->Finish(context->IsCancelled() ? grpc::Status::CANCELLED : guarded([&] {
            return work(caller);
        }));
    });
    if (!queued) {
        reactor->Finish(busy());
    }
    return reactor;
}

grpc::ServerUnaryReactor* Service::at_once(
    grpc::CallbackServerContext* context,
    const char* what,
    const std::function<grpc::Status()>& work) {
    auto* reactor = context->DefaultReactor();
    reactor->Finish(guarded([&] {
        auto allowed = enter(actor(*context), Role::viewer, what);
        return allowed.ok() ? work() : allowed;
    }));
    return reactor;
}

grpc::ServerUnaryReactor* Service::ListModels(
    grpc::CallbackServerContext* context,
    const v1::ListModelsRequest* request,
    v1::ListModelsReply* reply) {
    return on_control(context, Role::viewer, "list", [this, request, reply](const Actor&) {
        return list_models(parts_, *request, *reply);
    });
}

grpc::ServerUnaryReactor* Service::ActivateModel(
    grpc::CallbackServerContext* context,
    const v1::ActivateModelRequest* request,
    v1::ActivateModelReply* reply) {
    return on_control(
        context, role_for(*request), "activate", [this, request, reply](const Actor& who) {
            return activate_model(parts_, *request, who, *reply);
        });
}

grpc::ServerUnaryReactor* Service::StageModel(
    grpc::CallbackServerContext* context,
    const v1::StageModelRequest* request,
    v1::ActivateModelReply* reply) {
    return on_control(
        context, role_for(*request), "stage", [this, request, reply](const Actor& who) {
            return stage_model(parts_, *request, who, *reply);
        });
}

grpc::ServerUnaryReactor* Service::RollbackModel(
    grpc::CallbackServerContext* context,
    const v1::RollbackModelRequest* request,
    v1::ActivateModelReply* reply) {
    return on_control(
        context, Role::operator_, "rollback", [this, request, reply](const Actor& who) {
            return rollback_model(parts_, *request, who, *reply);
        });
}

grpc::ServerUnaryReactor* Service::RemoveModel(
    grpc::CallbackServerContext* context,
    const v1::RemoveModelRequest* request,
    v1::RemoveModelReply* /*reply*/) {
    return on_control(context, Role::operator_, "remove", [this, request](const Actor& who) {
        return remove_model(parts_, *request, who);
    });
}

grpc::ServerUnaryReactor* Service::GetStatus(
    grpc::CallbackServerContext* context,
    const v1::GetStatusRequest* /*request*/,
    v1::Status* reply) {
    return at_once(context, "status", [&] {
        fill_status(parts_.view, parts_.metrics_url, *reply);
        return grpc::Status::OK;
    });
}

grpc::ServerUnaryReactor* Service::ListPorts(
    grpc::CallbackServerContext* context,
    const v1::ListPortsRequest* /*request*/,
    v1::ListPortsReply* reply) {
    return at_once(context, "ports", [&] {
        fill_ports(parts_.view, *reply->mutable_ports());
        return grpc::Status::OK;
    });
}

grpc::ServerUnaryReactor* Service::WhoAmI(
    grpc::CallbackServerContext* context,
    const v1::WhoAmIRequest* /*request*/,
    v1::WhoAmIReply* reply) {
    return at_once(context, "whoami", [&] {
        who_am_i(parts_, actor(*context), *reply);
        return grpc::Status::OK;
    });
}

grpc::ServerUnaryReactor* Service::Reload(
    grpc::CallbackServerContext* context,
    const v1::ReloadRequest* request,
    v1::ReloadReply* reply) {
    return on_control(context, Role::operator_, "reload", [this, request, reply](const Actor& who) {
        return control::reload(parts_, *request, who, *reply);
    });
}

grpc::ServerUnaryReactor* Service::GetPolicy(
    grpc::CallbackServerContext* context,
    const v1::GetPolicyRequest* request,
    v1::GetPolicyReply* reply) {
    return on_control(context, Role::viewer, "policy", [this, request, reply](const Actor&) {
        return get_policy(parts_, *request, *reply);
    });
}

grpc::ServerUnaryReactor* Service::SetPolicy(
    grpc::CallbackServerContext* context,
    const v1::SetPolicyRequest* request,
    v1::SetPolicyReply* reply) {
    return on_control(context, Role::operator_, "policy", [this, request, reply](const Actor& who) {
        return set_policy(parts_, *request, who, *reply);
    });
}

}  // namespace weir::control
