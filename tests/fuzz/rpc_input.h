// SPDX-License-Identifier: BSD-3-Clause
// The input of the rpc fuzzer: calls of the control service one after another, each a byte for which, two bytes for
// the length (little-endian), and that many bytes of the request message.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::fuzz {

enum class Rpc : std::uint8_t {
    list_models,
    activate_model,
    rollback_model,
    remove_model,
    push_message,
    push_end,
    watch_status,
    get_status,
    list_ports,
    reload,
    stage_model,
    get_policy,
    set_policy,
    who_am_i,
    tail_verdicts,
    list_flows,
    explain_flow,
    set_override,
    remove_override,
    list_overrides,
    count_
};

struct RpcCall {
    Rpc rpc = Rpc::list_models;
    std::string_view message;
};

/// Takes the first call off `input`; a length beyond its end means "to the end".
[[nodiscard]] inline std::optional<RpcCall> next_call(std::string_view& input) {
    constexpr std::size_t kHead = 3;
    if (input.size() < kHead) {
        return std::nullopt;
    }
    const auto byte = [&input](std::size_t i) { return static_cast<std::uint8_t>(input[i]); };
    const auto rpc = static_cast<Rpc>(byte(0) % static_cast<std::uint8_t>(Rpc::count_));
    const auto length = static_cast<std::size_t>(byte(1) | byte(2) << 8);
    input.remove_prefix(kHead);
    const RpcCall call{rpc, input.substr(0, length)};
    input.remove_prefix(std::min(length, input.size()));
    return call;
}

/// Adds a call to an input.
inline void add_call(std::string& input, Rpc rpc, const std::string& message) {
    input += static_cast<char>(rpc);
    input += static_cast<char>(message.size() & 0xff);
    input += static_cast<char>(message.size() >> 8);
    input += message;
}

}  // namespace weir::fuzz
