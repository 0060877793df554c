// SPDX-License-Identifier: BSD-3-Clause
// Raw values of each group into contiguous float lanes, then codes, a run of lanes at a time.
#include "dataplane/features/catalog_table.h"
#include "dataplane/features/encoders.h"
#include "dataplane/features/features.h"
#include "dataplane/features/host.h"
#include "dataplane/features/state.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace weir::dataplane {

namespace {

// ---- codes ----------------------------------------------------------------------------------------------------------

enum class LaneKind : std::uint8_t { log, linear, port };

[[nodiscard]] constexpr LaneKind lane_kind(EncoderKind kind) noexcept {
    return kind == EncoderKind::log    ? LaneKind::log
           : kind == EncoderKind::port ? LaneKind::port
                                       : LaneKind::linear;
}

// A run of features of one group whose codes one loop makes.
struct Segment {
    FeatureGroup group = FeatureGroup::count_;
    LaneKind kind = LaneKind::log;
    std::uint32_t first = 0;
    std::uint32_t end = 0;
};

[[nodiscard]] consteval bool starts_segment(std::uint32_t id) {
    return id == 0 || kCatalogRows[id].group != kCatalogRows[id - 1].group ||
           lane_kind(kCatalogRows[id].encoder.kind) != lane_kind(kCatalogRows[id - 1].encoder.kind);
}

[[nodiscard]] consteval std::size_t count_segments() {
    std::size_t count = 0;
    for (std::uint32_t id = 0; id < kFeatureCount; ++id) {
        count += starts_segment(id) ? 1 : 0;
    }
    return count;
}

[[nodiscard]] consteval auto make_segments() {
    std::array<Segment, count_segments()> out{};
    std::size_t at = 0;
    for (std::uint32_t id = 0; id < kFeatureCount; ++id) {
        if (starts_segment(id)) {
            out[at++] = {kCatalogRows[id].group, lane_kind(kCatalogRows[id].encoder.kind), id, id};
        }
        ++out[at - 1].end;
    }
    return out;
}

constexpr auto kSegments = make_segments();

struct LaneTables {
    alignas(64) std::array<std::int32_t, kMaxFeatures> log_param{};
    alignas(64) std::array<float, kMaxFeatures> scale{};
    alignas(64) std::array<float, kMaxFeatures> bias{};
};

constexpr LaneTables kLanes = [] {
    LaneTables out;
    for (std::uint32_t id = 0; id < kFeatureCount; ++id) {
        const Encoder& encoder = kCatalogRows[id].encoder;
        const LinearStep step = linear_step(encoder.kind, encoder.param);
        out.log_param[id] = encoder.param;
        out.scale[id] = step.scale;
        out.bias[id] = step.bias;
    }
    return out;
}();

template <std::size_t S>
void encode_segment(FeatureRow& row) noexcept {
    constexpr Segment kSegment = kSegments[S];
    for (std::uint32_t i = kSegment.first; i < kSegment.end; ++i) {
        if constexpr (kSegment.kind == LaneKind::log) {
            row.codes[i] = log_code(row.raw[i], kLanes.log_param[i]);
        } else if constexpr (kSegment.kind == LaneKind::linear) {
            row.codes[i] = linear_code(row.raw[i], {kLanes.scale[i], kLanes.bias[i]});
        } else {
            row.codes[i] = kPortCodes[static_cast<std::uint16_t>(row.raw[i])];
        }
    }
}

template <FeatureGroup Group, std::size_t... S>
void encode_segments(FeatureRow& row, std::index_sequence<S...>) noexcept {
    (
        [&row] {
            if constexpr (kSegments[S].group == Group) {
                encode_segment<S>(row);
            }
        }(),
        ...);
}

template <FeatureGroup Group>
void encode_group(FeatureRow& row) noexcept {
    encode_segments<Group>(row, std::make_index_sequence<kSegments.size()>{});
}

// ---- raw values -----------------------------------------------------------------------------------------------------

[[nodiscard]] float truth(bool value) noexcept {
    return value ? 1.0F : 0.0F;
}

// a / b, 0 where b is 0.
[[nodiscard]] float per(float a, float b) noexcept {
    return b > 0.0F ? a / b : 0.0F;
}

// part / whole, within 0…1 also where rounding, saturation or decay broke the proportion.
[[nodiscard]] float share(float part, float whole) noexcept {
    const float ratio = per(part, whole);
    const float low = ratio > 0.0F ? ratio : 0.0F;
    return low < 1.0F ? low : 1.0F;
}

[[nodiscard]] std::uint16_t from_network(std::uint16_t value) noexcept {
    return std::endian::native == std::endian::little
               ? static_cast<std::uint16_t>(value << 8 | value >> 8)
               : value;
}

[[nodiscard]] std::uint64_t packets_of(const Flow& flow) noexcept {
    return std::uint64_t{flow.packets[0]} + flow.packets[1];
}

[[nodiscard]] std::uint64_t bytes_of(const Flow& flow) noexcept {
    const std::uint64_t sum = flow.bytes[0] + flow.bytes[1];
    return sum < flow.bytes[0] ? UINT64_MAX : sum;
}

#define WEIR_LANE(name) raw[feature_id(name)]

using Lanes = std::array<float, kMaxFeatures>;

void fill_packet(const Flow& flow, const PacketHeader& header, bool forward, Lanes& raw) noexcept {
    constexpr std::uint8_t kIcmp = 1;
    constexpr std::uint8_t kIcmp6 = 58;
    const FlowKey& key = flow.key;
    const bool tcp = is_tcp(header);
    const bool icmp = header.proto == kIcmp || header.proto == kIcmp6;
    const bool ports = key.proto == kProtoTcp || key.proto == kProtoUdp || key.proto == kProtoSctp;
    const std::uint32_t flags = tcp ? header.tcp_flags : 0U;
    const std::uint16_t from = flow.initiator_is_hi ? key.port_hi : key.port_lo;
    const std::uint16_t to = flow.initiator_is_hi ? key.port_lo : key.port_hi;
    WEIR_LANE("packet_payload_bytes") = to_float(header.payload_bytes);
    WEIR_LANE("packet_tcp_window") = tcp ? static_cast<float>(header.tcp_window) : 0.0F;
    WEIR_LANE("packet_ip_bytes") = to_float(header.ip_bytes);
    WEIR_LANE("protocol") = static_cast<float>(header.proto);
    WEIR_LANE("packet_icmp_type") = icmp ? static_cast<float>(header.icmp_type) : 0.0F;
    WEIR_LANE("packet_icmp_code") = icmp ? static_cast<float>(header.icmp_code) : 0.0F;
    WEIR_LANE("packet_ttl") = static_cast<float>(header.ttl);
    WEIR_LANE("packet_dscp") = static_cast<float>(header.tos >> 2);
    WEIR_LANE("is_tcp") = truth(header.proto == kProtoTcp);
    WEIR_LANE("is_udp") = truth(header.proto == kProtoUdp);
    WEIR_LANE("is_ipv6") = truth(header.ip_version == 6);
    WEIR_LANE("packet_is_backward") = truth(!forward);
    WEIR_LANE("packet_has_syn") = truth((flags & kTcpSyn) != 0);
    WEIR_LANE("packet_has_ack") = truth((flags & kTcpAck) != 0);
    WEIR_LANE("packet_has_rst") = truth((flags & kTcpRst) != 0);
    WEIR_LANE("packet_has_fin") = truth((flags & kTcpFin) != 0);
    WEIR_LANE("packet_has_psh") = truth((flags & kTcpPsh) != 0);
    WEIR_LANE("packet_is_fragment") = truth(header.fragment);
    WEIR_LANE("initiator_port") = ports ? static_cast<float>(from_network(from)) : 0.0F;
    WEIR_LANE("responder_port") = ports ? static_cast<float>(from_network(to)) : 0.0F;
}

void fill_flow(const Flow& flow, Lanes& raw) noexcept {
    constexpr float kUsPerS = 1e6F;
    const std::uint64_t packets = packets_of(flow);
    const std::uint64_t early = packets < kEarlyPackets ? packets : kEarlyPackets;
    const float early_packets = to_float(early);
    const float duration_us = to_float(elapsed_us(flow));
    const float all_bytes = to_float(bytes_of(flow));
    const float all_payload =
        to_float(std::uint64_t{flow.payload_bytes[0]} + flow.payload_bytes[1]);
    // At the first packet nothing has a rate yet.
    const float per_s = packets > 1 ? kUsPerS / (duration_us > 1.0F ? duration_us : 1.0F) : 0.0F;
    WEIR_LANE("duration_us") = duration_us;
    WEIR_LANE("fwd_packets") = to_float(flow.packets[0]);
    WEIR_LANE("bwd_packets") = to_float(flow.packets[1]);
    WEIR_LANE("fwd_bytes") = to_float(flow.bytes[0]);
    WEIR_LANE("bwd_bytes") = to_float(flow.bytes[1]);
    WEIR_LANE("fwd_payload_bytes") = to_float(flow.payload_bytes[0]);
    WEIR_LANE("bwd_payload_bytes") = to_float(flow.payload_bytes[1]);
    WEIR_LANE("packet_rate_pps") = to_float(packets - 1) * per_s;
    WEIR_LANE("byte_rate_bytes_per_s") = all_bytes * per_s;
    WEIR_LANE("turns") = static_cast<float>(flow.turns);
    WEIR_LANE("bwd_packet_share") = share(to_float(flow.packets[1]), to_float(packets));
    WEIR_LANE("bwd_byte_share") = share(to_float(flow.bytes[1]), all_bytes);
    WEIR_LANE("bwd_payload_share") = share(to_float(flow.payload_bytes[1]), all_payload);
    WEIR_LANE("fwd_payload_packet_share") =
        share(static_cast<float>(flow.payload_packets[0]), early_packets);
    WEIR_LANE("bwd_payload_packet_share") =
        share(static_cast<float>(flow.payload_packets[1]), early_packets);
    WEIR_LANE("small_packet_share") = share(static_cast<float>(flow.small_packets), early_packets);
    WEIR_LANE("turn_share") = share(static_cast<float>(flow.turns), early_packets - 1.0F);
}

void fill_length(const Flow& flow, Lanes& raw) noexcept {
    const float fwd = to_float(flow.packets[0]);
    const float bwd = to_float(flow.packets[1]);
    const float all = fwd + bwd;
    const float fwd_mean = per(to_float(flow.bytes[0]), fwd);
    const float bwd_mean = per(to_float(flow.bytes[1]), bwd);
    const float apart = fwd_mean - bwd_mean;
    // Squared differences of two sets from their common mean (Chan et al., 1979).
    const float all_m2 =
        flow.length_m2[0] + flow.length_m2[1] + apart * apart * (fwd * (bwd / all));
    WEIR_LANE("fwd_length_min_bytes") = static_cast<float>(flow.length_min[0]);
    WEIR_LANE("bwd_length_min_bytes") = static_cast<float>(flow.length_min[1]);
    WEIR_LANE("fwd_length_std_bytes") = std::sqrt(per(flow.length_m2[0], fwd));
    WEIR_LANE("bwd_length_std_bytes") = std::sqrt(per(flow.length_m2[1], bwd));
    WEIR_LANE("length_std_bytes") = std::sqrt(all_m2 / all);
    WEIR_LANE("fwd_payload_mean_bytes") = per(to_float(flow.payload_bytes[0]), fwd);
    WEIR_LANE("bwd_payload_mean_bytes") = per(to_float(flow.payload_bytes[1]), bwd);
    WEIR_LANE("fwd_length_max_bytes") = static_cast<float>(flow.length_max[0]);
    WEIR_LANE("bwd_length_max_bytes") = static_cast<float>(flow.length_max[1]);
    WEIR_LANE("fwd_length_mean_bytes") = fwd_mean;
    WEIR_LANE("bwd_length_mean_bytes") = bwd_mean;
    WEIR_LANE("length_mean_bytes") = to_float(bytes_of(flow)) / all;
}

void fill_gap(const Flow& flow, Lanes& raw) noexcept {
    const std::uint64_t elapsed = elapsed_us(flow);
    const float duration_us = to_float(elapsed);
    const float gaps = to_float(packets_of(flow) - 1);
    const float mean = per(duration_us, gaps);
    const float std = std::sqrt(per(flow.gap_m2_us2, gaps));
    const float longest = log_decode(flow.gap_max_code, kLogUnit);
    const std::uint32_t fwd_silence = silence_us(flow, 0, elapsed);
    const std::uint32_t bwd_silence = flow.packets[1] != 0 ? silence_us(flow, 1, elapsed) : 0;
    const std::uint64_t bwd_until = elapsed - bwd_silence;
    const float fwd_span = to_float(elapsed - fwd_silence);
    const float bwd_span = to_float(bwd_until > flow.reply_us ? bwd_until - flow.reply_us : 0);
    const bool fwd_two = flow.packets[0] > 1;
    const bool bwd_two = flow.packets[1] > 1;
    WEIR_LANE("gap_last_us") = log_decode(flow.gap_last_code, kLogUnit);
    WEIR_LANE("gap_min_us") = log_decode(flow.gap_min_code, kLogUnit);
    WEIR_LANE("gap_max_us") = longest;
    WEIR_LANE("gap_mean_us") = mean;
    WEIR_LANE("gap_std_us") = std;
    WEIR_LANE("fwd_gap_mean_us") = fwd_two ? fwd_span / to_float(flow.packets[0] - 1) : 0.0F;
    WEIR_LANE("bwd_gap_mean_us") = bwd_two ? bwd_span / to_float(flow.packets[1] - 1) : 0.0F;
    WEIR_LANE("fwd_silence_us") = to_float(fwd_silence);
    WEIR_LANE("bwd_silence_us") = to_float(bwd_silence);
    WEIR_LANE("reply_delay_us") = to_float(flow.reply_us);
    WEIR_LANE("gap_irregularity") = share(std, std + mean);
    WEIR_LANE("gap_max_share") = share(longest, duration_us);
}

void fill_tcp(const Flow& flow, Lanes& raw) noexcept {
    const std::uint64_t packets = packets_of(flow);
    const std::uint64_t early = packets < kEarlyPackets ? packets : kEarlyPackets;
    const bool answered = (flow.tcp_bits & kSynAnswered) != 0;
    const std::uint32_t again = std::uint32_t{flow.retransmissions[0]} + flow.retransmissions[1];
    WEIR_LANE("handshake_rtt_us") = answered ? to_float(flow.reply_us) : 0.0F;
    WEIR_LANE("fwd_first_window") = log_decode(flow.first_window_code[0], kLogUnit);
    WEIR_LANE("bwd_first_window") = log_decode(flow.first_window_code[1], kLogUnit);
    WEIR_LANE("syn_packets") = static_cast<float>(flow.syn);
    WEIR_LANE("fin_packets") = static_cast<float>(flow.fin);
    WEIR_LANE("rst_packets") = static_cast<float>(flow.rst);
    WEIR_LANE("zero_window_packets") = static_cast<float>(flow.zero_window);
    WEIR_LANE("fwd_retransmissions") = static_cast<float>(flow.retransmissions[0]);
    WEIR_LANE("bwd_retransmissions") = static_cast<float>(flow.retransmissions[1]);
    WEIR_LANE("retransmission_share") = share(to_float(again), to_float(packets));
    WEIR_LANE("psh_share") = share(static_cast<float>(flow.psh), to_float(early));
    WEIR_LANE("is_opened_by_syn") = truth((flow.tcp_bits & kOpenedBySyn) != 0);
    WEIR_LANE("is_syn_answered") = truth(answered);
    WEIR_LANE("is_refused") = truth((flow.tcp_bits & kRefused) != 0);
}

void fill_host(const HostPair& hosts, Lanes& raw) noexcept {
    // Mean life of an exponential with a half-life of 2^33 ns: 2^33 ns / ln 2 = 12.39273 s.
    constexpr float kPerMeanLife = 1.0F / 12.39273F;
    const Host& init = *hosts.initiator;
    const Host& resp = *hosts.responder;
    const float out_flows = init.sum(HostSum::out_flows);
    const float out_syn = init.sum(HostSum::out_syn);
    const float in_flows = resp.sum(HostSum::in_flows);
    const float out_peers = distinct(init.out_peers);
    const float in_peers = distinct(resp.in_peers);
    WEIR_LANE("init_sent_rate_pps") = init.sum(HostSum::sent_packets) * kPerMeanLife;
    WEIR_LANE("init_received_rate_pps") = init.sum(HostSum::received_packets) * kPerMeanLife;
    WEIR_LANE("init_sent_rate_bytes_per_s") = init.sum(HostSum::sent_bytes) * kPerMeanLife;
    WEIR_LANE("init_flow_rate_per_s") = out_flows * kPerMeanLife;
    WEIR_LANE("init_peers") = out_peers;
    WEIR_LANE("init_ports") = distinct(init.out_ports);
    WEIR_LANE("init_flows_per_peer") = per(out_flows, out_peers);
    WEIR_LANE("resp_received_rate_pps") = resp.sum(HostSum::received_packets) * kPerMeanLife;
    WEIR_LANE("resp_sent_rate_pps") = resp.sum(HostSum::sent_packets) * kPerMeanLife;
    WEIR_LANE("resp_received_rate_bytes_per_s") = resp.sum(HostSum::received_bytes) * kPerMeanLife;
    WEIR_LANE("resp_flow_rate_per_s") = in_flows * kPerMeanLife;
    WEIR_LANE("resp_peers") = in_peers;
    WEIR_LANE("resp_ports") = distinct(resp.in_ports);
    WEIR_LANE("resp_flows_per_peer") = per(in_flows, in_peers);
    WEIR_LANE("init_unreplied_share") =
        share(out_flows - init.sum(HostSum::out_replied), out_flows);
    WEIR_LANE("init_syn_unanswered_share") =
        share(out_syn - init.sum(HostSum::out_syn_answered), out_syn);
    WEIR_LANE("init_refused_share") = share(init.sum(HostSum::out_refused), out_flows);
    WEIR_LANE("resp_unreplied_share") = share(in_flows - resp.sum(HostSum::in_replied), in_flows);
    WEIR_LANE("resp_unconfirmed_share") =
        share(in_flows - resp.sum(HostSum::in_confirmed), in_flows);
}

#undef WEIR_LANE

// The flow holds the sequence's codes: no raw value is needed to make them.
template <bool WithRaw>
void compute_sequence(const Flow& flow, FeatureRow& row) noexcept {
    constexpr std::uint32_t kLengths = feature_id("seq_length_01_bytes");
    constexpr std::uint32_t kGaps = feature_id("seq_gap_02_us");
    static_assert(feature_id("seq_length_16_bytes") == kLengths + kSequenceLength - 1);
    static_assert(feature_id("seq_gap_16_us") == kGaps + kSequenceLength - 2);
    for (std::uint32_t i = 0; i < kSequenceLength; ++i) {
        row.codes[kLengths + i] = sequence_length_code(flow.seq_length[i]);
    }
    std::memcpy(row.codes.data() + kGaps, flow.seq_gap.data() + 1, kSequenceLength - 1);
    if constexpr (WithRaw) {
        for (std::uint32_t i = 0; i < kSequenceLength; ++i) {
            row.raw[kLengths + i] = sequence_length_raw(flow.seq_length[i]);
        }
        for (std::uint32_t i = 1; i < kSequenceLength; ++i) {
            row.raw[kGaps + i - 1] = log_decode(flow.seq_gap[i], kLogUnit);
        }
    }
}

[[nodiscard]] constexpr bool has(std::uint32_t groups, FeatureGroup group) noexcept {
    return (groups >> static_cast<std::uint32_t>(group) & 1U) != 0;
}

template <bool WithRaw>
void compute(
    std::uint32_t groups,
    const Flow& flow,
    const PacketHeader& header,
    bool forward,
    const HostPair& hosts,
    FeatureRow& row) noexcept {
    if (has(groups, FeatureGroup::packet)) {
        fill_packet(flow, header, forward, row.raw);
        encode_group<FeatureGroup::packet>(row);
    }
    if (has(groups, FeatureGroup::flow)) {
        fill_flow(flow, row.raw);
        encode_group<FeatureGroup::flow>(row);
    }
    if (has(groups, FeatureGroup::length)) {
        fill_length(flow, row.raw);
        encode_group<FeatureGroup::length>(row);
    }
    if (has(groups, FeatureGroup::gap)) {
        fill_gap(flow, row.raw);
        encode_group<FeatureGroup::gap>(row);
    }
    if (has(groups, FeatureGroup::tcp)) {
        fill_tcp(flow, row.raw);
        encode_group<FeatureGroup::tcp>(row);
    }
    if (has(groups, FeatureGroup::sequence)) {
        compute_sequence<WithRaw>(flow, row);
    }
    if (has(groups, FeatureGroup::host)) {
        fill_host(hosts, row.raw);
        encode_group<FeatureGroup::host>(row);
    }
}

}  // namespace

void compute_features(
    std::uint32_t groups,
    const Flow& flow,
    const PacketHeader& header,
    bool forward,
    const HostPair& hosts,
    FeatureRow& row) noexcept {
    compute<true>(groups, flow, header, forward, hosts, row);
}

void compute_codes(
    std::uint32_t groups,
    const Flow& flow,
    const PacketHeader& header,
    bool forward,
    const HostPair& hosts,
    FeatureRow& row) noexcept {
    compute<false>(groups, flow, header, forward, hosts, row);
}

}  // namespace weir::dataplane
