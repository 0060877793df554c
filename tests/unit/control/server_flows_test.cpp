// SPDX-License-Identifier: BSD-3-Clause
// TailVerdicts and ListFlows as anybody may call them: who may, how often, how many, and how they end.
#include "control/server/service.h"
#include "registry_fixture.h"
#include "server_fixture.h"

#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

namespace weir::control::test {
namespace {

using Code = grpc::StatusCode;
constexpr std::chrono::seconds kLong{30};

/// The service without its socket: who calls is nobody in particular, a viewer. The test is the watch's clock.
class FlowCallsTest : public RegistryTest {
  protected:
    void SetUp() override {
        RegistryTest::SetUp();
        config_.control.requests_per_s = 1000;
        RegistryTest::start();
        runtime_->finish_walks(true);
        watch_ = std::make_unique<FlowWatch>(*runtime_, slots_);
        view_ = std::make_unique<GatewayView>(
            GatewayView::Fixed{"test", runtime_->workers(), runtime_->tsc_hz()}, *ledger_);
    }
    void serve(FlowWatch* watch) {
        auto listener = Listener::bind(dir_ / "unused.sock");
        ASSERT_TRUE(listener) << listener.error().line();
        listener_ = std::move(*listener);
        service_ = std::make_unique<Service>(
            ControlServer::Parts{
                control_,
                verifier_,
                *registry_,
                checker_,
                *view_,
                "",
                [] {},
                [](const Actor&, bool) { return ReloadReport{}; },
                std::make_shared<Access>(config_.control),
                nullptr,
                watch},
            *listener_);
        grpc::ServerBuilder builder;
        builder.RegisterService(service_.get());
        server_ = builder.BuildAndStart();
        ASSERT_TRUE(server_);
        stub_ = v1::Control::NewStub(server_->InProcessChannel({}));
    }
    void TearDown() override {
        if (server_) {
            turn();  // queries that wait are answered
            server_->Shutdown(std::chrono::system_clock::now());
            server_->Wait();
        }
        control_.stop();
        verifier_.stop();
    }
    /// One turn of the watch, behind all that calls have queued.
    void turn() {
        ASSERT_TRUE(control_.call([this] {
            watch_->turn(FlowWatch::Clock::time_point{});
            return true;
        }));
    }
    [[nodiscard]] static std::unique_ptr<grpc::ClientContext> context() {
        auto context = std::make_unique<grpc::ClientContext>();
        context->set_deadline(std::chrono::system_clock::now() + kLong);
        return context;
    }
    [[nodiscard]] grpc::Status list(const v1::ListFlowsRequest& request) {
        v1::ListFlowsReply reply;
        return stub_->ListFlows(context().get(), request, &reply);
    }
    /// A tail that is refused.
    [[nodiscard]] grpc::Status refused_tail(const v1::TailVerdictsRequest& request) {
        const auto ctx = context();
        const auto reader = stub_->TailVerdicts(ctx.get(), request);
        v1::TailVerdictsReply reply;
        EXPECT_FALSE(reader->Read(&reply));
        return reader->Finish();
    }

    std::vector<std::string> slots_{"anomaly", "qos"};
    std::unique_ptr<FlowWatch> watch_;
    std::unique_ptr<GatewayView> view_;
    ControlThread control_{{.name = "control", .cpus = {}, .periodic = {}}};
    ControlThread verifier_{{.name = "verifier", .cpus = {}, .periodic = {}}};
    std::unique_ptr<Listener> listener_;
    std::unique_ptr<Service> service_;
    std::unique_ptr<grpc::Server> server_;
    std::unique_ptr<v1::Control::Stub> stub_;
};

TEST_F(FlowCallsTest, AGatewayWithoutAWatchSaysSo) {
    serve(nullptr);
    EXPECT_EQ(list({}).error_code(), Code::UNIMPLEMENTED);
    v1::ExplainFlowReply explained;
    EXPECT_EQ(
        stub_->ExplainFlow(context().get(), {}, &explained).error_code(), Code::UNIMPLEMENTED);
    EXPECT_EQ(refused_tail({}).error_code(), Code::UNIMPLEMENTED);
}

TEST_F(FlowCallsTest, AViewerMayReadAtItsRate) {
    config_.control.requests_per_s = 1;
    serve(watch_.get());
    const auto ctx = context();
    const auto reader = stub_->TailVerdicts(ctx.get(), {});
    v1::TailVerdictsReply reply;
    EXPECT_TRUE(reader->Read(&reply)) << "a viewer may";
    ctx->TryCancel();
    EXPECT_EQ(reader->Finish().error_code(), Code::CANCELLED);
    v1::ListFlowsRequest request;
    request.set_by("luck");  // refused for what it asks, until it is refused for asking
    grpc::Status status = list(request);
    EXPECT_EQ(status.error_code(), Code::INVALID_ARGUMENT) << status.error_message();
    for (int i = 0; i < 100 && status.error_code() == Code::INVALID_ARGUMENT; ++i) {
        status = list(request);
    }
    EXPECT_EQ(status.error_code(), Code::RESOURCE_EXHAUSTED);
    EXPECT_NE(status.error_message().find("control.requests_per_s"), std::string::npos);
    v1::TailVerdictsRequest tail;
    tail.mutable_filter()->set_slot("nosuch");
    do {
        status = refused_tail(tail);
    } while (status.error_code() == Code::INVALID_ARGUMENT);
    EXPECT_NE(status.error_message().find("control.requests_per_s"), std::string::npos);
}

TEST_F(FlowCallsTest, AViewerMayExplainButNotOverride) {
    serve(watch_.get());
    v1::ExplainFlowReply explained;
    EXPECT_EQ(
        stub_->ExplainFlow(context().get(), {}, &explained).error_code(), Code::INVALID_ARGUMENT)
        << "asks for no flow, but may ask";
    v1::ListOverridesReply list;
    EXPECT_TRUE(stub_->ListOverrides(context().get(), {}, &list).ok());
    v1::SetOverrideRequest request;
    request.set_target("10.0.0.1");
    request.set_kind("block");
    request.set_seconds(60);
    v1::SetOverrideReply set;
    const auto refused = stub_->SetOverride(context().get(), request, &set);
    EXPECT_EQ(refused.error_code(), Code::PERMISSION_DENIED) << refused.error_message();
    v1::RemoveOverrideReply removed;
    EXPECT_EQ(
        stub_->RemoveOverride(context().get(), {}, &removed).error_code(), Code::PERMISSION_DENIED);
    turn();
    EXPECT_TRUE(registry_->overrides().empty());
    EXPECT_EQ(last_audit()["action"], "override");
    EXPECT_EQ(last_audit()["result"], "refused");
}

TEST_F(FlowCallsTest, QueriesThatWaitAreBounded) {
    serve(watch_.get());
    struct Asked {
        std::unique_ptr<grpc::ClientContext> context;
        v1::ListFlowsReply reply;
    };
    const v1::ListFlowsRequest request;
    std::list<Asked> asked;
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<grpc::Status> ended;
    const auto wait_for = [&](std::size_t count) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, kLong, [&] { return ended.size() == count; });
    };
    for (std::size_t i = 0; i <= FlowWatch::kMostQueries; ++i) {
        auto& one = asked.emplace_back(Asked{context(), {}});
        stub_->async()->ListFlows(
            one.context.get(), &request, &one.reply, [&](const grpc::Status& status) {
                const std::lock_guard lock(mutex);
                ended.push_back(status);
                changed.notify_all();
            });
    }
    ASSERT_TRUE(wait_for(1));
    EXPECT_EQ(ended[0].error_code(), Code::RESOURCE_EXHAUSTED);
    EXPECT_NE(ended[0].error_message().find("too many clients"), std::string::npos);
    turn();
    ASSERT_TRUE(wait_for(FlowWatch::kMostQueries + 1));
    for (std::size_t i = 1; i < ended.size(); ++i) {
        EXPECT_TRUE(ended[i].ok()) << ended[i].error_message();
    }
    EXPECT_EQ(runtime_->walks(), 1U) << "one walk answers all";
}

TEST_F(FlowCallsTest, TailsAreBoundedAndEndWhenTheirClientCancels) {
    serve(watch_.get());
    struct Tail {
        std::unique_ptr<grpc::ClientContext> context;
        std::unique_ptr<grpc::ClientReader<v1::TailVerdictsReply>> reader;
    };
    std::vector<Tail> tails;
    v1::TailVerdictsReply reply;
    for (int i = 0; i < ControlServer::kMaxTails; ++i) {
        auto ctx = context();
        auto reader = stub_->TailVerdicts(ctx.get(), {});
        ASSERT_TRUE(reader->Read(&reply)) << i;
        EXPECT_EQ(reply.flows_size(), 0);
        tails.push_back({std::move(ctx), std::move(reader)});
    }
    const auto refused = refused_tail({});
    EXPECT_EQ(refused.error_code(), Code::RESOURCE_EXHAUSTED);
    EXPECT_NE(refused.error_message().find("too many clients tail"), std::string::npos);
    for (auto& tail : tails) {
        tail.context->TryCancel();
        EXPECT_FALSE(tail.reader->Read(&reply));
        EXPECT_EQ(tail.reader->Finish().error_code(), Code::CANCELLED);
    }
    const auto until = std::chrono::steady_clock::now() + kLong;
    while (service_->tails != 0 && std::chrono::steady_clock::now() < until) {
        std::this_thread::yield();
    }
    EXPECT_EQ(service_->tails, 0);
    turn();
    EXPECT_FALSE(runtime_->telling()) << "workers tell nobody";
}

TEST_F(FlowCallsTest, ManyVerdictsComeInSeveralMessages) {
    constexpr int kMany = 3000;
    serve(watch_.get());
    const auto ctx = context();
    const auto reader = stub_->TailVerdicts(ctx.get(), {});
    v1::TailVerdictsReply reply;
    ASSERT_TRUE(reader->Read(&reply));
    dataplane::FlowRecord record;
    for (int i = 0; i < kMany; ++i) {
        record.packets[0] = static_cast<std::uint32_t>(i);
        runtime_->add_verdict(record);
    }
    turn();
    std::uint32_t seen = 0;
    while (seen < kMany && reader->Read(&reply)) {
        EXPECT_LE(reply.flows_size(), 1024);
        EXPECT_EQ(reply.missed(), 0U);
        for (const auto& flow : reply.flows()) {
            EXPECT_EQ(flow.packets_sent(), seen++);
        }
    }
    EXPECT_EQ(seen, kMany);
    ctx->TryCancel();
    EXPECT_EQ(reader->Finish().error_code(), Code::CANCELLED);
}

TEST_F(ServerTest, StoppingEndsTailsAndQueriesUnderWay) {
    start();
    const auto stub = connect();
    const auto tail_context = context();
    const auto reader = stub->TailVerdicts(tail_context.get(), {});
    v1::TailVerdictsReply told;
    ASSERT_TRUE(reader->Read(&told));
    v1::ListFlowsReply reply;
    grpc::Status answered;
    std::thread asking([&] { answered = connect()->ListFlows(context().get(), {}, &reply); });
    const auto until = std::chrono::steady_clock::now() + kLong;
    while (runtime_.walks() == 0 && std::chrono::steady_clock::now() < until) {
        std::this_thread::yield();
    }
    EXPECT_EQ(runtime_.walks(), 1U);
    plane_->stop();  // the walk never ends: workers may have stopped before
    asking.join();
    EXPECT_FALSE(answered.ok() && reply.complete());
    while (reader->Read(&told)) {
    }
    EXPECT_FALSE(reader->Finish().ok());
}

}  // namespace
}  // namespace weir::control::test
