// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/rx.h"

#include <algorithm>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

namespace weir::dataplane {

namespace {

constexpr std::uint64_t kNsPerUs = 1000;

[[nodiscard]] std::uint64_t capture_time_ns(
    const rte_mbuf& mbuf, const RxTime& time, std::uint64_t before) noexcept {
    if ((mbuf.ol_flags & time.timestamp_flag) == 0) {
        return before;
    }
    return *RTE_MBUF_DYNFIELD(&mbuf, time.timestamp_offset, const rte_mbuf_timestamp_t*) * kNsPerUs;
}

}  // namespace

std::uint32_t rx(
    std::span<const WorkerPort> ports,
    std::uint16_t burst,
    const RxTime& time,
    Batch& batch,
    WorkerStats& stats) noexcept {
    std::uint32_t size = 0;
    batch.full_ports = 0;
    for (std::size_t p = 0; p < ports.size(); ++p) {
        const auto room =
            static_cast<std::uint16_t>(std::min<std::uint32_t>(burst, Batch::kCapacity - size));
        const std::uint16_t received =
            rte_eth_rx_burst(ports[p].port_id, ports[p].queue, batch.mbuf.data() + size, room);
        if (received == 0) {
            continue;
        }
        std::uint64_t now_ns = time.clock != nullptr ? time.clock->ns(rte_rdtsc()) : 0;
        std::uint64_t bytes = 0;
        for (std::uint32_t i = size; i < size + received; ++i) {
            const rte_mbuf& mbuf = *batch.mbuf[i];
            if (time.clock == nullptr) {
                now_ns = capture_time_ns(mbuf, time, now_ns);
            }
            batch.time_ns[i] = now_ns;
            batch.rx_port[i] = static_cast<std::uint8_t>(p);
            bytes += mbuf.pkt_len;
        }
        stats.ports[p].rx_packets.add(received);
        stats.ports[p].rx_bytes.add(bytes);
        size += received;
        batch.full_ports |= static_cast<std::uint32_t>(received == room) << p;
    }
    batch.size = size;
    return size;
}

}  // namespace weir::dataplane
