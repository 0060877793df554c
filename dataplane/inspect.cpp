// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/inspect.h"

#include "dataplane/track.h"

#include <algorithm>

namespace weir::dataplane {

namespace {

// The verdict of some slot was set by the row of packet i.
[[nodiscard]] bool verdict_set(const Rows& rows, std::size_t slots, std::uint32_t i) noexcept {
    bool set = false;
    for (std::size_t s = 0; s < slots; ++s) {
        set |= rows[s].decided[i];
    }
    return set;
}

}  // namespace

Result<std::unique_ptr<Inspector>> Inspector::create(const std::string& name) {
    std::unique_ptr<Inspector> inspector(new Inspector);
    auto verdicts = EventRing::create(name + "_v", kVerdictRecords);
    if (!verdicts) {
        return tl::unexpected(verdicts.error());
    }
    auto flows = EventRing::create(name + "_f", kFlowRecords);
    if (!flows) {
        return tl::unexpected(flows.error());
    }
    inspector->verdicts_ = std::move(*verdicts);
    inspector->flows_ = std::move(*flows);
    return inspector;
}

// ---- control --------------------------------------------------------------------------------------------------------

void Inspector::tell_verdicts(bool on) noexcept {
    if (on) {
        asked_.fetch_or(kTell, std::memory_order_relaxed);
    } else {
        asked_.fetch_and(~kTell, std::memory_order_relaxed);
    }
}

std::uint32_t Inspector::pop_verdicts(std::span<FlowRecord> out) noexcept {
    return out.empty() ? 0 : verdicts_->pop(out);
}

void Inspector::start_walk() noexcept {
    asked_.fetch_or(kWalk, std::memory_order_release);
}

std::uint32_t Inspector::pop_flows(std::span<FlowRecord> out, bool& over) noexcept {
    // Read before the ring: what the worker pushed before it was through is then seen.
    const bool through = (asked_.load(std::memory_order_acquire) & kWalk) == 0;
    const std::uint32_t taken = out.empty() ? 0 : flows_->pop(out);
    over = through && taken < out.size();
    return taken;
}

bool Inspector::sample_free() const noexcept {
    return answered_ && (asked_.load(std::memory_order_acquire) & (kSample | kWithdraw)) == 0;
}

void Inspector::ask_sample(const FlowKey& key) noexcept {
    wanted_ = key;
    answered_ = false;
    asked_.fetch_or(kSample, std::memory_order_release);
}

bool Inspector::take_sample(FlowSample& out) noexcept {
    if (answered_ || (asked_.load(std::memory_order_acquire) & kSample) != 0) {
        return false;
    }
    answered_ = true;
    out = sampler_.sample;
    return true;
}

void Inspector::withdraw_sample() noexcept {
    if (!answered_) {
        answered_ = true;
        asked_.fetch_or(kWithdraw, std::memory_order_release);
    }
}

// ---- the worker -----------------------------------------------------------------------------------------------------

void Inspector::Sampler::on_row(
    const Batch& batch,
    std::uint32_t i,
    std::uint32_t /*flow_index*/,
    const Flow& /*flow*/,
    const FeatureRow& row) noexcept {
    sample.row = row;
    sample.header = batch.header[i];
    sample.time_ns = batch.time_ns[i];
    sample.rx_port = batch.rx_port[i];
    sample.from_initiator = batch.forward[i] != 0;
}

RowTap* Inspector::sampler(
    const Batch& batch, std::uint32_t begin, std::uint32_t end, RowTap* tap) noexcept {
    const std::uint32_t asked = asked_.load(std::memory_order_acquire);
    if ((asked & (kSample | kWithdraw)) != kSample || tap != nullptr) {
        return tap;
    }
    // The flow's last packet: after the segment's last the flow stands as the record tells it. A later stride's replaces it.
    for (std::uint32_t i = end; i > begin; --i) {
        if (batch.flow[i - 1] != kNoFlow && batch.key[i - 1] == wanted_) {
            sampler_.only = i - 1;
            return &sampler_;
        }
    }
    return tap;
}

void Inspector::finish_sample(
    const Batch& batch, FlowTable& flows, const Snapshot& snapshot) noexcept {
    const std::uint32_t i = sampler_.only;
    FlowSample& sample = sampler_.sample;
    sample.flow = flow_record(flows, batch.flow[i], FlowEnd::live);
    sample.generation = snapshot.generation;
    sample.disposition = batch.disposition[i];
    sample.reason = batch.drop_reason[i];
    sample.dscp = batch.dscp[i];
    sampler_.only = RowTap::kNone;
    asked_.fetch_and(~kSample, std::memory_order_release);
}

void Inspector::tell(
    const Batch& batch,
    std::uint32_t begin,
    std::uint32_t end,
    FlowTable& flows,
    const Snapshot& snapshot,
    const Rows& rows) noexcept {
    if (sampler_.only != RowTap::kNone) {
        finish_sample(batch, flows, snapshot);
    }
    if ((asked_.load(std::memory_order_relaxed) & kTell) != 0) {
        tell_set(batch, begin, end, flows, snapshot, rows);
    }
}

void Inspector::tell_set(
    const Batch& batch,
    std::uint32_t begin,
    std::uint32_t end,
    FlowTable& flows,
    const Snapshot& snapshot,
    const Rows& rows) noexcept {
    std::uint64_t lost = 0;
    for (std::uint32_t i = begin; i < end; ++i) {
        const std::uint32_t index = batch.flow[i];
        if (index != kNoFlow && verdict_set(rows, snapshot.slots.size(), i)) {
            lost += static_cast<std::uint64_t>(
                !verdicts_->push(flow_record(flows, index, FlowEnd::live)));
        }
    }
    if (lost != 0) {  // the worker is the only writer
        verdicts_lost_.store(
            verdicts_lost_.load(std::memory_order_relaxed) + lost, std::memory_order_relaxed);
    }
}

void Inspector::walk(FlowTable& flows) noexcept {
    const std::uint32_t asked = asked_.load(std::memory_order_acquire);
    if ((asked & kWithdraw) != 0) {
        asked_.fetch_and(~(kSample | kWithdraw), std::memory_order_release);
    }
    if ((asked & kWalk) == 0) {
        return;
    }
    const std::uint32_t end = std::min(flows.capacity(), cursor_ + kSlotsPerBatch);
    for (std::uint32_t room = flows_->room(); cursor_ < end; ++cursor_) {
        if (!flows.occupied(cursor_)) {
            continue;
        }
        if (room == 0) {
            return;  // control takes some, and the walk goes on
        }
        --room;
        (void)flows_->push(flow_record(flows, cursor_, FlowEnd::live));
    }
    if (cursor_ == flows.capacity()) {
        cursor_ = 0;
        asked_.fetch_and(~kWalk, std::memory_order_release);
    }
}

}  // namespace weir::dataplane
