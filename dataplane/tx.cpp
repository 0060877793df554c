// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/tx.h"

#include <array>

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

namespace weir::dataplane {

namespace {

using Outgoing = std::array<rte_mbuf*, Batch::kCapacity>;

void count_drop(WorkerStats& stats, DropReason reason, std::uint64_t packets) noexcept {
    stats.drops[static_cast<std::size_t>(reason)].add(packets);
}

}  // namespace

void send(
    const WorkerPort& port,
    std::span<rte_mbuf*> packets,
    bool link_up,
    PortStats& counts,
    WorkerStats& stats) noexcept {
    const auto offered = static_cast<std::uint16_t>(packets.size());
    // Control's view of the link may lag, so a down link is still offered the burst, but not retried.
    const std::uint32_t retries = link_up ? kTxRetries : 0;
    // The driver may free what it has taken: lengths are read first.
    std::array<std::uint32_t, Batch::kCapacity> bytes_up_to{};
    std::uint32_t total = 0;
    for (std::size_t i = 0; i < packets.size(); ++i) {
        total += packets[i]->pkt_len;
        bytes_up_to[i] = total;
    }
    std::uint16_t sent = 0;
    for (std::uint32_t tries = 0; sent < offered && tries <= retries; ++tries) {
        if (tries != 0) {
            rte_pause();
        }
        sent = static_cast<std::uint16_t>(
            sent +
            rte_eth_tx_burst(port.port_id, port.queue, packets.data() + sent, offered - sent));
    }
    if (sent != 0) {
        counts.tx_packets.add(sent);
        counts.tx_bytes.add(bytes_up_to[sent - 1U]);
    }
    if (sent < offered) {
        rte_pktmbuf_free_bulk(packets.data() + sent, offered - sent);
        count_drop(
            stats, link_up ? DropReason::tx_queue_full : DropReason::tx_link_down, offered - sent);
    }
}

void tx(
    Batch& batch,
    std::span<const WorkerPort> ports,
    const LinkStates& links,
    WorkerStats& stats) noexcept {
    Outgoing outgoing;
    std::uint32_t dropped = 0;
    for (std::uint32_t i = 0; i < batch.size; ++i) {
        const bool tap = ports[batch.rx_port[i]].peer == kNoPeer;
        if (tap || batch.disposition[i] == Disposition::drop) {
            count_drop(stats, tap ? DropReason::tap : batch.drop_reason[i], 1);
            outgoing[dropped++] = batch.mbuf[i];
        }
    }
    if (dropped != 0) {
        rte_pktmbuf_free_bulk(outgoing.data(), dropped);
    }
    for (std::size_t p = 0; p < ports.size(); ++p) {
        const std::uint8_t peer = ports[p].peer;
        if (peer == kNoPeer) {
            continue;
        }
        std::size_t count = 0;
        for (std::uint32_t i = 0; i < batch.size; ++i) {
            if (batch.rx_port[i] == p && batch.disposition[i] == Disposition::forward) {
                outgoing[count++] = batch.mbuf[i];
            }
        }
        if (count != 0) {
            send(
                ports[peer],
                {outgoing.data(), count},
                links[peer].load(std::memory_order_relaxed),
                stats.ports[peer],
                stats);
        }
    }
    batch.size = 0;
}

}  // namespace weir::dataplane
