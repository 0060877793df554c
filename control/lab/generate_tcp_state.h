// SPDX-License-Identifier: BSD-3-Clause
// What a simulated connection remembers of its two ends and of what is under way between them.
#pragma once

#include "control/lab/generate_packet.h"
#include "control/lab/generate_random.h"

namespace weir::lab::synth {

inline constexpr std::uint64_t kMaxSegmentsInFlight = 64;
inline constexpr std::uint64_t kInitialWindowSegments = 10;  // RFC 6928
inline constexpr Nanos kDelayedAck = 40 * kMilli;
inline constexpr Nanos kMinRetransmit = 200 * kMilli;
inline constexpr Nanos kSynRetransmit = kSecond;
inline constexpr unsigned kSynTries = 3;

enum class Kind : std::uint8_t {
    open,    // the initiator sends its SYN
    pass,    // a segment passes the gateway
    arrive,  // and reaches the other end
    delayed_ack,
    reopen,  // the reader has made room: a window update
    probe,   // of a closed window
    retransmit,
    speak,  // `side` begins its message
    finish  // `side` closes
};

// What happens next in one connection. Of segments, `side` is the sender.
struct Event {
    Nanos at = 0;
    std::uint32_t order = 0;
    Kind kind = Kind::open;
    Side side = Side::initiator;
    bool lost_after = false;   // the gateway saw it, the other end does not
    std::uint32_t length = 0;  // payload bytes
    std::uint64_t offset = 0;  // in the sender's stream; delayed_ack: the timer's generation
    TcpHeader tcp;
    std::uint64_t acked = 0;  // stream offset that it acknowledges

    // For a heap with the earliest on top.
    [[nodiscard]] bool operator<(const Event& o) const noexcept {
        return at != o.at ? at > o.at : order > o.order;
    }
};

// One segment that got lost: at most one at a time each way, so that one SACK block tells it all.
struct Loss {
    std::uint64_t offset = 0;
    std::uint32_t length = 0;
    bool open = false;
    bool resent = false;
};

struct Peer {
    // As sender: stream offsets; the FIN counts as one byte.
    std::uint64_t sent = 0;
    std::uint64_t acked = 0;
    std::uint64_t window = kInitialWindowSegments;  // congestion window, segments
    std::uint64_t duplicates = 0;
    std::uint64_t peer_window = 0;  // bytes, as last advertised
    Nanos probe_gap = 0;            // 0: no probe is due
    Loss loss;
    bool finished = false;
    Nanos link_free = 0;
    Nanos last_pass = 0;
    // As receiver.
    std::uint64_t received = 0;
    std::uint64_t ahead_from = 0;  // received beyond a gap; equal to ahead_to: nothing
    std::uint64_t ahead_to = 0;
    std::uint32_t unacked = 0;  // segments
    std::uint64_t timer = 0;
    bool full = false;  // advertises no window
    std::uint32_t ts_recent = 0;
    // What it shows.
    std::uint32_t first_seq = 0;
    std::uint32_t ts_base = 0;
    std::uint16_t ip_id = 0;
};

}  // namespace weir::lab::synth
