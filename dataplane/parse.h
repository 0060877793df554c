// SPDX-License-Identifier: BSD-3-Clause
// Stage 2: headers into columns.
#pragma once

#include "dataplane/batch.h"

#include <cstdint>

namespace weir::dataplane {

/// Parses one frame. `data`: its first `available` contiguous bytes (all of a single-segment frame, or a linear copy
/// of the first kParseBytes of a segmented one); `frame_bytes`: length of the whole frame. Sets `key` (but for
/// `pair`) and `header` when the result is `flow`; `header.frame_bytes`, and what was parsed so far, in any case.
/// Pure: no DPDK, reads only `available` bytes, bounded time.
///
/// Layers: Ethernet, VLAN tags (≤ 4), MPLS (≤ 8 labels; then IPv4, IPv6, or an Ethernet pseudo-wire), PPPoE sessions,
/// IPv4, IPv6 with extension headers (≤ 8), fragments, TCP, UDP, UDP-Lite, SCTP, DCCP, ICMP, ICMPv6; any other IP
/// protocol is a flow without ports. Tunnels: IP-in-IP, MPLS in IP or UDP, Ethernet in IPv6, GRE (with ERSPAN, Ethernet,
/// MPLS, PPP; PPTP), VXLAN, GENEVE, GTP-U, Teredo; at most 4 encapsulations. Key and header are the inner packet's;
/// `key.tunnel_id` is the innermost id there is (GRE key, ERSPAN session, VNI, TEID, PPPoE session); VLAN ids count from
/// the outside in. GTP-U's TEIDs differ by direction, so that a flow's two directions are two keys there; MPLS labels and
/// PPTP call ids are left out of the key for that reason.
///
/// - A fragment is never looked into for a tunnel: its flow is the outer one.
/// - A tunnel whose contents are not IP, or broken, is its outer flow: that one is whole, and a port number alone must
///   not turn a packet that the network carries into one that the fail policy may drop.
/// - An IP length beyond the frame is `truncated`; beyond the layer around it, or too short for its own headers,
///   `malformed`. So is IPv4's total length 0, unless the packet is longer than 65535 bytes: then it is what
///   segmentation offload joined, and goes to the end of the frame. What follows the IP length is padding.
/// - Limits exceeded, or a header beyond kParseBytes: `unsupported`.
///
/// Sources: IEEE 802.1Q, RFC 791, 8200, 2675, 9293, 768, 9260; each parse_*.cpp names its own.
[[nodiscard]] ParseResult parse_frame(
    const std::uint8_t* data,
    std::uint32_t available,
    std::uint32_t frame_bytes,
    FlowKey& key,
    PacketHeader& header) noexcept;

/// No header of a supported stack lies beyond this many bytes.
inline constexpr std::uint32_t kParseBytes = 512;

/// Fills key, header and parsed of packets [0, batch.size). `pair_of_port[rx_port]` goes into the key. The worker's
/// thread.
void parse(Batch& batch, const std::uint16_t* pair_of_port) noexcept;

}  // namespace weir::dataplane
