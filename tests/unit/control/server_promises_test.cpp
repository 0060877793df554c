// SPDX-License-Identifier: BSD-3-Clause
// What control.proto promises of every call: codes, messages, one audit line a change, the standard services.
#include "control/server/server.h"
#include "server_fixture.h"

#include <filesystem>
#include <vector>

#include <grpcpp/generic/generic_stub.h>

namespace weir::control::test {
namespace {

namespace fs = std::filesystem;
using Code = grpc::StatusCode;

class ServerPromises : public ServerTest {
  protected:
    std::shared_ptr<grpc::Channel> channel() const {
        return grpc::CreateChannel(
            "unix:" + config_.control.socket, grpc::InsecureChannelCredentials());
    }
    /// One message there, one back, in wire format: the standard services without their .proto files.
    std::string exchange(const std::string& method, const std::string& request) const {
        grpc::GenericStub stub(channel());
        const auto ctx = context();
        grpc::CompletionQueue queue;
        const auto stream = stub.PrepareCall(ctx.get(), method, &queue);
        const auto wait = [&queue] {
            void* tag = nullptr;
            bool ok = false;
            return queue.Next(&tag, &ok) && ok;
        };
        stream->StartCall(nullptr);
        EXPECT_TRUE(wait());
        const grpc::Slice slice(request);
        stream->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
        EXPECT_TRUE(wait());
        grpc::ByteBuffer reply;
        stream->Read(&reply, nullptr);
        const bool answered = wait();
        grpc::Status status;
        stream->Finish(&status, nullptr);
        EXPECT_TRUE(wait());
        EXPECT_TRUE(status.ok()) << status.error_message();
        std::vector<grpc::Slice> slices;
        if (!answered || !reply.Dump(&slices).ok()) {
            return {};
        }
        std::string bytes;
        for (const auto& part : slices) {
            bytes.append(reinterpret_cast<const char*>(part.begin()), part.size());
        }
        return bytes;
    }
    grpc::Status activate(const std::string& slot, const std::string& name, std::uint32_t version) {
        v1::ActivateModelRequest request;
        request.set_slot(slot);
        request.set_name(name);
        request.set_version(version);
        v1::ActivateModelReply reply;
        return connect()->ActivateModel(context().get(), request, &reply);
    }
    grpc::Status rollback(const std::string& slot) {
        v1::RollbackModelRequest request;
        request.set_slot(slot);
        v1::ActivateModelReply reply;
        return connect()->RollbackModel(context().get(), request, &reply);
    }
    grpc::Status remove(const std::string& slot, const std::string& name, std::uint32_t version) {
        v1::RemoveModelRequest request;
        request.set_slot(slot);
        request.set_name(name);
        request.set_version(version);
        v1::RemoveModelReply reply;
        return connect()->RemoveModel(context().get(), request, &reply);
    }
    static void expect(const grpc::Status& status, Code code, const std::string& word) {
        EXPECT_EQ(status.error_code(), code) << status.error_message();
        EXPECT_NE(status.error_message().find(word), std::string::npos)
            << "'" << word << "' in: " << status.error_message();
        EXPECT_EQ(status.error_message().find('\n'), std::string::npos) << status.error_message();
    }
    /// Audit lines since the last call: "action result", in order.
    std::vector<std::string> audited() {
        std::vector<std::string> out;
        const auto lines = dir_.audit_lines();
        for (; audit_seen_ < lines.size(); ++audit_seen_) {
            const auto line = nlohmann::json::parse(lines[audit_seen_]);
            out.push_back(
                line["action"].get<std::string>() + " " + line["result"].get<std::string>());
        }
        return out;
    }

  private:
    std::size_t audit_seen_ = 0;
};

using Lines = std::vector<std::string>;

TEST_F(ServerPromises, HealthIsServedByTheStandardService) {
    start();
    const std::string service = "weir.control.v1.Control";
    const std::string named = "\n" + std::string(1, static_cast<char>(service.size())) + service;
    const std::string serving = "\x08\x01";
    EXPECT_EQ(exchange("/grpc.health.v1.Health/Check", named), serving);
    EXPECT_EQ(exchange("/grpc.health.v1.Health/Check", ""), serving) << "the server as a whole";
}

TEST_F(ServerPromises, ReflectionNamesTheServiceAndGivesItsFile) {
    start();
    const std::string method = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
    const std::string services = exchange(method, "\x3a\x01*");  // list_services
    EXPECT_NE(services.find("weir.control.v1.Control"), std::string::npos);
    EXPECT_NE(services.find("grpc.health.v1.Health"), std::string::npos);
    const std::string symbol = "weir.control.v1.Control";
    const std::string file =
        exchange(method, "\x22" + std::string(1, static_cast<char>(symbol.size())) + symbol);
    EXPECT_NE(file.find("RollbackModel"), std::string::npos) << "the descriptor itself";
}

TEST_F(ServerPromises, EachChangeIsOneAuditLineAndEachRefusalToo) {
    start();
    EXPECT_EQ(audited(), (Lines{"recover ok", "recover ok"})) << "a slot each";
    const auto bundle = make_bundle({.version = 1}, operator_key());
    ASSERT_TRUE(push(bundle).ok());
    EXPECT_EQ(audited(), Lines{"push ok"});
    ASSERT_TRUE(activate("anomaly", "scan-detector", 1).ok());
    EXPECT_EQ(audited(), Lines{"activate ok"});
    ASSERT_TRUE(rollback("anomaly").ok());
    EXPECT_EQ(audited(), Lines{"rollback ok"});
    ASSERT_TRUE(
        push(make_bundle({.version = 2}, operator_key()), {.slot = "anomaly", .activate = true})
            .ok());
    EXPECT_EQ(audited(), (Lines{"push ok", "activate ok"}));
    ASSERT_TRUE(remove("anomaly", "scan-detector", 1).ok());
    EXPECT_EQ(audited(), Lines{"remove ok"});

    EXPECT_FALSE(activate("anomaly", "scan-detector", 1).ok());
    EXPECT_EQ(audited(), Lines{"activate refused"});
    EXPECT_FALSE(rollback("nowhere").ok());
    EXPECT_EQ(audited(), Lines{"rollback refused"});
    EXPECT_FALSE(remove("anomaly", "scan-detector", 2).ok()) << "it is active";
    EXPECT_EQ(audited(), Lines{"remove refused"});
    EXPECT_FALSE(push(bundle, {.announced = bundle.size() + 1}).ok());
    EXPECT_EQ(audited(), Lines{"push refused"}) << "before it is answered";
}

TEST_F(ServerPromises, RefusalsNameTheFieldAndTheFix) {
    start();
    const auto first = make_bundle({.version = 5}, operator_key());
    ASSERT_TRUE(push(first).ok());
    expect(
        push(make_bundle({.version = 5, .bias = 1}, operator_key())),
        Code::FAILED_PRECONDITION,
        "version: is stored already");
    expect(
        push(make_bundle({.version = 4}, operator_key())),
        Code::FAILED_PRECONDITION,
        "version: is not above 5");
    expect(push(make_bundle({.version = 6}, stranger_key())), Code::INVALID_ARGUMENT, "signature");
    auto flipped = make_bundle({.version = 7}, operator_key());
    flipped[flipped.size() - 1] ^= std::byte{1};
    expect(push(flipped), Code::INVALID_ARGUMENT, "signature");
    expect(activate("anomaly", "nobody", 0), Code::NOT_FOUND, "weirctl models list");
    expect(activate("anomaly", "scan-detector", 9), Code::NOT_FOUND, "use one of 5");
    expect(activate("third", "scan-detector", 5), Code::NOT_FOUND, "use one of anomaly, qos");
    expect(remove("anomaly", "weir-anomaly", 1), Code::FAILED_PRECONDITION, "built into");
    expect(remove("anomaly", "scan-detector", 0), Code::FAILED_PRECONDITION, "name the version");
    expect(rollback("qos"), Code::FAILED_PRECONDITION, "no model was active before");
    fs::remove_all(config_.control.keyring);
    expect(
        push(make_bundle({.version = 8}, operator_key())),
        Code::FAILED_PRECONDITION,
        "control.keyring");
    EXPECT_EQ(models(), 2u);
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1");
}

TEST_F(ServerPromises, NamesAsLongAsAMessageAreAnsweredShort) {
    start();
    const std::string name(500'000, 'n');
    for (const auto& status :
         {activate("anomaly", name, 1),
          activate(name, "scan-detector", 1),
          rollback(name),
          remove("anomaly", name, 1)}) {
        expect(status, Code::NOT_FOUND, "nnnn...");
        EXPECT_LT(status.error_message().size(), 400u);
    }
    expect(push({}, {.slot = name, .announced = 10}), Code::INVALID_ARGUMENT, "header.slot");
    for (const auto& line : dir_.audit_lines()) {
        EXPECT_LT(line.size(), 4096u);
    }
    EXPECT_EQ(models(), 1u);
}

TEST_F(ServerPromises, AReloadWithManyFindingsIsAnsweredNotCutOff) {
    start();
    std::string extra;
    for (int i = 0; i < 200; ++i) {
        extra += "no_such_key_" + std::to_string(i) + ": 1\n";
    }
    write_config(extra);
    v1::ReloadReply reply;
    const auto status = connect()->Reload(context().get(), {}, &reply);
    EXPECT_EQ(status.error_code(), Code::INVALID_ARGUMENT) << status.error_message();
    EXPECT_NE(status.error_message().find("no_such_key_0"), std::string::npos);
    EXPECT_NE(status.error_message().find("\nand "), std::string::npos) << status.error_message();
    EXPECT_LT(status.error_message().size(), 2100u);
}

TEST_F(ServerPromises, AMessageThatIsNoPushIsRefused) {
    start();
    v1::PushModelReply reply;
    const auto stub = connect();
    for (const bool header_first : {false, true}) {
        const auto ctx = context();
        const auto writer = stub->PushModel(ctx.get(), &reply);
        v1::PushModelRequest request;
        if (header_first) {
            request.mutable_header()->set_size_bytes(10);
            EXPECT_TRUE(writer->Write(request));
            request.set_chunk("");
        }
        (void)writer->Write(request);
        writer->WritesDone();
        expect(
            writer->Finish(), Code::INVALID_ARGUMENT, header_first ? "is empty" : "neither header");
    }
    const auto ctx = context();
    const auto writer = stub->PushModel(ctx.get(), &reply);
    v1::PushModelRequest request;
    request.mutable_header()->set_size_bytes(10);
    EXPECT_TRUE(writer->Write(request));
    (void)writer->Write(request);
    writer->WritesDone();
    expect(writer->Finish(), Code::INVALID_ARGUMENT, "came twice");
}

TEST_F(ServerPromises, WatchersAreBounded) {
    start();
    const auto stub = connect();
    std::vector<std::unique_ptr<v1::Control::Stub>> stubs;
    std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
    std::vector<std::unique_ptr<grpc::ClientReader<v1::Status>>> readers;
    v1::WatchStatusRequest request;
    request.set_interval_ms(60'000);
    v1::Status status;
    for (int i = 0; i < ControlServer::kMaxWatches; ++i) {
        stubs.push_back(connect());
        contexts.push_back(context());
        readers.push_back(stubs.back()->WatchStatus(contexts.back().get(), request));
        ASSERT_TRUE(readers.back()->Read(&status)) << i;
    }
    const auto ctx = context();
    const auto one_more = stub->WatchStatus(ctx.get(), request);
    EXPECT_FALSE(one_more->Read(&status));
    EXPECT_EQ(one_more->Finish().error_code(), Code::RESOURCE_EXHAUSTED);
    EXPECT_EQ(models(), 1u) << "and others are served";
    for (auto& watching : contexts) {
        watching->TryCancel();
    }
}

TEST_F(ServerPromises, VerdictsOfAllModelsStayInTheStatus) {
    start();
    const auto scan = *dataplane::class_id("anomaly", "scan");
    runtime_.count_verdict(0, 0, scan, 3);
    ASSERT_TRUE(
        push(make_bundle({.version = 2}, operator_key()), {.slot = "anomaly", .activate = true})
            .ok());
    runtime_.count_verdict(1, 0, scan, 4);
    ASSERT_TRUE(rollback("anomaly").ok());
    runtime_.count_verdict(0, 0, scan, 5);
    v1::Status status;
    ASSERT_TRUE(connect()->GetStatus(context().get(), {}, &status).ok());
    ASSERT_EQ(status.slots(0).verdicts_size(), 1);
    EXPECT_EQ(status.slots(0).verdicts(0).rows(), 12u);
    EXPECT_EQ(status.slots(0).scored(), 12u);
}

TEST_F(ServerPromises, ARestartComesUpAsItWentDown) {
    start();
    ASSERT_TRUE(
        push(make_bundle({.version = 2}, operator_key()), {.slot = "anomaly", .activate = true})
            .ok());
    ASSERT_TRUE(push(make_bundle({.version = 3}, operator_key())).ok());
    plane_.reset();
    start();
    EXPECT_EQ(in_snapshot(0), "scan-detector@2");
    EXPECT_EQ(models(), 3u);
    ASSERT_TRUE(rollback("anomaly").ok());
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1") << "and still knows what was before";
}

}  // namespace
}  // namespace weir::control::test
