// SPDX-License-Identifier: BSD-3-Clause
#include "control/ctl/interrupt.h"

#include <atomic>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <grpcpp/client_context.h>
#include <unistd.h>

namespace weir::ctl {

namespace {

constexpr char kInterrupted = 'i';
constexpr char kOver = 'o';

std::atomic<bool> interrupted{false};
std::atomic<int> wake{-1};

// A call cannot be cancelled in a signal handler: a thread is told.
void on_signal(int /*signal*/) {
    const int error = errno;
    interrupted = true;
    (void)!::write(wake, &kInterrupted, 1);
    errno = error;
}

void set_handler(void (*handler)(int), int flags) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    (void)::sigemptyset(&action.sa_mask);
    (void)::sigaction(SIGINT, &action, nullptr);
}

}  // namespace

Interrupt::Interrupt(grpc::ClientContext& context) {
    interrupted = false;
    if (::pipe2(pipe_, O_CLOEXEC) != 0) {
        return;  // Ctrl-C then kills
    }
    waiting_ = std::thread([&context, from = pipe_[0]] {
        char why = kOver;
        while (::read(from, &why, 1) < 0 && errno == EINTR) {
        }
        if (why == kInterrupted) {
            context.TryCancel();
        }
    });
    wake = pipe_[1];
    set_handler(on_signal, SA_RESTART | SA_RESETHAND);
}

Interrupt::~Interrupt() {
    if (!waiting_.joinable()) {
        return;
    }
    set_handler(SIG_DFL, 0);
    (void)!::write(pipe_[1], &kOver, 1);
    waiting_.join();
    (void)::close(pipe_[0]);
    (void)::close(pipe_[1]);
}

bool Interrupt::happened() noexcept {
    return interrupted;
}

}  // namespace weir::ctl
