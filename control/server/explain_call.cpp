// SPDX-License-Identifier: BSD-3-Clause
// ExplainFlow: finds the flow, has its next packet taken down, explains it beside the control thread.
#include "control/export/flow_event.h"
#include "control/registry/flow_name.h"
#include "control/server/calls.h"
#include "control/server/explain_words.h"
#include "control/server/flow_calls.h"
#include "control/server/service.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::control {

namespace {

constexpr std::uint32_t kUsualWaitMs = 5000;
constexpr std::uint32_t kLongestWaitMs = 30'000;
constexpr std::uint32_t kUsualTop = 5;

/// One slot's model to ask, and what is told about it already.
struct Asked {
    std::shared_ptr<const dataplane::SlotModel> model;
    int entry = 0;  ///< of the reply's slots
};

/// One call. Each step is done where the one before left it: at gRPC's, on the control thread, on the verifier's.
class ExplainJob : public std::enable_shared_from_this<ExplainJob> {
  public:
    ExplainJob(
        Service& service,
        grpc::CallbackServerContext& context,
        const v1::ExplainFlowRequest& request,
        v1::ExplainFlowReply& reply,
        grpc::ServerUnaryReactor& reactor)
        : service_(service),
          context_(context),
          request_(request),
          reply_(reply),
          reactor_(reactor) {}

    void begin() {
        finish_unless_ok(guarded([&] { return check(); }));
    }

  private:
    [[nodiscard]] FlowWatch& watch() { return *service_.parts().flows; }
    void finish_unless_ok(const grpc::Status& status) {
        if (!status.ok()) {
            reactor_.Finish(status);
        }
    }

    [[nodiscard]] grpc::Status check() {
        if (service_.parts().flows == nullptr) {
            return {
                grpc::StatusCode::UNIMPLEMENTED, "weir: this gateway does not tell about flows"};
        }
        auto status = service_.enter(service_.actor(context_), Role::viewer, "explain");
        if (!status.ok()) {
            return status;
        }
        status = explain_query_of(request_, watch().slots(), name_);
        if (!status.ok()) {
            return status;
        }
        const bool queued = service_.parts().control.post([self = shared_from_this()] {
            self->finish_unless_ok(guarded([&] { return self->find(); }));
        });
        return queued ? grpc::Status::OK : busy();
    }

    /// On the control thread.
    [[nodiscard]] grpc::Status find() {
        FlowQuery query;
        query.by = FlowOrder::recent;
        query.top = 3;
        query.filter.also = [name = name_](const dataplane::FlowRecord& record) {
            return name.id ? flow_id(record) == *name.id : name.matches(record.key);
        };
        const bool asked = watch().query(query, [self = shared_from_this()](const FlowAnswer& a) {
            self->finish_unless_ok(guarded([&] { return self->found(a); }));
        });
        return asked ? grpc::Status::OK
                     : grpc::Status(
                           grpc::StatusCode::RESOURCE_EXHAUSTED,
                           "explain: too many clients ask already; fix: try again");
    }

    [[nodiscard]] grpc::Status found(const FlowAnswer& answer) {
        if (answer.flows.empty()) {
            return {
                grpc::StatusCode::NOT_FOUND,
                "flow " + name_.text +
                    (answer.complete ? ": is not alive: it has ended or was never here"
                                     : ": not found, and not every worker answered in time") +
                    "; fix: weirctl flows lists those that are; of ended ones EVE tells"};
        }
        if (answer.matched > 1) {
            std::string text = "flow " + name_.text + ": is " + std::to_string(answer.matched) +
                               " flows (VLANs, tunnels or port pairs); fix: name one by its id:";
            for (const auto& record : answer.flows) {
                text += " " + std::to_string(flow_id(record)) + " (" + flow_text(record) +
                        ", tunnel " + std::to_string(record.key.tunnel_id) + ")";
            }
            return {grpc::StatusCode::INVALID_ARGUMENT, text};
        }
        overrides_ = answer.overrides;
        tell_flow(answer.flows.front());
        const std::uint32_t wait = request_.wait_ms() == 0 ? kUsualWaitMs : request_.wait_ms();
        const bool asked = watch().sampler().ask(
            answer.flows.front().key,
            std::chrono::milliseconds(wait),
            [&context = context_] { return !context.IsCancelled(); },
            [self = shared_from_this()](const std::optional<dataplane::FlowSample>& sample) {
                self->finish_unless_ok(guarded([&] { return self->sampled(sample); }));
            });
        return asked ? grpc::Status::OK
                     : grpc::Status(
                           grpc::StatusCode::RESOURCE_EXHAUSTED,
                           "explain: too many clients wait for a packet; fix: try again");
    }

    void tell_flow(const dataplane::FlowRecord& record) {
        reply_.clear_flow();
        fill(record, watch().slots(), *watch().models(), *reply_.mutable_flow(), overrides_.get());
    }

    [[nodiscard]] grpc::Status sampled(const std::optional<dataplane::FlowSample>& sample) {
        if (context_.IsCancelled()) {
            return grpc::Status::CANCELLED;
        }
        if (!sample) {
            reply_.add_notes(
                "the flow had no packet while this waited, so no features were taken down; what is "
                "told of it is as of its last packet; fix: a longer --wait");
            reactor_.Finish(grpc::Status::OK);
            return grpc::Status::OK;
        }
        sample_ = *sample;
        const dataplane::Snapshot& snapshot = watch().runtime().publisher().current();
        reply_.set_sampled(true);
        tell_flow(sample->flow);
        if (sample->generation != snapshot.generation) {
            reply_.add_notes(
                "models or rules changed while the packet was on its way: which rule it met is not "
                "known any more; fix: ask again");
        }
        fill_decision(
            service_.parts().registry,
            snapshot,
            watch().runtime().workers(),
            *sample,
            *reply_.mutable_decision());
        for (std::size_t s = 0; s < snapshot.slots.size(); ++s) {
            ask_slot(snapshot.slots[s], s);
        }
        const bool queued = service_.parts().verifier.post([self = shared_from_this()] {
            self->reactor_.Finish(guarded([&] { return self->explain_all(); }));
        });
        return queued ? grpc::Status::OK : busy();
    }

    /// The slot's verdict, and the model that can explain it: the one that gave it, else the active one.
    void ask_slot(const dataplane::SnapshotSlot& slot, std::size_t index) {
        if (!request_.slot().empty() && slot.name != request_.slot()) {
            return;
        }
        const dataplane::Verdict& verdict = sample_.flow.verdicts.at(index);
        auto model = slot.active;
        for (const auto& trial : slot.trials) {
            model = trial.model->ref == verdict.model_ref ? trial.model : model;
        }
        if (model == nullptr) {
            reply_.add_notes("slot " + slot.name + ": has no model");
            return;
        }
        auto& told = *reply_.add_slots();
        told.set_slot(slot.name);
        told.set_explained_by(model->name + "@" + std::to_string(model->version));
        if (verdict.cls != dataplane::kNoClass) {
            told.set_class_name(dataplane::class_name(slot.name, verdict.cls));
            for (const auto& decided : reply_.flow().verdicts()) {
                if (decided.slot() == slot.name) {
                    told.set_confidence(decided.confidence());
                    told.set_model(decided.model());
                    told.set_version(decided.version());
                    told.set_decided_at_packet(decided.decided_at_packet());
                }
            }
            if (model->ref != verdict.model_ref) {
                reply_.add_notes(
                    "slot " + slot.name +
                    ": the model that gave the verdict is not in use any "
                    "more; " +
                    told.explained_by() + " explains it");
            }
        } else {
            reply_.add_notes("slot " + slot.name + ": has not decided about the flow yet");
        }
        asked_.push_back({std::move(model), reply_.slots_size() - 1});
    }

    /// Beside the control thread: a large network takes its time.
    [[nodiscard]] grpc::Status explain_all() {
        const std::size_t top = request_.top() == 0 ? kUsualTop : request_.top();
        for (const Asked& asked : asked_) {
            auto& told = *reply_.mutable_slots(asked.entry);
            const bool decided = !told.class_name().empty();
            const auto explained = control::explain(
                *asked.model,
                sample_.row,
                decided ? std::optional(told.class_name()) : std::nullopt);
            if (!explained) {
                continue;
            }
            if (decided && told.class_name() != explained->cls) {
                reply_.add_notes(
                    "slot " + told.slot() + ": " + told.explained_by() + " knows no class " +
                    told.class_name() + "; explained is " + explained->cls);
            }
            told.set_class_name(explained->cls);
            if (!decided) {
                told.set_confidence(explained->packet_confidence);
            }
            fill(*explained, top, told);
        }
        return grpc::Status::OK;
    }

    Service& service_;
    grpc::CallbackServerContext& context_;
    const v1::ExplainFlowRequest& request_;
    v1::ExplainFlowReply& reply_;
    grpc::ServerUnaryReactor& reactor_;
    FlowName name_;
    std::shared_ptr<const dataplane::OverrideSet> overrides_;
    dataplane::FlowSample sample_;
    std::vector<Asked> asked_;
};

}  // namespace

grpc::Status explain_query_of(
    const v1::ExplainFlowRequest& wire, const std::vector<std::string>& slots, FlowName& out) {
    auto name = parse_flow_name(wire.flow());
    if (!name) {
        return to_status({FailureKind::invalid, std::move(name.error())});
    }
    out = std::move(*name);
    if (!wire.slot().empty() && std::find(slots.begin(), slots.end(), wire.slot()) == slots.end()) {
        FlowFilter filter;
        v1::FlowFilter named;
        named.set_slot(wire.slot());
        return filter_of(named, slots, filter);  // says which there are
    }
    if (wire.wait_ms() > kLongestWaitMs || wire.top() > kernels::kMaxInputs) {
        return {
            grpc::StatusCode::INVALID_ARGUMENT,
            "explain: --wait is at most 30 seconds, --top at most 256"};
    }
    return grpc::Status::OK;
}

grpc::ServerUnaryReactor* Service::ExplainFlow(
    grpc::CallbackServerContext* context,
    const v1::ExplainFlowRequest* request,
    v1::ExplainFlowReply* reply) {
    auto* reactor = context->DefaultReactor();
    std::make_shared<ExplainJob>(*this, *context, *request, *reply, *reactor)->begin();
    return reactor;
}

}  // namespace weir::control
