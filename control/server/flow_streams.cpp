// SPDX-License-Identifier: BSD-3-Clause
// TailVerdicts and ListFlows: both wait for workers without holding a thread.
#include "control/server/calls.h"
#include "control/server/flow_calls.h"
#include "control/server/paced_reactor.h"
#include "control/server/service.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace weir::control {

namespace {

constexpr std::chrono::milliseconds kTailPeriod{50};
/// Of one reply: whatever their names, clients' limit of 4 MiB a message is far.
constexpr std::size_t kMostTold = 1024;

grpc::Status not_here() {
    return {grpc::StatusCode::UNIMPLEMENTED, "weir: this gateway does not tell about flows"};
}

/// Looks for new verdicts every kTailPeriod; writes them, if there are any.
class TailReactor final : public PacedReactor<v1::TailVerdictsReply> {
  public:
    TailReactor(Service& service, const Actor& actor, const v1::TailVerdictsRequest& request)
        : service_(service) {
        if (service_.tails.fetch_add(1) >= ControlServer::kMaxTails) {
            Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "tail: too many clients tail already"});
            return;
        }
        if (const auto status = guarded([&] { return begin(actor, request); }); !status.ok()) {
            Finish(status);
        }
    }

    void OnWriteDone(bool ok) override {
        if (!ok) {
            Finish(grpc::Status::CANCELLED);
        } else if (static_cast<std::size_t>(reply_.flows_size()) == kMostTold) {
            next();
        } else {
            wait(kTailPeriod);
        }
    }

    void OnDone() override {
        service_.tails.fetch_sub(1);
        delete this;
    }

  private:
    [[nodiscard]] FlowWatch& watch() { return *service_.parts().flows; }

    [[nodiscard]] grpc::Status begin(const Actor& actor, const v1::TailVerdictsRequest& request) {
        if (service_.parts().flows == nullptr) {
            return not_here();
        }
        FlowFilter filter;
        auto status = service_.enter(actor, Role::viewer, "tail");
        if (status.ok()) {
            status = filter_of(request.filter(), watch().slots(), filter);
        }
        if (status.ok() && !service_.parts().control.post([this, filter = std::move(filter)] {
                const auto subscribed = guarded([&] {
                    feed_ = watch().subscribe(filter);
                    return grpc::Status::OK;
                });
                subscribed.ok() ? next() : Finish(subscribed);
            })) {
            status = busy();
        }
        return status;
    }

    /// The first reply goes out at once and empty: verdicts set from then on will be told.
    void next() override {
        bool something = !begun_;
        const auto status = guarded([&] {
            const auto portion = feed_->take(kMostTold);
            something = something || !portion.verdicts.empty() || portion.missed != 0;
            reply_.Clear();
            reply_.set_missed(portion.missed);
            for (const auto& record : portion.verdicts) {
                fill(record, watch().slots(), *portion.models, *reply_.add_flows());
            }
            return grpc::Status::OK;
        });
        begun_ = true;
        if (!status.ok()) {
            Finish(status);
        } else if (something) {
            StartWrite(&reply_);
        } else {
            wait(kTailPeriod);
        }
    }

    Service& service_;
    std::shared_ptr<VerdictFeed> feed_;
    bool begun_ = false;
    v1::TailVerdictsReply reply_;
};

}  // namespace

grpc::ServerWriteReactor<v1::TailVerdictsReply>* Service::TailVerdicts(
    grpc::CallbackServerContext* context, const v1::TailVerdictsRequest* request) {
    return new TailReactor(*this, actor(*context), *request);
}

grpc::ServerUnaryReactor* Service::ListFlows(
    grpc::CallbackServerContext* context,
    const v1::ListFlowsRequest* request,
    v1::ListFlowsReply* reply) {
    auto* reactor = context->DefaultReactor();
    const auto answered = [this, reactor, reply](const FlowAnswer& answer) {
        reactor->Finish(guarded([&] {
            for (const auto& record : answer.flows) {
                fill(
                    record,
                    parts_.flows->slots(),
                    *answer.models,
                    *reply->add_flows(),
                    answer.overrides.get());
            }
            reply->set_live(answer.live);
            reply->set_matched(answer.matched);
            reply->set_complete(answer.complete);
            return grpc::Status::OK;
        }));
    };
    const auto asked = guarded([&] {
        if (parts_.flows == nullptr) {
            return not_here();
        }
        FlowQuery query;
        auto status = enter(actor(*context), Role::viewer, "flows");
        if (status.ok()) {
            status = query_of(*request, parts_.flows->slots(), query);
        }
        if (status.ok() && !parts_.control.post([this, reactor, answered, query] {
                const auto queued = guarded([&] {
                    return parts_.flows->query(query, answered)
                               ? grpc::Status::OK
                               : grpc::Status(
                                     grpc::StatusCode::RESOURCE_EXHAUSTED,
                                     "flows: too many clients ask already; fix: try again");
                });
                if (!queued.ok()) {
                    reactor->Finish(queued);
                }
            })) {
            status = busy();
        }
        return status;
    });
    if (!asked.ok()) {
        reactor->Finish(asked);
    }
    return reactor;
}

}  // namespace weir::control
