// SPDX-License-Identifier: BSD-3-Clause
// What features are made of, as columns of up to 16 packets: taken down packet by packet, worked on at once. Few, so
// that they stay in the L1 cache.
#pragma once

#include "dataplane/flow/flow.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::dataplane {

/// Features of the group `payload`.
inline constexpr std::size_t kPayloadFeatures = 40;

/// The state at each packet of a block, row r = one packet. Groups name the features that read the columns; counters
/// are those of Flow. Not initialised on purpose: only rows that were taken down are meaningful.
// NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init)
struct Measures {
    static constexpr std::size_t kRows = 16;
    template <typename T>
    struct alignas(64) Column : std::array<T, kRows> {};
    using Whole = Column<std::uint32_t>;
    using Real = Column<float>;
    template <typename T>
    using BothWays = std::array<T, 2>;

    // packet
    Whole payload, window, ip_bytes, proto, icmp_type, icmp_code, ttl, dscp, version;
    Whole flags;  ///< TCP's; 0 without
    Whole backward, fragment;
    BothWays<Whole> port;  ///< initiator's and responder's; 0 where there is none

    // flow, length, gap, tcp
    BothWays<Whole> packets;
    Real all_packets;  ///< both ways
    Real gaps;         ///< all_packets − 1
    Whole early;       ///< all packets, at most 255
    Real elapsed_us;   ///< first packet to latest

    // flow, length
    BothWays<Real> bytes;
    Real all_bytes;
    BothWays<Whole> payload_bytes;
    Real all_payload;

    // flow
    Whole turns, small;
    BothWays<Whole> payload_packets;

    // length
    BothWays<Whole> length_min, length_max;
    BothWays<Real> length_m2;

    // gap; reply also tcp
    Whole gap_last_code, gap_min_code, gap_max_code, reply_us;
    Real gap_m2;
    BothWays<Whole> silence_us;
    BothWays<Real> span_us;  ///< that way's first packet to its latest

    // tcp
    Whole tcp_bits, syn, fin, rst, zero_window, psh;
    BothWays<Whole> first_window_code, retransmissions;

    // host: decayed sums, and estimates of distinct values
    Real init_sent_packets, init_sent_bytes, init_received_packets;
    Real out_flows, out_replied, out_syn, out_syn_answered, out_refused, out_peers, out_ports;
    Real resp_sent_packets, resp_received_packets, resp_received_bytes;
    Real in_flows, in_replied, in_confirmed, in_peers, in_ports;

    // sequence: as the flow holds them; the last gap is none
    Column<std::array<std::uint8_t, kSequenceLength>> seq_length, seq_gap;

    // payload: codes as PayloadState holds them
    Column<std::array<std::uint8_t, kPayloadFeatures>> payload_codes;
};

}  // namespace weir::dataplane
