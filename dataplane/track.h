// SPDX-License-Identifier: BSD-3-Clause
// Stage 3: each packet to its flow.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/event_ring.h"
#include "dataplane/flow/few_flows.h"
#include "dataplane/flow/table.h"
#include "dataplane/worker_stats.h"

#include <bitset>
#include <cstdint>

namespace weir::dataplane {

/// What track works on, all of one worker.
struct TrackContext {
    FlowTable& flows;
    EventRing& events;
    WorkerStats& stats;
    std::uint64_t packets = 0;             ///< seen so far; paces the ageing sweep
    std::uint32_t sweep_cursor = 0;        ///< first flow of the next bucket to sweep
    FewFlows<Batch::kCapacity> touched{};  ///< by the present segment
    std::bitset<Batch::kCapacity>
        fresh{};  ///< by packet: its flow was not there when it was looked for
};

/// All of a flow, as it stands. Thread: the table's worker.
[[nodiscard]] FlowRecord flow_record(FlowTable& flows, std::uint32_t index, FlowEnd end) noexcept;

/// Hashes packets [from, to) as far as they take part in a flow, and asks for the cache lines of their flows, each kind in
/// a loop of its own: what misses then overlaps. Sets `hash`, and `flow` to where the flow is expected, or a new one
/// would be put: a hint, which track() need not check again where the flow's buckets have not changed since.
void track_prepare(
    Batch& batch, std::uint32_t from, std::uint32_t to, TrackContext& context) noexcept;

/// Packets of a batch that are decided together: from here on.
struct Segment {
    std::uint32_t begin = 0;
};

/// Finds or creates the flow of packets from, from + 1, … of `segment` and sets `flow` and `forward`. Returns `to`, or
/// the segment's end: the first packet that would end a flow with packets of this segment still to be decided, or that
/// lies half a second or more from the segment's first (so no timeout can fall inside a segment).
/// The caller runs observe on what it got and calls again for more, or runs the later stages on the whole segment and
/// begins another; so a flow's last packets are always decided before its record is written, and no result depends on
/// how packets were batched. A new segment always advances.
/// Every kSweepPackets packets one bucket is aged, by that packet's time: ageing too follows packets, not batches.
[[nodiscard]] std::uint32_t track(
    Batch& batch,
    std::uint32_t from,
    std::uint32_t to,
    const Segment& segment,
    TrackContext& context) noexcept;

inline constexpr std::uint32_t kSweepPackets = 16;

/// Ages `buckets` buckets: for a live worker that receives nothing. Between batches only.
void expire_idle(TrackContext& context, std::uint32_t buckets, std::uint64_t now_ns) noexcept;

/// Ends up to `limit` live flows from slot `cursor` on; returns true when none is left. At shutdown and end of file.
[[nodiscard]] bool expire_all(
    TrackContext& context, std::uint32_t& cursor, std::uint32_t limit) noexcept;

}  // namespace weir::dataplane
