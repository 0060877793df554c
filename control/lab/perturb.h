// SPDX-License-Identifier: BSD-3-Clause
// What an attacker may do to its own packets, done to those of a capture.
#pragma once

#include "config/error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::lab {

enum class PerturbKind : std::uint8_t {
    padding,  ///< messages grow by 1 to `strength` bytes, as far as the MTU of 1,500 goes
    delay,  ///< waits before each packet, on average `strength` ms; the flow's later packets move as well
    dummies,  ///< `strength` % of its messages are followed by one of equal length with random contents
    ttl,      ///< another TTL or hop limit for each flow
    window  ///< another TCP window for each packet
};

/// "padding" and so on; false for another word.
[[nodiscard]] bool perturb_kind(std::string_view text, PerturbKind& out) noexcept;

struct PerturbOptions {
    PerturbKind kind = PerturbKind::padding;
    double strength = 0.0;
    std::uint64_t seed = 1;
};

struct PerturbSummary {
    std::uint64_t packets = 0;  ///< read
    std::uint64_t changed = 0;  ///< changed, moved or added
};

/// Writes `in` with the packets that flows' initiators sent changed, to `out`: sequence numbers, lengths and checksums
/// agree, packets are in order of time. Tunnelled, fragmented and cut packets stay as they are. Holds the capture in
/// memory. Equal seeds, equal bytes. Errors name the file. Thread: any.
[[nodiscard]] Result<PerturbSummary> perturb(
    const std::string& in, const std::string& out, const PerturbOptions& options);

}  // namespace weir::lab
