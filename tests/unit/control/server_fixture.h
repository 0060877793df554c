// SPDX-License-Identifier: BSD-3-Clause
// Clients of a control plane over a fake data plane.
#pragma once

#include "control/proto/control.grpc.pb.h"
#include "control_fixture.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>
#include <nlohmann/json.hpp>

namespace weir::control::test {

class ServerTest : public ControlFixture {
  protected:
    void SetUp() override {
        config_ = dir_.config();
        config_.metrics.listen.clear();  // the HTTP library takes two seconds to stop
        write_config();
    }

    std::unique_ptr<v1::Control::Stub> connect() const {
        grpc::ChannelArguments arguments;
        arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
        return v1::Control::NewStub(grpc::CreateCustomChannel(
            "unix:" + config_.control.socket, grpc::InsecureChannelCredentials(), arguments));
    }
    static std::unique_ptr<grpc::ClientContext> context() {
        auto context = std::make_unique<grpc::ClientContext>();
        context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
        return context;
    }

    struct PushPlan {
        std::string slot{};
        std::uint64_t announced = 0;  ///< 0: as many as there are
        std::size_t chunk_bytes = 1000;
        bool activate = false;
        bool with_header = true;
    };
    grpc::Status push(
        v1::Control::Stub& stub,
        const kernels::Bytes& bytes,
        const PushPlan& plan,
        v1::PushModelReply& reply) {
        const auto ctx = context();
        const auto writer = stub.PushModel(ctx.get(), &reply);
        v1::PushModelRequest request;
        bool more = true;
        if (plan.with_header) {
            request.mutable_header()->set_slot(plan.slot);
            request.mutable_header()->set_size_bytes(
                plan.announced ? plan.announced : bytes.size());
            request.mutable_header()->set_activate(plan.activate);
            more = writer->Write(request);
        }
        for (std::size_t at = 0; more && at < bytes.size(); at += plan.chunk_bytes) {
            const auto n = std::min(plan.chunk_bytes, bytes.size() - at);
            request.set_chunk(bytes.data() + at, n);
            more = writer->Write(request);
        }
        writer->WritesDone();
        return writer->Finish();
    }
    grpc::Status push(const kernels::Bytes& bytes) { return push(bytes, PushPlan{}); }
    grpc::Status push(const kernels::Bytes& bytes, const PushPlan& plan) {
        v1::PushModelReply reply;
        const auto stub = connect();
        return push(*stub, bytes, plan, reply);
    }
    std::size_t models() {
        v1::ListModelsReply reply;
        const auto status = connect()->ListModels(context().get(), {}, &reply);
        EXPECT_TRUE(status.ok()) << status.error_message();
        return static_cast<std::size_t>(reply.models_size());
    }
};

}  // namespace weir::control::test
