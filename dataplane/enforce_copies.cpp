// SPDX-License-Identifier: BSD-3-Clause
// Of the enforce stage: what leaves beside a packet, or elsewhere than its peer.
#include "dataplane/enforce_state.h"
#include "dataplane/reset.h"

#include <algorithm>
#include <cstring>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

namespace weir::dataplane {

void Enforcer::mirror_into(MirrorRing& ring) noexcept {
    state_->mirror_ring = &ring;
}

void Enforcer::mirror(const Packet& packet) noexcept {
    const PolicyLimits& limits = packet.set.limits;
    if (state_->mirror_count++ % limits.mirror_one_in != 0) {
        return;
    }
    if (limits.mirror_port != kNone) {
        (copy_to_port(packet) ? state_->stats->mirrored : state_->stats->mirror_lost).add(1);
    }
    if (state_->mirror_ring != nullptr) {
        (copy_to_ring(packet) ? state_->stats->mirrored : state_->stats->mirror_lost).add(1);
    }
}

bool Enforcer::copy_to_port(const Packet& packet) noexcept {
    rte_mbuf* const original = packet.batch.mbuf[packet.i];
    rte_mbuf* const copy = rte_pktmbuf_copy(original, original->pool, 0, UINT32_MAX);
    return copy != nullptr && send_one(packet.set.limits.mirror_port, copy);
}

bool Enforcer::copy_to_ring(const Packet& packet) noexcept {
    const Batch& batch = packet.batch;
    const RuleAction& action = *batch.action[packet.i];
    const WorkerPort& in = state_->ports[batch.rx_port[packet.i]];
    MirrorTag tag;
    tag.time_ns = packet.now_ns();
    tag.generation = packet.generation;
    for (std::size_t s = 0; s < packet.slots; ++s) {
        tag.verdicts[s] = packet.verdicts[s].told();
    }
    tag.policy = action.policy;
    tag.row = action.row;
    tag.dscp = batch.dscp[packet.i];
    tag.disposition = batch.disposition[packet.i];
    tag.reason = batch.drop_reason[packet.i];
    tag.reset = action.kind == config::RowAction::reset;
    return state_->mirror_ring->push(*batch.mbuf[packet.i], in.device, in.rx_queue, tag);
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
