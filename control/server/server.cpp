// SPDX-License-Identifier: BSD-3-Clause
#include "control/server/server.h"

#include "control/server/listener.h"
#include "control/server/service.h"
#include "control/server/tls_front.h"

#include <chrono>
#include <utility>

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_posix.h>

namespace weir::control {

struct ControlServer::Impl {
    Impl(std::unique_ptr<Listener> accepting, Parts parts)
        : listener(std::move(accepting)), service(std::move(parts), *listener) {}

    std::unique_ptr<Listener> listener;
    Service service;
    std::unique_ptr<grpc::Server> server;
    std::unique_ptr<TlsFront> tls;  ///< null: off
};

namespace {

void set_limits(grpc::ServerBuilder& builder) {
    builder.SetMaxReceiveMessageSize(static_cast<int>(ControlServer::kMaxChunkBytes) + 1024);
    builder.SetResourceQuota(grpc::ResourceQuota("weir-control").Resize(std::size_t{256} << 20));
    // Threads for the one service whose calls hold any: reflection.
    builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MIN_POLLERS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, 2);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 32);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, 300'000);
    builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 8192);
}

}  // namespace

ControlServer::ControlServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ControlServer::~ControlServer() {
    impl_->listener->stop();
    if (impl_->tls) {
        impl_->tls->close_door();
    }
    impl_->server->GetHealthCheckService()->SetServingStatus(false);
    impl_->server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
    impl_->server->Wait();
    impl_->tls.reset();
}

Result<std::unique_ptr<ControlServer>> ControlServer::start(
    const config::Control& config, Parts parts) {
    auto listener = Listener::bind(config.socket, config.group);
    if (!listener) {
        return tl::unexpected(std::move(listener.error()));
    }
    auto impl = std::make_unique<Impl>(std::move(*listener), std::move(parts));
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    set_limits(builder);
    builder.RegisterService(&impl->service);
    impl->server = builder.BuildAndStart();
    if (!impl->server) {
        return fail(config.socket, "control.socket", "gRPC cannot serve", "see the log");
    }
    impl->server->GetHealthCheckService()->SetServingStatus("weir.control.v1.Control", true);
    const auto serve = [server = impl->server.get()](int fd) {
        grpc::AddInsecureChannelFromFd(server, fd);
    };
    if (!config.tls.listen.empty()) {
        auto front =
            TlsFront::start(config.tls, [serve, &peers = *impl->listener](int fd, Actor actor) {
                if (const auto numbered = peers.enroll(fd, std::move(actor))) {
                    serve(*numbered);
                    return true;
                }
                return false;
            });
        if (!front) {
            impl->server->Shutdown();
            return tl::unexpected(std::move(front.error()));
        }
        impl->tls = std::move(*front);
    }
    impl->listener->start(serve);
    return std::unique_ptr<ControlServer>(new ControlServer(std::move(impl)));
}

}  // namespace weir::control
