// SPDX-License-Identifier: BSD-3-Clause
// The state of one flow: three cache lines, one writer (the worker that owns the table).
#pragma once

#include "dataplane/flow/key.h"

#include <array>
#include <cstdint>

namespace weir::dataplane {

/// Where a flow is in its life; decides its idle timeout and how willingly it is evicted.
enum class FlowPhase : std::uint8_t {
    empty,        ///< slot free
    opening,      ///< packets one way only
    established,  ///< both ways (TCP: handshake or data both ways)
    closed        ///< TCP RST, or FIN both ways
};

inline constexpr std::uint32_t kSequenceLength = 16;

/// Index 0 = initiator → responder ("fwd"), 1 = the other way ("bwd"). Times are nanoseconds unless named otherwise,
/// counters saturate. Sizes are IP bytes (header's total length). "Code" is a log code of whole units, see
/// features/encoders.h. "Of 255": counted over the flow's first 255 packets only, so that shares stay true.
/// Zero-initialised for a new flow; statistics are update_flow()'s (features/), the rest as noted.
struct alignas(64) Flow {
    // line 0: identity
    FlowKey key;
    std::uint64_t first_ns = 0;
    std::uint64_t last_ns = 0;  ///< never runs backwards

    // line 1: counters both ways
    std::array<std::uint64_t, 2> bytes{};
    std::array<std::uint32_t, 2> packets{};
    std::array<std::uint32_t, 2> payload_bytes{};
    std::array<std::uint16_t, 2> length_min{};
    std::array<std::uint16_t, 2> length_max{};
    std::array<float, 2> length_m2{};  ///< sum of squared differences from the mean
    float gap_m2_us2 = 0.0F;           ///< the same of the gaps of both directions
    std::array<std::uint32_t, 2>
        last_us{};  ///< each way's latest packet since first_ns, modulo 2^32
    FlowPhase phase = FlowPhase::empty;
    bool initiator_is_hi = false;    ///< the initiator is the key's `hi` endpoint
    std::uint8_t track_bits = 0;     ///< track's own: FIN seen, directions seen, packet count
    std::uint8_t small_packets = 0;  ///< of 255: at most 128 IP bytes

    // line 2: TCP behaviour and the first packets
    std::array<std::uint32_t, 2> next_seq{};
    std::uint32_t reply_us = 0;  ///< first packet to first reply, ≥ 1; 0 = none yet
    std::uint8_t gap_last_code = 0;
    std::uint8_t gap_min_code = 0;
    std::uint8_t gap_max_code = 0;
    std::uint8_t tcp_bits = 0;  ///< TcpBit of features/
    std::array<std::uint8_t, 2> first_window_code{};
    std::array<std::uint8_t, 2> retransmissions{};
    std::array<std::uint8_t, 2> payload_packets{};  ///< of 255: with payload
    std::uint8_t psh = 0;                           ///< of 255: with the flag
    std::uint8_t turns = 0;  ///< of 255: came from the other side than the packet before
    std::uint8_t syn = 0;    ///< packets with the flag
    std::uint8_t fin = 0;
    std::uint8_t rst = 0;
    std::uint8_t zero_window = 0;
    std::uint16_t touched = 0;  ///< track's segment stamp
    std::uint16_t reserved = 0;
    std::array<std::uint8_t, kSequenceLength>
        seq_length{};  ///< signed lengths, see features/encoders.h
    std::array<std::uint8_t, kSequenceLength>
        seq_gap{};  ///< codes of the gaps to the packet before
};
static_assert(sizeof(Flow) == 192);

inline constexpr std::uint8_t kNoClass = 0xff;

/// A flow's cached verdict in one slot. Written by decide only, but for `outcome`.
struct Verdict {
    std::uint32_t decided_at_packet = 0;  ///< the flow's packet (1-based) whose score set the class
    std::uint16_t model_ref = 0;  ///< Snapshot's reference of the model that gave it; 0 = none
    std::uint16_t score = 0;      ///< 0…65535 for 0…1, as `--verdicts` defines it
    std::uint8_t cls = kNoClass;
    std::uint8_t pending_cls = kNoClass;  ///< hysteresis: a class that wants to take over …
    std::uint8_t pending_count = 0;       ///< … and how often in a row it was seen
    std::uint8_t outcome = 0;  ///< the first slot's: FlowTable's note of what became of packets
};
static_assert(sizeof(Verdict) == 12);

}  // namespace weir::dataplane
