// SPDX-License-Identifier: BSD-3-Clause
#include "control/server/service.h"

#include "control/server/calls.h"
#include "control/server/convert.h"

namespace weir::control {

grpc::ServerUnaryReactor* Service::on_control(
    grpc::CallbackServerContext* context, std::function<grpc::Status()> work) {
    auto* reactor = context->DefaultReactor();
    const bool queued = parts_.control.post([context, reactor, work = std::move(work)] {
        // The client gave up, or its deadline passed, before its turn came: nothing is changed for it.
        reactor->Finish(context->IsCancelled() ? grpc::Status::CANCELLED : guarded(work));
    });
    if (!queued) {
        reactor->Finish(busy());
    }
    return reactor;
}

grpc::ServerUnaryReactor* Service::ListModels(
    grpc::CallbackServerContext* context,
    const v1::ListModelsRequest* request,
    v1::ListModelsReply* reply) {
    return on_control(
        context, [this, request, reply] { return list_models(parts_, *request, *reply); });
}

grpc::ServerUnaryReactor* Service::ActivateModel(
    grpc::CallbackServerContext* context,
    const v1::ActivateModelRequest* request,
    v1::ActivateModelReply* reply) {
    return on_control(context, [this, request, reply, actor = actor(*context)] {
        return activate_model(parts_, *request, actor, *reply);
    });
}

grpc::ServerUnaryReactor* Service::RollbackModel(
    grpc::CallbackServerContext* context,
    const v1::RollbackModelRequest* request,
    v1::ActivateModelReply* reply) {
    return on_control(context, [this, request, reply, actor = actor(*context)] {
        return rollback_model(parts_, *request, actor, *reply);
    });
}

grpc::ServerUnaryReactor* Service::RemoveModel(
    grpc::CallbackServerContext* context,
    const v1::RemoveModelRequest* request,
    v1::RemoveModelReply* /*reply*/) {
    return on_control(context, [this, request, actor = actor(*context)] {
        return remove_model(parts_, *request, actor);
    });
}

grpc::ServerUnaryReactor* Service::GetStatus(
    grpc::CallbackServerContext* context,
    const v1::GetStatusRequest* /*request*/,
    v1::Status* reply) {
    auto* reactor = context->DefaultReactor();
    reactor->Finish(guarded([&] {
        fill_status(parts_.view, parts_.metrics_url, *reply);
        return grpc::Status::OK;
    }));
    return reactor;
}

grpc::ServerUnaryReactor* Service::ListPorts(
    grpc::CallbackServerContext* context,
    const v1::ListPortsRequest* /*request*/,
    v1::ListPortsReply* reply) {
    auto* reactor = context->DefaultReactor();
    reactor->Finish(guarded([&] {
        fill_ports(parts_.view, *reply->mutable_ports());
        return grpc::Status::OK;
    }));
    return reactor;
}

grpc::ServerUnaryReactor* Service::Reload(
    grpc::CallbackServerContext* context,
    const v1::ReloadRequest* /*request*/,
    v1::ReloadReply* reply) {
    return on_control(context, [this, reply, actor = actor(*context)] {
        return control::reload(parts_, actor, *reply);
    });
}

}  // namespace weir::control
