// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/enforce.h"

#include "dataplane/act.h"
#include "dataplane/reset.h"
#include "dataplane/rewrite.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sys/mman.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

namespace weir::dataplane {

namespace {

constexpr std::uint32_t kPrefetchAhead = 8;
constexpr std::uint32_t kSourceBits = 13;
constexpr std::uint32_t kSources = 1U << kSourceBits;

// A source's claim on its flow rate: GCRA's theoretical arrival time (ITU-T I.371), one word.
struct Source {
    std::array<std::uint8_t, 16> address{};
    std::uint64_t arrival_ns = 0;
};

// Zeroed memory that is taken only where it is touched.
template <typename T>
class LazyArray {
  public:
    explicit LazyArray(std::size_t count) noexcept : bytes_(count * sizeof(T)) {
        void* at = mmap(
            nullptr,
            bytes_,
            PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
            -1,
            0);
        data_ = at == MAP_FAILED ? nullptr : static_cast<T*>(at);
    }
    ~LazyArray() {
        if (data_ != nullptr) {
            munmap(data_, bytes_);
        }
    }
    LazyArray(const LazyArray&) = delete;
    LazyArray& operator=(const LazyArray&) = delete;
    [[nodiscard]] bool good() const noexcept { return data_ != nullptr; }
    [[nodiscard]] T& operator[](std::size_t i) noexcept { return data_[i]; }

  private:
    T* data_ = nullptr;
    std::size_t bytes_;
};

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

struct Enforcer::State {
    State(
        std::uint32_t flows,
        std::span<const WorkerPort> worker_ports,
        const LinkStates& link_states,
        WorkerStats& worker_stats) noexcept
        : ports(worker_ports),
          links(&link_states),
          stats(&worker_stats),
          flow_buckets(flows),
          flow_bits(flows),
          sources(kSources) {}

    std::span<const WorkerPort> ports;
    const LinkStates* links;
    WorkerStats* stats;
    BudgetWatch budget;
    std::uint32_t mirror_count = 0;
    std::array<std::array<MeterState, kPolicyClasses + 1>, kMaxMeters> class_buckets{};
    LazyArray<MeterState> flow_buckets;
    LazyArray<std::uint8_t> flow_bits;
    LazyArray<Source> sources;
};

// The packet in hand, and what the steps need around it.
struct Enforcer::Packet {
    Batch& batch;
    std::uint32_t i;
    Flow& flow;
    std::uint32_t index;  // of the flow
    const Verdict* verdicts;
    const PolicySet& set;
    std::uint64_t never_remark;

    [[nodiscard]] std::uint64_t now_ns() const noexcept { return batch.time_ns[i]; }
    [[nodiscard]] bool forwarded() const noexcept {
        return batch.disposition[i] == Disposition::forward;
    }
    [[nodiscard]] bool first() const noexcept {
        return std::uint64_t{flow.packets[0]} + flow.packets[1] == 1;
    }
    void drop(DropReason reason) const noexcept {
        batch.disposition[i] = Disposition::drop;
        batch.drop_reason[i] = reason;
    }
    void forward() const noexcept { batch.disposition[i] = Disposition::forward; }
    void mark(std::uint8_t dscp) const noexcept {
        batch.dscp[i] = carries_dscp(batch.header[i], never_remark) ? kKeepDscp : dscp;
    }
};

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
            batch, i, flow, index, flows.verdicts(index), set, snapshot.never_remark};
        if (packet.first()) {
            state_->flow_bits[index] = 0;
        }
        if (action != nullptr && action->mirror) {
            mirror(packet);
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
        if (packet.forwarded()) {
            rewrite(packet);
        } else if (action != nullptr && action->kind == config::RowAction::reset) {
            reset(packet);
        }
        flow.dropped = batch.disposition[i] == Disposition::drop;
        if (batch.dscp[i] != kKeepDscp && !flow.dropped) {
            flow.dscp_written = batch.dscp[i];
        }
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
    const bool again = (bits & kRefused) != 0 && packet.flow.phase == FlowPhase::opening;
    if (!packet.first() && !again) {
        return;
    }
    const auto& address =
        packet.flow.initiator_is_hi ? packet.flow.key.addr_hi : packet.flow.key.addr_lo;
    Source& source = state.sources[source_index(address)];
    if (take_token(source, address, packet.now_ns(), packet.set.limits)) {
        bits = static_cast<std::uint8_t>(bits & ~kRefused);
        return;
    }
    const PolicySubject subject{
        packet.flow.key,
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
        id ^= packet.flow.first_ns << 1U;  // the next flow at this index begins with its own
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

void Enforcer::mirror(const Packet& packet) noexcept {
    const PolicyLimits& limits = packet.set.limits;
    if (state_->mirror_count++ % limits.mirror_one_in != 0) {
        return;
    }
    rte_mbuf* const original = packet.batch.mbuf[packet.i];
    rte_mbuf* const copy = rte_pktmbuf_copy(original, original->pool, 0, UINT32_MAX);
    const bool sent = copy != nullptr && send_one(limits.mirror_port, copy);
    (sent ? state_->stats->mirrored : state_->stats->mirror_lost).add(1);
}

void Enforcer::reset(const Packet& packet) noexcept {
    const rte_mbuf& original = *packet.batch.mbuf[packet.i];
    const auto* const frame = rte_pktmbuf_mtod(&original, const std::uint8_t*);
    const std::uint8_t in = packet.batch.rx_port[packet.i];
    if (state_->ports[in].peer == kNoPeer) {
        return;  // a tap's flows are elsewhere
    }
    std::array<std::uint8_t, kResetBytes> bytes;
    for (const ResetTo to : {ResetTo::sender, ResetTo::receiver}) {
        const std::uint32_t length =
            build_reset(frame, original.data_len, packet.batch.header[packet.i], to, bytes);
        if (length == 0) {
            continue;
        }
        bool sent = false;
        if (rte_mbuf* const made = rte_pktmbuf_alloc(original.pool); made != nullptr) {
            void* const at = rte_pktmbuf_append(made, static_cast<std::uint16_t>(length));
            if (at != nullptr) {
                std::memcpy(at, bytes.data(), length);
                sent = send_one(to == ResetTo::sender ? in : state_->ports[in].peer, made);
            } else {
                rte_pktmbuf_free(made);
            }
        }
        (sent ? state_->stats->resets_sent : state_->stats->resets_lost).add(1);
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

bool Enforcer::send_one(std::uint8_t port, rte_mbuf* packet) noexcept {
    if (port < state_->ports.size()) {
        const WorkerPort& out = state_->ports[port];
        if (rte_eth_tx_burst(out.port_id, out.queue, &packet, 1) == 1) {
            return true;
        }
    }
    rte_pktmbuf_free(packet);
    return false;
}

void Enforcer::send_redirected(Batch& batch) noexcept {
    for (std::uint32_t i = 0; i < batch.size; ++i) {
        if (batch.disposition[i] != Disposition::redirect) {
            continue;
        }
        const std::uint8_t port = batch.action[i]->redirect;
        const std::uint32_t bytes = batch.mbuf[i]->pkt_len;
        if (send_one(port, batch.mbuf[i])) {
            state_->stats->ports[port].tx_packets.add(1);
            state_->stats->ports[port].tx_bytes.add(bytes);
            state_->stats->redirected.add(1);
        } else {
            const bool up = port < state_->ports.size() &&
                            (*state_->links)[port].load(std::memory_order_relaxed);
            const DropReason reason = up ? DropReason::tx_queue_full : DropReason::tx_link_down;
            state_->stats->drops[static_cast<std::size_t>(reason)].add(1);
        }
    }
}

}  // namespace weir::dataplane
