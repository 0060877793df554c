// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/observe.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace weir::dataplane {

namespace {

constexpr std::uint32_t kHostGroup = 1U << static_cast<std::uint32_t>(FeatureGroup::host);
constexpr std::uint32_t kPayloadGroup = 1U << static_cast<std::uint32_t>(FeatureGroup::payload);
constexpr PayloadState kNoPayload{};

// Which slots want scores: bit s.
struct Wishes {
    std::uint32_t always = 0;  ///< at every packet
    std::uint32_t maybe = 0;   ///< when due, or as far as the governor lets them
};

[[nodiscard]] Wishes wishes_of(const Snapshot& snapshot, const ObserveScratch& scratch) noexcept {
    Wishes out;
    for (std::size_t s = 0; s < snapshot.slots.size(); ++s) {
        const SnapshotSlot& slot = snapshot.slots[s];
        if (slot.active == nullptr && slot.trials.empty()) {
            continue;
        }
        const bool always =
            slot.cadence.kind == config::CadenceKind::every_packet && scratch.shed == ShedStep::all;
        (always ? out.always : out.maybe) |= 1U << s;
    }
    return out;
}

// Which of the packets at hand a slot wants: bit r. Those that it would have got but for the governor join `lost`.
[[nodiscard]] std::uint64_t wanted_by(
    const SnapshotSlot& slot, const ObserveScratch& scratch, std::uint64_t& lost) noexcept {
    const FlowPackets& packets = scratch.packets;
    std::uint64_t wanted = 0;
    for (std::uint32_t r = 0; r < packets.count; ++r) {
        const Flow& flow = *packets.flow[r];
        const bool is_due = due(slot.cadence, flow, packets.now_ns[r], packets.previous_us[r]);
        const bool keeps =
            scratch.shed == ShedStep::all ||
            kept(scratch.shed, scratch.early_packets, slot.cadence.kind, flow.all_packets());
        wanted |= std::uint64_t{is_due && keeps} << r;
        lost |= std::uint64_t{is_due && !keeps} << r;
    }
    return wanted;
}

// Gives the packets at hand rows in the tiles of the slots that want them. False if none does.
[[nodiscard]] bool claim_rows(
    const Snapshot& snapshot, const Wishes& wishes, ObserveScratch& scratch, Rows& rows) noexcept {
    const FlowPackets& packets = scratch.packets;
    const std::uint64_t all = (std::uint64_t{1} << packets.count) - 1;
    std::array<std::uint32_t, FlowPackets::kLanes> number{};  // of the packet in its flow
    for (std::uint32_t r = 0; r < packets.count; ++r) {
        number[r] = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(packets.flow[r]->all_packets(), UINT32_MAX));
    }
    std::uint64_t lost = 0;
    std::uint64_t any = 0;
    for (std::size_t s = 0; s < snapshot.slots.size(); ++s) {
        const bool maybe = (wishes.maybe >> s & 1U) != 0;
        const std::uint64_t wanted = (wishes.always >> s & 1U) != 0 ? all
                                     : maybe ? wanted_by(snapshot.slots[s], scratch, lost)
                                             : 0;
        SlotRows& tile = rows[s];
        std::uint32_t row = tile.count;
        for (std::uint32_t r = 0; r < packets.count; ++r) {
            const auto yes = static_cast<std::uint32_t>(wanted >> r & 1U);
            tile.row_of_packet[scratch.at[r]] = yes != 0 ? static_cast<std::uint16_t>(row) : kNoRow;
            tile.packet_number[row] = number[r];
            row += yes;
        }
        tile.count = row;
        scratch.wanted[s] = wanted;
        any |= wanted;
    }
    scratch.unscored += static_cast<std::uint32_t>(std::popcount(lost));
    return any != 0;
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
    scratch.block.rows = scratch.packets.count;
    compute_block(snapshot.feature_groups, scratch.block);
    for (std::size_t s = 0; s < snapshot.slots.size(); ++s) {
        const std::uint64_t wanted = scratch.wanted[s];
        if (wanted == 0) {
            continue;
        }
        scratch.wanted[s] = 0;
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
}

void skip_packet(std::uint32_t i, std::size_t slots, Rows& rows) noexcept {
    for (std::size_t s = 0; s < slots; ++s) {
        rows[s].row_of_packet[i] = kNoRow;
    }
}

// The next packets of [from, end) that have flows, all different: their state is worked on at once. Returns where to go
// on.
[[nodiscard]] std::uint32_t collect(
    const Batch& batch,
    std::uint32_t from,
    std::uint32_t end,
    FlowTable& flows,
    std::size_t slots,
    ObserveScratch& scratch,
    Rows& rows) noexcept {
    FlowPackets& packets = scratch.packets;
    std::uint32_t count = 0;
    scratch.flows.clear();
    std::uint32_t backward = 0;
    std::uint32_t i = from;
    for (; i < end && count < FlowPackets::kLanes; ++i) {
        const std::uint32_t index = batch.flow[i];
        if (index == kNoFlow) {
            skip_packet(i, slots, rows);
            continue;
        }
        if (scratch.flows.has(index)) {
            break;
        }
        scratch.flows.add(index);
        scratch.at[count] = i;
        packets.flow[count] = &flows[index];
        packets.header[count] = &batch.header[i];
        packets.now_ns[count] = batch.time_ns[i];
        backward |= static_cast<std::uint32_t>(batch.forward[i] == 0) << count;
        ++count;
    }
    packets.count = count;
    packets.backward = backward;
    return i;
}

// Accounts the packets taken to their flows' payload states, and notes these for the models.
void observe_payloads(
    const Batch& batch, bool noted, PayloadTable* payloads, ObserveScratch& scratch) noexcept {
    const FlowPackets& packets = scratch.packets;
    for (std::size_t r = 0; r < packets.count; ++r) {
        const std::uint32_t i = scratch.at[r];
        const PayloadState* state = &kNoPayload;
        if (payloads != nullptr) {
            const Flow& flow = *packets.flow[r];
            payloads->update(
                batch.flow[i], flow, batch.header[i], batch.forward[i] != 0, *batch.mbuf[i]);
            state = &payloads->of(batch.flow[i], flow);
        }
        if (noted) {
            take_payload(*state, r, scratch.block.measures);
        }
    }
}

// What HostTable::update_all() does, one packet at a time: a tap sees each as it stands then, and of several workers each
// adds what the others know of its hosts.
void account_each(
    const Batch& batch,
    std::uint32_t groups,
    bool hosts_asked,
    bool with_hosts,
    HostTable& hosts,
    const PayloadTable* payloads,
    ObserveScratch& scratch,
    RowTap* tap) noexcept {
    const FlowPackets& packets = scratch.packets;
    for (std::size_t r = 0; r < packets.count; ++r) {
        const std::uint32_t i = scratch.at[r];
        const Flow& flow = *packets.flow[r];
        const bool forward = batch.forward[i] != 0;
        HostPair pair = no_hosts();
        if (with_hosts) {
            const HostTable::Ends& ends = scratch.ends[i];
            const bool hi = flow.initiator_is_hi();
            pair = hosts.update(
                batch.key[i],
                ends,
                batch.header[i],
                hi,
                forward,
                packets.events[r],
                batch.time_ns[i]);
            if (scratch.shared != nullptr) {
                pair = scratch.shared->with_others(
                    pair,
                    hi ? ends.hi_hash : ends.lo_hash,
                    hi ? ends.lo_hash : ends.hi_hash,
                    scratch.sums);
            }
        }
        if (hosts_asked) {
            take_down_hosts(pair, r, scratch.block.measures);
        }
        if (tap != nullptr && (tap->only == RowTap::kAll || tap->only == i)) {
            FeatureRow row;
            compute_features(groups, flow, batch.header[i], forward, packets.events[r], pair, row);
            if ((groups & kPayloadGroup) != 0) {
                compute_payload(
                    payloads != nullptr ? payloads->of(batch.flow[i], flow) : kNoPayload, row);
            }
            tap->on_row(batch, i, batch.flow[i], flow, row);
        }
    }
}

}  // namespace

bool due(
    const config::Cadence& cadence,
    const Flow& flow,
    std::uint64_t now_ns,
    std::uint64_t previous_us) noexcept {
    const std::uint64_t packets = flow.all_packets();
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
    constexpr std::uint64_t kNsPerUs = 1000;
    constexpr std::uint64_t kUsPerMs = 1000;
    const std::uint64_t interval_us = std::max<std::uint64_t>(cadence.interval_ms, 1) * kUsPerMs;
    const std::uint64_t first = flow.first_us();
    const std::uint64_t from = std::max(previous_us, first) - first;
    const std::uint64_t to = std::max(now_ns / kNsPerUs, first) - first;
    return to > from && to / interval_us != from / interval_us;
}

void begin_rows(const Snapshot& snapshot, Rows& rows) noexcept {
    for (std::size_t s = 0; s < snapshot.slots.size(); ++s) {
        const SlotModel* model = snapshot.slots[s].active.get();
        rows[s].count = 0;
        rows[s].decided.reset();
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
    const std::uint32_t tapped = tap != nullptr ? tap->only : RowTap::kNone;
    const std::uint32_t groups = tapped == RowTap::kAll ? kAllGroups : snapshot.feature_groups;
    const bool with_hosts = (groups & kHostGroup) != 0 && scratch.shed != ShedStep::forward;
    if (with_hosts) {
        hosts.prepare(batch, begin, end, scratch.ends.data());
    }
    PayloadTable* const payloads =
        (groups & kPayloadGroup) != 0 && scratch.shed != ShedStep::forward ? scratch.payloads
                                                                           : nullptr;
    const Wishes wishes = wishes_of(snapshot, scratch);
    const bool hosts_asked = (snapshot.feature_groups & kHostGroup) != 0;
    for (std::uint32_t next = begin; next < end;) {
        next = collect(batch, next, end, flows, snapshot.slots.size(), scratch, rows);
        const FlowPackets& packets = scratch.packets;
        Measures& measures = scratch.block.measures;
        if (payloads != nullptr) {
            payloads->prefetch(batch, scratch.at.data(), packets.count);
        }
        update_flows(snapshot.feature_groups, scratch.packets, measures);
        if ((groups & kPayloadGroup) != 0) {
            observe_payloads(
                batch, (snapshot.feature_groups & kPayloadGroup) != 0, payloads, scratch);
        }
        if (tap != nullptr || (with_hosts && scratch.shared != nullptr)) [[unlikely]] {
            account_each(batch, groups, hosts_asked, with_hosts, hosts, payloads, scratch, tap);
        } else if (with_hosts) {
            hosts.update_all(
                batch,
                packets,
                scratch.at.data(),
                end,
                scratch.ends.data(),
                hosts_asked ? &measures : nullptr);
        } else if (hosts_asked) {
            for (std::size_t r = 0; r < packets.count; ++r) {
                take_down_hosts(no_hosts(), r, measures);
            }
        }
        if (claim_rows(snapshot, wishes, scratch, rows)) {
            flush_block(snapshot, scratch, rows);
        }
    }
}

}  // namespace weir::dataplane
