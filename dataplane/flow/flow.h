// SPDX-License-Identifier: BSD-3-Clause
// The state of one flow: three cache lines, one writer (the worker that owns the table).
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/flow/key.h"

namespace weir::dataplane {

/// Where a flow is in its life; decides its idle timeout and how willingly it is evicted.
enum class FlowPhase : std::uint8_t {
    empty,        ///< slot free
    opening,      ///< packets one way only
    established,  ///< both ways (TCP: handshake or data both ways)
    closed        ///< TCP RST, or FIN both ways
};

inline constexpr std::uint32_t kSequenceLength = 16;

/// Index 0 = initiator → responder ("fwd"), 1 = the other way ("bwd"). Times are nanoseconds, saturating counters.
/// Sizes are IP bytes (header's total length). Zero-initialised for a new flow, then `start()` by track.
struct alignas(64) Flow {
    // line 0: identity
    FlowKey key;
    std::uint64_t first_ns = 0;
    std::uint64_t last_ns = 0;

    // line 1: counters both ways
    std::array<std::uint64_t, 2> bytes{};
    std::array<std::uint32_t, 2> packets{};
    std::array<std::uint32_t, 2> payload_bytes{};
    std::array<std::uint16_t, 2> length_min{};
    std::array<std::uint16_t, 2> length_max{};
    float length_sumsq = 0.0F;
    float gap_min_us = 0.0F;      ///< over both directions, valid from the second packet
    float gap_max_us = 0.0F;
    float gap_sumsq_us2 = 0.0F;
    std::uint32_t handshake_us = 0;  ///< SYN to SYN-ACK, 0 = not seen
    FlowPhase phase = FlowPhase::empty;
    bool initiator_is_hi = false;    ///< the initiator is the key's `hi` endpoint
    std::uint8_t track_bits = 0;     ///< track's own: FIN seen, directions seen, packet count
    std::uint8_t dscp_first = 0;     ///< DSCP of the first packet, as received

    // line 2: TCP behaviour and the first packets
    std::array<std::uint32_t, 2> next_seq{};
    std::array<std::uint16_t, 2> first_window{};
    std::array<std::uint8_t, 2> retransmissions{};
    std::uint8_t syn = 0;            ///< packets with the flag, saturating at 255
    std::uint8_t fin = 0;
    std::uint8_t rst = 0;
    std::uint8_t psh = 0;
    std::uint8_t ack = 0;
    std::uint8_t urg = 0;
    std::uint8_t zero_window = 0;
    std::uint8_t payload_packets = 0;
    std::uint16_t touched = 0;       ///< track's segment stamp
    std::uint8_t dscp_written = 0xff;  ///< decide's: DSCP last written to the flow's packets, 0xff = none
    bool dropped = false;            ///< decide's: the last packet's disposition was drop
    std::array<std::uint8_t, kSequenceLength> seq_length{};  ///< codes of signed lengths, see features/
    std::array<std::uint8_t, kSequenceLength> seq_gap{};     ///< codes of gaps to the packet before
};
static_assert(sizeof(Flow) == 192 || sizeof(Flow) == 256);

inline constexpr std::uint8_t kNoClass = 0xff;

/// A flow's cached verdict in one slot. Written by decide only.
struct Verdict {
    std::uint32_t decided_at_packet = 0;  ///< the flow's packet (1-based) whose score set the class
    std::uint16_t model_ref = 0;          ///< Snapshot's reference of the model that gave it; 0 = none
    std::uint16_t score = 0;              ///< 0…65535 for 0…1, as `--verdicts` defines it
    std::uint8_t cls = kNoClass;
    std::uint8_t pending_cls = kNoClass;  ///< hysteresis: a class that wants to take over …
    std::uint8_t pending_count = 0;       ///< … and how often in a row it was seen
    std::uint8_t reserved = 0;
};
static_assert(sizeof(Verdict) == 12);

}  // namespace weir::dataplane
