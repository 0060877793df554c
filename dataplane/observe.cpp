// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/observe.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace weir::dataplane {

namespace {

constexpr std::uint32_t kHostGroup = 1U << static_cast<std::uint32_t>(FeatureGroup::host);
constexpr std::uint32_t kNoPacket = RowTap::kAll - 1;

// Which slots want a score at this packet: bit s. Gives each such packet a row.
[[nodiscard]] std::uint32_t claim_rows(
    const Snapshot& snapshot,
    std::uint32_t i,
    const Flow& flow,
    std::uint64_t now_ns,
    std::uint64_t previous_ns,
    ObserveScratch& scratch,
    Rows& rows) noexcept {
    std::uint32_t wanted = 0;
    bool lost = false;
    for (std::size_t s = 0; s < snapshot.slots.size(); ++s) {
        const SnapshotSlot& slot = snapshot.slots[s];
        SlotRows& tile = rows[s];
        if ((slot.active == nullptr && slot.trials.empty()) ||
            !due(slot.cadence, flow, now_ns, previous_ns)) {
            tile.row_of_packet[i] = kNoRow;
            continue;
        }
        const std::uint64_t packets = std::uint64_t{flow.packets[0]} + flow.packets[1];
        if (scratch.shed != ShedStep::all &&
            !kept(scratch.shed, scratch.early_packets, slot.cadence.kind, packets)) [[unlikely]] {
            tile.row_of_packet[i] = kNoRow;
            lost = true;
            continue;
        }
        tile.packet_number[tile.count] =
            static_cast<std::uint32_t>(std::min<std::uint64_t>(packets, UINT32_MAX));
        tile.row_of_packet[i] = static_cast<std::uint16_t>(tile.count);
        ++tile.count;
        wanted |= 1U << s;
    }
    scratch.unscored += static_cast<std::uint32_t>(lost);
    return wanted;
}

// Rows of one model, of those packets of the block that `wanted` names, in order to `out`.
void gather_wanted(
    std::uint64_t wanted,
    const SlotModel& model,
    ObserveScratch& scratch,
    std::uint8_t* out) noexcept {
    if (std::popcount(wanted) == static_cast<int>(scratch.block.rows)) {
        gather_rows(scratch.block, model.features, out);
        return;
    }
    const std::size_t stride = model.features.size();
    gather_rows(scratch.block, model.features, scratch.rows.data());
    for (; wanted != 0; wanted &= wanted - 1, out += stride) {
        const auto row = static_cast<std::size_t>(std::countr_zero(wanted));
        std::memcpy(out, scratch.rows.data() + row * stride, stride);
    }
}

// The packets taken down become rows of the tiles: those that the slot wants, which its tile has counted already.
void flush_block(const Snapshot& snapshot, ObserveScratch& scratch, Rows& rows) noexcept {
    if (scratch.block.rows == 0) {
        return;
    }
    compute_block(snapshot.feature_groups, scratch.block);
    for (std::size_t s = 0; s < snapshot.slots.size(); ++s) {
        const std::uint64_t wanted = scratch.wanted[s];
        if (wanted == 0) {
            continue;
        }
        const SnapshotSlot& slot = snapshot.slots[s];
        SlotRows& tile = rows[s];
        const std::size_t first = tile.count - static_cast<std::uint32_t>(std::popcount(wanted));
        if (slot.active != nullptr) {
            gather_wanted(wanted, *slot.active, scratch, tile.codes.data() + first * tile.stride);
        }
        for (std::size_t t = 0; t < slot.trials.size(); ++t) {
            TrialRows& trial = tile.trials[t];
            gather_wanted(
                wanted, *slot.trials[t].model, scratch, trial.codes.data() + first * trial.stride);
        }
    }
    scratch.block.rows = 0;
    scratch.wanted.fill(0);
}

// Notes a packet that some slot wants.
void take_row(
    const Snapshot& snapshot,
    std::uint32_t wanted,
    const Flow& flow,
    const PacketHeader& header,
    bool forward,
    const HostPair& hosts,
    ObserveScratch& scratch,
    Rows& rows) noexcept {
    FeatureBlock& block = scratch.block;
    take_down(snapshot.feature_groups, flow, header, forward, hosts, block.rows, block.measures);
    for (; wanted != 0; wanted &= wanted - 1) {
        scratch.wanted[static_cast<std::size_t>(std::countr_zero(wanted))] |= std::uint64_t{1}
                                                                              << block.rows;
    }
    if (++block.rows == FeatureBlock::kRows) {
        flush_block(snapshot, scratch, rows);
    }
}

void skip_packet(std::uint32_t i, std::size_t slots, Rows& rows) noexcept {
    for (std::size_t s = 0; s < slots; ++s) {
        rows[s].row_of_packet[i] = kNoRow;
    }
}

}  // namespace

bool due(
    const config::Cadence& cadence,
    const Flow& flow,
    std::uint64_t now_ns,
    std::uint64_t previous_ns) noexcept {
    const std::uint64_t packets = std::uint64_t{flow.packets[0]} + flow.packets[1];
    switch (cadence.kind) {
        case config::CadenceKind::every_packet:
            return true;
        case config::CadenceKind::powers_of_two:
            return std::has_single_bit(packets);
        case config::CadenceKind::interval:
            break;
    }
    if (packets == 1) {
        return true;
    }
    constexpr std::uint64_t kNsPerMs = 1'000'000;
    const std::uint64_t interval_ns = std::max<std::uint64_t>(cadence.interval_ms, 1) * kNsPerMs;
    const std::uint64_t from = std::max(previous_ns, flow.first_ns) - flow.first_ns;
    const std::uint64_t to = std::max(now_ns, flow.first_ns) - flow.first_ns;
    return to > from && to / interval_ns != from / interval_ns;
}

void begin_rows(const Snapshot& snapshot, Rows& rows) noexcept {
    for (std::size_t s = 0; s < snapshot.slots.size(); ++s) {
        const SlotModel* model = snapshot.slots[s].active.get();
        rows[s].count = 0;
        rows[s].stride = model != nullptr ? static_cast<std::uint32_t>(model->features.size()) : 0;
        for (std::size_t t = 0; t < snapshot.slots[s].trials.size(); ++t) {
            rows[s].trials[t].stride =
                static_cast<std::uint32_t>(snapshot.slots[s].trials[t].model->features.size());
        }
    }
}

void observe(
    const Batch& batch,
    std::uint32_t begin,
    std::uint32_t end,
    FlowTable& flows,
    HostTable& hosts,
    const Snapshot& snapshot,
    Rows& rows,
    ObserveScratch& scratch,
    RowTap* tap) noexcept {
    const std::uint32_t tapped = tap != nullptr ? tap->only : kNoPacket;
    const std::uint32_t groups = tapped == RowTap::kAll ? kAllGroups : snapshot.feature_groups;
    const bool with_hosts = (groups & kHostGroup) != 0 && scratch.shed != ShedStep::forward;
    if (with_hosts) {
        hosts.prepare(batch, begin, end, scratch.ends.data());
    }
    constexpr std::uint32_t kAhead = 4;  // packets whose hosts are on their way to L1
    FeatureRow row;
    HostPair pair = no_hosts();
    for (std::uint32_t i = begin; i < end; ++i) {
        if (with_hosts && i + kAhead < end && batch.flow[i + kAhead] != kNoFlow) {
            hosts.prefetch_near(scratch.ends[i + kAhead]);
        }
        const std::uint32_t index = batch.flow[i];
        if (index == kNoFlow) {
            skip_packet(i, snapshot.slots.size(), rows);
            continue;
        }
        Flow& flow = flows[index];
        const PacketHeader& header = batch.header[i];
        const bool forward = batch.forward[i] != 0;
        const std::uint64_t now_ns = batch.time_ns[i];
        flows.prefetch_verdicts(index);  // nearer, for decide
        const std::uint64_t previous_ns = flow.last_ns;
        const FlowEvents events = update_flow(flow, header, forward, now_ns);
        if (with_hosts) {
            pair = hosts.update(
                batch.key[i],
                scratch.ends[i],
                header,
                flow.initiator_is_hi,
                forward,
                events,
                now_ns);
        }
        const std::uint32_t wanted =
            claim_rows(snapshot, i, flow, now_ns, previous_ns, scratch, rows);
        if (tapped == RowTap::kAll || tapped == i) {
            compute_features(groups, flow, header, forward, pair, row);
            tap->on_row(batch, i, index, flow, row);
        }
        if (wanted != 0) {
            take_row(snapshot, wanted, flow, header, forward, pair, scratch, rows);
        }
    }
    flush_block(snapshot, scratch, rows);
}

}  // namespace weir::dataplane
