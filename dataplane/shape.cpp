// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/shape.h"

#include "dataplane/act.h"
#include "dataplane/snapshot_build.h"
#include "dataplane/tx.h"

#include <algorithm>

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_rib6.h>

namespace weir::dataplane {

namespace {

constexpr std::uint8_t kNoQueue = 0xff;
constexpr std::uint32_t kReleaseBurst = 64;

// Numbers queues as PortScheduler does: strict from 0, weighted from 12.
[[nodiscard]] std::vector<std::uint8_t> queue_numbers(const config::Shaping& shaping) {
    std::vector<std::uint8_t> out;
    std::uint8_t strict = 0;
    auto weighted = static_cast<std::uint8_t>(config::kMaxStrictQueues);
    for (const config::ShapedQueue& queue : shaping.queues) {
        out.push_back(queue.weight == 0 ? strict++ : weighted++);
    }
    return out;
}

// The header that mark_congestion may change, nullptr: none, or its bytes are not this packet's alone.
[[nodiscard]] std::uint8_t* own_header(rte_mbuf& mbuf, const PacketHeader& header) noexcept {
    constexpr std::uint32_t kIpv4Bytes = 20;
    if (header.ip_version == 0 || mbuf.data_len < header.outer_l3_offset + kIpv4Bytes ||
        !owned(mbuf)) {
        return nullptr;
    }
    return rte_pktmbuf_mtod_offset(&mbuf, std::uint8_t*, header.outer_l3_offset);
}

[[nodiscard]] bool ecn_capable(const std::uint8_t* l3) noexcept {
    if (l3 == nullptr) {
        return false;
    }
    const std::uint32_t version = l3[0] >> 4U;
    return version == 4 ? (l3[1] & 3U) != 0 : version == 6 && (l3[1] & 0x30U) != 0;
}

}  // namespace

bool mark_congestion(std::uint8_t* l3, std::uint8_t ip_version) noexcept {
    constexpr std::uint32_t kMask = 0xffff;
    if (ip_version == 6) {
        if ((l3[1] & 0x30U) == 0) {
            return false;
        }
        l3[1] = static_cast<std::uint8_t>(l3[1] | 0x30U);
        return true;
    }
    if (ip_version != 4 || (l3[1] & 3U) == 0) {
        return false;
    }
    const std::uint32_t added = 3U - (l3[1] & 3U);
    l3[1] = static_cast<std::uint8_t>(l3[1] | 3U);
    // RFC 1624: the first word grew by `added`, so the checksum, a complement, shrinks by it.
    const std::uint32_t sum = static_cast<std::uint32_t>(l3[10]) << 8U | l3[11];
    std::uint32_t complement = (~sum & kMask) + added;
    complement = (complement & kMask) + (complement >> 16U);
    l3[10] = static_cast<std::uint8_t>((~complement & kMask) >> 8U);
    l3[11] = static_cast<std::uint8_t>(~complement & 0xffU);
    return true;
}

std::array<std::string, kShaperQueues> shaper_queue_names(const config::Shaping& shaping) {
    std::array<std::string, kShaperQueues> out;
    const std::vector<std::uint8_t> numbers = queue_numbers(shaping);
    for (std::size_t q = 0; q < numbers.size() && !shaping.ports.empty(); ++q) {
        out[numbers[q]] = shaping.queues[q].name;
    }
    return out;
}

// ---- where a packet belongs -----------------------------------------------------------------------------------------

ShaperMap::~ShaperMap() {
    rte_rib6_free(by_prefix_);  // nullptr is nothing
}

Result<std::unique_ptr<ShaperMap>> ShaperMap::create(const config::Config& config) {
    const config::Shaping& shaping = config.shaping;
    std::unique_ptr<ShaperMap> out(new ShaperMap);
    const auto slot =
        std::find_if(config.slots.begin(), config.slots.end(), [&](const config::Slot& candidate) {
            return candidate.name == shaping.slot;
        });
    out->slot_ = static_cast<std::uint32_t>(slot - config.slots.begin());
    out->by_class_.fill(kNoQueue);
    out->by_dscp_.fill(kNoQueue);
    out->otherwise_ = config::kMaxStrictQueues;
    const std::vector<std::uint8_t> numbers = queue_numbers(shaping);
    for (std::size_t q = 0; q < shaping.queues.size(); ++q) {
        const config::ShapedQueue& queue = shaping.queues[q];
        for (const std::string& name : queue.classes) {
            const auto id = class_id(shaping.slot, name);
            if (!id) {
                return tl::unexpected(id.error());
            }
            out->by_class_[*id] = numbers[q];
        }
        for (const std::uint8_t dscp : queue.dscp) {
            out->by_dscp_[dscp] = numbers[q];
        }
        if (queue.otherwise) {
            out->otherwise_ = numbers[q];
        }
    }
    std::size_t prefixes = 0;
    for (const config::Subscriber& subscriber : shaping.subscribers) {
        prefixes += subscriber.prefixes.size();
        if (!subscriber.vlans.empty()) {
            out->by_vlan_.resize(4096);
        }
    }
    if (prefixes != 0) {
        rte_rib6_conf conf{};
        conf.max_nodes = static_cast<int>(2 * prefixes + 1);  // each may need one that joins two
        out->by_prefix_ = rte_rib6_create("weir_subscribers", SOCKET_ID_ANY, &conf);
        if (out->by_prefix_ == nullptr) {
            return fail(
                {},
                "shaping.subscribers",
                "no memory for " + std::to_string(prefixes) + " prefixes",
                "raise eal.memory_mb");
        }
    }
    for (std::size_t s = 0; s < shaping.subscribers.size(); ++s) {
        const std::uint64_t pipe = s + 1;
        for (const std::uint16_t vlan : shaping.subscribers[s].vlans) {
            out->by_vlan_[vlan] = static_cast<std::uint16_t>(pipe);
        }
        for (const config::Prefix& prefix : shaping.subscribers[s].prefixes) {
            rte_rib6_node* const node =
                rte_rib6_insert(out->by_prefix_, prefix.address.data(), prefix.length);
            if (node == nullptr || rte_rib6_set_nh(node, pipe) != 0) {
                return fail(
                    {},
                    "shaping.subscribers[" + std::to_string(s) + "].prefixes",
                    "cannot be kept: " + std::string(rte_strerror(rte_errno)),
                    "raise eal.memory_mb");
            }
        }
    }
    return out;
}

std::uint32_t ShaperMap::pipe_of(const FlowKey& key) const noexcept {
    if (!by_vlan_.empty() && by_vlan_[key.vlan % by_vlan_.size()] != 0) {
        return by_vlan_[key.vlan % by_vlan_.size()];
    }
    if (by_prefix_ == nullptr) {
        return 0;
    }
    int longest = -1;
    std::uint64_t pipe = 0;
    for (const auto* address : {&key.addr_lo, &key.addr_hi}) {
        std::uint8_t depth = 0;
        const rte_rib6_node* const node = rte_rib6_lookup(by_prefix_, address->data());
        if (node != nullptr && rte_rib6_get_depth(node, &depth) == 0 && depth > longest) {
            longest = depth;
            rte_rib6_get_nh(node, &pipe);
        }
    }
    return static_cast<std::uint32_t>(pipe);
}

ShaperPlace ShaperMap::place(
    const Batch& batch, std::uint32_t packet, const FlowTable& flows) const noexcept {
    const PacketHeader& header = batch.header[packet];
    ShaperPlace out{0, kNoQueue};
    if (batch.parsed[packet] != ParseResult::flow) {
        return {0, otherwise_};
    }
    if (const std::uint32_t flow = batch.flow[packet]; flow != kNoFlow) {
        const std::uint8_t cls = flows.verdicts(flow)[slot_].cls;
        out.queue = cls < kMaxClasses ? by_class_[cls] : kNoQueue;
    }
    if (out.queue == kNoQueue) {
        const std::uint8_t dscp = batch.dscp[packet] == kKeepDscp
                                      ? static_cast<std::uint8_t>(header.outer_tos >> 2U)
                                      : batch.dscp[packet];
        out.queue = by_dscp_[dscp & 63U];
    }
    if (out.queue == kNoQueue) {
        out.queue = otherwise_;
    }
    out.pipe = pipe_of(batch.key[packet]);
    return out;
}

// ---- the stage ------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Shaper>> Shaper::create(const config::Config& config) {
    std::unique_ptr<Shaper> out;
    if (config.shaping.ports.empty()) {
        return out;
    }
    out.reset(new Shaper);
    auto map = ShaperMap::create(config);
    if (!map) {
        return tl::unexpected(map.error());
    }
    out->map_ = std::move(*map);
    out->ports_.resize(config.ports.size());
    for (const config::ShapedPort& shaped : config.shaping.ports) {
        const auto at =
            std::find_if(config.ports.begin(), config.ports.end(), [&](const config::Port& port) {
                return port.name == shaped.port;
            });
        const auto index = static_cast<std::size_t>(at - config.ports.begin());
        auto port = PortScheduler::create(
            config.shaping, shaped, at->mtu, "weir_shaper_" + std::to_string(index));
        if (!port) {
            return tl::unexpected(port.error());
        }
        out->ports_[index] = std::move(*port);
    }
    return out;
}

void Shaper::take(
    Batch& batch,
    std::span<const WorkerPort> ports,
    const FlowTable& flows,
    WorkerStats& stats) noexcept {
    for (std::uint32_t i = 0; i < batch.size; ++i) {
        const std::uint8_t peer = ports[batch.rx_port[i]].peer;
        if (peer != kNoPeer && batch.disposition[i] == Disposition::forward &&
            ports_[peer] != nullptr) {
            take_one(*ports_[peer], batch, i, flows, stats);
        }
    }
    stats.shaper_held.set(held());
}

void Shaper::take_one(
    PortScheduler& port,
    Batch& batch,
    std::uint32_t packet,
    const FlowTable& flows,
    WorkerStats& stats) noexcept {
    rte_mbuf& mbuf = *batch.mbuf[packet];
    const ShaperPlace place = map_->place(batch, packet, flows);
    ShaperQueueStats& counts = stats.shaper[place.queue];
    std::uint8_t* const l3 = own_header(mbuf, batch.header[packet]);
    const ShaperVerdict verdict = port.offer(place, ecn_capable(l3));
    if (verdict == ShaperVerdict::full || verdict == ShaperVerdict::early) {
        (verdict == ShaperVerdict::full ? counts.full : counts.early).add(1);
        batch.disposition[packet] = Disposition::drop;
        batch.drop_reason[packet] =
            verdict == ShaperVerdict::full ? DropReason::shaper_full : DropReason::shaper_red;
        return;
    }
    if (verdict == ShaperVerdict::mark && mark_congestion(l3, l3[0] >> 4U)) {
        counts.congestion_marked.add(1);
    }
    port.enqueue(&mbuf, place);
    batch.disposition[packet] = Disposition::wait;
}

void Shaper::release(
    std::span<const WorkerPort> ports, const LinkStates& links, WorkerStats& stats) noexcept {
    std::array<rte_mbuf*, kReleaseBurst> due;
    for (std::size_t p = 0; p < ports_.size(); ++p) {
        if (ports_[p] == nullptr || ports_[p]->held() == 0) {
            continue;
        }
        const std::uint32_t count = ports_[p]->dequeue(due);
        if (count == 0) {
            continue;
        }
        for (std::uint32_t i = 0; i < count; ++i) {
            ShaperQueueStats& counts = stats.shaper[PortScheduler::queue_of(*due[i])];
            counts.packets.add(1);
            counts.bytes.add(due[i]->pkt_len);
        }
        send(
            ports[p],
            {due.data(), count},
            links[p].load(std::memory_order_relaxed),
            stats.ports[p],
            stats);
    }
    stats.shaper_held.set(held());
}

void Shaper::abandon(WorkerStats& stats) noexcept {
    stats.drops[static_cast<std::size_t>(DropReason::shaper_full)].add(held());
    stats.shaper_held.set(0);
    for (auto& port : ports_) {
        port.reset();
    }
}

std::uint32_t Shaper::held() const noexcept {
    std::uint32_t held = 0;
    for (const auto& port : ports_) {
        held += port == nullptr ? 0 : port->held();
    }
    return held;
}

}  // namespace weir::dataplane
