// SPDX-License-Identifier: BSD-3-Clause
// Calls that the rpc fuzzer makes without looking at models.
#pragma once

#include "control/server/server.h"
#include "dataplane/publisher.h"
#include "tests/fuzz/rpc_input.h"

#include <optional>
#include <string_view>

#include <grpcpp/support/status.h>

namespace weir::fuzz {

/// SetOverride, RemoveOverride or ListOverrides: what was set is in force for the workers, what was removed is not. None: no message of
/// that type.
[[nodiscard]] std::optional<grpc::Status> override_call(
    const RpcCall& call, control::ControlServer::Parts& parts, dataplane::Publisher& publisher);

/// WatchStatus, without the stream. OK, too, where `message` is none.
[[nodiscard]] grpc::Status watch_call(std::string_view message);

}  // namespace weir::fuzz
