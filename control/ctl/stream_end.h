// SPDX-License-Identifier: BSD-3-Clause
// How commands that read a stream end.
#pragma once

#include "control/ctl/client.h"
#include "control/ctl/interrupt.h"

#include <cerrno>

#include <grpcpp/grpcpp.h>

namespace weir::ctl {

/// Why reading stopped. Neither: the stream has ended by itself, and its status says why.
struct StreamEnd {
    bool done = false;  ///< all that was asked for has come
    int trouble = 0;    ///< an errno of writing to stdout
};

/// Ends the call in the ordinary way, also after Ctrl-C, and tells what went wrong.
template <typename Message>
[[nodiscard]] Exit end_stream(
    const Client& client,
    const Call& call,
    grpc::ClientContext& context,
    grpc::ClientReader<Message>& reader,
    StreamEnd end) {
    if (end.done || end.trouble != 0) {
        context.TryCancel();
    }
    const auto status = reader.Finish();
    if (end.trouble != 0) {
        errno = end.trouble;  // stdout remembers that it failed: who called tells it
        return Exit::failed;
    }
    return end.done || Interrupt::happened() ? Exit::ok : client.report_status(call, status);
}

}  // namespace weir::ctl
