// SPDX-License-Identifier: BSD-3-Clause
// What the parts of the rpc fuzzer share.
#pragma once

#include "tests/fuzz/require.h"

#include <optional>
#include <string_view>
#include <utility>

#include <grpcpp/support/status.h>

namespace weir::fuzz {

template <typename Message>
std::optional<Message> parse(std::string_view bytes) {
    Message message;
    return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))
               ? std::optional(std::move(message))
               : std::nullopt;
}

/// What is sent can be read, and is the same then.
template <typename Message>
void check_reply(const Message& reply) {
    const auto again = parse<Message>(reply.SerializeAsString());
    require(again && again->SerializeAsString() == reply.SerializeAsString());
}

/// A refusal says why, in one short line.
inline void check_refusal(const grpc::Status& status) {
    using Code = grpc::StatusCode;
    const auto code = status.error_code();
    require(
        code == Code::INVALID_ARGUMENT || code == Code::NOT_FOUND ||
        code == Code::FAILED_PRECONDITION || code == Code::RESOURCE_EXHAUSTED);
    require(!status.error_message().empty() && status.error_message().size() <= 1000);
    for (const char c : status.error_message()) {
        require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    }
}

}  // namespace weir::fuzz
