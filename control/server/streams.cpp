// SPDX-License-Identifier: BSD-3-Clause
// The two streamed calls: a bundle coming in, status going out.
#include "control/server/calls.h"
#include "control/server/convert.h"
#include "control/server/paced_reactor.h"
#include "control/server/service.h"

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <grpcpp/alarm.h>

namespace weir::control {

namespace {

/// Cancels a call that takes too long. The context goes before the timer's callback may: what they share is this.
class CallTimer {
  public:
    CallTimer(grpc::CallbackServerContext* context, std::chrono::seconds limit)
        : shared_(std::make_shared<Shared>()) {
        shared_->context = context;
        alarm_.Set(std::chrono::system_clock::now() + limit, [shared = shared_](bool expired) {
            const std::lock_guard lock(shared->mutex);
            if (expired && shared->context) {
                shared->context->TryCancel();
            }
        });
    }
    ~CallTimer() {
        const std::lock_guard lock(shared_->mutex);
        shared_->context = nullptr;
    }
    CallTimer(const CallTimer&) = delete;
    CallTimer& operator=(const CallTimer&) = delete;

  private:
    struct Shared {
        std::mutex mutex;
        grpc::CallbackServerContext* context = nullptr;
    };
    std::shared_ptr<Shared> shared_;
    grpc::Alarm alarm_;
};

class PushReactor final : public grpc::ServerReadReactor<v1::PushModelRequest> {
  public:
    PushReactor(Service& service, grpc::CallbackServerContext* context, v1::PushModelReply* reply)
        : service_(service),
          context_(context),
          reply_(reply),
          actor_(service.actor(*context)),
          incoming_(service.parts().checker->max_bytes()),
          timer_(context, std::chrono::seconds(ControlServer::kPushSeconds)) {
        const bool crowded = service_.pushes.fetch_add(1) >= ControlServer::kMaxPushes;
        if (const auto allowed =
                guarded([&] { return service_.enter(actor_, Role::operator_, "push"); });
            !allowed.ok()) {
            refuse_push(allowed);
            return;
        }
        if (crowded) {
            Finish(
                {grpc::StatusCode::RESOURCE_EXHAUSTED,
                 "push: too many bundles are coming in already; fix: try again"});
            return;
        }
        StartRead(&request_);
    }

    void OnReadDone(bool ok) override {
        if (!ok) {
            context_->IsCancelled() ? Finish(grpc::Status::CANCELLED) : complete();
            return;
        }
        auto status = incoming_.take(request_);
        if (status.ok() && request_.has_header()) {
            status = permit_header(request_.header());
        }
        status.ok() ? StartRead(&request_) : refuse_push(status);
    }

    void OnDone() override {
        service_.pushes.fetch_sub(1);
        delete this;
    }

  private:
    void complete() {
        if (const auto status = incoming_.complete(); !status.ok()) {
            refuse_push(status);
            return;
        }
        if (!service_.parts().verifier.post([this] { verify(); })) {
            Finish(busy());
        }
    }

    /// The rate was charged when the call began.
    grpc::Status permit_header(const v1::PushHeader& header) {
        const auto& access = service_.parts().access;
        return !access || access->role_of(actor_) >= role_for(header)
                   ? grpc::Status::OK
                   : guarded([&] {
                         return permit(service_.parts(), actor_, role_for(header), "push");
                     });
    }

    /// On the verifier thread.
    void verify() {
        std::shared_ptr<Outcome<Candidate>> checked;
        const auto status = guarded([&] {
            checked = std::make_shared<Outcome<Candidate>>(service_.parts().checker->check(
                incoming_.release(), "push", incoming_.header().slot()));
            return grpc::Status::OK;
        });
        if (!status.ok()) {
            Finish(status);
            return;
        }
        if (!service_.parts().control.post(
                [this, checked] { Finish(guarded([&] { return commit(*checked); })); })) {
            Finish(busy());
        }
    }

    /// On the control thread.
    grpc::Status commit(Outcome<Candidate>& checked) {
        if (context_->IsCancelled()) {
            return grpc::Status::CANCELLED;
        }
        return commit_push(
            service_.parts(), incoming_.header(), std::move(checked), actor_, *reply_);
    }

    /// For streams that never became a bundle: written down, then answered.
    void refuse_push(const grpc::Status& status) {
        const bool queued = service_.parts().control.post([this, status] {
            const Failure failure{FailureKind::invalid, {"", "", status.error_message(), ""}};
            service_.parts().registry.push_refused(incoming_.header().slot(), failure, actor_);
            Finish(status);
        });
        if (!queued) {
            Finish(status);
        }
    }

    Service& service_;
    grpc::CallbackServerContext* context_;
    v1::PushModelReply* reply_;
    Actor actor_;
    v1::PushModelRequest request_;
    IncomingBundle incoming_;
    CallTimer timer_;
};

class WatchReactor final : public PacedReactor<v1::Status> {
  public:
    WatchReactor(Service& service, const Actor& actor, const v1::WatchStatusRequest& request)
        : service_(service) {
        if (service_.watches.fetch_add(1) >= ControlServer::kMaxWatches) {
            Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "watch: too many clients watch already"});
            return;
        }
        if (const auto allowed =
                guarded([&] { return service_.enter(actor, Role::viewer, "watch"); });
            !allowed.ok()) {
            Finish(allowed);
            return;
        }
        if (const auto status = watch_interval(request, interval_); !status.ok()) {
            Finish(status);
            return;
        }
        next();
    }

    void OnWriteDone(bool ok) override {
        if (ok) {
            wait(interval_);
        } else {
            Finish(grpc::Status::CANCELLED);
        }
    }

    void OnDone() override {
        service_.watches.fetch_sub(1);
        delete this;
    }

  private:
    void next() override {
        status_.Clear();
        fill_status(service_.parts().view, service_.parts().metrics_url, status_);
        StartWrite(&status_);
    }

    Service& service_;
    std::chrono::milliseconds interval_{0};
    v1::Status status_;
};

}  // namespace

grpc::ServerReadReactor<v1::PushModelRequest>* Service::PushModel(
    grpc::CallbackServerContext* context, v1::PushModelReply* reply) {
    return new PushReactor(*this, context, reply);
}

grpc::ServerWriteReactor<v1::Status>* Service::WatchStatus(
    grpc::CallbackServerContext* context, const v1::WatchStatusRequest* request) {
    return new WatchReactor(*this, actor(*context), *request);
}

}  // namespace weir::control
