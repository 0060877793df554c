// SPDX-License-Identifier: BSD-3-Clause
// One packet's effect on its flow.
#include "dataplane/features/encoders.h"
#include "dataplane/features/features.h"
#include "dataplane/features/state.h"

#include <algorithm>
#include <limits>

namespace weir::dataplane {

namespace {

constexpr std::uint32_t kSmallBytes = 128;

void count(std::uint8_t& counter, bool happened) noexcept {
    counter = static_cast<std::uint8_t>(counter + (happened && counter != 0xff ? 1 : 0));
}

void add_saturating(std::uint32_t& sum, std::uint32_t amount) noexcept {
    sum = amount > std::numeric_limits<std::uint32_t>::max() - sum
              ? std::numeric_limits<std::uint32_t>::max()
              : sum + amount;
}

[[nodiscard]] std::uint16_t to_u16(std::uint32_t value) noexcept {
    return static_cast<std::uint16_t>(
        std::min<std::uint32_t>(value, std::numeric_limits<std::uint16_t>::max()));
}

// Growth of the sum of squared differences from the mean when value x joins `n` ≥ 1 values of sum `sum`
// (Welford, 1962): never negative, and exactly 0 while all values are equal and sums are exact.
[[nodiscard]] float m2_growth(float x, float sum, float n) noexcept {
    const float delta = x - sum / n;
    return delta * delta * (n / (n + 1.0F));
}

void update_lengths(Flow& flow, std::size_t way, std::uint32_t ip_bytes) noexcept {
    const std::uint16_t length = to_u16(ip_bytes);
    const std::uint32_t before = flow.packets[way];
    const std::uint64_t bytes = flow.bytes(way);
    if (before == 0) {
        flow.length_min[way] = length;
        flow.length_max[way] = length;
    } else {
        flow.length_min[way] = std::min(flow.length_min[way], length);
        flow.length_max[way] = std::max(flow.length_max[way], length);
        flow.length_m2[way] += m2_growth(to_float(ip_bytes), to_float(bytes), to_float(before));
    }
    flow.set_bytes(way, bytes + ip_bytes);
}

// Gaps of both directions; `before` packets came before this one. The code of the gap to the packet before.
std::uint8_t update_gaps(
    Flow& flow, std::size_t way, std::uint64_t before, std::uint64_t now_us) noexcept {
    if (before == 0) {
        flow.set_times(now_us, 0);
        return 0;
    }
    const std::uint64_t first = flow.first_us();
    const std::uint64_t elapsed_before = flow.elapsed_us();
    flow.set_times(first, std::max(elapsed_before, now_us - std::min(now_us, first)));
    const std::uint64_t elapsed = flow.elapsed_us();
    const float gap_us = to_float(elapsed - elapsed_before);
    const std::uint8_t code = log_code(gap_us, kLogUnit);
    flow.gap_max_code = std::max(flow.gap_max_code, code);
    flow.gap_min_code = before == 1 ? code : std::min(flow.gap_min_code, code);
    if (before >= 2) {
        flow.gap_m2_us2 += m2_growth(gap_us, to_float(elapsed_before), to_float(before - 1));
    }
    if (flow.has(kLastBackward) != (way == 1)) {
        flow.other_last_us = static_cast<std::uint32_t>(elapsed_before);
    }
    if (way == 1 && flow.packets[1] == 0) {
        constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
        flow.set_reply_us(static_cast<std::uint32_t>(std::clamp<std::uint64_t>(elapsed, 1, kMost)));
    }
    if (before < kSequenceLength) {
        flow.seq_gap[before - 1] = code;
    }
    return code;
}

// A segment that ends at or before what its sender has sent already is a retransmission (keep-alives count too).
void update_sequence(Flow& flow, std::size_t way, const PacketHeader& header) noexcept {
    const bool syn = (header.tcp_flags & kTcpSyn) != 0;
    const bool fin = (header.tcp_flags & kTcpFin) != 0;
    const std::uint32_t advance = header.payload_bytes + (syn ? 1 : 0) + (fin ? 1 : 0);
    const std::uint32_t end = header.tcp_seq + advance;
    const Flow::Bit known = way == 0 ? kFwdSeqKnown : kBwdSeqKnown;
    if (!flow.has(known)) {
        flow.set(known, true);
        flow.next_seq[way] = end;
        flow.first_window_code[way] =
            log_code(to_float(std::uint32_t{header.tcp_window}), kLogUnit);
        return;
    }
    const auto ahead = static_cast<std::int32_t>(end - flow.next_seq[way]);
    count(flow.retransmissions[way], advance != 0 && ahead <= 0);
    flow.next_seq[way] = ahead > 0 ? end : flow.next_seq[way];
}

void update_tcp(
    Flow& flow, std::size_t way, const PacketHeader& header, FlowEvents& events) noexcept {
    const std::uint8_t flags = header.tcp_flags;
    const bool rst = (flags & kTcpRst) != 0;
    count(flow.syn, (flags & kTcpSyn) != 0);
    count(flow.fin, (flags & kTcpFin) != 0);
    count(flow.rst, rst);
    count(flow.zero_window, header.tcp_window == 0 && (flags & (kTcpSyn | kTcpRst)) == 0);
    if (!rst) {
        update_sequence(flow, way, header);
    }
    events.opened_by_syn = events.opened && (flags & (kTcpSyn | kTcpAck | kTcpRst)) == kTcpSyn;
    events.refused = events.replied && rst;
    events.syn_answered = events.replied && !rst &&
                          (flags & (kTcpSyn | kTcpAck)) == (kTcpSyn | kTcpAck) &&
                          flow.has(kOpenedBySyn);
    flow.set(kOpenedBySyn, flow.has(kOpenedBySyn) || events.opened_by_syn);
    flow.set(kSynAnswered, flow.has(kSynAnswered) || events.syn_answered);
    flow.set(kRefused, flow.has(kRefused) || events.refused);
}

// Counters over the first 255 packets, so that none of them can saturate.
void update_early(
    Flow& flow, std::size_t way, const PacketHeader& header, std::uint64_t before) noexcept {
    const bool turned = before != 0 && flow.has(kLastBackward) != (way == 1);
    flow.turns = static_cast<std::uint8_t>(flow.turns + (turned ? 1 : 0));
    flow.small_packets =
        static_cast<std::uint8_t>(flow.small_packets + (header.ip_bytes <= kSmallBytes ? 1 : 0));
    flow.payload_packets[way] =
        static_cast<std::uint8_t>(flow.payload_packets[way] + (header.payload_bytes != 0 ? 1 : 0));
    const bool psh = is_tcp(header) && (header.tcp_flags & kTcpPsh) != 0;
    flow.psh = static_cast<std::uint8_t>(flow.psh + (psh ? 1 : 0));
    if (before < kSequenceLength) {
        flow.seq_length[before] = sequence_length(header.ip_bytes, way == 0);
    }
}

}  // namespace

FlowEvents update_flow(
    Flow& flow, const PacketHeader& header, bool forward, std::uint64_t now_ns) noexcept {
    const std::size_t way = forward ? 0 : 1;
    const std::uint64_t before = flow.all_packets();
    FlowEvents events;
    events.opened = before == 0;
    events.replied = !forward && flow.packets[1] == 0;
    events.confirmed = forward && flow.packets[1] != 0 && !flow.has(kConfirmed);
    flow.set(kConfirmed, flow.has(kConfirmed) || events.confirmed);

    events.gap_code = update_gaps(flow, way, before, to_us(now_ns));
    update_lengths(flow, way, header.ip_bytes);
    if (before < kEarlyPackets) {
        update_early(flow, way, header, before);
    }
    if (is_tcp(header)) {
        update_tcp(flow, way, header, events);
    }
    flow.set(kLastBackward, way == 1);
    add_saturating(flow.packets[way], 1);
    add_saturating(flow.payload_bytes[way], header.payload_bytes);
    return events;
}

}  // namespace weir::dataplane
