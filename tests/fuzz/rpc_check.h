// SPDX-License-Identifier: BSD-3-Clause
// What the parts of the rpc fuzzer share.
#pragma once

#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

namespace weir::fuzz {

inline void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

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

}  // namespace weir::fuzz
