// SPDX-License-Identifier: BSD-3-Clause
// How update.cpp and compute.cpp read the statistics of a flow.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/flow/flow.h"

#include <algorithm>
#include <cstdint>

namespace weir::dataplane {

/// Flow::tcp_bits.
enum TcpBit : std::uint8_t {
    kOpenedBySyn = 0x01,  ///< the first packet is a SYN without ACK
    kSynAnswered = 0x02,  ///< … and the first reply a SYN-ACK
    kRefused = 0x04,      ///< the first reply has RST
    kFwdSeqKnown = 0x08,  ///< next_seq and first_window_code are set
    kBwdSeqKnown = 0x10,
    kConfirmed = 0x20,  ///< the initiator has sent something after a reply (any protocol)
    kLastBackward =
        0x40  ///< the latest of the first 255 packets came from the responder (any protocol)
};

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

/// Whole microseconds from the flow's first packet to its latest.
[[nodiscard]] inline std::uint64_t elapsed_us(const Flow& flow) noexcept {
    constexpr std::uint64_t kNsPerUs = 1000;
    return (flow.last_ns - flow.first_ns) / kNsPerUs;
}

/// Microseconds since the latest packet of that way, modulo 2^32.
[[nodiscard]] inline std::uint32_t silence_us(
    const Flow& flow, std::size_t way, std::uint64_t elapsed) noexcept {
    return static_cast<std::uint32_t>(elapsed) - flow.last_us[way];
}

}  // namespace weir::dataplane
