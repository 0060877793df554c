// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/act.h"
#include "dataplane/enforce_state.h"
#include "dataplane/rewrite.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <rte_mbuf.h>
#include <rte_prefetch.h>

namespace weir::dataplane {

namespace {

constexpr std::uint32_t kPrefetchAhead = 8;

[[nodiscard]] std::size_t source_index(const std::array<std::uint8_t, 16>& address) noexcept {
    std::array<std::uint64_t, 2> words;
    std::memcpy(words.data(), address.data(), sizeof(words));
    // A product's high bits alone depend on all of the address: on a little-endian machine its last byte is the highest.
    std::uint64_t h = words[0] * 0x9e3779b97f4a7c15U ^ words[1];
    h = (h ^ h >> 32U) * 0xbf58476d1ce4e5b9U;
    h = (h ^ h >> 32U) * 0x94d049bb133111ebU;
    return h >> (64U - kSourceBits);
}

// Takes the source's token for one more flow, if it has one.
[[nodiscard]] bool take_token(
    Source& source,
    const std::array<std::uint8_t, 16>& address,
    std::uint64_t now_ns,
    const PolicyLimits& limits) noexcept {
    if (source.address != address) {
        source = {address, now_ns};
    }
    if (source.arrival_ns > now_ns + limits.new_flow_slack_ns) {
        return false;
    }
    source.arrival_ns = std::max(source.arrival_ns, now_ns) + limits.new_flow_gap_ns;
    return true;
}

// By flow: what enforcement remembers of it.
constexpr std::uint8_t kRefused = 1;  // its first packet found no token
constexpr std::uint8_t kAlarmed = 2;  // it has spent of the budget

}  // namespace

Enforcer::Enforcer() = default;
Enforcer::~Enforcer() = default;

Result<std::unique_ptr<Enforcer>> Enforcer::create(
    std::uint32_t flows,
    std::span<const WorkerPort> ports,
    const LinkStates& links,
    WorkerStats& stats) {
    std::unique_ptr<Enforcer> enforcer(new Enforcer);
    enforcer->state_ = std::make_unique<State>(flows, ports, links, stats);
    const State& state = *enforcer->state_;
    if (!state.flow_buckets.good() || !state.flow_bits.good() || !state.sources.good()) {
        return fail(
            {},
            "workers.flow_table.capacity",
            std::string("no address space for meters: ") + std::strerror(errno),
            "lower it, or raise the process's limit (ulimit -v)");
    }
    return enforcer;
}

void Enforcer::enforce(
    Batch& batch,
    std::uint32_t begin,
    std::uint32_t end,
    FlowTable& flows,
    const Snapshot& snapshot) noexcept {
    const PolicySet& set = *snapshot.policy;
    if (set.limits.budget_flows != 0 && begin < end) {
        const auto level = state_->budget.level(set.limits, batch.time_ns[begin]);
        state_->stats->enforcement_level.set(static_cast<std::uint64_t>(level));
    }
    for (std::uint32_t i = begin; i < end; ++i) {
        prefetch_bucket(batch, i + kPrefetchAhead, end, set);
        const std::uint32_t index = batch.flow[i];
        if (index == kNoFlow) {
            continue;
        }
        const RuleAction* const action = batch.action[i];
        Flow& flow = flows[index];
        const Packet packet{
            batch,
            i,
            flow,
            index,
            flows,
            flows.verdicts(index),
            set,
            snapshot.never_remark,
            snapshot.generation,
            snapshot.slots.size()};
        if (packet.first()) {
            state_->flow_bits[index] = 0;
        }
        if (!packet.forwarded() && batch.drop_reason[i] == DropReason::policy) {
            keep_budget(packet);
        } else if (
            packet.forwarded() && set.limits.new_flow_gap_ns != 0 &&
            (action == nullptr || !action->exempt)) {
            limit_new_flow(packet);
        }
        if (packet.forwarded() && action != nullptr && action->meter != kNone) {
            police(packet, action->meter, action->slot);
        }
        if (action != nullptr && action->mirror) {
            mirror(packet);  // decided, and not yet changed
        }
        if (packet.forwarded()) {
            rewrite(packet);
        } else if (action != nullptr && action->kind == config::RowAction::reset) {
            reset(packet);
        }
        const bool dropped = batch.disposition[i] == Disposition::drop;
        flows.note_outcome(index, dropped, dropped ? kKeepDscp : batch.dscp[i]);
    }
}

// Of a meter by flow: nothing else of the packet lies beside it.
void Enforcer::prefetch_bucket(
    const Batch& batch, std::uint32_t i, std::uint32_t end, const PolicySet& set) noexcept {
    if (i >= end || batch.flow[i] == kNoFlow || batch.action[i] == nullptr) {
        return;
    }
    const std::uint8_t meter = batch.action[i]->meter;
    if (meter != kNone && set.meters[meter].per == config::MeterScope::flow) {
        rte_prefetch0(&state_->flow_buckets[batch.flow[i]]);
    }
}

void Enforcer::keep_budget(const Packet& packet) noexcept {
    const PolicyLimits& limits = packet.set.limits;
    if (limits.budget_flows == 0) {
        return;
    }
    State& state = *state_;
    std::uint8_t& bits = state.flow_bits[packet.index];
    if ((bits & kAlarmed) == 0) {
        bits |= kAlarmed;
        if (state.budget.flow_dropped(limits, packet.now_ns())) {
            state.stats->enforcement_steps.add(1);
        }
    }
    const EnforcementLevel level = state.budget.level(limits, packet.now_ns());
    state.stats->enforcement_level.set(static_cast<std::uint64_t>(level));
    if (level == EnforcementLevel::drop) {
        return;
    }
    packet.forward();
    state.stats->softened.add(1);
    if (level == EnforcementLevel::police && limits.budget_meter != kNone) {
        police(packet, limits.budget_meter, kNone);
    } else if (level != EnforcementLevel::observe) {
        packet.mark(limits.budget_dscp);
    }
}

void Enforcer::limit_new_flow(const Packet& packet) noexcept {
    State& state = *state_;
    std::uint8_t& bits = state.flow_bits[packet.index];
    const bool again =
        (bits & kRefused) != 0 && packet.flows.phase(packet.index) == FlowPhase::opening;
    if (!packet.first() && !again) {
        return;
    }
    const FlowKey& key = packet.batch.key[packet.i];
    const auto& address = packet.flow.initiator_is_hi() ? key.addr_hi : key.addr_lo;
    Source& source = state.sources[source_index(address)];
    if (take_token(source, address, packet.now_ns(), packet.set.limits)) {
        bits = static_cast<std::uint8_t>(bits & ~kRefused);
        return;
    }
    const PolicySubject subject{
        key,
        packet.batch.header[packet.i],
        packet.verdicts,
        0,  // never_touched() asks for none
        1,
        packet.batch.rx_port[packet.i],
        packet.batch.forward[packet.i] != 0};
    if (packet.set.observe_only) {
        state.stats->policy_observed.add(1);
    } else if (!never_touched(packet.set, subject)) {
        bits |= kRefused;
        packet.drop(DropReason::new_flow_rate);
    }
}

void Enforcer::police(const Packet& packet, std::uint8_t index, std::uint8_t slot) noexcept {
    State& state = *state_;
    const CompiledMeter& meter = packet.set.meters[index];
    const PacketHeader& header = packet.batch.header[packet.i];
    const std::uint32_t bytes = header.frame_bytes - header.outer_l3_offset;
    MeterState* bucket = &state.class_buckets[index][kPolicyClasses];
    std::uint64_t id = meter.id;
    if (meter.per == config::MeterScope::flow) {
        bucket = &state.flow_buckets[packet.index];
        id ^= packet.flow.first_us() << 1U;  // the next flow at this index begins with its own
    } else if (meter.per == config::MeterScope::slot_class && slot != kNone) {
        bucket = &state.class_buckets[index][packet.verdicts[slot].cls % kPolicyClasses];
    }
    const Colour colour = meter_packet(meter, id, *bucket, packet.now_ns(), bytes);
    state.stats->metered[static_cast<std::size_t>(colour)].add(1);
    if (colour == Colour::green) {
        return;
    }
    const config::ColourAction& action = colour == Colour::yellow ? meter.yellow : meter.red;
    if (action.kind == config::ActionKind::drop) {
        packet.drop(DropReason::police);
    } else if (action.kind == config::ActionKind::mark) {
        packet.mark(action.dscp);
    }
}

void Enforcer::rewrite(const Packet& packet) noexcept {
    const RuleAction* const action = packet.batch.action[packet.i];
    const std::uint8_t dscp = packet.batch.dscp[packet.i];
    rte_mbuf& mbuf = *packet.batch.mbuf[packet.i];
    if (action != nullptr && action->redirect != kNone &&
        state_->ports[packet.batch.rx_port[packet.i]].peer != kNoPeer) {
        packet.batch.disposition[packet.i] = Disposition::redirect;
    }
    std::uint8_t pcp = action != nullptr ? action->pcp : kNone;
    if (pcp == kNone && packet.set.limits.pcp_by_dscp && dscp != kKeepDscp) {
        pcp = user_priority(dscp);
    }
    const bool inner = action != nullptr && action->inner && dscp != kKeepDscp;
    if ((pcp == kNone && !inner) || !owned(mbuf)) {
        return;
    }
    auto* const frame = rte_pktmbuf_mtod(&mbuf, std::uint8_t*);
    if (pcp != kNone && rewrite_pcp(frame, mbuf.data_len, pcp)) {
        state_->stats->pcp_written.add(1);
    }
    const std::uint32_t at =
        inner ? inner_header(frame, mbuf.data_len, packet.batch.header[packet.i]) : 0;
    if (at != 0 && rewrite_dscp(frame + at, frame[at] >> 4U, dscp)) {
        state_->stats->inner_marked.add(1);
    }
}

}  // namespace weir::dataplane
