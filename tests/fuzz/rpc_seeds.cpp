// SPDX-License-Identifier: BSD-3-Clause
// Writes the seeds of the rpc fuzzer anew: rpc_seeds FOLDER. Needed only when a format changes.
#include "control/proto/control.pb.h"
#include "tests/fuzz/rpc_input.h"
#include "tests/unit/control/gateway_fixture.h"

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace weir::control;
using weir::fuzz::add_call;
using weir::fuzz::Rpc;

/// The calls of one push in chunks of `chunk_bytes`.
void add_push(
    std::string& input, const weir::kernels::Bytes& bytes, bool activate, std::size_t chunk_bytes) {
    v1::PushModelRequest request;
    request.mutable_header()->set_size_bytes(bytes.size());
    request.mutable_header()->set_slot("anomaly");
    request.mutable_header()->set_activate(activate);
    add_call(input, Rpc::push_message, request.SerializeAsString());
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    for (std::size_t at = 0; at < text.size(); at += chunk_bytes) {
        request.set_chunk(text.substr(at, chunk_bytes));
        add_call(input, Rpc::push_message, request.SerializeAsString());
    }
    add_call(input, Rpc::push_end, {});
}

template <typename Request>
std::string named(const std::string& slot, const std::string& name, std::uint32_t version) {
    Request request;
    request.set_slot(slot);
    request.set_name(name);
    request.set_version(version);
    return request.SerializeAsString();
}

std::string slot_only(const std::string& slot) {
    v1::RollbackModelRequest request;
    request.set_slot(slot);
    return request.SerializeAsString();
}

std::string lifecycle() {
    std::string input;
    add_push(input, test::make_bundle({.version = 2}, test::operator_key()), false, 1000);
    add_call(
        input, Rpc::activate_model, named<v1::ActivateModelRequest>("anomaly", "scan-detector", 2));
    add_call(input, Rpc::get_status, {});
    add_call(input, Rpc::rollback_model, slot_only("anomaly"));
    add_call(
        input, Rpc::remove_model, named<v1::RemoveModelRequest>("anomaly", "scan-detector", 2));
    add_call(input, Rpc::list_models, slot_only("anomaly"));
    return input;
}

std::string push_and_activate() {
    std::string input;
    add_push(input, test::make_bundle({.version = 3}, test::operator_key()), true, 300);
    add_push(input, test::make_bundle({.version = 1}, test::operator_key()), true, 1000);
    add_call(input, Rpc::reload, {});
    v1::StageModelRequest stage;
    stage.set_slot("anomaly");
    stage.set_name("scan-detector");
    stage.set_stage(v1::MODEL_STAGE_SHADOW);
    add_call(input, Rpc::stage_model, stage.SerializeAsString());
    stage.set_stage(v1::MODEL_STAGE_CANARY);
    stage.set_canary_permyriad(500);
    add_call(input, Rpc::stage_model, stage.SerializeAsString());
    v1::SetPolicyRequest policy;
    policy.mutable_rule()->set_slot("anomaly");
    policy.mutable_rule()->set_class_name("scan");
    policy.mutable_rule()->set_action("drop");
    add_call(input, Rpc::set_policy, policy.SerializeAsString());
    add_call(input, Rpc::get_policy, {});
    add_call(input, Rpc::who_am_i, {});
    return input;
}

std::string refused() {
    std::string input;
    add_push(input, test::make_bundle({}, test::stranger_key()), true, 1000);
    add_call(input, Rpc::activate_model, named<v1::ActivateModelRequest>("third", "m", 0));
    add_call(input, Rpc::activate_model, named<v1::ActivateModelRequest>("anomaly", "m", 7));
    add_call(input, Rpc::rollback_model, slot_only("qos"));
    add_call(input, Rpc::remove_model, named<v1::RemoveModelRequest>("anomaly", "weir-anomaly", 1));
    return input;
}

/// A gateway that has just come up: what it audited by itself is not this call's.
std::string activate_first() {
    std::string input;
    add_call(input, Rpc::activate_model, named<v1::ActivateModelRequest>("anomaly", "m", 7));
    return input;
}

std::string read_only() {
    std::string input;
    v1::WatchStatusRequest watch;
    watch.set_interval_ms(99);
    add_call(input, Rpc::watch_status, watch.SerializeAsString());
    watch.set_interval_ms(60'000);
    add_call(input, Rpc::watch_status, watch.SerializeAsString());
    add_call(input, Rpc::get_status, {});
    add_call(input, Rpc::list_ports, {});
    add_call(input, Rpc::list_models, {});
    add_call(input, Rpc::push_end, {});
    return input;
}

std::string live_flows() {
    std::string input;
    v1::TailVerdictsRequest tail;
    add_call(input, Rpc::tail_verdicts, tail.SerializeAsString());
    tail.mutable_filter()->set_slot("anomaly");
    tail.mutable_filter()->set_class_name("scan");
    tail.mutable_filter()->set_prefix("ff00::/8");
    tail.mutable_filter()->set_min_confidence(0.5);
    add_call(input, Rpc::tail_verdicts, tail.SerializeAsString());
    tail.mutable_filter()->set_class_name("skan");
    add_call(input, Rpc::tail_verdicts, tail.SerializeAsString());
    v1::ListFlowsRequest flows;
    add_call(input, Rpc::list_flows, flows.SerializeAsString());
    flows.set_by("score");
    add_call(input, Rpc::list_flows, flows.SerializeAsString());
    flows.mutable_filter()->set_slot("anomaly");
    flows.set_top(1);
    add_call(input, Rpc::list_flows, flows.SerializeAsString());
    flows.set_by("luck");
    add_call(input, Rpc::list_flows, flows.SerializeAsString());
    flows.set_by("");
    flows.mutable_filter()->set_prefix("10.0.0.1/8");
    add_call(input, Rpc::list_flows, flows.SerializeAsString());
    return input;
}

std::string overrides() {
    std::string input;
    v1::SetOverrideRequest set;
    set.set_kind("block");
    set.set_seconds(600);
    for (const char* target :
         {"10.0.0.0/8", "2001:db8::1", "tcp 10.0.0.1:40000 > 192.0.2.1:443", "10.0.0.0/33"}) {
        set.set_target(target);
        add_call(input, Rpc::set_override, set.SerializeAsString());
    }
    set.set_target("10.0.0.0/8");
    set.set_kind("allow");
    add_call(input, Rpc::set_override, set.SerializeAsString());
    set.set_seconds(0);
    add_call(input, Rpc::set_override, set.SerializeAsString());
    set.set_kind("bar");
    add_call(input, Rpc::set_override, set.SerializeAsString());
    add_call(input, Rpc::list_overrides, {});
    v1::RemoveOverrideRequest remove;
    remove.set_target("10.0.0.0/8");
    add_call(input, Rpc::remove_override, remove.SerializeAsString());
    add_call(input, Rpc::remove_override, remove.SerializeAsString());
    return input;
}

std::string explain() {
    std::string input;
    v1::ExplainFlowRequest request;
    for (const char* flow :
         {"tcp 0.0.0.0:0 > 0.0.0.0:0",
          "12345",
          "udp [2001:db8::1]:53 > [2001:db8::2]:53 vlan 5",
          "tcp 10.0.0.1"}) {
        request.set_flow(flow);
        add_call(input, Rpc::explain_flow, request.SerializeAsString());
    }
    request.set_flow("1");
    request.set_slot("anomaly");
    request.set_top(3);
    add_call(input, Rpc::explain_flow, request.SerializeAsString());
    request.set_top(257);
    add_call(input, Rpc::explain_flow, request.SerializeAsString());
    request.set_slot("third");
    add_call(input, Rpc::explain_flow, request.SerializeAsString());
    return input;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        (void)std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    const std::vector<std::pair<std::string, std::string>> seeds{
        {"activate-first", activate_first()},
        {"lifecycle", lifecycle()},
        {"push-activate", push_and_activate()},
        {"refused", refused()},
        {"read-only", read_only()},
        {"live-flows", live_flows()},
        {"overrides", overrides()},
        {"explain", explain()}};
    for (const auto& [name, input] : seeds) {
        test::write_text(std::string(argv[1]) + "/" + name + ".rpc", input);
    }
    return 0;
}
