// SPDX-License-Identifier: BSD-3-Clause
// How update.cpp and compute.cpp read the statistics of a flow.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/flow/flow.h"

#include <algorithm>
#include <cstdint>

namespace weir::dataplane {

using enum Flow::Bit;

inline constexpr std::uint8_t kTcpFin = 0x01;
inline constexpr std::uint8_t kTcpSyn = 0x02;
inline constexpr std::uint8_t kTcpRst = 0x04;
inline constexpr std::uint8_t kTcpPsh = 0x08;
inline constexpr std::uint8_t kTcpAck = 0x10;

inline constexpr std::uint8_t kProtoTcp = 6;
inline constexpr std::uint8_t kProtoUdp = 17;
inline constexpr std::uint8_t kProtoSctp = 132;

/// Packets over which the 8-bit counters that make shares run.
inline constexpr std::uint64_t kEarlyPackets = 255;

/// A TCP segment whose header is there.
[[nodiscard]] inline bool is_tcp(const PacketHeader& header) noexcept {
    return header.proto == kProtoTcp && !header.later_fragment;
}

// Conversions round to nearest, the same on every machine.
[[nodiscard]] inline float to_float(std::uint32_t value) noexcept {
    return static_cast<float>(static_cast<std::int64_t>(value));
}
[[nodiscard]] inline float to_float(std::uint64_t value) noexcept {
    constexpr std::uint64_t kMost = static_cast<std::uint64_t>(INT64_MAX);
    return static_cast<float>(static_cast<std::int64_t>(std::min(value, kMost)));
}

/// Whole microseconds, as flows count time.
[[nodiscard]] inline std::uint64_t to_us(std::uint64_t ns) noexcept {
    constexpr std::uint64_t kNsPerUs = 1000;
    return std::min(ns / kNsPerUs, Flow::kMostUs);
}

/// Microseconds since the latest packet of that way, modulo 2^32; 0 if it has sent none.
[[nodiscard]] inline std::uint32_t silence_us(const Flow& flow, std::size_t way) noexcept {
    const std::size_t latest = flow.has(kLastBackward) ? 1 : 0;
    return way == latest || flow.packets[way] == 0 ? 0 : flow.elapsed_low - flow.other_last_us;
}

}  // namespace weir::dataplane
