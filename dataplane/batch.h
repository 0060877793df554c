// SPDX-License-Identifier: BSD-3-Clause
// The packets a worker has in hand, as structure of arrays: each stage fills the columns that the next ones read.
#pragma once

#include "dataplane/drop_reason.h"
#include "dataplane/flow/key.h"

#include <array>
#include <cstddef>
#include <cstdint>

struct rte_mbuf;

namespace weir::dataplane {

struct RuleAction;

/// Result of parsing one frame.
enum class ParseResult : std::uint8_t {
    flow,   ///< key and header fields are set; the packet takes part in a flow
    other,  ///< well-formed but no IP flow (ARP, LLDP, STP, …): passed untouched, not scored
    truncated,  ///< the frame, as received, ends inside a header, or before the length its IP header tells
    malformed,    ///< lengths or fields contradict each other
    unsupported,  ///< nesting beyond the limits
    count_
};

/// Protocol facts of one parsed packet, all bounds-checked. Offsets count from the first byte of the frame. In a tunnel
/// they are the inner packet's, but for the fields named outer.
/// Written by parse only.
struct PacketHeader {
    std::uint32_t frame_bytes = 0;    ///< whole frame, all segments, without FCS
    std::uint32_t ip_bytes = 0;       ///< the IP header's total length (IPv6: 40 + payload length)
    std::uint32_t payload_bytes = 0;  ///< bytes after the transport header, by the IP length
    std::uint32_t tcp_seq = 0;        ///< host order
    std::uint32_t tcp_ack = 0;        ///< host order
    std::uint32_t fragment_id = 0;    ///< identification, of a fragment
    std::uint16_t l3_offset = 0;      ///< IP header that is scored: the innermost
    std::uint16_t outer_l3_offset =
        0;  ///< first IP header, the one that is marked; == l3_offset outside IP tunnels
    std::uint16_t l4_offset = 0;   ///< 0 where there is none (later fragments)
    std::uint16_t tcp_window = 0;  ///< as in the header, unscaled
    std::uint16_t src_port = 0;    ///< host order
    std::uint16_t dst_port = 0;    ///< host order
    std::uint8_t ip_version = 0;   ///< 4, 6, 0 = none
    std::uint8_t proto = 0;        ///< transport protocol
    std::uint8_t ttl = 0;          ///< TTL or hop limit
    std::uint8_t tos = 0;          ///< TOS or traffic class: DSCP << 2 | ECN
    std::uint8_t outer_tos = 0;    ///< that of the header that is marked
    std::uint8_t tcp_flags = 0;    ///< FIN 01 SYN 02 RST 04 PSH 08 ACK 10 URG 20 ECE 40 CWR 80
    std::uint8_t icmp_type = 0;
    std::uint8_t icmp_code = 0;
    std::uint8_t vlan_tags =
        0;                   ///< number of VLAN tags before the IP header, inner frames' included
    bool src_is_hi = false;  ///< the sender is the key's `hi` endpoint
    bool fragment = false;   ///< any fragment
    bool later_fragment = false;  ///< fragment without transport header
    bool ip_options = false;      ///< IPv4 options or IPv6 extension headers present
};

/// Does the packet carry one of `dscps` (bit d: DSCP d)? In a tunnel the outer header is the one that is marked; what the
/// inner one asks for counts as well.
[[nodiscard]] constexpr bool carries_dscp(
    const PacketHeader& header, std::uint64_t dscps) noexcept {
    return ((dscps >> (header.tos >> 2U) | dscps >> (header.outer_tos >> 2U)) & 1U) != 0;
}

/// What becomes of a packet. Written by decide (and by the fail policy), carried out by act, shape and tx.
enum class Disposition : std::uint8_t {
    forward,
    drop,
    redirect,  ///< by the port that its action names
    wait       ///< in a queue of its port's scheduler
};

inline constexpr std::uint32_t kNoFlow = 0xffffffffu;
inline constexpr std::uint8_t kKeepDscp = 0xff;

/// Up to kCapacity packets. Owner and only toucher: the worker.
// NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): a stage reads only what one before it has written
struct Batch {
    static constexpr std::uint32_t kCapacity = 256;
    template <typename T>
    using Column = std::array<T, kCapacity>;

    std::uint32_t size = 0;

    // rx
    std::uint32_t rounds = 0;  ///< receive calls a port
    std::uint32_t full_ports =
        0;                       ///< bit p: port p's latest burst was as large as it was asked for
    std::size_t first_port = 0;  ///< whose turn it is
    alignas(64) Column<rte_mbuf*> mbuf;
    Column<std::uint64_t>
        time_ns;  ///< since the Unix epoch: capture time in replay, TSC-derived live
    Column<std::uint8_t> rx_port;  ///< index into the worker's port list

    // parse
    std::uint32_t fragments = 0;  ///< packets of the batch that are any
    alignas(64) Column<FlowKey> key;
    Column<PacketHeader> header;
    Column<ParseResult> parsed;

    // track
    Column<std::uint64_t> hash;
    Column<std::uint32_t> flow;    ///< index into the flow table, kNoFlow if the packet has none
    Column<std::uint8_t> forward;  ///< 1: sent by the flow's initiator, 0: by its responder

    // decide
    Column<Disposition> disposition;
    Column<DropReason> drop_reason;
    Column<std::uint8_t> dscp;  ///< 0…63 to write, kKeepDscp to leave
    Column<const RuleAction*>
        action;  ///< the policy's row that is carried out, null: none; only of
                 ///< packets with a flow, and only where there is a policy
};

}  // namespace weir::dataplane
