// SPDX-License-Identifier: BSD-3-Clause
#include "control/server/service.h"

#include "control/server/convert.h"

#include <exception>

namespace weir::control {

grpc::Status to_status(const Failure& failure) {
    const auto code = [&] {
        switch (failure.kind) {
            case FailureKind::invalid:
                return grpc::StatusCode::INVALID_ARGUMENT;
            case FailureKind::not_found:
                return grpc::StatusCode::NOT_FOUND;
            case FailureKind::precondition:
                return grpc::StatusCode::FAILED_PRECONDITION;
            case FailureKind::exhausted:
                return grpc::StatusCode::RESOURCE_EXHAUSTED;
            case FailureKind::unavailable:
                return grpc::StatusCode::UNAVAILABLE;
            case FailureKind::internal:
                return grpc::StatusCode::INTERNAL;
        }
        return grpc::StatusCode::INTERNAL;
    }();
    return {code, failure.error.line()};
}

grpc::Status busy() {
    return {
        grpc::StatusCode::RESOURCE_EXHAUSTED,
        "weir: too many requests wait, or it is stopping; fix: try again"};
}

grpc::Status guarded(const std::function<grpc::Status()>& work) {
    try {
        return work();
    } catch (const std::exception& e) {
        return {grpc::StatusCode::INTERNAL, std::string("weir: ") + e.what()};
    }
}

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
    return on_control(context, [this, request, reply] {
        const auto models = parts_.registry.list(request->slot());
        if (!models) {
            return to_status(models.error());
        }
        for (const auto& model : *models) {
            fill(model, *reply->add_models());
        }
        return grpc::Status::OK;
    });
}

grpc::ServerUnaryReactor* Service::ActivateModel(
    grpc::CallbackServerContext* context,
    const v1::ActivateModelRequest* request,
    v1::ActivateModelReply* reply) {
    return on_control(context, [this, request, reply, actor = actor(*context)] {
        const auto done =
            parts_.registry.activate({request->slot(), request->name(), request->version()}, actor);
        if (!done) {
            return to_status(done.error());
        }
        parts_.changed();
        fill(*done, *reply);
        return grpc::Status::OK;
    });
}

grpc::ServerUnaryReactor* Service::RollbackModel(
    grpc::CallbackServerContext* context,
    const v1::RollbackModelRequest* request,
    v1::ActivateModelReply* reply) {
    return on_control(context, [this, request, reply, actor = actor(*context)] {
        const auto done = parts_.registry.rollback(request->slot(), actor);
        if (!done) {
            return to_status(done.error());
        }
        parts_.changed();
        fill(*done, *reply);
        return grpc::Status::OK;
    });
}

grpc::ServerUnaryReactor* Service::RemoveModel(
    grpc::CallbackServerContext* context,
    const v1::RemoveModelRequest* request,
    v1::RemoveModelReply* /*reply*/) {
    return on_control(context, [this, request, actor = actor(*context)] {
        const auto done =
            parts_.registry.remove({request->slot(), request->name(), request->version()}, actor);
        if (!done) {
            return to_status(done.error());
        }
        parts_.changed();
        return grpc::Status::OK;
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
        const auto report = parts_.reload(actor);
        if (!report) {
            std::string lines;
            for (const auto& error : report.error()) {
                lines.append(lines.empty() ? "" : "\n").append(error.line());
            }
            return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, lines);
        }
        fill(*report, *reply);
        return grpc::Status::OK;
    });
}

}  // namespace weir::control
