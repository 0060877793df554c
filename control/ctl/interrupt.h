// SPDX-License-Identifier: BSD-3-Clause
// Ctrl-C ends a stream in the ordinary way.
#pragma once

#include <thread>

namespace grpc {
class ClientContext;
}

namespace weir::ctl {

/// While it lives, the first SIGINT cancels the call of `context`: its reader ends, and what was printed is flushed and
/// looked at as ever. A second one kills the process, so that an output which takes nothing more cannot hold it. Make it
/// before the call. One at a time. Thread: main.
class Interrupt {
  public:
    explicit Interrupt(grpc::ClientContext& context);
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    [[nodiscard]] static bool happened() noexcept;

  private:
    int pipe_[2] = {-1, -1};
    std::thread waiting_;
};

}  // namespace weir::ctl
