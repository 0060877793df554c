// SPDX-License-Identifier: BSD-3-Clause
// What features are made of, taken down at a packet; and features one packet at a time.
#include "dataplane/features/catalog_table.h"
#include "dataplane/features/encoders.h"
#include "dataplane/features/features.h"
#include "dataplane/features/host.h"
#include "dataplane/features/lanes.h"
#include "dataplane/features/state.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>

#define WEIR_LANES_INLINE inline

namespace weir::dataplane {

namespace {

using Real = float;
using Whole = std::uint32_t;
using Mask = bool;

struct Ops {
    static constexpr std::size_t kWidth = 1;

    static Real real(const float* at) { return *at; }
    static Whole whole(const std::uint32_t* at) { return *at; }
    static Real set(float value) { return value; }
    static Real to_real(Whole value) { return to_float(value); }
    static Real from_bits(Whole value) { return std::bit_cast<float>(value); }
    static Real root(Real value) { return std::sqrt(value); }
    static Real most(Real value, Real low) { return value > low ? value : low; }
    static Real least(Real value, Real high) { return value < high ? value : high; }
    static Mask above(Real a, Real b) { return a > b; }
    static Mask equal(Whole a, std::uint32_t b) { return a == b; }
    static Mask any_bit(Whole a, std::uint32_t bits) { return (a & bits) != 0; }
    static Real select(Mask mask, Real yes, Real no) { return mask ? yes : no; }
    static Whole plus(Whole a, std::int32_t b) { return a + static_cast<std::uint32_t>(b); }
    static Whole shift_left(Whole a, std::uint32_t bits) { return a << bits; }
    static void put_raw(float* at, Real value) { *at = value; }
    static void put_log(std::uint8_t* at, Real value, std::int32_t param) {
        *at = log_code(value, param);
    }
    static void put_linear(std::uint8_t* at, Real value, float scale, float bias) {
        *at = linear_code(value, {scale, bias});
    }
};

// The operations come first.
// clang-format off
#include "dataplane/features/lanes.inc"
// clang-format on

// ---- taking down ----------------------------------------------------------------------------------------------------

[[nodiscard]] std::uint16_t from_network(std::uint16_t value) noexcept {
    return std::endian::native == std::endian::little
               ? static_cast<std::uint16_t>(value << 8 | value >> 8)
               : value;
}

void take_packet(
    const Flow& flow,
    const PacketHeader& header,
    bool forward,
    std::size_t r,
    Measures& m) noexcept {
    constexpr std::uint8_t kIcmp = 1;
    constexpr std::uint8_t kIcmp6 = 58;
    const FlowKey key = flow.key();
    // Masks, not branches: protocols alternate from packet to packet.
    const auto all_if = [](bool yes) { return 0U - static_cast<std::uint32_t>(yes); };
    const std::uint32_t tcp = all_if(is_tcp(header));
    const std::uint32_t icmp = all_if((header.proto == kIcmp) | (header.proto == kIcmp6));
    const std::uint32_t ports =
        all_if((key.proto == kProtoTcp) | (key.proto == kProtoUdp) | (key.proto == kProtoSctp));
    const std::uint32_t turned =
        (std::uint32_t{key.port_lo} ^ key.port_hi) & all_if(flow.initiator_is_hi());
    m.payload[r] = header.payload_bytes;
    m.window[r] = header.tcp_window & tcp;
    m.ip_bytes[r] = header.ip_bytes;
    m.proto[r] = header.proto;
    m.icmp_type[r] = header.icmp_type & icmp;
    m.icmp_code[r] = header.icmp_code & icmp;
    m.ttl[r] = header.ttl;
    m.dscp[r] = header.tos >> 2;
    m.version[r] = header.ip_version;
    m.flags[r] = header.tcp_flags & tcp;
    m.backward[r] = forward ? 0 : 1;
    m.fragment[r] = header.fragment ? 1 : 0;
    m.port[0][r] = from_network(static_cast<std::uint16_t>(key.port_lo ^ turned)) & ports;
    m.port[1][r] = from_network(static_cast<std::uint16_t>(key.port_hi ^ turned)) & ports;
}

// What several groups share.
void take_counts(const Flow& flow, std::size_t r, Measures& m) noexcept {
    const std::uint64_t packets = flow.all_packets();
    m.packets[0][r] = flow.packets[0];
    m.packets[1][r] = flow.packets[1];
    m.all_packets[r] = to_float(packets);
    m.gaps[r] = to_float(packets - 1);
    m.early[r] = static_cast<std::uint32_t>(std::min(packets, kEarlyPackets));
    m.elapsed_us[r] = to_float(flow.elapsed_us());
    m.bytes[0][r] = to_float(flow.bytes(0));
    m.bytes[1][r] = to_float(flow.bytes(1));
    m.all_bytes[r] = to_float(flow.bytes(0) + flow.bytes(1));
    m.payload_bytes[0][r] = flow.payload_bytes[0];
    m.payload_bytes[1][r] = flow.payload_bytes[1];
    m.reply_us[r] = flow.reply_us();
}

void take_flow(const Flow& flow, std::size_t r, Measures& m) noexcept {
    m.all_payload[r] = to_float(std::uint64_t{flow.payload_bytes[0]} + flow.payload_bytes[1]);
    m.turns[r] = flow.turns;
    m.small[r] = flow.small_packets;
    m.payload_packets[0][r] = flow.payload_packets[0];
    m.payload_packets[1][r] = flow.payload_packets[1];
}

void take_length(const Flow& flow, std::size_t r, Measures& m) noexcept {
    for (std::size_t way = 0; way < 2; ++way) {
        m.length_min[way][r] = flow.length_min[way];
        m.length_max[way][r] = flow.length_max[way];
        m.length_m2[way][r] = flow.length_m2[way];
    }
}

void take_gap(const Flow& flow, FlowEvents events, std::size_t r, Measures& m) noexcept {
    const std::uint64_t elapsed = flow.elapsed_us();
    const std::uint32_t fwd_silence = silence_us(flow, 0);
    const std::uint32_t bwd_silence = silence_us(flow, 1);
    const std::uint64_t bwd_until = elapsed - bwd_silence;
    const std::uint64_t reply = flow.reply_us();
    m.gap_last_code[r] = events.gap_code;
    m.gap_min_code[r] = flow.gap_min_code;
    m.gap_max_code[r] = flow.gap_max_code;
    m.gap_m2[r] = flow.gap_m2_us2;
    m.silence_us[0][r] = fwd_silence;
    m.silence_us[1][r] = bwd_silence;
    m.span_us[0][r] = to_float(elapsed - fwd_silence);
    m.span_us[1][r] = to_float(bwd_until > reply ? bwd_until - reply : 0);
}

void take_tcp(const Flow& flow, std::size_t r, Measures& m) noexcept {
    m.tcp_bits[r] = flow.bits();
    m.syn[r] = flow.syn;
    m.fin[r] = flow.fin;
    m.rst[r] = flow.rst;
    m.zero_window[r] = flow.zero_window;
    m.psh[r] = flow.psh;
    for (std::size_t way = 0; way < 2; ++way) {
        m.first_window_code[way][r] = flow.first_window_code[way];
        m.retransmissions[way][r] = flow.retransmissions[way];
    }
}

}  // namespace

void take_down_hosts(const HostPair& hosts, std::size_t r, Measures& m) noexcept {
    const Host& init = *hosts.initiator;
    const Host& resp = *hosts.responder;
    m.init_sent_packets[r] = init.sum(HostSum::sent_packets);
    m.init_sent_bytes[r] = init.sum(HostSum::sent_bytes);
    m.init_received_packets[r] = init.sum(HostSum::received_packets);
    m.out_flows[r] = init.sum(HostSum::out_flows);
    m.out_replied[r] = init.sum(HostSum::out_replied);
    m.out_syn[r] = init.sum(HostSum::out_syn);
    m.out_syn_answered[r] = init.sum(HostSum::out_syn_answered);
    m.out_refused[r] = init.sum(HostSum::out_refused);
    m.out_peers[r] = distinct(init.out_peers);
    m.out_ports[r] = distinct(init.out_ports);
    m.resp_sent_packets[r] = resp.sum(HostSum::sent_packets);
    m.resp_received_packets[r] = resp.sum(HostSum::received_packets);
    m.resp_received_bytes[r] = resp.sum(HostSum::received_bytes);
    m.in_flows[r] = resp.sum(HostSum::in_flows);
    m.in_replied[r] = resp.sum(HostSum::in_replied);
    m.in_confirmed[r] = resp.sum(HostSum::in_confirmed);
    m.in_peers[r] = distinct(resp.in_peers);
    m.in_ports[r] = distinct(resp.in_ports);
}

void take_down(
    std::uint32_t groups,
    const Flow& flow,
    const PacketHeader& header,
    bool forward,
    FlowEvents events,
    const HostPair& hosts,
    std::size_t row,
    Measures& measures) noexcept {
    constexpr auto bit = [](FeatureGroup group) { return 1U << static_cast<unsigned>(group); };
    constexpr std::uint32_t kCounting = bit(FeatureGroup::flow) | bit(FeatureGroup::length) |
                                        bit(FeatureGroup::gap) | bit(FeatureGroup::tcp);
    if (has_group(groups, FeatureGroup::packet)) {
        take_packet(flow, header, forward, row, measures);
    }
    if ((groups & kCounting) != 0) {
        take_counts(flow, row, measures);
        take_flow(flow, row, measures);
        take_length(flow, row, measures);
        take_gap(flow, events, row, measures);
        take_tcp(flow, row, measures);
    }
    if (has_group(groups, FeatureGroup::sequence)) {
        measures.seq_length[row] = flow.seq_length;
        std::copy(flow.seq_gap.begin(), flow.seq_gap.end(), measures.seq_gap[row].begin());
    }
    if (has_group(groups, FeatureGroup::host)) {
        take_down_hosts(hosts, row, measures);
    }
}

void update_flows_scalar(std::uint32_t groups, FlowPackets& packets, Measures& measures) noexcept {
    const std::uint32_t own = groups & ~(1U << static_cast<std::uint32_t>(FeatureGroup::host));
    for (std::size_t r = 0; r < packets.count; ++r) {
        Flow& flow = *packets.flow[r];
        const bool forward = (packets.backward >> r & 1U) == 0;
        packets.previous_us[r] = flow.last_us();
        packets.events[r] = update_flow(flow, *packets.header[r], forward, packets.now_ns[r]);
        take_down(
            own, flow, *packets.header[r], forward, packets.events[r], no_hosts(), r, measures);
    }
}

void lanes_scalar(
    std::uint32_t groups,
    const Measures& measures,
    std::size_t rows,
    std::uint8_t* codes) noexcept {
    for (std::size_t row = 0; row < rows; ++row) {
        lanes(groups, measures, Emit<false>{codes, nullptr, Measures::kRows, row});
    }
}

void compute_features(
    std::uint32_t groups,
    const Flow& flow,
    const PacketHeader& header,
    bool forward,
    FlowEvents events,
    const HostPair& hosts,
    FeatureRow& row) noexcept {
    constexpr std::uint32_t kLengths = feature_id("seq_length_01_bytes");
    constexpr std::uint32_t kGaps = feature_id("seq_gap_02_us");
    constexpr std::array<std::uint32_t, 2> kPortIds{
        feature_id("initiator_port"), feature_id("responder_port")};
    Measures measures;
    take_down(groups, flow, header, forward, events, hosts, 0, measures);
    lanes(groups, measures, Emit<true>{row.codes.data(), row.raw.data(), 1, 0});
    if (has_group(groups, FeatureGroup::packet)) {
        for (std::size_t end = 0; end < 2; ++end) {
            const std::uint32_t port = measures.port[end][0];
            row.raw[kPortIds[end]] = to_float(port);
            row.codes[kPortIds[end]] = kPortCodes[port];
        }
    }
    if (has_group(groups, FeatureGroup::sequence)) {
        for (std::uint32_t i = 0; i < kSequenceLength; ++i) {
            row.codes[kLengths + i] = sequence_length_code(flow.seq_length[i]);
            row.raw[kLengths + i] = sequence_length_raw(flow.seq_length[i]);
        }
        for (std::uint32_t i = 1; i < kSequenceLength; ++i) {
            row.codes[kGaps + i - 1] = flow.seq_gap[i - 1];
            row.raw[kGaps + i - 1] = log_decode(flow.seq_gap[i - 1], kLogUnit);
        }
    }
}

}  // namespace weir::dataplane
