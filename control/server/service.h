// SPDX-License-Identifier: BSD-3-Clause
// The calls of weir.control.v1.Control.
#pragma once

#include "control/proto/control.grpc.pb.h"
#include "control/server/listener.h"
#include "control/server/server.h"

#include <atomic>
#include <functional>
#include <string>
#include <utility>

#include <grpcpp/grpcpp.h>

namespace weir::control {

/// Thread: gRPC's; each handler hands its work to the control thread and returns.
class Service final : public v1::Control::CallbackService {
  public:
    Service(ControlServer::Parts parts, const Listener& listener)
        : parts_(std::move(parts)), listener_(listener) {}

    grpc::ServerReadReactor<v1::PushModelRequest>* PushModel(
        grpc::CallbackServerContext* context, v1::PushModelReply* reply) override;
    grpc::ServerWriteReactor<v1::Status>* WatchStatus(
        grpc::CallbackServerContext* context, const v1::WatchStatusRequest* request) override;

    grpc::ServerWriteReactor<v1::TailVerdictsReply>* TailVerdicts(
        grpc::CallbackServerContext* context, const v1::TailVerdictsRequest* request) override;

    grpc::ServerUnaryReactor* ListFlows(
        grpc::CallbackServerContext* context,
        const v1::ListFlowsRequest* request,
        v1::ListFlowsReply* reply) override;
    grpc::ServerUnaryReactor* ExplainFlow(
        grpc::CallbackServerContext* context,
        const v1::ExplainFlowRequest* request,
        v1::ExplainFlowReply* reply) override;
    grpc::ServerUnaryReactor* SetOverride(
        grpc::CallbackServerContext* context,
        const v1::SetOverrideRequest* request,
        v1::SetOverrideReply* reply) override;
    grpc::ServerUnaryReactor* RemoveOverride(
        grpc::CallbackServerContext* context,
        const v1::RemoveOverrideRequest* request,
        v1::RemoveOverrideReply* reply) override;
    grpc::ServerUnaryReactor* ListOverrides(
        grpc::CallbackServerContext* context,
        const v1::ListOverridesRequest* request,
        v1::ListOverridesReply* reply) override;
    grpc::ServerUnaryReactor* ListModels(
        grpc::CallbackServerContext* context,
        const v1::ListModelsRequest* request,
        v1::ListModelsReply* reply) override;
    grpc::ServerUnaryReactor* ActivateModel(
        grpc::CallbackServerContext* context,
        const v1::ActivateModelRequest* request,
        v1::ActivateModelReply* reply) override;
    grpc::ServerUnaryReactor* RollbackModel(
        grpc::CallbackServerContext* context,
        const v1::RollbackModelRequest* request,
        v1::ActivateModelReply* reply) override;
    grpc::ServerUnaryReactor* RemoveModel(
        grpc::CallbackServerContext* context,
        const v1::RemoveModelRequest* request,
        v1::RemoveModelReply* reply) override;
    grpc::ServerUnaryReactor* GetStatus(
        grpc::CallbackServerContext* context,
        const v1::GetStatusRequest* request,
        v1::Status* reply) override;
    grpc::ServerUnaryReactor* ListPorts(
        grpc::CallbackServerContext* context,
        const v1::ListPortsRequest* request,
        v1::ListPortsReply* reply) override;
    grpc::ServerUnaryReactor* Reload(
        grpc::CallbackServerContext* context,
        const v1::ReloadRequest* request,
        v1::ReloadReply* reply) override;

    grpc::ServerUnaryReactor* StageModel(
        grpc::CallbackServerContext* context,
        const v1::StageModelRequest* request,
        v1::ActivateModelReply* reply) override;
    grpc::ServerUnaryReactor* GetPolicy(
        grpc::CallbackServerContext* context,
        const v1::GetPolicyRequest* request,
        v1::GetPolicyReply* reply) override;
    grpc::ServerUnaryReactor* SetPolicy(
        grpc::CallbackServerContext* context,
        const v1::SetPolicyRequest* request,
        v1::SetPolicyReply* reply) override;
    grpc::ServerUnaryReactor* WhoAmI(
        grpc::CallbackServerContext* context,
        const v1::WhoAmIRequest* request,
        v1::WhoAmIReply* reply) override;

    /// permit(), and note that an operator was here. Thread: any.
    [[nodiscard]] grpc::Status enter(const Actor& actor, Role needed, const std::string& what);

    // For the streams' reactors.
    [[nodiscard]] ControlServer::Parts& parts() noexcept { return parts_; }
    [[nodiscard]] Actor actor(const grpc::CallbackServerContext& context) const {
        return listener_.actor(context.peer());
    }
    std::atomic<int> pushes{0};
    std::atomic<int> watches{0};
    std::atomic<int> tails{0};

  private:
    /// Runs `work` on the control thread and finishes the call with its status, if the caller's role allows it.
    grpc::ServerUnaryReactor* on_control(
        grpc::CallbackServerContext* context,
        Role needed,
        const char* what,
        std::function<grpc::Status(const Actor& actor)> work);
    /// Finishes at once with what `work` gives: for what needs no turn of the control thread's.
    grpc::ServerUnaryReactor* at_once(
        grpc::CallbackServerContext* context,
        const char* what,
        const std::function<grpc::Status()>& work);

    ControlServer::Parts parts_;
    const Listener& listener_;
};

}  // namespace weir::control
