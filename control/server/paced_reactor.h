// SPDX-License-Identifier: BSD-3-Clause
// A stream that writes, waits without a thread, and writes again, until its client cancels.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

namespace weir::control {

/// Thread: gRPC's, one call of these at a time but for OnCancel.
template <typename Reply>
class PacedReactor : public grpc::ServerWriteReactor<Reply> {
  public:
    void OnCancel() final {
        const std::lock_guard lock(mutex_);
        cancelled_ = true;
        if (alarm_) {
            alarm_->Cancel();
        }
    }

  protected:
    /// Calls next() after `time`, or finishes the stream if the client cancels, or has.
    void wait(std::chrono::milliseconds time) {
        bool over = false;
        {
            const std::lock_guard lock(mutex_);
            over = cancelled_;
            if (!over) {
                // A new one each time: the last one's callback may still be returning.
                alarm_ = std::make_unique<grpc::Alarm>();
                alarm_->Set(std::chrono::system_clock::now() + time, [this](bool expired) {
                    expired ? next() : this->Finish(grpc::Status::CANCELLED);
                });
            }
        }
        if (over) {
            this->Finish(grpc::Status::CANCELLED);
        }
    }

  private:
    virtual void next() = 0;

    std::mutex mutex_;
    bool cancelled_ = false;
    std::unique_ptr<grpc::Alarm> alarm_;
};

}  // namespace weir::control
