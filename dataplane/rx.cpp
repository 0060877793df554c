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

// One burst of port `p` to the batch's end. True if the port gave all that it was asked for.
[[nodiscard]] bool take_burst(
    const WorkerPort& port,
    std::uint8_t p,
    std::uint16_t burst,
    const RxTime& time,
    Batch& batch,
    PortStats& stats) noexcept {
    const std::uint32_t size = batch.size;
    const auto room =
        static_cast<std::uint16_t>(std::min<std::uint32_t>(burst, Batch::kCapacity - size));
    const std::uint16_t received =
        rte_eth_rx_burst(port.rx_id, port.rx_queue, batch.mbuf.data() + size, room);
    if (received == 0) {
        return false;
    }
    std::uint64_t now_ns = time.clock != nullptr ? time.clock->ns(rte_rdtsc()) : 0;
    std::uint64_t bytes = 0;
    for (std::uint32_t i = size; i < size + received; ++i) {
        const rte_mbuf& mbuf = *batch.mbuf[i];
        if (time.clock == nullptr) {
            now_ns = capture_time_ns(mbuf, time, now_ns);
        }
        batch.time_ns[i] = now_ns;
        batch.rx_port[i] = p;
        bytes += mbuf.pkt_len;
    }
    stats.rx_packets.add(received);
    stats.rx_bytes.add(bytes);
    batch.size = size + received;
    return received == room;
}

}  // namespace

std::uint32_t rx(
    std::span<const WorkerPort> ports,
    const RxLimits& limits,
    const RxTime& time,
    Batch& batch,
    WorkerStats& stats) noexcept {
    const std::uint64_t start = limits.gather_cycles != 0 ? rte_rdtsc() : 0;
    batch.size = 0;
    batch.rounds = 0;
    do {
        ++batch.rounds;
        batch.full_ports = 0;
        for (std::size_t n = 0; n < ports.size() && batch.size < Batch::kCapacity; ++n) {
            // In turns, so that a batch that fills up leaves out another one each time.
            const std::size_t p = (batch.first_port + n) % ports.size();
            const bool full = take_burst(
                ports[p], static_cast<std::uint8_t>(p), limits.burst, time, batch, stats.ports[p]);
            batch.full_ports |= static_cast<std::uint32_t>(full) << p;
        }
        batch.first_port = batch.size == Batch::kCapacity ? batch.first_port + 1 : 0;
    } while (limits.gather_cycles != 0 && batch.full_ports != 0 && batch.size < Batch::kCapacity &&
             rte_rdtsc() - start < limits.gather_cycles);
    return batch.size;
}

}  // namespace weir::dataplane
