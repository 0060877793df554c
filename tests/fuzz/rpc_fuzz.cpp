// SPDX-License-Identifier: BSD-3-Clause
// Requests of the control service from anyone, against a registry over a fake data plane: what is refused has changed
// nothing and says why in one short line, what is accepted is what workers follow, and each is one audit line.
#include "control/audit/audit.h"
#include "control/control_thread.h"
#include "control/gateway_view.h"
#include "control/registry/registry.h"
#include "control/server/calls.h"
#include "control/server/convert.h"
#include "dataplane/features/catalog.h"
#include "tests/fuzz/rpc_calls.h"
#include "tests/fuzz/rpc_check.h"
#include "tests/fuzz/rpc_flows.h"
#include "tests/fuzz/rpc_input.h"
#include "tests/unit/control/fake_runtime.h"
#include "tests/unit/control/gateway_fixture.h"

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace {

using namespace weir::control;
using weir::fuzz::check_refusal;
using weir::fuzz::check_reply;
using weir::fuzz::parse;
using weir::fuzz::require;
using weir::fuzz::Rpc;

constexpr std::size_t kMaxCalls = 32;
constexpr std::size_t kMaxBundleBytes = std::size_t{1} << 16;
const std::vector<std::string> kSlots{"anomaly", "qos"};

/// All that a refusal must leave alone.
struct Seen {
    std::vector<std::optional<ModelKey>> active;
    std::vector<ModelKey> stored;
    std::uint64_t generation = 0;
    friend bool operator==(const Seen&, const Seen&) = default;
};

/// A control plane without socket and HTTP.
class World {
  public:
    World();
    ~World() { stop(); }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    void run(std::string_view input);

  private:
    void start();
    void stop();
    void call(const weir::fuzz::RpcCall& call);
    [[nodiscard]] std::optional<grpc::Status> dispatch(const weir::fuzz::RpcCall& call);
    [[nodiscard]] std::optional<grpc::Status> push_message(std::string_view message);
    [[nodiscard]] grpc::Status push_end();
    [[nodiscard]] std::optional<grpc::Status> policy(std::string_view message);
    [[nodiscard]] grpc::Status read_only(const weir::fuzz::RpcCall& call);
    [[nodiscard]] Seen look();
    [[nodiscard]] std::size_t audit_lines();

    test::GatewayDir dir_;
    weir::config::Config config_;
    std::unique_ptr<test::FakeRuntime> runtime_;
    std::unique_ptr<AuditLog> audit_;
    std::unique_ptr<VerdictLedger> ledger_;
    std::shared_ptr<const BundleChecker> checker_;
    std::unique_ptr<ModelRegistry> registry_;
    std::unique_ptr<GatewayView> view_;
    std::unique_ptr<weir::fuzz::FlowCalls> flows_;
    // Calls are made from here: the threads only stand in their places.
    ControlThread control_{{.name = "control", .cpus = {}, .periodic = {}}};
    ControlThread verifier_{{.name = "verifier", .cpus = {}, .periodic = {}}};
    std::unique_ptr<ControlServer::Parts> parts_;
    std::optional<IncomingBundle> incoming_;
    Seen fresh_;
};

World::World() : config_(dir_.config()) {
    start();
}

void World::start() {
    runtime_ = std::make_unique<test::FakeRuntime>(1);
    auto store = ModelStore::open(config_.control.state_dir);
    auto audit = AuditLog::open(dir_ / "state/audit.log");
    require(store.has_value() && audit.has_value());
    audit_ = std::move(*audit);
    weir::kernels::Keyring builtin;
    builtin.add(test::builtin_key().public_key("builtin"));
    checker_ = std::make_shared<const BundleChecker>(
        config_.control.keyring,
        std::move(builtin),
        weir::dataplane::catalog_view(),
        kMaxBundleBytes);
    ledger_ = std::make_unique<VerdictLedger>(runtime_->workers(), kSlots);
    std::vector<weir::kernels::Bytes> defaults;
    defaults.push_back(test::make_bundle({.name = "weir-anomaly"}, test::builtin_key()));
    std::vector<std::string> warnings;
    auto registry = ModelRegistry::recover(
        config_,
        {std::move(*store),
         checker_,
         std::move(defaults),
         runtime_->publisher(),
         *audit_,
         *ledger_},
        warnings);
    require(registry.has_value());
    registry_ = std::move(*registry);
    view_ = std::make_unique<GatewayView>(
        GatewayView::Fixed{"fuzz", runtime_->workers(), runtime_->tsc_hz()}, *ledger_);
    flows_ = std::make_unique<weir::fuzz::FlowCalls>(*runtime_, kSlots);
    parts_ = std::make_unique<ControlServer::Parts>(ControlServer::Parts{
        control_,
        verifier_,
        *registry_,
        checker_,
        *view_,
        "",
        [this] {
            ViewState state;
            state.slots = kSlots;
            state.active = registry_->active();
            state.swaps = registry_->swaps();
            state.ports = runtime_->ports();
            view_->update(std::move(state));
        },
        [this](const Actor& actor, bool /*dry_run*/) {
            return registry_->apply_config(config_, actor);
        },
        {},
        nullptr,
        &flows_->watch()});
    parts_->changed();
    fresh_ = look();
    require(fresh_.stored.size() == 1 && fresh_.active[0].has_value());
    (void)audit_lines();  // those of the start: the first call has its own alone
}

void World::stop() {
    parts_.reset();
    flows_.reset();
    view_.reset();
    registry_.reset();
    ledger_.reset();
    audit_.reset();
    runtime_.reset();
    std::filesystem::remove_all(config_.control.state_dir);
}

Seen World::look() {
    Seen seen;
    const auto& snapshot = runtime_->publisher().current();
    const auto active = registry_->active();
    require(active.size() == snapshot.slots.size());
    for (std::size_t i = 0; i < active.size(); ++i) {
        // What the registry says is what workers would follow.
        const auto& model = snapshot.slots[i].active;
        require(active[i].has_value() == (model != nullptr));
        if (model) {
            require(active[i]->key.name == model->name && active[i]->key.version == model->version);
            require(active[i]->stage == Stage::active);
            seen.active.emplace_back(active[i]->key);
        } else {
            seen.active.emplace_back(std::nullopt);
        }
    }
    const auto stored = registry_->list("");
    require(stored.has_value());
    for (const auto& info : *stored) {
        seen.stored.push_back(info.key);
    }
    seen.generation = snapshot.generation;
    return seen;
}

std::size_t World::audit_lines() {
    const auto lines = dir_.audit_lines();
    for (const auto& line : lines) {
        const auto json = nlohmann::json::parse(line);
        require(json["result"] == "ok" || !json["reason"].get<std::string>().empty());
    }
    // Emptied, so that the next look is short; the log appends.
    require(::truncate((dir_ / "state/audit.log").c_str(), 0) == 0);
    return lines.size();
}

std::optional<grpc::Status> World::push_message(std::string_view message) {
    const auto request = parse<v1::PushModelRequest>(message);
    if (!request) {
        return std::nullopt;
    }
    if (!incoming_) {
        incoming_.emplace(kMaxBundleBytes);
    }
    auto status = incoming_->take(*request);
    if (!status.ok()) {
        incoming_.reset();
    }
    return status;
}

grpc::Status World::push_end() {
    IncomingBundle incoming = incoming_ ? std::move(*incoming_) : IncomingBundle(kMaxBundleBytes);
    incoming_.reset();
    if (auto status = incoming.complete(); !status.ok()) {
        return status;
    }
    const auto header = incoming.header();
    v1::PushModelReply reply;
    auto status = commit_push(
        *parts_, header, checker_->check(incoming.release(), "push", header.slot()), {}, reply);
    require(audit_lines() >= 1);
    require(status.ok() == reply.has_model());
    require(!status.ok() || header.slot().empty() || reply.model().slot() == header.slot());
    require(!status.ok() || !header.activate() || reply.model().stage() == v1::MODEL_STAGE_ACTIVE);
    check_reply(reply);
    return status;
}

std::optional<grpc::Status> World::policy(std::string_view message) {
    const auto request = parse<v1::SetPolicyRequest>(message);
    if (!request) {
        return std::nullopt;
    }
    v1::SetPolicyReply reply;
    auto status = set_policy(*parts_, *request, {}, reply);
    require(!status.ok() || reply.applied() != request->dry_run());
    check_reply(reply);
    (void)audit_lines();
    return status;
}

/// The calls that no change can come from.
grpc::Status World::read_only(const weir::fuzz::RpcCall& call) {
    grpc::Status status;
    if (call.rpc == Rpc::list_models) {
        v1::ListModelsReply reply;
        if (const auto request = parse<v1::ListModelsRequest>(call.message)) {
            status = list_models(*parts_, *request, reply);
        }
        check_reply(reply);
    } else if (call.rpc == Rpc::get_status) {
        v1::Status reply;
        fill_status(*view_, "", reply);
        check_reply(reply);
    } else if (call.rpc == Rpc::list_ports) {
        v1::ListPortsReply reply;
        fill_ports(*view_, *reply.mutable_ports());
        check_reply(reply);
    } else if (call.rpc == Rpc::get_policy) {
        v1::GetPolicyReply reply;
        if (const auto request = parse<v1::GetPolicyRequest>(call.message)) {
            status = get_policy(*parts_, *request, reply);
        }
        check_reply(reply);
    } else if (call.rpc == Rpc::who_am_i) {
        v1::WhoAmIReply reply;
        if (parse<v1::WhoAmIRequest>(call.message)) {
            who_am_i(*parts_, {}, reply);
            require(!reply.role().empty());
        }
        check_reply(reply);
    } else if (call.rpc == Rpc::watch_status) {
        status = weir::fuzz::watch_call(call.message);
    } else if (call.rpc == Rpc::tail_verdicts) {
        status = flows_->tail(call.message);
    } else if (call.rpc == Rpc::list_flows) {
        status = flows_->list(call.message);
    } else if (call.rpc == Rpc::explain_flow) {
        status = flows_->explain(call.message, *registry_);
    }
    return status;
}

std::optional<grpc::Status> World::dispatch(const weir::fuzz::RpcCall& call) {
    std::optional<grpc::Status> status;
    v1::ActivateModelReply switched;
    v1::ReloadReply reloaded;
    switch (call.rpc) {
        case Rpc::push_message:
            return push_message(call.message);
        case Rpc::push_end:
            return push_end();
        case Rpc::activate_model:
            if (const auto request = parse<v1::ActivateModelRequest>(call.message)) {
                status = activate_model(*parts_, *request, {}, switched);
                require(!status->ok() || switched.to().slot() == request->slot());
            }
            break;
        case Rpc::stage_model:
            if (const auto request = parse<v1::StageModelRequest>(call.message)) {
                status = stage_model(*parts_, *request, {}, switched);
                require(
                    !status->ok() || switched.to().stage() == request->stage() ||
                    request->stage() == v1::MODEL_STAGE_VERIFIED);
                check_reply(switched);
                (void)audit_lines();
            }
            return status;
        case Rpc::set_policy:
            return policy(call.message);
        case Rpc::set_override:
        case Rpc::remove_override:
        case Rpc::list_overrides:
            status = weir::fuzz::override_call(call, *parts_, runtime_->publisher());
            (void)audit_lines();
            return status;
        case Rpc::rollback_model:
            if (const auto request = parse<v1::RollbackModelRequest>(call.message)) {
                status = rollback_model(*parts_, *request, {}, switched);
            }
            break;
        case Rpc::remove_model:
            if (const auto request = parse<v1::RemoveModelRequest>(call.message)) {
                status = remove_model(*parts_, *request, {});
            }
            break;
        case Rpc::reload:
            if (const auto request = parse<v1::ReloadRequest>(call.message)) {
                status = reload(*parts_, *request, {}, reloaded);
                require(status->ok());
            }
            break;
        default:
            return read_only(call);
    }
    check_reply(switched);
    check_reply(reloaded);
    require(!status || audit_lines() == 1);
    return status;
}

void World::call(const weir::fuzz::RpcCall& call) {
    const Seen before = look();
    const auto status = dispatch(call);
    const Seen after = look();
    if (!status) {  // no message of this type
        require(before == after);
        return;
    }
    if (!status->ok()) {
        check_refusal(*status);
        require(before == after);
        return;
    }
    const bool may_activate = call.rpc == Rpc::push_end || call.rpc == Rpc::activate_model ||
                              call.rpc == Rpc::rollback_model || call.rpc == Rpc::stage_model ||
                              call.rpc == Rpc::set_policy || call.rpc == Rpc::set_override ||
                              call.rpc == Rpc::remove_override;
    require(
        may_activate || (before.active == after.active && before.generation == after.generation));
    const bool may_store = call.rpc == Rpc::push_end || call.rpc == Rpc::remove_model;
    require(may_store || before.stored == after.stored);
}

void World::run(std::string_view input) {
    incoming_.reset();
    for (std::size_t i = 0; i < kMaxCalls; ++i) {
        const auto next = weir::fuzz::next_call(input);
        if (!next) {
            break;
        }
        call(*next);
    }
    if (look() != fresh_) {  // the next input meets the same gateway
        stop();
        start();
    }
}

World& world() {
    // Files go to memory where that is to be had: the store waits for the disk at each change.
    if (::access("/dev/shm", W_OK | X_OK) == 0) {
        (void)::setenv("TMPDIR", "/dev/shm", 1);
    }
    spdlog::set_level(spdlog::level::off);
    static World one;
    return one;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    world().run(std::string_view(reinterpret_cast<const char*>(data), size));
    return 0;
}
