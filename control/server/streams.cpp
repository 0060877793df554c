// SPDX-License-Identifier: BSD-3-Clause
// The two streamed calls: a bundle coming in, status going out.
#include "control/server/convert.h"
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
          timer_(context, std::chrono::seconds(ControlServer::kPushSeconds)) {
        if (service_.pushes.fetch_add(1) >= ControlServer::kMaxPushes) {
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
        const auto status = request_.has_header() ? take_header() : take_chunk();
        status.ok() ? StartRead(&request_) : refuse_push(status);
    }

    void OnDone() override {
        service_.pushes.fetch_sub(1);
        delete this;
    }

  private:
    static grpc::Status bad(const std::string& text) {
        return {grpc::StatusCode::INVALID_ARGUMENT, "push: " + text};
    }

    grpc::Status take_header() {
        if (has_header_) {
            return bad("header: came twice");
        }
        header_ = request_.header();
        has_header_ = true;
        const std::size_t limit = service_.parts().checker->max_bytes();
        if (header_.size_bytes() == 0) {
            return bad("header.size_bytes: is 0; fix: name the bundle's size");
        }
        if (header_.size_bytes() > limit) {
            return {
                grpc::StatusCode::RESOURCE_EXHAUSTED,
                "push: header.size_bytes: " + std::to_string(header_.size_bytes()) +
                    " is more than the limit of " + std::to_string(limit) +
                    "; fix: a smaller model, or raise control.max_bundle_mb"};
        }
        return grpc::Status::OK;
    }

    grpc::Status take_chunk() {
        if (!has_header_) {
            return bad("the first message is no header");
        }
        const std::string& chunk = request_.chunk();
        if (chunk.size() > header_.size_bytes() - bytes_.size()) {
            return bad("chunk: more bytes than header.size_bytes says");
        }
        // Grows with what came, not with what was announced.
        const auto* begin = reinterpret_cast<const std::byte*>(chunk.data());
        bytes_.insert(bytes_.end(), begin, begin + chunk.size());
        return grpc::Status::OK;
    }

    void complete() {
        if (!has_header_ || bytes_.size() != header_.size_bytes()) {
            refuse_push(
                bad("truncated: " + std::to_string(bytes_.size()) + " of " +
                    std::to_string(header_.size_bytes()) + " bytes came"));
            return;
        }
        if (!service_.parts().verifier.post([this] { verify(); })) {
            Finish(busy());
        }
    }

    /// On the verifier thread.
    void verify() {
        std::shared_ptr<Outcome<Candidate>> checked;
        const auto status = guarded([&] {
            checked = std::make_shared<Outcome<Candidate>>(
                service_.parts().checker->check(std::move(bytes_), "push", header_.slot()));
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
        auto& parts = service_.parts();
        if (context_->IsCancelled()) {
            return grpc::Status::CANCELLED;
        }
        if (!checked) {
            parts.registry.push_refused(header_.slot(), checked.error(), actor_);
            return to_status(checked.error());
        }
        const PushOptions options{
            .activate = header_.activate(),
            .allow_older = header_.allow_older(),
            .source = Source::pushed};
        auto pushed = parts.registry.push(std::move(*checked), options, actor_);
        if (!pushed) {
            return to_status(pushed.error());
        }
        parts.changed();
        fill(*pushed, *reply_);
        return grpc::Status::OK;
    }

    /// For streams that never became a bundle.
    void refuse_push(const grpc::Status& status) {
        const Failure failure{FailureKind::invalid, {"", "", status.error_message(), ""}};
        (void)service_.parts().control.post(
            [&registry = service_.parts().registry,
             slot = header_.slot(),
             failure,
             actor = actor_] { registry.push_refused(slot, failure, actor); });
        Finish(status);
    }

    Service& service_;
    grpc::CallbackServerContext* context_;
    v1::PushModelReply* reply_;
    Actor actor_;
    v1::PushModelRequest request_;
    v1::PushHeader header_;
    bool has_header_ = false;
    kernels::Bytes bytes_;
    CallTimer timer_;
};

class WatchReactor final : public grpc::ServerWriteReactor<v1::Status> {
  public:
    static constexpr std::uint32_t kMinMs = 100;
    static constexpr std::uint32_t kMaxMs = 60'000;

    WatchReactor(Service& service, std::uint32_t interval_ms)
        : service_(service), interval_(interval_ms == 0 ? 1000 : interval_ms) {
        if (service_.watches.fetch_add(1) >= ControlServer::kMaxWatches) {
            Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "watch: too many clients watch already"});
            return;
        }
        if (interval_.count() < kMinMs || interval_.count() > kMaxMs) {
            Finish(
                {grpc::StatusCode::INVALID_ARGUMENT,
                 "watch: interval_ms: not within 100 to 60000"});
            return;
        }
        write();
    }

    void OnWriteDone(bool ok) override {
        bool over = !ok;
        {
            const std::lock_guard lock(mutex_);
            over = over || cancelled_;
            if (!over) {
                // A new one each time: the last one's callback may still be returning.
                alarm_ = std::make_unique<grpc::Alarm>();
                alarm_->Set(std::chrono::system_clock::now() + interval_, [this](bool expired) {
                    expired ? write() : Finish(grpc::Status::CANCELLED);
                });
            }
        }
        if (over) {
            Finish(grpc::Status::CANCELLED);
        }
    }

    void OnCancel() override {
        const std::lock_guard lock(mutex_);
        cancelled_ = true;
        if (alarm_) {
            alarm_->Cancel();
        }
    }

    void OnDone() override {
        service_.watches.fetch_sub(1);
        delete this;
    }

  private:
    void write() {
        status_.Clear();
        fill_status(service_.parts().view, service_.parts().metrics_url, status_);
        StartWrite(&status_);
    }

    Service& service_;
    std::chrono::milliseconds interval_;
    v1::Status status_;
    std::mutex mutex_;
    bool cancelled_ = false;
    std::unique_ptr<grpc::Alarm> alarm_;
};

}  // namespace

grpc::ServerReadReactor<v1::PushModelRequest>* Service::PushModel(
    grpc::CallbackServerContext* context, v1::PushModelReply* reply) {
    return new PushReactor(*this, context, reply);
}

grpc::ServerWriteReactor<v1::Status>* Service::WatchStatus(
    grpc::CallbackServerContext* /*context*/, const v1::WatchStatusRequest* request) {
    return new WatchReactor(*this, request->interval_ms());
}

}  // namespace weir::control
