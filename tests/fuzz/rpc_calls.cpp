// SPDX-License-Identifier: BSD-3-Clause
#include "tests/fuzz/rpc_calls.h"

#include "control/registry/registry.h"
#include "control/server/calls.h"
#include "dataplane/publisher.h"
#include "tests/fuzz/rpc_check.h"

#include <chrono>
#include <utility>

namespace weir::fuzz {

namespace v1 = control::v1;

std::optional<grpc::Status> override_call(
    const RpcCall& call, control::ControlServer::Parts& parts, dataplane::Publisher& publisher) {
    auto& registry = parts.registry;
    std::optional<grpc::Status> status;
    const auto count = registry.overrides().size();
    if (call.rpc == Rpc::set_override) {
        if (const auto request = parse<v1::SetOverrideRequest>(call.message)) {
            v1::SetOverrideReply reply;
            status = set_override(parts, *request, {}, reply);
            require(
                registry.overrides().size() == count + (status->ok() && !reply.replaced() ? 1 : 0));
            check_reply(reply);
        }
    } else if (call.rpc == Rpc::list_overrides) {
        v1::ListOverridesReply reply;
        list_overrides(parts, reply);
        require(std::cmp_equal(reply.overrides_size(), count));
        check_reply(reply);
        status = grpc::Status::OK;
    } else if (const auto request = parse<v1::RemoveOverrideRequest>(call.message)) {
        v1::RemoveOverrideReply reply;
        status = remove_override(parts, *request, {}, reply);
        require(registry.overrides().size() + (status->ok() ? 1 : 0) == count);
        check_reply(reply);
    }
    require((publisher.current().overrides == nullptr) == registry.overrides().empty());
    return status;
}

grpc::Status watch_call(std::string_view message) {
    const auto request = parse<v1::WatchStatusRequest>(message);
    std::chrono::milliseconds interval{0};
    auto status = request ? control::watch_interval(*request, interval) : grpc::Status::OK;
    require(!request || status.ok() == (interval.count() >= 100 && interval.count() <= 60'000));
    return status;
}

}  // namespace weir::fuzz
