// SPDX-License-Identifier: BSD-3-Clause
// TCP connections as the gateway between the two ends sees them.
#pragma once

#include "control/lab/generate_source.h"

namespace weir::lab::synth {

/// What one end's TCP shows of itself.
struct Stack {
    std::uint8_t ttl = 64;             ///< as it passes the gateway
    std::uint16_t syn_window = 64240;  ///< bytes, unscaled
    std::uint8_t window_shift = 7;
    std::uint32_t window_bytes = 64256;  ///< receive window after the handshake
    bool timestamps = true;
};
/// One of the common operating systems, some hops away.
[[nodiscard]] Stack draw_stack(Rng& rng) noexcept;

/// Bytes that one end says next: `head`, which is readable, and `more` bytes of noise.
struct Message {
    Side from = Side::initiator;
    Nanos delay = 0;  ///< after the message before it has arrived
    std::string head;
    std::uint64_t more = 0;
    bool tls = false;  ///< what follows `head` is in TLS records
};
/// Gives the next message once the one before has arrived; nullopt: the conversation is over.
using TcpScript = std::function<std::optional<Message>(Rng&)>;

enum class Answer : std::uint8_t { accept, refuse, silence };
enum class End : std::uint8_t { fin, reset, leave_open };

/// A connection to be. Kept below 64 segments in flight each way, and closed after kMaxConnection.
struct TcpPlan {
    Tuple tuple;
    Nanos start = 0;                              ///< when the SYN passes the gateway
    Nanos near = kMilli;                          ///< one way, initiator to gateway
    Nanos far = 10 * kMilli;                      ///< one way, gateway to responder
    std::array<double, 2> ns_per_byte{8.0, 8.0};  ///< of each sender's narrowest link
    std::array<Stack, 2> stacks;
    Nanos read_pause = 0;  ///< the initiator reads that slowly: its window closes at each segment
    double loss = 0.0;     ///< share of data segments, 0 to 0.2
    Answer answer = Answer::accept;
    TcpScript script;  ///< empty: nothing is said
    End end = End::fin;
    Side closer = Side::initiator;
    Nanos end_delay = kMilli;
};

/// No new message is begun when a connection has lived this long: a port is free again before its number returns.
inline constexpr Nanos kMaxConnection = 240 * kSecond;

/// Handshake, MSS segments, delayed ACKs, windows, slow start, fast and timed retransmission with SACK, and close.
/// Sources: RFC 9293, 5681, 6298, 7323, 2018.
[[nodiscard]] std::unique_ptr<Source> make_tcp(TcpPlan plan, std::uint64_t seed);

}  // namespace weir::lab::synth
