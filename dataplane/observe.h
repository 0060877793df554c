// SPDX-License-Identifier: BSD-3-Clause
// Stage 4: each packet's effect on its flow and hosts; rows of codes for the packets that are due.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/features/features.h"
#include "dataplane/features/hosts.h"
#include "dataplane/features/shared_hosts.h"
#include "dataplane/flow/few_flows.h"
#include "dataplane/flow/table.h"
#include "dataplane/governor.h"
#include "dataplane/payload_table.h"
#include "dataplane/rows.h"
#include "dataplane/snapshot.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::dataplane {

/// Working memory of observe: the packets whose codes are still to be made.
struct ObserveScratch {
    FlowPackets packets;  ///< those whose flows are worked on at once
    std::array<std::uint32_t, FlowPackets::kLanes> at{};  ///< … and where in the batch they stand
    FewFlows<FlowPackets::kLanes> flows;                  ///< theirs
    const SharedHosts* shared =
        nullptr;  ///< what other workers know of hosts; null: there are none
    SharedHosts::Sums sums{};
    FeatureBlock block;
    std::array<HostTable::Ends, Batch::kCapacity> ends{};  ///< by packet
    std::array<std::uint64_t, kMaxSlots> wanted{};  ///< bit r: the slot wants row r of the block
    PayloadTable* payloads = nullptr;  ///< the worker's; null where `features.payload` is off
    ShedStep shed = ShedStep::all;     ///< as the governor says
    std::uint32_t early_packets = 0;   ///< of a flow, for ShedStep::early
    std::uint32_t unscored = 0;  ///< packets that some slot did not get because of it; summed up
    alignas(
        64) std::array<std::uint8_t, std::size_t{FeatureBlock::kRows} * kernels::kMaxInputs> rows;
};

/// Empties the tiles, for a segment that begins.
void begin_rows(const Snapshot& snapshot, Rows& rows) noexcept;

/// In packet order over [begin, end): update_flow, hosts and payloads (only if snapshot or tap needs the group; payloads
/// only if there is a table of them, their features are zeros otherwise), and, for packets
/// due in a slot with a model, the slot's input codes gathered into its tile. A packet's row is exactly the state at
/// that packet, whatever else the batch holds: it is taken down there, and codes are made a block at a time;
/// packet_number is noted with it. Packets without a flow get kNoRow.
/// Overloaded, packets that `scratch.shed` does not keep get no row either; flows are followed all the same, hosts but
/// for the last step. Rows join those of the segment's packets before. With a tap, the rows that it wants are computed
/// and shown to it.
void observe(
    const Batch& batch,
    std::uint32_t begin,
    std::uint32_t end,
    FlowTable& flows,
    HostTable& hosts,
    const Snapshot& snapshot,
    Rows& rows,
    ObserveScratch& scratch,
    RowTap* tap) noexcept;

/// True if the cadence wants a score at the flow's latest packet, after update_flow(). `interval`: the first packet, and
/// each that is the first at or after a multiple of the interval since the flow's first packet. `previous_us`: the
/// flow's last_us() before this packet.
[[nodiscard]] bool due(
    const config::Cadence& cadence,
    const Flow& flow,
    std::uint64_t now_ns,
    std::uint64_t previous_us) noexcept;

}  // namespace weir::dataplane
