// SPDX-License-Identifier: BSD-3-Clause
#include "tests/fuzz/rpc_flows.h"

#include "control/export/flow_event.h"
#include "control/server/explain_words.h"
#include "control/server/flow_calls.h"
#include "control/watch/explanation.h"
#include "dataplane/snapshot_build.h"
#include "tests/fuzz/rpc_check.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace weir::fuzz {

namespace v1 = control::v1;

FlowCalls::FlowCalls(control::test::FakeRuntime& runtime, std::vector<std::string> slots)
    : runtime_(runtime), watch_(runtime, std::move(slots)) {
    runtime_.finish_walks(true);
    undecided_.key.ip_version = 4;
    undecided_.key.proto = 6;
    undecided_.bytes = {1000, 10};
    scan_ = undecided_;
    scan_.key.ip_version = 6;
    scan_.key.addr_lo.fill(0xff);
    scan_.verdicts[0].cls = *dataplane::class_id("anomaly", "scan");
    scan_.verdicts[0].score = 40'000;
}

grpc::Status FlowCalls::tail(std::string_view message) {
    const auto request = parse<v1::TailVerdictsRequest>(message);
    control::FlowFilter filter;
    auto status =
        request ? control::filter_of(request->filter(), watch_.slots(), filter) : grpc::Status::OK;
    if (!request || !status.ok()) {
        return status;
    }
    {
        const auto feed = watch_.subscribe(filter);
        runtime_.add_verdict(scan_);
        watch_.turn({});
        const auto portion = feed->take();
        require(portion.verdicts.size() <= 1 && portion.missed == 0);
        v1::TailVerdictsReply reply;
        for (const auto& record : portion.verdicts) {
            control::fill(record, watch_.slots(), *portion.models, *reply.add_flows());
        }
        check_reply(reply);
    }
    watch_.turn({});
    require(!runtime_.telling());
    return status;
}

grpc::Status FlowCalls::list(std::string_view message) {
    const auto request = parse<v1::ListFlowsRequest>(message);
    control::FlowQuery query;
    auto status = request ? control::query_of(*request, watch_.slots(), query) : grpc::Status::OK;
    if (!request || !status.ok()) {
        return status;
    }
    runtime_.add_flow(undecided_);
    runtime_.add_flow(scan_);
    bool answered = false;
    require(watch_.query(query, [&](const control::FlowAnswer& answer) {
        answered = true;
        require(answer.complete && answer.live == 2 && answer.matched <= 2);
        require(answer.flows.size() == std::min<std::uint64_t>(answer.matched, query.top));
        v1::ListFlowsReply reply;
        for (const auto& record : answer.flows) {
            control::fill(record, watch_.slots(), *answer.models, *reply.add_flows());
        }
        check_reply(reply);
    }));
    watch_.turn({});
    require(answered);
    return status;
}

grpc::Status FlowCalls::explain(std::string_view message, const control::ModelRegistry& registry) {
    const auto request = parse<v1::ExplainFlowRequest>(message);
    control::FlowName name;
    auto status =
        request ? control::explain_query_of(*request, watch_.slots(), name) : grpc::Status::OK;
    if (!request || !status.ok()) {
        return status;
    }
    const auto& snapshot = runtime_.publisher().current();
    for (const auto* record : {&undecided_, &scan_}) {
        const bool meant =
            name.id ? control::flow_id(*record) == *name.id : name.matches(record->key);
        dataplane::FlowSample sample;
        sample.flow = *record;
        sample.row = {};
        for (std::size_t f = 0; f < sample.row.codes.size() && !message.empty(); ++f) {
            sample.row.codes[f] = static_cast<std::uint8_t>(message[f % message.size()]);
            sample.row.raw[f] = sample.row.codes[f];
        }
        // What was sampled under an earlier snapshot is told of, too.
        sample.generation = snapshot.generation - (request->top() % 2);
        v1::ExplainFlowReply reply;
        reply.set_sampled(meant);
        control::fill_decision(
            registry, snapshot, runtime_.workers(), sample, *reply.mutable_decision());
        for (const auto& slot : snapshot.slots) {
            if (slot.active == nullptr) {
                continue;
            }
            const auto explained = control::explain(*slot.active, sample.row, {});
            require(explained.has_value());
            auto& told = *reply.add_slots();
            control::fill(*explained, std::max(request->top(), 1U), told);
            require(told.features_size() >= 1);
        }
        check_reply(reply);
    }
    return status;
}

}  // namespace weir::fuzz
