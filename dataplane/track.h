// SPDX-License-Identifier: BSD-3-Clause
// Stage 3: each packet to its flow.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/event_ring.h"
#include "dataplane/flow/table.h"
#include "dataplane/worker_stats.h"

#include <cstdint>

namespace weir::dataplane {

/// What track works on, all of one worker.
struct TrackContext {
    FlowTable& flows;
    EventRing& events;
    WorkerStats& stats;
    std::uint64_t packets = 0;       ///< seen so far; paces the ageing sweep
    std::uint32_t sweep_cursor = 0;  ///< first flow of the next bucket to sweep
};

/// All of a flow, as it stands. Thread: the table's worker.
[[nodiscard]] FlowRecord flow_record(FlowTable& flows, std::uint32_t index, FlowEnd end) noexcept;

/// Hashes the flow packets of the whole batch and prefetches buckets and flows. Call once a batch, before track().
void track_prepare(Batch& batch, const FlowTable& flows) noexcept;

/// Finds or creates the flow of packets begin, begin + 1, … and sets `flow` and `forward`. Returns the end of the
/// segment: batch.size, or the first packet that would end a flow with packets of this segment still to be decided,
/// or that lies half a second or more from the segment's first (so no timeout can fall inside a segment).
/// The caller runs the later stages on [begin, end) and calls again; so a flow's last packets are always decided
/// before its record is written, and no result depends on how packets were batched. Always advances.
/// Every kSweepPackets packets one bucket is aged, by that packet's time: ageing too follows packets, not batches.
[[nodiscard]] std::uint32_t track(
    Batch& batch, std::uint32_t begin, std::uint16_t segment, TrackContext& context) noexcept;

inline constexpr std::uint32_t kSweepPackets = 16;

/// Ages `buckets` buckets: for a live worker that receives nothing. Between batches only.
void expire_idle(TrackContext& context, std::uint32_t buckets, std::uint64_t now_ns) noexcept;

/// Ends up to `limit` live flows from slot `cursor` on; returns true when none is left. At shutdown and end of file.
[[nodiscard]] bool expire_all(
    TrackContext& context, std::uint32_t& cursor, std::uint32_t limit) noexcept;

}  // namespace weir::dataplane
