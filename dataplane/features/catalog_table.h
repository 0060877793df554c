// SPDX-License-Identifier: BSD-3-Clause
// The feature catalog: the one place where a feature is defined. An id is a row's position.
// Within a group, features with a log encoder come first, linear ones next, ports last: the encoding loops then run over
// contiguous lanes. New features are appended at the end, whatever their group.
//
// "Latest", "so far": as of the packet in hand, itself included. Initiator: the sender of the flow's first packet (fwd);
// responder: the other end (bwd). Times that run backwards count as no time passed. Counters saturate.
// Host features: "decayed" sums halve every 2^33 ns (8.6 s), in steps of 2^27 ns, and are divided by the mean life of
// 12.4 s to make rates; "windowed" counts cover the present and the previous window of 2^35 ns (34 s) and are estimates
// from bitmaps, see host.h.
#pragma once

#include "dataplane/features/catalog.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace weir::dataplane {

struct Encoder {
    EncoderKind kind;
    std::int32_t param;
    std::string_view text;
};
inline constexpr Encoder kLog{EncoderKind::log, 1015, "log:1015"};
inline constexpr Encoder kLogMilli{EncoderKind::log, 935, "log:935"};
inline constexpr Encoder kIdentity{EncoderKind::identity, 0, "identity"};
inline constexpr Encoder kShift3{EncoderKind::shift, 3, "shift:3"};
inline constexpr Encoder kRatio{EncoderKind::ratio, 0, "ratio"};
inline constexpr Encoder kSequence{EncoderKind::signed_step, 12, "signed:12"};
inline constexpr Encoder kPort{EncoderKind::port, 1, "port:1"};

struct CatalogRow {
    std::string_view name;
    std::string_view unit;
    FeatureGroup group;
    Encoder encoder;
    std::string_view description;
    Caution caution = Caution::none;
};

// clang-format off
inline constexpr auto kCatalogRows = std::to_array<CatalogRow>({
    // packet
    {"packet_payload_bytes", "bytes", FeatureGroup::packet, kLog,
     "bytes after the transport header of this packet, by the IP length"},
    {"packet_tcp_window", "bytes", FeatureGroup::packet, kLog,
     "TCP window of this packet as in the header, unscaled; 0 without TCP", Caution::identity},
    {"packet_ip_bytes", "bytes", FeatureGroup::packet, kShift3,
     "IP total length of this packet (IPv6: 40 + payload length)"},
    {"protocol", "number", FeatureGroup::packet, kIdentity, "IP protocol number of the transport"},
    {"packet_icmp_type", "number", FeatureGroup::packet, kIdentity, "ICMP or ICMPv6 type of this packet; 0 for others"},
    {"packet_icmp_code", "number", FeatureGroup::packet, kIdentity, "ICMP or ICMPv6 code of this packet; 0 for others"},
    {"packet_ttl", "hops", FeatureGroup::packet, kIdentity, "TTL or hop limit of this packet", Caution::identity},
    {"packet_dscp", "number", FeatureGroup::packet, kIdentity, "DSCP of this packet as received", Caution::identity},
    {"is_tcp", "share", FeatureGroup::packet, kRatio, "1 if the transport is TCP"},
    {"is_udp", "share", FeatureGroup::packet, kRatio, "1 if the transport is UDP"},
    {"is_ipv6", "share", FeatureGroup::packet, kRatio, "1 if the flow is IPv6", Caution::identity},
    {"packet_is_backward", "share", FeatureGroup::packet, kRatio, "1 if this packet came from the responder"},
    {"packet_has_syn", "share", FeatureGroup::packet, kRatio, "1 if this packet has TCP SYN"},
    {"packet_has_ack", "share", FeatureGroup::packet, kRatio, "1 if this packet has TCP ACK"},
    {"packet_has_rst", "share", FeatureGroup::packet, kRatio, "1 if this packet has TCP RST"},
    {"packet_has_fin", "share", FeatureGroup::packet, kRatio, "1 if this packet has TCP FIN"},
    {"packet_has_psh", "share", FeatureGroup::packet, kRatio, "1 if this packet has TCP PSH"},
    {"packet_is_fragment", "share", FeatureGroup::packet, kRatio, "1 if this packet is a fragment"},
    {"initiator_port", "port", FeatureGroup::packet, kPort, "port of the initiator; 0 without ports", Caution::port},
    {"responder_port", "port", FeatureGroup::packet, kPort, "port of the responder; 0 without ports", Caution::port},

    // flow
    {"duration_us", "us", FeatureGroup::flow, kLog, "time from the first packet to the latest"},
    {"fwd_packets", "packets", FeatureGroup::flow, kLog, "packets from the initiator"},
    {"bwd_packets", "packets", FeatureGroup::flow, kLog, "packets from the responder"},
    {"fwd_bytes", "bytes", FeatureGroup::flow, kLog, "IP bytes from the initiator"},
    {"bwd_bytes", "bytes", FeatureGroup::flow, kLog, "IP bytes from the responder"},
    {"fwd_payload_bytes", "bytes", FeatureGroup::flow, kLog, "transport payload from the initiator"},
    {"bwd_payload_bytes", "bytes", FeatureGroup::flow, kLog, "transport payload from the responder"},
    {"packet_rate_pps", "packets/s", FeatureGroup::flow, kLogMilli,
     "packets after the first, divided by the duration (at least 1 us); 0 at the first packet"},
    {"byte_rate_bytes_per_s", "bytes/s", FeatureGroup::flow, kLog,
     "IP bytes of both ways divided by the duration (at least 1 us); 0 at the first packet"},
    {"turns", "count", FeatureGroup::flow, kLog,
     "of the first 255 packets: those that came from the other side than the packet before them"},
    {"bwd_packet_share", "share", FeatureGroup::flow, kRatio, "packets from the responder divided by all packets"},
    {"bwd_byte_share", "share", FeatureGroup::flow, kRatio, "IP bytes from the responder divided by all IP bytes"},
    {"bwd_payload_share", "share", FeatureGroup::flow, kRatio,
     "payload from the responder divided by all payload; 0 without payload"},
    {"fwd_payload_packet_share", "share", FeatureGroup::flow, kRatio,
     "of the first 255 packets: share that came from the initiator with payload"},
    {"bwd_payload_packet_share", "share", FeatureGroup::flow, kRatio,
     "of the first 255 packets: share that came from the responder with payload"},
    {"small_packet_share", "share", FeatureGroup::flow, kRatio,
     "of the first 255 packets: share of at most 128 IP bytes"},
    {"turn_share", "share", FeatureGroup::flow, kRatio, "of the packets 2 to 255: share of turns"},

    // length
    {"fwd_length_min_bytes", "bytes", FeatureGroup::length, kLog, "least IP length from the initiator"},
    {"bwd_length_min_bytes", "bytes", FeatureGroup::length, kLog,
     "least IP length from the responder; 0 before its first packet"},
    {"fwd_length_std_bytes", "bytes", FeatureGroup::length, kLog,
     "standard deviation (population) of IP lengths from the initiator"},
    {"bwd_length_std_bytes", "bytes", FeatureGroup::length, kLog,
     "standard deviation (population) of IP lengths from the responder"},
    {"length_std_bytes", "bytes", FeatureGroup::length, kLog,
     "standard deviation (population) of IP lengths both ways"},
    {"fwd_payload_mean_bytes", "bytes", FeatureGroup::length, kLog, "payload bytes per packet from the initiator"},
    {"bwd_payload_mean_bytes", "bytes", FeatureGroup::length, kLog,
     "payload bytes per packet from the responder; 0 before its first packet"},
    {"fwd_length_max_bytes", "bytes", FeatureGroup::length, kShift3, "greatest IP length from the initiator"},
    {"bwd_length_max_bytes", "bytes", FeatureGroup::length, kShift3, "greatest IP length from the responder"},
    {"fwd_length_mean_bytes", "bytes", FeatureGroup::length, kShift3, "mean IP length from the initiator"},
    {"bwd_length_mean_bytes", "bytes", FeatureGroup::length, kShift3,
     "mean IP length from the responder; 0 before its first packet"},
    {"length_mean_bytes", "bytes", FeatureGroup::length, kShift3, "mean IP length both ways"},

    // gap
    {"gap_last_us", "us", FeatureGroup::gap, kLog,
     "time since the packet before, either way; the least value of its code; 0 at the first packet"},
    {"gap_min_us", "us", FeatureGroup::gap, kLog,
     "least time between neighbouring packets, either way; the least value of its code; 0 at the first packet"},
    {"gap_max_us", "us", FeatureGroup::gap, kLog,
     "greatest time between neighbouring packets, either way; the least value of its code"},
    {"gap_mean_us", "us", FeatureGroup::gap, kLog, "duration divided by (packets - 1); 0 at the first packet"},
    {"gap_std_us", "us", FeatureGroup::gap, kLog,
     "standard deviation (population) of the times between neighbouring packets, either way"},
    {"fwd_gap_mean_us", "us", FeatureGroup::gap, kLog,
     "mean time between packets from the initiator; 0 before its second"},
    {"bwd_gap_mean_us", "us", FeatureGroup::gap, kLog,
     "mean time between packets from the responder; 0 before its second"},
    {"fwd_silence_us", "us", FeatureGroup::gap, kLog,
     "time since the latest packet from the initiator, modulo 2^32 us"},
    {"bwd_silence_us", "us", FeatureGroup::gap, kLog,
     "time since the latest packet from the responder, modulo 2^32 us; 0 before its first"},
    {"reply_delay_us", "us", FeatureGroup::gap, kLog,
     "time from the first packet to the first from the responder, at least 1; 0 before that"},
    {"gap_irregularity", "share", FeatureGroup::gap, kRatio,
     "gap std / (gap std + gap mean): 0 for a metronome, 0.5 for random arrivals, near 1 for bursts; 0 before the third packet"},
    {"gap_max_share", "share", FeatureGroup::gap, kRatio,
     "gap_max_us divided by the duration, at most 1; 0 while the duration is 0"},

    // tcp
    {"handshake_rtt_us", "us", FeatureGroup::tcp, kLog,
     "time from the SYN that opened the flow to the SYN-ACK, if that is the first reply; 0 otherwise"},
    {"fwd_first_window", "bytes", FeatureGroup::tcp, kLog,
     "unscaled window of the first TCP packet without RST from the initiator; the least value of its code", Caution::identity},
    {"bwd_first_window", "bytes", FeatureGroup::tcp, kLog,
     "unscaled window of the first TCP packet without RST from the responder; the least value of its code", Caution::identity},
    {"syn_packets", "packets", FeatureGroup::tcp, kIdentity, "TCP packets with SYN, both ways, up to 255"},
    {"fin_packets", "packets", FeatureGroup::tcp, kIdentity, "TCP packets with FIN, both ways, up to 255"},
    {"rst_packets", "packets", FeatureGroup::tcp, kIdentity, "TCP packets with RST, both ways, up to 255"},
    {"zero_window_packets", "packets", FeatureGroup::tcp, kIdentity,
     "TCP packets with window 0 and neither SYN nor RST, both ways, up to 255"},
    {"fwd_retransmissions", "packets", FeatureGroup::tcp, kIdentity,
     "TCP packets from the initiator with nothing beyond what it sent before, up to 255"},
    {"bwd_retransmissions", "packets", FeatureGroup::tcp, kIdentity,
     "TCP packets from the responder with nothing beyond what it sent before, up to 255"},
    {"retransmission_share", "share", FeatureGroup::tcp, kRatio,
     "retransmissions both ways divided by all packets, at most 1"},
    {"psh_share", "share", FeatureGroup::tcp, kRatio, "of the first 255 packets: share with TCP PSH"},
    {"is_opened_by_syn", "share", FeatureGroup::tcp, kRatio, "1 if the first packet is a TCP SYN without ACK"},
    {"is_syn_answered", "share", FeatureGroup::tcp, kRatio,
     "1 if the first packet is a TCP SYN and the first reply a SYN-ACK"},
    {"is_refused", "share", FeatureGroup::tcp, kRatio, "1 if the responder's first packet has TCP RST"},

    // sequence
    {"seq_length_01_bytes", "bytes", FeatureGroup::sequence, kSequence,
     "IP length of packet 1 in steps of 12 rounded up, at most 1524; negative from the responder; 0 if not seen yet"},
    {"seq_length_02_bytes", "bytes", FeatureGroup::sequence, kSequence,
     "IP length of packet 2 in steps of 12 rounded up, at most 1524; negative from the responder; 0 if not seen yet"},
    {"seq_length_03_bytes", "bytes", FeatureGroup::sequence, kSequence,
     "IP length of packet 3 in steps of 12 rounded up, at most 1524; negative from the responder; 0 if not seen yet"},
    {"seq_length_04_bytes", "bytes", FeatureGroup::sequence, kSequence,
     "IP length of packet 4 in steps of 12 rounded up, at most 1524; negative from the responder; 0 if not seen yet"},
    {"seq_length_05_bytes", "bytes", FeatureGroup::sequence, kSequence,
     "IP length of packet 5 in steps of 12 rounded up, at most 1524; negative from the responder; 0 if not seen yet"},
    {"seq_length_06_bytes", "bytes", FeatureGroup::sequence, kSequence,
     "IP length of packet 6 in steps of 12 rounded up, at most 1524; negative from the responder; 0 if not seen yet"},
    {"seq_length_07_bytes", "bytes", FeatureGroup::sequence, kSequence,
     "IP length of packet 7 in steps of 12 rounded up, at most 1524; negative from the responder; 0 if not seen yet"},
    {"seq_length_08_bytes", "bytes", FeatureGroup::sequence, kSequence,
     "IP length of packet 8 in steps of 12 rounded up, at most 1524; negative from the responder; 0 if not seen yet"},
    {"seq_length_09_bytes", "bytes", FeatureGroup::sequence, kSequence,
     "IP length of packet 9 in steps of 12 rounded up, at most 1524; negative from the responder; 0 if not seen yet"},
    {"seq_length_10_bytes", "bytes", FeatureGroup::sequence, kSequence,
     "IP length of packet 10 in steps of 12 rounded up, at most 1524; negative from the responder; 0 if not seen yet"},
    {"seq_length_11_bytes", "bytes", FeatureGroup::sequence, kSequence,
     "IP length of packet 11 in steps of 12 rounded up, at most 1524; negative from the responder; 0 if not seen yet"},
    {"seq_length_12_bytes", "bytes", FeatureGroup::sequence, kSequence,
     "IP length of packet 12 in steps of 12 rounded up, at most 1524; negative from the responder; 0 if not seen yet"},
    {"seq_length_13_bytes", "bytes", FeatureGroup::sequence, kSequence,
     "IP length of packet 13 in steps of 12 rounded up, at most 1524; negative from the responder; 0 if not seen yet"},
    {"seq_length_14_bytes", "bytes", FeatureGroup::sequence, kSequence,
     "IP length of packet 14 in steps of 12 rounded up, at most 1524; negative from the responder; 0 if not seen yet"},
    {"seq_length_15_bytes", "bytes", FeatureGroup::sequence, kSequence,
     "IP length of packet 15 in steps of 12 rounded up, at most 1524; negative from the responder; 0 if not seen yet"},
    {"seq_length_16_bytes", "bytes", FeatureGroup::sequence, kSequence,
     "IP length of packet 16 in steps of 12 rounded up, at most 1524; negative from the responder; 0 if not seen yet"},
    {"seq_gap_02_us", "us", FeatureGroup::sequence, kLog,
     "time from packet 1 to packet 2; the least value of its code"},
    {"seq_gap_03_us", "us", FeatureGroup::sequence, kLog,
     "time from packet 2 to packet 3; the least value of its code"},
    {"seq_gap_04_us", "us", FeatureGroup::sequence, kLog,
     "time from packet 3 to packet 4; the least value of its code"},
    {"seq_gap_05_us", "us", FeatureGroup::sequence, kLog,
     "time from packet 4 to packet 5; the least value of its code"},
    {"seq_gap_06_us", "us", FeatureGroup::sequence, kLog,
     "time from packet 5 to packet 6; the least value of its code"},
    {"seq_gap_07_us", "us", FeatureGroup::sequence, kLog,
     "time from packet 6 to packet 7; the least value of its code"},
    {"seq_gap_08_us", "us", FeatureGroup::sequence, kLog,
     "time from packet 7 to packet 8; the least value of its code"},
    {"seq_gap_09_us", "us", FeatureGroup::sequence, kLog,
     "time from packet 8 to packet 9; the least value of its code"},
    {"seq_gap_10_us", "us", FeatureGroup::sequence, kLog,
     "time from packet 9 to packet 10; the least value of its code"},
    {"seq_gap_11_us", "us", FeatureGroup::sequence, kLog,
     "time from packet 10 to packet 11; the least value of its code"},
    {"seq_gap_12_us", "us", FeatureGroup::sequence, kLog,
     "time from packet 11 to packet 12; the least value of its code"},
    {"seq_gap_13_us", "us", FeatureGroup::sequence, kLog,
     "time from packet 12 to packet 13; the least value of its code"},
    {"seq_gap_14_us", "us", FeatureGroup::sequence, kLog,
     "time from packet 13 to packet 14; the least value of its code"},
    {"seq_gap_15_us", "us", FeatureGroup::sequence, kLog,
     "time from packet 14 to packet 15; the least value of its code"},
    {"seq_gap_16_us", "us", FeatureGroup::sequence, kLog,
     "time from packet 15 to packet 16; the least value of its code"},

    // host
    {"init_sent_rate_pps", "packets/s", FeatureGroup::host, kLogMilli, "packets sent by the initiator's host, decayed"},
    {"init_received_rate_pps", "packets/s", FeatureGroup::host, kLogMilli,
     "packets sent to the initiator's host, decayed"},
    {"init_sent_rate_bytes_per_s", "bytes/s", FeatureGroup::host, kLog,
     "IP bytes sent by the initiator's host, decayed"},
    {"init_flow_rate_per_s", "flows/s", FeatureGroup::host, kLogMilli, "flows opened by the initiator's host, decayed"},
    {"init_peers", "hosts", FeatureGroup::host, kLog,
     "distinct hosts that the initiator's host has flows with as initiator, windowed"},
    {"init_ports", "ports", FeatureGroup::host, kLog,
     "distinct responder ports that the initiator's host has flows with as initiator, windowed"},
    {"init_flows_per_peer", "flows", FeatureGroup::host, kLogMilli,
     "decayed flows opened by the initiator's host divided by init_peers"},
    {"resp_received_rate_pps", "packets/s", FeatureGroup::host, kLogMilli,
     "packets sent to the responder's host, decayed"},
    {"resp_sent_rate_pps", "packets/s", FeatureGroup::host, kLogMilli, "packets sent by the responder's host, decayed"},
    {"resp_received_rate_bytes_per_s", "bytes/s", FeatureGroup::host, kLog,
     "IP bytes sent to the responder's host, decayed"},
    {"resp_flow_rate_per_s", "flows/s", FeatureGroup::host, kLogMilli, "flows opened to the responder's host, decayed"},
    {"resp_peers", "hosts", FeatureGroup::host, kLog,
     "distinct hosts that have flows with the responder's host as responder, windowed"},
    {"resp_ports", "ports", FeatureGroup::host, kLog,
     "distinct ports of the responder's host that flows go to, windowed"},
    {"resp_flows_per_peer", "flows", FeatureGroup::host, kLogMilli,
     "decayed flows opened to the responder's host divided by resp_peers"},
    {"init_unreplied_share", "share", FeatureGroup::host, kRatio,
     "of the flows opened by the initiator's host: share without any reply, decayed"},
    {"init_syn_unanswered_share", "share", FeatureGroup::host, kRatio,
     "of its flows opened by SYN: share without a SYN-ACK as first reply, decayed"},
    {"init_refused_share", "share", FeatureGroup::host, kRatio,
     "RST as first reply or ICMP unreachable received, divided by flows opened, at most 1, decayed"},
    {"resp_unreplied_share", "share", FeatureGroup::host, kRatio,
     "of the flows opened to the responder's host: share without any reply, decayed"},
    {"resp_unconfirmed_share", "share", FeatureGroup::host, kRatio,
     "of the flows opened to the responder's host: share in which the initiator has sent nothing after a reply, decayed"},

    // payload: the state holds the codes in this order
    {"payload_fwd_first_bytes", "bytes", FeatureGroup::payload, kLog,
     "the first payload from the initiator; the least value of its code", Caution::payload},
    {"payload_bwd_first_bytes", "bytes", FeatureGroup::payload, kLog,
     "the first payload from the responder; the least value of its code", Caution::payload},
    {"payload_http_path_bytes", "bytes", FeatureGroup::payload, kLog,
     "longest path of an HTTP request, as far as the first 512 bytes go; the least value of its code", Caution::payload},
    {"payload_fwd_first_kind", "code", FeatureGroup::payload, kIdentity,
     "what the first payload from the initiator looks like, see the list of kinds", Caution::payload},
    {"payload_bwd_first_kind", "code", FeatureGroup::payload, kIdentity,
     "what the first payload from the responder looks like, see the list of kinds", Caution::payload},
    {"payload_fwd_kind", "code", FeatureGroup::payload, kIdentity,
     "what the latest payload from the initiator that told a protocol looks like, else its first one", Caution::payload},
    {"payload_bwd_kind", "code", FeatureGroup::payload, kIdentity,
     "what the latest payload from the responder that told a protocol looks like, else its first one", Caution::payload},
    {"payload_fwd_purpose", "code", FeatureGroup::payload, kIdentity,
     "upper four bits of payload_fwd_kind: what the protocol is for", Caution::payload},
    {"payload_bwd_purpose", "code", FeatureGroup::payload, kIdentity,
     "upper four bits of payload_bwd_kind: what the protocol is for", Caution::payload},
    {"payload_fwd_byte_1", "number", FeatureGroup::payload, kIdentity,
     "first byte of the first payload from the initiator", Caution::payload},
    {"payload_fwd_byte_2", "number", FeatureGroup::payload, kIdentity,
     "second byte of the first payload from the initiator", Caution::payload},
    {"payload_fwd_byte_3", "number", FeatureGroup::payload, kIdentity,
     "third byte of the first payload from the initiator", Caution::payload},
    {"payload_bwd_byte_1", "number", FeatureGroup::payload, kIdentity,
     "first byte of the first payload from the responder", Caution::payload},
    {"payload_bwd_byte_2", "number", FeatureGroup::payload, kIdentity,
     "second byte of the first payload from the responder", Caution::payload},
    {"payload_bwd_byte_3", "number", FeatureGroup::payload, kIdentity,
     "third byte of the first payload from the responder", Caution::payload},
    {"payload_fwd_text", "1/64", FeatureGroup::payload, kIdentity,
     "printable share of the first 64 bytes of the first payload from the initiator", Caution::payload},
    {"payload_bwd_text", "1/64", FeatureGroup::payload, kIdentity,
     "printable share of the first 64 bytes of the first payload from the responder", Caution::payload},
    {"payload_fwd_entropy", "1/32 bit", FeatureGroup::payload, kIdentity,
     "entropy of the first 64 bytes of the first payload from the initiator", Caution::payload},
    {"payload_bwd_entropy", "1/32 bit", FeatureGroup::payload, kIdentity,
     "entropy of the first 64 bytes of the first payload from the responder", Caution::payload},
    {"payload_fwd_length_field", "code", FeatureGroup::payload, kIdentity,
     "16-bit field in the first payload from the initiator that tells its length: 1 + 2 x its offset (0 to 4), one more if little endian; 0: none", Caution::payload},
    {"payload_bwd_length_field", "code", FeatureGroup::payload, kIdentity,
     "16-bit field in the first payload from the responder that tells its length: 1 + 2 x its offset (0 to 4), one more if little endian; 0: none", Caution::payload},
    {"payload_fwd_rtp_packets", "packets", FeatureGroup::payload, kIdentity,
     "payloads from the initiator that carry on the RTP stream of the one before: same source, next number", Caution::payload},
    {"payload_bwd_rtp_packets", "packets", FeatureGroup::payload, kIdentity,
     "payloads from the responder that carry on the RTP stream of the one before: same source, next number", Caution::payload},
    {"payload_fwd_media_type", "number", FeatureGroup::payload, kIdentity,
     "RTP payload type of the latest of these, plus 1; 0 before the first", Caution::payload},
    {"payload_bwd_media_type", "number", FeatureGroup::payload, kIdentity,
     "RTP payload type of the latest of these, plus 1; 0 before the first", Caution::payload},
    {"payload_fwd_counter_packets", "packets", FeatureGroup::payload, kIdentity,
     "payloads from the initiator in which a 16-bit field of the first 8 bytes is one more than in the payload before", Caution::payload},
    {"payload_bwd_counter_packets", "packets", FeatureGroup::payload, kIdentity,
     "payloads from the responder in which a 16-bit field of the first 8 bytes is one more than in the payload before", Caution::payload},
    {"payload_fwd_constant_bytes", "bytes", FeatureGroup::payload, kIdentity,
     "of the first 8 bytes of the latest payload from the initiator: those that are as in the one before", Caution::payload},
    {"payload_bwd_constant_bytes", "bytes", FeatureGroup::payload, kIdentity,
     "of the first 8 bytes of the latest payload from the responder: those that are as in the one before", Caution::payload},
    {"payload_tls_ciphers", "count", FeatureGroup::payload, kIdentity,
     "cipher suites of the largest TLS client hello", Caution::payload},
    {"payload_tls_extensions", "count", FeatureGroup::payload, kIdentity,
     "its extensions, as far as the first 512 bytes go", Caution::payload},
    {"payload_tls_name_bytes", "bytes", FeatureGroup::payload, kIdentity,
     "length of the server name in it, at least 1; 0: it has none", Caution::payload},
    {"payload_tls_protocol", "code", FeatureGroup::payload, kIdentity,
     "first application protocol in it: 4 h3, 3 h2, 2 HTTP/1, 1 another; 0: none named", Caution::payload},
    {"payload_dns_name_bytes", "bytes", FeatureGroup::payload, kIdentity,
     "longest first name of a DNS message, without dots", Caution::payload},
    {"payload_dns_labels", "count", FeatureGroup::payload, kIdentity,
     "most labels of such a name", Caution::payload},
    {"payload_dns_name_entropy", "1/32 bit", FeatureGroup::payload, kIdentity,
     "greatest entropy of the bytes of such a name", Caution::payload},
    {"payload_dns_type", "number", FeatureGroup::payload, kIdentity,
     "type of the first question or answer of the latest DNS message, at most 255", Caution::payload},
    {"payload_dns_answers", "count", FeatureGroup::payload, kIdentity,
     "most answers of a DNS message", Caution::payload},
    {"payload_http_path_odd", "count", FeatureGroup::payload, kIdentity,
     "most characters of an HTTP path that are seldom in one: quotes, brackets, percent signs and the like", Caution::payload},
    {"payload_http_unfinished", "packets", FeatureGroup::payload, kIdentity,
     "HTTP requests whose header does not end within their packet, where all of it is looked at", Caution::payload},
});
// clang-format on

inline constexpr std::uint32_t kFeatureCount = kCatalogRows.size();

void no_such_feature();  // never defined: to reach it at compile time is the error

/// Id of a feature by name, at compile time: a wrong name does not compile.
[[nodiscard]] consteval std::uint16_t feature_id(std::string_view name) {
    for (std::uint16_t id = 0; id < kFeatureCount; ++id) {
        if (kCatalogRows[id].name == name) {
            return id;
        }
    }
    no_such_feature();
    return 0;
}

}  // namespace weir::dataplane
