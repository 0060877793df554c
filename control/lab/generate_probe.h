// SPDX-License-Identifier: BSD-3-Clause
// Single packets and what they draw: the stuff of floods and scans.
#pragma once

#include "control/lab/generate_source.h"

#include <vector>

namespace weir::lab::synth {

enum class Reply : std::uint8_t { none, reset, syn_ack };

/// A SYN as a tool makes it, without a TCP behind it.
struct SynProbe {
    Tuple tuple;
    Nanos at = 0;
    Nanos trip = 0;  ///< from the gateway to the responder and back
    Reply reply = Reply::none;
    bool resets = false;  ///< the initiator answers a SYN-ACK by RST
    Nanos near = kMilli;  ///< the same trip on the initiator's side
    std::uint8_t ttl = 64;
    std::uint16_t window = 1024;
    bool mss = true;  ///< with the MSS option, as a scanner sends it
};
[[nodiscard]] std::vector<Shot> syn_probe(const SynProbe& probe, Rng& rng);

/// One datagram, UDP or ICMP echo request, as its flow's first.
[[nodiscard]] Shot datagram_shot(const Tuple& tuple, Nanos at, std::string payload, Rng& rng);

/// The ICMP port unreachable that `probe` draws from its target at `at`, in a flow of its own. RFC 792, 4443.
[[nodiscard]] Shot port_unreachable(const Shot& probe, Nanos at, Rng& rng);

}  // namespace weir::lab::synth
