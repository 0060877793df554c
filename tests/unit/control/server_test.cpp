// SPDX-License-Identifier: BSD-3-Clause
// The whole way over the socket: gRPC client, server, control thread, registry.
#include "control/server/server.h"

#include "server_fixture.h"

#include <filesystem>
#include <thread>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fcntl.h>
#include <unistd.h>

namespace weir::control::test {
namespace {

namespace fs = std::filesystem;

TEST_F(ServerTest, PushActivateRollBack) {
    start();
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1");
    const auto stub = connect();
    v1::PushModelReply pushed;
    auto status =
        push(*stub, make_bundle({.version = 4}, operator_key()), {.slot = "anomaly"}, pushed);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(pushed.model().stage(), v1::MODEL_STAGE_VERIFIED);
    EXPECT_EQ(pushed.model().version(), 4u);
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1");

    v1::ActivateModelRequest activate;
    activate.set_slot("anomaly");
    activate.set_name("scan-detector");
    v1::ActivateModelReply reply;
    status = stub->ActivateModel(context().get(), activate, &reply);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(reply.from().name(), "weir-anomaly");
    EXPECT_EQ(reply.to().stage(), v1::MODEL_STAGE_ACTIVE);
    EXPECT_EQ(in_snapshot(0), "scan-detector@4");
    EXPECT_EQ(reply.generation(), runtime_.publisher().current().generation);

    v1::Status seen;
    ASSERT_TRUE(stub->GetStatus(context().get(), {}, &seen).ok());
    EXPECT_EQ(seen.slots(0).active().name(), "scan-detector");
    EXPECT_EQ(seen.version(), "1.2.3-test");

    v1::RollbackModelRequest back;
    back.set_slot("anomaly");
    ASSERT_TRUE(stub->RollbackModel(context().get(), back, &reply).ok());
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1");
    status = stub->RollbackModel(context().get(), back, &reply);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);

    v1::RemoveModelRequest remove;
    remove.set_slot("anomaly");
    remove.set_name("scan-detector");
    remove.set_version(4);
    v1::RemoveModelReply removed;
    EXPECT_TRUE(stub->RemoveModel(context().get(), remove, &removed).ok());
    EXPECT_EQ(models(), 1u);
}

TEST_F(ServerTest, TheAuditNamesThePeerByTheKernelsWord) {
    start();
    ASSERT_TRUE(push(make_bundle({}, operator_key())).ok());
    const auto line = nlohmann::json::parse(dir_.audit_lines().back());
    EXPECT_EQ(line["via"], "socket");
    EXPECT_EQ(line["action"], "push");
    EXPECT_EQ(line["uid"], ::getuid());
    EXPECT_EQ(line["gid"], ::getgid());
    EXPECT_EQ(line["pid"], ::getpid());
}

TEST_F(ServerTest, BadPushesAreRefusedAndChangeNothing) {
    start();
    const auto good = make_bundle({}, operator_key());
    auto flipped = good;
    flipped[flipped.size() / 2] ^= std::byte{4};
    const auto expect = [&](const grpc::Status& status,
                            grpc::StatusCode code,
                            const std::string& word) {
        EXPECT_EQ(status.error_code(), code) << status.error_message();
        EXPECT_NE(status.error_message().find(word), std::string::npos) << status.error_message();
    };
    using Code = grpc::StatusCode;
    expect(push(flipped), Code::INVALID_ARGUMENT, "push");
    EXPECT_EQ(nlohmann::json::parse(dir_.audit_lines().back())["result"], "refused");
    expect(push(good, {.slot = "qos"}), Code::INVALID_ARGUMENT, "slot");
    expect(push(good, {.announced = good.size() + 1}), Code::INVALID_ARGUMENT, "truncated");
    expect(push(good, {.announced = good.size() - 1}), Code::INVALID_ARGUMENT, "more bytes");
    expect(push(good, {.announced = 3u << 20}), Code::RESOURCE_EXHAUSTED, "max_bundle_mb");
    expect(push(good, {.with_header = false}), Code::INVALID_ARGUMENT, "header");
    expect(push({}, {}), Code::INVALID_ARGUMENT, "size_bytes");
    expect(
        push(kernels::Bytes(3u << 20), {.announced = 1u << 20, .chunk_bytes = 3u << 20}),
        Code::RESOURCE_EXHAUSTED,
        "");
    expect(push(make_bundle({.slot = "third"}, operator_key())), Code::NOT_FOUND, "anomaly, qos");
    EXPECT_EQ(models(), 1u);
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1");
    EXPECT_TRUE(push(good).ok()) << "and the next good one is taken";
}

TEST_F(ServerTest, AStreamThatStallsHoldsUpNobody) {
    start();
    std::vector<std::unique_ptr<v1::Control::Stub>> stubs;
    std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
    std::vector<std::unique_ptr<grpc::ClientWriter<v1::PushModelRequest>>> stalled;
    std::vector<v1::PushModelReply> replies(ControlServer::kMaxPushes);
    for (int i = 0; i < ControlServer::kMaxPushes; ++i) {
        stubs.push_back(connect());
        contexts.push_back(context());
        stalled.push_back(
            stubs.back()->PushModel(contexts.back().get(), &replies[static_cast<std::size_t>(i)]));
        v1::PushModelRequest header;
        header.mutable_header()->set_size_bytes(1000);
        ASSERT_TRUE(stalled.back()->Write(header));
    }
    EXPECT_EQ(models(), 1u) << "others are served";
    // The server may still be opening the last of them, and then the one that comes too many is another.
    grpc::Status status;
    do {
        status = push(make_bundle({}, operator_key()));
    } while (status.ok());
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    for (auto& ctx : contexts) {
        ctx->TryCancel();
    }
    for (auto& writer : stalled) {
        EXPECT_FALSE(writer->Finish().ok());
    }
    do {
        status = push(make_bundle({.version = 2}, operator_key()));
    } while (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(ServerTest, ConcurrentClientsAreServedInOneOrder) {
    start();
    ASSERT_TRUE(push(make_bundle({.version = 1}, operator_key())).ok());
    ASSERT_TRUE(push(make_bundle({.version = 2}, operator_key())).ok());
    std::vector<std::thread> clients;
    std::atomic<int> failures{0};
    for (std::uint32_t c = 0; c < 4; ++c) {
        clients.emplace_back([&, c] {
            const auto stub = connect();
            for (std::uint32_t i = 0; i < 10; ++i) {
                v1::ActivateModelRequest request;
                request.set_slot("anomaly");
                request.set_name("scan-detector");
                request.set_version(1 + (c + i) % 2);
                v1::ActivateModelReply reply;
                failures += stub->ActivateModel(context().get(), request, &reply).ok() ? 0 : 1;
            }
        });
    }
    for (auto& client : clients) {
        client.join();
    }
    EXPECT_EQ(failures, 0);
    // The audit's chain from → to is unbroken, so nobody decided beside another.
    std::string active;
    for (const auto& text : dir_.audit_lines()) {
        const auto line = nlohmann::json::parse(text);
        if (line["action"] == "activate") {
            if (!active.empty()) {
                EXPECT_EQ(line["from"], active);
            }
            active = line["to"];
        }
    }
    EXPECT_EQ(in_snapshot(0), active);
}

TEST_F(ServerTest, StatusAddsUpTheWorkers) {
    start();
    runtime_.stats(0).ports[0].rx_packets.add(10);
    runtime_.stats(1).ports[0].rx_packets.add(5);
    runtime_.stats(0).ports[1].tx_packets.add(12);
    runtime_.stats(1).drops[static_cast<std::size_t>(dataplane::DropReason::policy)].add(3);
    runtime_.count_verdict(1, 0, *dataplane::class_id("anomaly", "scan"), 6);
    v1::Status status;
    ASSERT_TRUE(connect()->GetStatus(context().get(), {}, &status).ok());
    EXPECT_EQ(status.rx_packets(), 15u);
    EXPECT_EQ(status.tx_packets(), 12u);
    EXPECT_EQ(status.dropped_packets(), 3u);
    EXPECT_EQ(status.rx_packets(), status.tx_packets() + status.dropped_packets());
    EXPECT_EQ(status.workers_size(), 2);
    EXPECT_EQ(status.ports(0).rx_packets(), 15u);
    ASSERT_EQ(status.slots(0).verdicts_size(), 1);
    EXPECT_EQ(status.slots(0).verdicts(0).class_name(), "scan");
    EXPECT_EQ(status.slots(0).verdicts(0).rows(), 6u);
    EXPECT_FALSE(status.slots(1).has_active());
}

TEST_F(ServerTest, WatchSendsUntilCancelled) {
    start();
    const auto stub = connect();
    const auto ctx = context();
    v1::WatchStatusRequest request;
    request.set_interval_ms(100);
    const auto reader = stub->WatchStatus(ctx.get(), request);
    v1::Status first;
    v1::Status second;
    ASSERT_TRUE(reader->Read(&first));
    ASSERT_TRUE(reader->Read(&second));
    EXPECT_GT(second.monotonic_seconds(), first.monotonic_seconds());
    ctx->TryCancel();
    while (reader->Read(&second)) {
    }
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);

    const auto other = context();
    request.set_interval_ms(5);
    const auto refused = stub->WatchStatus(other.get(), request);
    EXPECT_FALSE(refused->Read(&first));
    EXPECT_EQ(refused->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServerTest, StoppingEndsWatchesAndPushesUnderWay) {
    start();
    const auto stub = connect();
    const auto watch_context = context();
    const auto reader = stub->WatchStatus(watch_context.get(), {});
    v1::Status status;
    ASSERT_TRUE(reader->Read(&status));
    const auto push_context = context();
    v1::PushModelReply reply;
    const auto writer = stub->PushModel(push_context.get(), &reply);
    v1::PushModelRequest header;
    header.mutable_header()->set_size_bytes(1000);
    ASSERT_TRUE(writer->Write(header));
    plane_->stop();
    while (reader->Read(&status)) {
    }
    EXPECT_FALSE(reader->Finish().ok());
    EXPECT_FALSE(writer->Finish().ok());
    EXPECT_FALSE(fs::exists(config_.control.socket));
    EXPECT_FALSE(plane_->reload()) << "and says so instead of hanging";
}

TEST_F(ServerTest, ReloadOverTheSocketAndBySignal) {
    start();
    write_config("never_remark: [EF]\n");
    v1::ReloadReply reply;
    auto status = connect()->Reload(context().get(), {}, &reply);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(runtime_.publisher().current().never_remark, std::uint64_t{1} << 46);
    const auto generation = runtime_.publisher().current().generation;

    write_config("never_remark: [EF]\nno_such_key: 1\n");
    status = connect()->Reload(context().get(), {}, &reply);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_NE(status.error_message().find("no_such_key"), std::string::npos);
    const auto refused = plane_->reload();
    ASSERT_FALSE(refused);
    EXPECT_EQ(runtime_.publisher().current().generation, generation);

    write_config("never_remark: [CS6]\n");
    const auto report = plane_->reload();
    ASSERT_TRUE(report);
    EXPECT_EQ(runtime_.publisher().current().never_remark, std::uint64_t{1} << 48);
    EXPECT_EQ(nlohmann::json::parse(dir_.audit_lines().back())["via"], "signal");
}

TEST_F(ServerTest, FlowRecordsAreTakenWhileRunningAndAtTheEnd) {
    for (int i = 0; i < 3000; ++i) {
        runtime_.add_event({});
    }
    start();
    runtime_.add_event({});
    plane_->stop();
    EXPECT_EQ(records_, 3001u);
}

TEST_F(ServerTest, SocketIsForOwnerAndGroup) {
    start();
    struct stat info {};
    ASSERT_EQ(::stat(config_.control.socket.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0660u);
}

TEST_F(ServerTest, AStaleSocketIsReplacedALiveOneRespected) {
    {
        const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        config_.control.socket.copy(address.sun_path, sizeof(address.sun_path) - 1);
        ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
        ::close(fd);  // the file stays, as after a crash
    }
    start();
    FakeRuntime other_runtime;
    const auto second = ControlPlane::start(config_, other_runtime, {});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().field, "control.socket");
    EXPECT_NE(second.error().what.find("another weir"), std::string::npos);
    EXPECT_EQ(models(), 1u) << "the first is unharmed";
}

TEST_F(ServerTest, WhatIsNoSocketIsNotRemoved) {
    write_text(config_.control.socket, "precious");
    const auto started = try_start();
    ASSERT_FALSE(started);
    EXPECT_EQ(read_text(config_.control.socket), "precious");
    config_.control.socket = std::string(200, 'x');
    EXPECT_FALSE(try_start());
}

TEST_F(ServerTest, AMetricsPortInUseIsNamed) {
    config_.metrics.listen = "127.0.0.1:0";
    start();
    const std::string url = plane_->metrics_url();
    config_.metrics.listen = url.substr(7, url.find('/', 7) - 7);
    config_.control.socket = dir_ / "other.sock";
    FakeRuntime other_runtime;
    const auto second = ControlPlane::start(config_, other_runtime, {});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().field, "metrics.listen");
    EXPECT_FALSE(fs::exists(config_.control.socket));
}

TEST_F(ServerTest, HalfOpenConnectionsAreBounded) {
    start();
    std::vector<int> open;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    config_.control.socket.copy(address.sun_path, sizeof(address.sun_path) - 1);
    for (int i = 0; i < 200; ++i) {
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ASSERT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
        open.push_back(fd);
    }
    EXPECT_EQ(models(), 1u) << "an operator is served beside them";
    for (const int fd : open) {
        ::close(fd);
    }
    EXPECT_EQ(models(), 1u);
}

}  // namespace
}  // namespace weir::control::test
