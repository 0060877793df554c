// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/track.h"

#include "dataplane/select.h"

#include <algorithm>
#include <array>

namespace weir::dataplane {

namespace {

constexpr std::uint64_t kNsPerUs = 1000;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kFin = 0x01;
constexpr std::uint8_t kSyn = 0x02;
constexpr std::uint8_t kRst = 0x04;
constexpr std::uint8_t kAck = 0x10;

// Flow::track_bits: FIN seen per direction (bits 0–1), responder seen (bit 2), initiator after responder (bit 3),
// packets saturating at 15 (bits 4–7).
constexpr std::uint8_t kFinBoth = 0x03;
constexpr std::uint8_t kResponderSeen = 0x04;
constexpr std::uint8_t kAnswered = 0x08;
constexpr std::uint8_t kPacketOne = 0x10;
constexpr std::uint8_t kPacketsMask = 0xf0;

// Tells control how a flow ended. Its slot is still to be released, or taken by another.
void tell_end(TrackContext& context, std::uint32_t index, FlowEnd why) noexcept {
    const bool closed = why == FlowEnd::idle && context.flows.phase(index) == FlowPhase::closed;
    // Behind a flood control cannot keep up: no record is made that would find no room.
    if (context.events.room() == 0 ||
        !context.events.push(flow_record(context.flows, index, closed ? FlowEnd::closed : why))) {
        context.stats.events_lost.add(1);
    }
}

void end_flow(TrackContext& context, std::uint32_t index, FlowEnd why) noexcept {
    tell_end(context, index, why);
    context.flows.release(index);
}

// A flow is worth keeping once its initiator has answered the responder (a spoofed flood never does), or when it is
// long although one-way. RST, or FIN both ways, closes TCP. Without branches: directions and flags are as good as random.
[[nodiscard]] FlowPhase next_phase(
    Flow& flow, FlowPhase phase, const PacketHeader& header, bool forward) noexcept {
    const bool tcp = header.proto == kTcp;
    const bool rst = (header.tcp_flags & kRst) != 0;
    const bool fin = tcp & ((header.tcp_flags & kFin) != 0);
    unsigned bits = flow.track_bits;
    const bool answers = forward & ((bits & kResponderSeen) != 0) & !rst;
    bits += select((bits & kPacketsMask) != kPacketsMask, unsigned{kPacketOne}, 0U);
    bits |= select(forward, 0U, unsigned{kResponderSeen});
    bits |= select(answers, unsigned{kAnswered}, 0U);
    bits |= static_cast<unsigned>(fin) << static_cast<unsigned>(!forward);
    flow.track_bits = static_cast<std::uint8_t>(bits);
    const bool closed =
        (tcp & rst) | ((bits & kFinBoth) == kFinBoth) | (phase == FlowPhase::closed);
    const bool keep = ((bits & kAnswered) != 0) | ((bits & kPacketsMask) == kPacketsMask);
    static_assert(static_cast<int>(FlowPhase::established) == 2);
    static_assert(static_cast<int>(FlowPhase::opening) == 1);
    const unsigned open = 1U + static_cast<unsigned>(keep);
    return static_cast<FlowPhase>(select(closed, static_cast<unsigned>(FlowPhase::closed), open));
}

// A SYN on a closed connection opens a new one under the same key.
[[nodiscard]] bool restarts(FlowPhase phase, const PacketHeader& header) noexcept {
    return phase == FlowPhase::closed && header.proto == kTcp &&
           (header.tcp_flags & (kSyn | kAck | kRst)) == kSyn;
}

void start_flow(
    const Batch& batch, std::uint32_t i, std::uint32_t index, TrackContext& context) noexcept {
    Flow& flow = context.flows.occupy(index, batch.key[i], batch.hash[i]);
    flow.set_initiator_is_hi(batch.header[i].src_is_hi);
    flow.set_times(batch.time_ns[i] / kNsPerUs, 0);
    context.stats.flows_created.add(1);
}

constexpr std::uint32_t kAhead = 4;  // packets whose flows are on their way to L1

enum class Outcome : std::uint8_t { done, cut };

// Puts packet i's new flow at `index`, as choose_slot() says: kNoFlow if the table has no room. Cuts before harming a
// flow that this segment has touched.
[[nodiscard]] Outcome insert(
    Batch& batch,
    std::uint32_t i,
    bool may_cut,
    TrackContext& context,
    std::uint32_t index) noexcept {
    FlowTable& flows = context.flows;
    if (index == kNoFlow) {
        context.stats.flows_refused.add(1);
        return Outcome::done;
    }
    if (flows.occupied(index)) {
        if (may_cut && context.touched.has(index)) {
            return Outcome::cut;
        }
        const bool is_idle = flows.idle(index, batch.time_ns[i]);
        (is_idle ? context.stats.flows_expired : context.stats.flows_evicted).add(1);
        tell_end(context, index, is_idle ? FlowEnd::idle : FlowEnd::evicted);
    }
    start_flow(batch, i, index, context);
    return Outcome::done;
}

// Finds or creates packet i's flow.
[[nodiscard]] Outcome resolve(
    Batch& batch,
    std::uint32_t i,
    bool may_cut,
    TrackContext& context,
    std::uint32_t& index) noexcept {
    FlowTable& flows = context.flows;
    const bool known_fresh = context.fresh[i] && flows.unchanged(batch.hash[i]);
    const std::uint32_t found =
        known_fresh ? kNoFlow : flows.find_at(index, batch.key[i], batch.hash[i]);
    if (found == kNoFlow) {
        index = known_fresh ? index : flows.choose_slot(batch.hash[i], batch.time_ns[i]);
        return insert(batch, i, may_cut, context, index);
    }
    index = found;
    if (!flows.idle(index, batch.time_ns[i]) && !restarts(flows.phase(index), batch.header[i])) {
        return Outcome::done;
    }
    // Observe has not yet accounted this segment's packets, so `idle` may err here; after a cut it cannot.
    if (may_cut && context.touched.has(index)) {
        return Outcome::cut;
    }
    tell_end(context, index, FlowEnd::idle);
    context.stats.flows_expired.add(1);
    start_flow(batch, i, index, context);
    return Outcome::done;
}

void sweep_bucket(TrackContext& context, std::uint64_t now_ns) noexcept {
    for (;;) {
        const std::uint32_t index =
            context.flows.first_idle_in_bucket(context.sweep_cursor, now_ns);
        if (index == kNoFlow) {
            break;
        }
        end_flow(context, index, FlowEnd::idle);
        context.stats.flows_expired.add(1);
    }
    context.sweep_cursor += FlowTable::kWays;
    if (context.sweep_cursor >= context.flows.capacity()) {
        context.sweep_cursor = 0;
    }
}

constexpr std::uint64_t kSegmentSpanNs = 500'000'000;

[[nodiscard]] bool spans_too_long(std::uint64_t a, std::uint64_t b) noexcept {
    return (a > b ? a - b : b - a) >= kSegmentSpanNs;
}

}  // namespace

FlowRecord flow_record(FlowTable& flows, std::uint32_t index, FlowEnd end) noexcept {
    const Flow& flow = flows[index];
    FlowRecord record;
    record.key = flow.key();
    record.first_ns = flow.first_us() * kNsPerUs;
    record.last_ns = flow.last_us() * kNsPerUs;
    record.bytes = {flow.bytes(0), flow.bytes(1)};
    record.packets = flow.packets;
    for (std::uint32_t s = 0; s < flows.slots(); ++s) {
        record.verdicts[s] = flows.verdicts(index)[s].told();
    }
    record.initiator_is_hi = flow.initiator_is_hi();
    record.end = end;
    record.dscp = flows.dscp_written(index);
    record.dropped = flows.dropped(index);
    record.flow = index;
    return record;
}

void track_prepare(
    Batch& batch, std::uint32_t from, std::uint32_t to, TrackContext& context) noexcept {
    FlowTable& flows = context.flows;
    for (std::uint32_t i = from; i < to; ++i) {
        batch.flow[i] = kNoFlow;
        context.fresh[i] = false;
        if (batch.parsed[i] == ParseResult::flow) {
            batch.hash[i] = flows.hash(batch.key[i]);
            flows.prefetch_bucket(batch.hash[i]);
        }
    }
    std::array<std::uint16_t, Batch::kCapacity> missing;  // whom the first bucket does not have
    std::uint32_t count = 0;
    for (std::uint32_t i = from; i < to; ++i) {
        if (batch.parsed[i] == ParseResult::flow) {
            batch.flow[i] = flows.expect_first(batch.hash[i]);
            missing[count] = static_cast<std::uint16_t>(i);
            count += static_cast<std::uint32_t>(batch.flow[i] == kNoFlow);
        }
    }
    for (std::uint32_t n = 0; n < count; ++n) {
        flows.prefetch_second_bucket(batch.hash[missing[n]]);
    }
    flows.begin_expecting();
    for (std::uint32_t n = 0; n < count; ++n) {
        const std::uint32_t i = missing[n];
        batch.flow[i] = flows.expect_second(batch.hash[i]);
        if (batch.flow[i] == kNoFlow) {
            batch.flow[i] = flows.choose_slot(batch.hash[i], batch.time_ns[i]);
            context.fresh[i] = true;
        }
    }
    for (std::uint32_t i = from; i < to; ++i) {
        if (batch.flow[i] != kNoFlow) {
            flows.prefetch_lines(batch.flow[i]);
        }
    }
}

std::uint32_t track(
    Batch& batch,
    std::uint32_t from,
    std::uint32_t to,
    const Segment& segment,
    TrackContext& context) noexcept {
    if (from == segment.begin) {
        context.touched.clear();
    }
    for (std::uint32_t i = from; i < to; ++i) {
        if (spans_too_long(batch.time_ns[i], batch.time_ns[segment.begin])) {
            return i;
        }
        if (batch.parsed[i] != ParseResult::flow) {
            batch.flow[i] = kNoFlow;
            continue;
        }
        std::uint32_t index = batch.flow[i];  // expected there by track_prepare
        if (i + kAhead < to && batch.flow[i + kAhead] != kNoFlow) {
            context.flows.prefetch_near(batch.flow[i + kAhead]);
        }
        if (resolve(batch, i, i > segment.begin, context, index) == Outcome::cut) {
            return i;
        }
        if (++context.packets % kSweepPackets == 0) {
            sweep_bucket(context, batch.time_ns[i]);
        }
        batch.flow[i] = index;
        if (index == kNoFlow) {
            continue;
        }
        Flow& flow = context.flows[index];
        const bool forward = batch.header[i].src_is_hi == flow.initiator_is_hi();
        batch.forward[i] = static_cast<std::uint8_t>(forward);
        context.touched.add(index);
        const FlowPhase phase =
            next_phase(flow, context.flows.phase(index), batch.header[i], forward);
        context.flows.touch(index, phase, batch.time_ns[i]);
    }
    return to;
}

void expire_idle(TrackContext& context, std::uint32_t buckets, std::uint64_t now_ns) noexcept {
    for (std::uint32_t n = 0; n < buckets; ++n) {
        sweep_bucket(context, now_ns);
    }
}

bool expire_all(TrackContext& context, std::uint32_t& cursor, std::uint32_t limit) noexcept {
    const std::uint32_t capacity = context.flows.capacity();
    for (std::uint32_t ended = 0; cursor < capacity && ended < limit; ++cursor) {
        if (context.flows.occupied(cursor)) {
            end_flow(context, cursor, FlowEnd::shutdown);
            ++ended;
        }
    }
    return cursor >= capacity;
}

}  // namespace weir::dataplane
