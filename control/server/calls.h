// SPDX-License-Identifier: BSD-3-Clause
// What each call of weir.control.v1.Control does, free of streams and threads: requests in, replies and a status out.
#pragma once

#include "control/proto/control.pb.h"
#include "control/server/server.h"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <grpcpp/support/status.h>

namespace weir::control {

/// Longer messages are cut: they travel in HTTP/2 trailers, of which clients take 8 KiB, escapes included.
inline constexpr std::size_t kMaxMessageBytes = 2000;

[[nodiscard]] grpc::Status to_status(const Failure& failure);
/// All findings, one a line, as many as fit.
[[nodiscard]] grpc::Status to_status(const std::vector<Error>& errors);
/// RESOURCE_EXHAUSTED: a queue is full, or its thread is stopping.
[[nodiscard]] grpc::Status busy();
/// `work` with exceptions turned into INTERNAL, so that a call is answered whatever happens.
[[nodiscard]] grpc::Status guarded(const std::function<grpc::Status()>& work);

// One each of the calls that the control thread decides. Thread: control. `reply` is filled only with OK.
[[nodiscard]] grpc::Status list_models(
    ControlServer::Parts& parts, const v1::ListModelsRequest& request, v1::ListModelsReply& reply);
[[nodiscard]] grpc::Status activate_model(
    ControlServer::Parts& parts,
    const v1::ActivateModelRequest& request,
    const Actor& actor,
    v1::ActivateModelReply& reply);
[[nodiscard]] grpc::Status rollback_model(
    ControlServer::Parts& parts,
    const v1::RollbackModelRequest& request,
    const Actor& actor,
    v1::ActivateModelReply& reply);
[[nodiscard]] grpc::Status remove_model(
    ControlServer::Parts& parts, const v1::RemoveModelRequest& request, const Actor& actor);
[[nodiscard]] grpc::Status stage_model(
    ControlServer::Parts& parts,
    const v1::StageModelRequest& request,
    const Actor& actor,
    v1::ActivateModelReply& reply);
[[nodiscard]] grpc::Status reload(
    ControlServer::Parts& parts,
    const v1::ReloadRequest& request,
    const Actor& actor,
    v1::ReloadReply& reply);
[[nodiscard]] grpc::Status get_policy(
    ControlServer::Parts& parts, const v1::GetPolicyRequest& request, v1::GetPolicyReply& reply);
[[nodiscard]] grpc::Status set_policy(
    ControlServer::Parts& parts,
    const v1::SetPolicyRequest& request,
    const Actor& actor,
    v1::SetPolicyReply& reply);
[[nodiscard]] grpc::Status set_override(
    ControlServer::Parts& parts,
    const v1::SetOverrideRequest& request,
    const Actor& actor,
    v1::SetOverrideReply& reply);
[[nodiscard]] grpc::Status remove_override(
    ControlServer::Parts& parts,
    const v1::RemoveOverrideRequest& request,
    const Actor& actor,
    v1::RemoveOverrideReply& reply);
void list_overrides(const ControlServer::Parts& parts, v1::ListOverridesReply& reply);

/// PERMISSION_DENIED, or RESOURCE_EXHAUSTED if the actor asks too often. `what` names the call. Thread: any.
[[nodiscard]] grpc::Status permit(
    const ControlServer::Parts& parts, const Actor& actor, Role needed, const std::string& what);
/// The role that overriding needs, where the request asks for it.
[[nodiscard]] Role role_for(const v1::ActivateModelRequest& request) noexcept;
[[nodiscard]] Role role_for(const v1::StageModelRequest& request) noexcept;
[[nodiscard]] Role role_for(const v1::PushHeader& header) noexcept;
/// Thread: any.
void who_am_i(const ControlServer::Parts& parts, const Actor& actor, v1::WhoAmIReply& reply);

/// A bundle as its stream comes in: bounded by the header, the header by the gateway's limit. Thread: one at a time.
class IncomingBundle {
  public:
    explicit IncomingBundle(std::size_t max_bytes) : max_bytes_(max_bytes) {}

    /// The next message. After anything but OK the stream is over.
    [[nodiscard]] grpc::Status take(const v1::PushModelRequest& request);
    /// OK if the stream may end here.
    [[nodiscard]] grpc::Status complete() const;

    [[nodiscard]] const v1::PushHeader& header() const noexcept { return header_; }
    [[nodiscard]] kernels::Bytes release() { return std::move(bytes_); }

  private:
    [[nodiscard]] grpc::Status take_header(const v1::PushHeader& header);
    [[nodiscard]] grpc::Status take_chunk(const std::string& chunk);

    std::size_t max_bytes_;
    v1::PushHeader header_;
    bool has_header_ = false;
    kernels::Bytes bytes_;
};

/// Stores what the checker made of a whole bundle, or writes down why not. Thread: control.
[[nodiscard]] grpc::Status commit_push(
    ControlServer::Parts& parts,
    const v1::PushHeader& header,
    Outcome<Candidate> checked,
    const Actor& actor,
    v1::PushModelReply& reply);

/// Of WatchStatus; INVALID_ARGUMENT outside of 100 to 60000 (0 stands for 1000).
[[nodiscard]] grpc::Status watch_interval(
    const v1::WatchStatusRequest& request, std::chrono::milliseconds& interval);

}  // namespace weir::control
