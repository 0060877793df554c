// SPDX-License-Identifier: BSD-3-Clause
// update_flow() and take_down() of 16 flows at a time: their state as columns, a lane a flow. Only exact or correctly
// rounded operations in the scalar code's order: its answer, bit for bit.
#include "dataplane/features/encoders.h"
#include "dataplane/features/lanes.h"
#include "dataplane/features/state.h"
#include "kernels/target_region.h"

#include <bit>
#include <cstddef>

#if defined(__x86_64__)

#include "kernels/x86_intrinsics.h"

namespace weir::dataplane {
WEIR_TARGET_REGION_BEGIN("avx512f,avx512bw,avx512vl,avx512dq")
namespace {

// The operations come first.
// clang-format off
#include "dataplane/features/columns_avx512.inc"
#include "dataplane/features/flow_columns_avx512.inc"
// clang-format on

// As update_gaps().
WEIR_INLINE void gaps(const Arrivals& in, State& flow, Moment& moment) {
    Whole(&identity)[8] = flow.identity.column;
    Whole(&lengths)[8] = flow.lengths.column;
    Whole(&counts)[8] = flow.counts.column;
    const Mask seen = static_cast<Mask>(~moment.opened);
    const Wide now = least(thousandth(in.now), set_wide(Flow::kMostUs));
    const Wide before = flow.elapsed;
    const Wide since = minus(now, least(now, flow.first));
    const Wide elapsed = least(most(before, since), set_wide(Flow::kMostElapsedUs));
    const Whole before_low = low_words(before);
    const Whole elapsed_low = only(seen, low_words(elapsed));
    const Whole elapsed_high = only(seen, high_words(elapsed));
    const Whole first_low = pick(moment.opened, low_words(now), identity[4]);
    const Whole first_high = pick(
        moment.opened, high_words(now), _mm512_and_si512(identity[6], set(Flow::kFirstHighMask)));
    identity[4] = first_low;
    identity[5] = elapsed_low;
    identity[6] =
        _mm512_or_si512(first_high, _mm512_slli_epi32(elapsed_high, Flow::kFirstHighBits));
    identity[7] = pick(static_cast<Mask>(seen & moment.turned), before_low, identity[7]);
    flow.first = join(first_low, first_high);
    flow.elapsed = join(elapsed_low, elapsed_high);
    const Real gap = to_real(minus(flow.elapsed, before));
    const Whole code = only(seen, log_codes(gap));
    moment.gap_codes = code;

    Whole& codes = identity[3];
    const Whole shortest =
        pick(is(moment.before, 1), code, _mm512_min_epu32(byte_of<2>(codes), code));
    const Whole longest = _mm512_max_epu32(byte_of<3>(codes), code);
    const Whole fresh =
        _mm512_or_si512(_mm512_slli_epi32(shortest, 16), _mm512_slli_epi32(longest, 24));
    codes = pick(seen, _mm512_or_si512(_mm512_and_si512(codes, set(0x0000ffff)), fresh), codes);

    const Wide packets = plus(widen(counts[4]), widen(counts[5]));
    const Real n = to_real(minus(packets, widen(set(1))));
    const Real grown = _mm512_add_ps(as_real(lengths[4]), squares_growth(gap, to_real(before), n));
    const Mask third = _mm512_cmpge_epu32_mask(moment.before, set(2));
    lengths[4] = pick(third, as_whole(grown), lengths[4]);

    const Mask beyond = static_cast<Mask>(~is_zero(elapsed_high));
    const Whole reply = pick(beyond, set(~0U), _mm512_max_epu32(elapsed_low, set(1)));
    const Whole packed = pick(
        _mm512_cmple_epu32_mask(reply, set(Flow::kExactReplyUs)),
        reply,
        _mm512_or_si512(_mm512_srli_epi32(reply, Flow::kReplyShift), set(Flow::kCoarseReply)));
    counts[3] = pick(
        static_cast<Mask>(seen & moment.replied),
        _mm512_or_si512(_mm512_andnot_si512(set(Flow::kReplyMask), counts[3]), packed),
        counts[3]);
}

// As update_lengths().
WEIR_INLINE void lengths(const Arrivals& in, State& flow) {
    Whole(&counts)[8] = flow.counts.column;
    Whole(&columns)[8] = flow.lengths.column;
    const Mask backward = in.backward;
    const Mask forward = static_cast<Mask>(~backward);
    const Whole bytes_low = pick(backward, counts[1], counts[0]);
    const Whole bytes_high = pick(backward, half_of<1>(counts[2]), half_of<0>(counts[2]));
    const Whole before = pick(backward, counts[5], counts[4]);
    const Mask first = is_zero(before);
    const Wide bytes = join(bytes_low, bytes_high);

    // Both ways' values in one word; shifted so that this way's half is worked on, then put back.
    const Whole length = _mm512_min_epu32(in.ip_bytes, set(0xffff));
    const Whole least_length = pick(backward, half_of<1>(columns[0]), half_of<0>(columns[0]));
    const Whole most_length = pick(backward, half_of<1>(columns[1]), half_of<0>(columns[1]));
    const Whole low = pick(first, length, _mm512_min_epu32(least_length, length));
    const Whole high = pick(first, length, _mm512_max_epu32(most_length, length));
    const auto placed = [&](Whole old, Whole value) {
        const Whole low_half = _mm512_or_si512(_mm512_and_si512(old, set(0xffff0000)), value);
        const Whole high_half =
            _mm512_or_si512(_mm512_and_si512(old, set(0xffff)), _mm512_slli_epi32(value, 16));
        return pick(backward, high_half, low_half);
    };
    columns[0] = placed(columns[0], low);
    columns[1] = placed(columns[1], high);

    const Real m2 = as_real(pick(backward, columns[3], columns[2]));
    const Whole grown = as_whole(
        _mm512_add_ps(m2, squares_growth(to_real(in.ip_bytes), to_real(bytes), to_real(before))));
    columns[2] = pick(static_cast<Mask>(forward & ~first), grown, columns[2]);
    columns[3] = pick(static_cast<Mask>(backward & ~first), grown, columns[3]);

    const Wide sum = least(plus(bytes, widen(in.ip_bytes)), set_wide(Flow::kMostBytes));
    const Whole sum_low = low_words(sum);
    counts[0] = pick(forward, sum_low, counts[0]);
    counts[1] = pick(backward, sum_low, counts[1]);
    counts[2] = placed(counts[2], high_words(sum));
}

// As update_early(), but for the sequence: bytes of a word are counted at once, and none of them runs over.
WEIR_INLINE void early(const Arrivals& in, State& flow, const Moment& moment) {
    constexpr std::uint32_t kSmallBytes = 128;
    Whole(&behaviour)[8] = flow.behaviour.column;
    const Mask is_early =
        _mm512_cmplt_epu32_mask(moment.before, set(static_cast<std::uint32_t>(kEarlyPackets)));
    const Mask turned = static_cast<Mask>(moment.turned & ~moment.opened & is_early);
    const Mask loaded = static_cast<Mask>(~is_zero(in.payload) & is_early);
    const Mask pushed = static_cast<Mask>(any_bit(in.flags, kTcpPsh) & is_early);
    const Mask small =
        static_cast<Mask>(_mm512_cmple_epu32_mask(in.ip_bytes, set(kSmallBytes)) & is_early);
    Whole sums = only(static_cast<Mask>(loaded & ~in.backward), 0x00000001);
    sums = _mm512_or_si512(sums, only(static_cast<Mask>(loaded & in.backward), 0x00000100));
    sums = _mm512_or_si512(sums, only(pushed, 0x00010000));
    sums = _mm512_or_si512(sums, only(turned, 0x01000000));
    behaviour[0] = _mm512_add_epi8(behaviour[0], sums);
    behaviour[2] = _mm512_add_epi8(behaviour[2], only(small, 0x00000001));
}

// As update_sequence().
WEIR_INLINE void sequence(const Arrivals& in, Mask counted, State& flow) {
    Whole* const next = &flow.lengths.column[5];
    Whole& windows = flow.lengths.column[7];
    Whole& bits = flow.counts.column[3];
    const Mask backward = in.backward;
    const Mask forward = static_cast<Mask>(~backward);
    const Whole one = set(1);
    Whole advance = _mm512_mask_add_epi32(in.payload, any_bit(in.flags, kTcpSyn), in.payload, one);
    advance = _mm512_mask_add_epi32(advance, any_bit(in.flags, kTcpFin), advance, one);
    const Whole end = _mm512_add_epi32(in.seq, advance);
    const Whole way_bit = pick(
        backward,
        set(std::uint32_t{kBwdSeqKnown} << Flow::kBitsAt),
        set(std::uint32_t{kFwdSeqKnown} << Flow::kBitsAt));
    const Mask known = _mm512_test_epi32_mask(bits, way_bit);
    const Mask begins = static_cast<Mask>(counted & ~known);
    const Mask goes_on = static_cast<Mask>(counted & known);
    const Whole expected = pick(backward, next[1], next[0]);
    const Mask ahead = static_cast<Mask>(
        _mm512_cmpgt_epi32_mask(_mm512_sub_epi32(end, expected), _mm512_setzero_si512()));
    const Mask moves = static_cast<Mask>(begins | (goes_on & ahead));
    next[0] = pick(static_cast<Mask>(moves & forward), end, next[0]);
    next[1] = pick(static_cast<Mask>(moves & backward), end, next[1]);
    bits = _mm512_mask_or_epi32(bits, begins, bits, way_bit);

    const Mask again = static_cast<Mask>(goes_on & ~ahead & ~is_zero(advance));
    const Whole more = _mm512_or_si512(
        only(static_cast<Mask>(again & forward), 0x00010000),
        only(static_cast<Mask>(again & backward), 0x01000000));
    windows = _mm512_adds_epu8(windows, more);
    const Whole code = log_codes(to_real(in.window));
    const Whole with_fwd = _mm512_or_si512(_mm512_and_si512(windows, set(0xffffff00)), code);
    const Whole with_bwd =
        _mm512_or_si512(_mm512_and_si512(windows, set(0xffff00ff)), _mm512_slli_epi32(code, 8));
    windows = pick(static_cast<Mask>(begins & forward), with_fwd, windows);
    windows = pick(static_cast<Mask>(begins & backward), with_bwd, windows);
}

// As update_tcp(): the events of TCP join those of the flow.
WEIR_INLINE void tcp(const Arrivals& in, State& flow, Moment& moment) {
    Whole(&behaviour)[8] = flow.behaviour.column;
    const Mask syn = any_bit(in.flags, kTcpSyn);
    const Mask rst = any_bit(in.flags, kTcpRst);
    const Mask ack = any_bit(in.flags, kTcpAck);
    const Mask fin = any_bit(in.flags, kTcpFin);
    const Mask closed_window = static_cast<Mask>(in.tcp & is_zero(in.window) & ~syn & ~rst);
    Whole seen = only(syn, 0x00000001);
    seen = _mm512_or_si512(seen, only(fin, 0x00000100));
    seen = _mm512_or_si512(seen, only(rst, 0x00010000));
    seen = _mm512_or_si512(seen, only(closed_window, 0x01000000));
    behaviour[1] = _mm512_adds_epu8(behaviour[1], seen);
    const Mask asked = any_flow_bit(flow, kOpenedBySyn);
    sequence(in, static_cast<Mask>(in.tcp & ~rst), flow);
    const Mask opened_by_syn = static_cast<Mask>(moment.opened & syn & ~ack & ~rst);
    const Mask refused = static_cast<Mask>(moment.replied & rst);
    const Mask answered = static_cast<Mask>(moment.replied & ~rst & syn & ack & asked);
    set_flow_bit(flow, kOpenedBySyn, opened_by_syn);
    set_flow_bit(flow, kSynAnswered, answered);
    set_flow_bit(flow, kRefused, refused);
    moment.events = _mm512_or_si512(moment.events, only(opened_by_syn, kOpenedSyn));
    moment.events = _mm512_or_si512(moment.events, only(answered, kAnswered));
    moment.events = _mm512_or_si512(moment.events, only(refused, kReset));
}

WEIR_INLINE Moment begin_moment(const Arrivals& in, State& flow) {
    Moment out;
    const Whole fwd = flow.counts.column[4];
    const Whole bwd = flow.counts.column[5];
    out.before = plus_saturating(fwd, bwd);
    out.opened = is_zero(out.before);
    const Mask silent = is_zero(bwd);
    out.replied = static_cast<Mask>(in.backward & silent);
    out.turned = static_cast<Mask>(any_flow_bit(flow, kLastBackward) ^ in.backward);
    const Mask confirmed =
        static_cast<Mask>(~in.backward & ~silent & ~any_flow_bit(flow, kConfirmed));
    set_flow_bit(flow, kConfirmed, confirmed);
    out.events = _mm512_or_si512(only(out.opened, kOpened), only(out.replied, kReplied));
    out.events = _mm512_or_si512(out.events, only(confirmed, kConfirms));
    return out;
}

WEIR_INLINE void counts(const Arrivals& in, State& flow) {
    Whole(&column)[8] = flow.counts.column;
    const Mask backward = in.backward;
    const Mask forward = static_cast<Mask>(~backward);
    const Whole last_backward = set(std::uint32_t{kLastBackward} << Flow::kBitsAt);
    column[3] = _mm512_or_si512(
        _mm512_andnot_si512(last_backward, column[3]), only(backward, last_backward));
    column[4] = plus_saturating(column[4], only(forward, 1));
    column[5] = plus_saturating(column[5], only(backward, 1));
    column[6] = plus_saturating(column[6], only(forward, in.payload));
    column[7] = plus_saturating(column[7], only(backward, in.payload));
}

// The flow's first packets, whose place differs from lane to lane.
void first_packets(FlowPackets& packets, const Moment& moment) {
    std::uint32_t lanes =
        _mm512_cmplt_epu32_mask(moment.before, set(kSequenceLength)) & ((1U << packets.count) - 1);
    if (lanes == 0) {
        return;
    }
    alignas(64) std::array<std::uint32_t, kLanes> place;
    alignas(64) std::array<std::uint32_t, kLanes> gap;
    _mm512_store_si512(place.data(), moment.before);
    _mm512_store_si512(gap.data(), moment.gap_codes);
    for (; lanes != 0; lanes &= lanes - 1) {
        const auto r = static_cast<std::size_t>(std::countr_zero(lanes));
        Flow& flow = *packets.flow[r];
        if (place[r] != 0) {
            flow.seq_gap[place[r] - 1] = static_cast<std::uint8_t>(gap[r]);
        }
        flow.seq_length[place[r]] =
            sequence_length(packets.header[r]->ip_bytes, (packets.backward >> r & 1U) == 0);
    }
}

}  // namespace

void update_flows_avx512(std::uint32_t groups, FlowPackets& packets, Measures& measures) noexcept {
    for (std::size_t r = packets.count; r < kLanes; ++r) {
        packets.flow[r] = &packets.spare_flow;
        packets.header[r] = &packets.spare_header;
    }
    const Arrivals in = load_arrivals(packets);
    State flow = load_state(packets);
    store_rows(plus(flow.first, flow.elapsed), packets.previous_us);
    Moment moment = begin_moment(in, flow);
    gaps(in, flow, moment);
    lengths(in, flow);
    early(in, flow, moment);
    tcp(in, flow, moment);
    counts(in, flow);
    store_state(packets, flow);
    const Whole events =
        _mm512_or_si512(moment.events, _mm512_slli_epi32(moment.gap_codes, kGapCodeAt));
    _mm256_storeu_si256(
        reinterpret_cast<__m256i*>(packets.events.data()), _mm512_cvtepi32_epi16(events));
    first_packets(packets, moment);

    if (has_group(groups, FeatureGroup::packet)) {
        take_packet(in, flow, measures);
    }
    constexpr auto bit = [](FeatureGroup group) { return 1U << static_cast<unsigned>(group); };
    constexpr std::uint32_t kCounting = bit(FeatureGroup::flow) | bit(FeatureGroup::length) |
                                        bit(FeatureGroup::gap) | bit(FeatureGroup::tcp);
    if ((groups & kCounting) != 0) {
        take_counts(flow, measures);
        take_flow(flow, measures);
        take_length(flow, measures);
        take_gap(in, flow, moment, measures);
        take_tcp(flow, measures);
    }
    if (has_group(groups, FeatureGroup::sequence)) {
        take_sequence(packets, measures);
    }
}

WEIR_TARGET_REGION_END
}  // namespace weir::dataplane

#else

namespace weir::dataplane {

void update_flows_avx512(std::uint32_t groups, FlowPackets& packets, Measures& measures) noexcept {
    update_flows_scalar(groups, packets, measures);
}

}  // namespace weir::dataplane

#endif
