// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/distributor.h"

#include "dataplane/parse.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <string>

#include <sys/prctl.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_ring.h>

#include <pthread.h>
#include <sched.h>

namespace weir::dataplane {

// ---- the loop -------------------------------------------------------------------------------------------------------

void Distributor::run() noexcept {
    constexpr unsigned long kTimerSlackNs = 1000;
    constexpr std::uint32_t kDrainPolls = 4096;
    prctl(PR_SET_TIMERSLACK, kTimerSlackNs);
    IdleBackoff backoff(idle_);
    while (!stop_.load(std::memory_order_acquire)) {
        std::uint32_t moved = 0;
        if (receiving_.load(std::memory_order_relaxed)) {
            moved = poll();
        } else if (!drained_.load(std::memory_order_relaxed)) {
            for (std::uint32_t n = 0; n < kDrainPolls && poll() != 0; ++n) {
            }
            drained_.store(true, std::memory_order_release);
        } else {
            moved = send_for_workers();
        }
        if (moved != 0) {
            backoff.busy();
            continue;
        }
        stats_.idle_polls.add(1);
        if (const std::uint32_t us = backoff.empty(rte_rdtsc()); us != 0) {
            stats_.sleeps.add(1);
            const timespec time{0, static_cast<long>(us) * 1000};
            clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr);
        } else {
            rte_pause();
        }
    }
    constexpr std::uint32_t kTries = 64;  // a TX queue may be full for a moment
    for (std::uint32_t n = 0, idle = 0; n < kDrainPolls && idle < kTries; ++n) {
        idle = send_for_workers() != 0 ? 0 : idle + 1;
        rte_pause();
    }
    abandon();
}

std::uint32_t Distributor::poll() noexcept {
    const std::uint32_t moved = receive() + send_for_workers();
    if (moved != 0) {
        stats_.polls.add(1);
    }
    return moved;
}

std::uint32_t Distributor::receive() noexcept {
    std::uint32_t received = 0;
    for (std::size_t p = 0; p < ports_.size(); ++p) {
        const DistributorOptions::Port& device = ports_[p].device;
        for (std::uint16_t queue = 0; queue < device.rx_queues; ++queue) {
            Batch& batch = *batch_;
            batch.size = rte_eth_rx_burst(device.port_id, queue, batch.mbuf.data(), kBurst);
            if (batch.size != 0) {
                stats_.ports[p].received.add(batch.size);
                received += batch.size;
                spread(p);
            }
        }
    }
    return received;
}

// One burst of port `p`, in order, into the workers' rings.
void Distributor::spread(std::size_t p) noexcept {
    constexpr std::uint16_t kNoPair = 0;
    Batch& batch = *batch_;
    const std::uint64_t now_ns = clock_->ns(rte_rdtsc());
    std::fill_n(batch.time_ns.begin(), batch.size, now_ns);
    std::fill_n(batch.rx_port.begin(), batch.size, std::uint8_t{0});
    parse(batch, &kNoPair);
    if (batch.fragments != 0) {
        fragments_->follow(batch, *keyed_, stats_.fragments);
    }
    for (std::uint32_t i = 0; i < batch.size; ++i) {
        const std::uint32_t worker = worker_of(batch, i);
        lists_[worker][counts_[worker]++] = batch.mbuf[i];
    }
    DistributorStats::Port& counts = stats_.ports[p];
    for (std::uint32_t worker = 0; worker < workers_; ++worker) {
        const std::uint32_t count = counts_[worker];
        counts_[worker] = 0;
        rte_mbuf** const list = lists_[worker].data();
        const std::uint32_t taken = rte_ring_sp_enqueue_burst(
            ports_[p].rings->rx(worker), reinterpret_cast<void**>(list), count, nullptr);
        handed_[worker].add(taken);
        if (taken == count) {
            continue;
        }
        for (std::uint32_t i = taken; i < count; ++i) {
            counts.lost_bytes.add(list[i]->pkt_len);
        }
        counts.lost.add(count - taken);
        rte_pktmbuf_free_bulk(list + taken, count - taken);
    }
}

std::uint32_t Distributor::worker_of(const Batch& batch, std::uint32_t i) const noexcept {
    FlowKey key = batch.key[i];
    if (batch.parsed[i] == ParseResult::flow) {
        key.tunnel_id = 0;
        key.vlan = key.inner_vlan = key.pair = 0;
    } else {
        // Both MAC addresses, the same whichever sends; no frame is shorter.
        constexpr std::size_t kMacBytes = 6;
        const auto* const frame = rte_pktmbuf_mtod(batch.mbuf[i], const std::uint8_t*);
        key = FlowKey{};
        for (std::size_t b = 0; b < kMacBytes && batch.mbuf[i]->data_len >= 2 * kMacBytes; ++b) {
            key.addr_lo[b] = frame[b] ^ frame[kMacBytes + b];
        }
    }
    return static_cast<std::uint32_t>((keyed_->hash(key) >> 32) * workers_ >> 32);
}

// ---- sending for workers --------------------------------------------------------------------------------------------

std::uint32_t Distributor::send_for_workers() noexcept {
    std::uint32_t sent = 0;
    for (std::size_t p = 0; p < ports_.size(); ++p) {
        Port& port = ports_[p];
        if (!port.device.sends) {
            continue;
        }
        sent += send_held(port, stats_.ports[p]);
        for (std::uint32_t n = 0; n < workers_ && port.held_from == port.held_end; ++n) {
            const std::uint32_t worker = (port.turn + n) % workers_;
            port.held_from = 0;
            port.held_end = static_cast<std::uint16_t>(rte_ring_sc_dequeue_burst(
                port.rings->tx(worker),
                reinterpret_cast<void**>(port.held.data()),
                kBurst,
                nullptr));
            sent += send_held(port, stats_.ports[p]);
        }
        port.turn = (port.turn + 1) % workers_;
    }
    return sent;
}

std::uint16_t Distributor::send_held(Port& port, DistributorStats::Port& counts) noexcept {
    if (port.held_from == port.held_end) {
        return 0;
    }
    const std::uint16_t sent = rte_eth_tx_burst(
        port.device.port_id,
        0,
        port.held.data() + port.held_from,
        static_cast<std::uint16_t>(port.held_end - port.held_from));
    port.held_from = static_cast<std::uint16_t>(port.held_from + sent);
    counts.sent.add(sent);
    return sent;
}

// What no port takes any more.
void Distributor::abandon() noexcept {
    for (std::size_t p = 0; p < ports_.size(); ++p) {
        Port& port = ports_[p];
        Counter& unsent = stats_.ports[p].unsent;
        do {
            const auto left = static_cast<unsigned>(port.held_end - port.held_from);
            rte_pktmbuf_free_bulk(port.held.data() + port.held_from, left);
            unsent.add(left);
            port.held_from = port.held_end = 0;
            for (std::uint32_t w = 0; w < workers_ && port.held_end == 0; ++w) {
                port.held_end = static_cast<std::uint16_t>(rte_ring_sc_dequeue_burst(
                    port.rings->tx(w),
                    reinterpret_cast<void**>(port.held.data()),
                    kBurst,
                    nullptr));
            }
        } while (port.held_end != 0);
    }
}

// ---- around it ------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Distributor>> Distributor::create(const DistributorOptions& options) {
    constexpr std::uint32_t kFewestFlows = 1024;
    std::unique_ptr<Distributor> distributor(new Distributor);
    distributor->workers_ = options.workers;
    distributor->clock_ = options.clock;
    distributor->idle_ = options.idle;
    config::FlowTable table;
    table.capacity = kFewestFlows;
    auto keyed = FlowTable::create({table, 1, options.seed});
    if (!keyed) {
        return tl::unexpected(keyed.error());
    }
    distributor->keyed_ = std::move(*keyed);
    distributor->fragments_ = std::make_unique<Fragments>();
    distributor->batch_ = std::make_unique<Batch>();
    distributor->lists_.resize(options.workers);
    distributor->counts_.resize(options.workers);
    distributor->handed_ = std::vector<Counter>(options.workers);
    for (const DistributorOptions::Port& device : options.ports) {
        auto rings = RingPort::create(options.workers, options.ring);
        if (!rings) {
            return tl::unexpected(rings.error());
        }
        Port& port = distributor->ports_.emplace_back();
        port.device = device;
        port.rings = std::move(*rings);
    }
    return distributor;
}

Distributor::~Distributor() {
    stop();
    abandon();
}

void Distributor::wire(std::uint32_t index, std::vector<WorkerPort>& ports) const noexcept {
    for (std::size_t p = 0; p < ports.size(); ++p) {
        const Port& port = ports_[p];
        const auto queue = static_cast<std::uint16_t>(index);
        ports[p].port_id = port.device.sends ? port.rings->id() : port.device.port_id;
        ports[p].queue = queue;
        ports[p].rx_id = port.rings->id();
        ports[p].rx_queue = queue;
        ports[p].device = port.device.port_id;
        ports[p].ring = port.rings->rx(index);
        ports[p].rx_ring = static_cast<std::uint16_t>(
            std::min(rte_ring_get_capacity(port.rings->rx(index)), std::uint32_t{UINT16_MAX}));
    }
}

Result<void> Distributor::start(std::uint32_t cpu) {
    constexpr const char* kField = "workers.distributor_lcore";
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), "distributor");
        // For a mempool cache of its own; without, it is slower, not wrong.
        const bool registered = rte_thread_register() == 0;
        run();
        if (registered) {
            rte_thread_unregister();
        }
    });
    cpu_set_t set;
    CPU_ZERO(&set);
    if (cpu < CPU_SETSIZE) {
        CPU_SET(cpu, &set);
    }
    if (const int error = pthread_setaffinity_np(thread_.native_handle(), sizeof(set), &set);
        error != 0) {
        return fail(
            {},
            kField,
            "lcore " + std::to_string(cpu) + " does not exist or this process may not use it",
            "name another CPU; eal.main_lcore will do");
    }
    return {};
}

void Distributor::stop_receiving() {
    receiving_.store(false, std::memory_order_relaxed);
    while (thread_.joinable() && !drained_.load(std::memory_order_acquire)) {
        std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
}

void Distributor::stop() {
    stop_.store(true, std::memory_order_release);
    if (thread_.joinable()) {
        thread_.join();
    }
}

std::uint32_t Distributor::waiting(std::uint32_t worker) const noexcept {
    std::uint32_t count = 0;
    for (const Port& port : ports_) {
        count += rte_ring_count(port.rings->rx(worker));
    }
    return count;
}

std::uint32_t Distributor::room() const noexcept {
    std::uint32_t room = 0;
    for (const Port& port : ports_) {
        room += rte_ring_get_capacity(port.rings->rx(0));
    }
    return room;
}

}  // namespace weir::dataplane
