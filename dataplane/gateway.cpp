// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/gateway.h"

#include "dataplane/snapshot_build.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <thread>

#include <sys/random.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>

namespace weir::dataplane {

namespace {

// Packets that wait for one worker, of one port.
constexpr std::uint32_t kDistributorRing = 1023;

[[nodiscard]] std::uint64_t random_seed() noexcept {
    std::uint64_t seed = 0;
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
        seed = rte_rdtsc();
    }
    return seed;
}

[[nodiscard]] std::uint64_t wall_ns() noexcept {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                          std::chrono::system_clock::now().time_since_epoch())
                                          .count());
}

// Each port's peer and key domain: pairs first, then taps.
[[nodiscard]] std::vector<WorkerPort> wire(
    const config::Config& config, const std::vector<PortHandle>& handles) {
    std::vector<WorkerPort> ports(handles.size());
    for (std::size_t p = 0; p < handles.size(); ++p) {
        ports[p].port_id = handles[p].port_id;
        ports[p].rx_ring = handles[p].rx_ring;
    }
    std::uint16_t domain = 0;
    for (const config::Pair& pair : config.pairs) {
        ports[pair.a].peer = static_cast<std::uint8_t>(pair.b);
        ports[pair.b].peer = static_cast<std::uint8_t>(pair.a);
        ports[pair.a].domain = ports[pair.b].domain = domain++;
    }
    for (const std::uint32_t tap : config.taps) {
        ports[tap].domain = domain++;
    }
    return ports;
}

// Control empties the rings meanwhile; if it is gone, records are lost and counted rather than waited for.
void wait_for_room(const EventRing& events, std::uint32_t records) {
    constexpr int kTries = 1000;
    for (int tries = 0; events.room() < records && tries < kTries; ++tries) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

}  // namespace

std::uint64_t Totals::dropped() const noexcept {
    return std::accumulate(drops.begin(), drops.end(), std::uint64_t{0});
}

void add_totals(const WorkerStats& stats, Totals& totals) noexcept {
    for (const PortStats& port : stats.ports) {
        totals.rx_packets += port.rx_packets.get();
        totals.rx_bytes += port.rx_bytes.get();
        totals.tx_packets += port.tx_packets.get();
        totals.tx_bytes += port.tx_bytes.get();
    }
    for (std::size_t reason = 0; reason < kDropReasons; ++reason) {
        totals.drops[reason] += stats.drops[reason].get();
    }
    totals.marked += stats.marked.get();
}

void add_totals(const DistributorStats& stats, Totals& totals) noexcept {
    for (const DistributorStats::Port& port : stats.ports) {
        totals.rx_packets += port.lost.get();
        totals.rx_bytes += port.lost_bytes.get();
        totals.drops[static_cast<std::size_t>(DropReason::distributor_full)] += port.lost.get();
        totals.tx_packets -= port.unsent.get();
        totals.drops[static_cast<std::size_t>(DropReason::tx_queue_full)] += port.unsent.get();
    }
}

Result<std::unique_ptr<Gateway>> Gateway::create(const config::Config& config) {
    std::unique_ptr<Gateway> gateway(new Gateway);
    const auto queues = static_cast<std::uint16_t>(config.workers.lcores.size());
    auto publisher = Publisher::create(queues, build_snapshot(config, {}, 0));
    if (!publisher) {
        return tl::unexpected(publisher.error());
    }
    gateway->publisher_ = std::move(*publisher);
    const config::Distribute distribute = config.workers.distribute;
    // With `auto`, a distributor may turn out to be needed: room for its rings, both ways.
    const std::uint32_t in_rings =
        queues > 1 && distribute != config::Distribute::rss
            ? static_cast<std::uint32_t>(config.ports.size()) * queues * 2 * kDistributorRing
            : 0;
    const auto waiting =
        static_cast<std::uint32_t>(config.shaping.ports.size()) * config.shaping.max_packets;
    if (config.workers.idle.sleep && config.workers.idle.wait == config::IdleWait::interrupt) {
        gateway->ports_.want_interrupts();
    }
    if (auto ok = gateway->ports_.start(config.ports, queues, waiting + in_rings, distribute);
        !ok) {
        return tl::unexpected(ok.error());
    }
    if (auto ok = gateway->create_workers(config); !ok) {
        return tl::unexpected(ok.error());
    }
    return gateway;
}

Result<void> Gateway::create_workers(const config::Config& config) {
    clock_ = std::make_unique<TscClock>(rte_get_tsc_hz(), rte_rdtsc(), wall_ns());
    const std::vector<WorkerPort> wiring = wire(config, ports_.handles());
    for (const WorkerPort& port : wiring) {
        peers_.push_back(port.peer == kNoPeer ? "" : config.ports[port.peer].name);
    }
    const std::uint64_t seed = random_seed();
    if (auto ok = create_distributor(config, random_seed()); !ok) {
        return ok;
    }
    for (std::uint32_t index = 0; index < config.workers.lcores.size(); ++index) {
        WorkerOptions options;
        options.index = index;
        options.burst = static_cast<std::uint16_t>(config.workers.burst);
        options.gather_us = config.workers.gather_us;
        options.ports = wiring;
        for (WorkerPort& port : options.ports) {
            port.queue = static_cast<std::uint16_t>(index);
        }
        if (distributor_ != nullptr) {
            distributor_->wire(index, options.ports);
        }
        options.links = &links_;
        options.flow_table = config.workers.flow_table;
        options.payload = config.features.payload;
        options.slots = static_cast<std::uint32_t>(config.slots.size());
        options.seed = seed;
        options.pages = config.eal.hugepages == config::Hugepages::off ? TablePages::resident
                                                                       : TablePages::reserved;
        options.time.clock = clock_.get();
        options.idle = idle_limits(config.workers.idle, tsc_hz());
        options.wait = config.workers.idle.wait;
        options.governor = governor_limits(config.workers.overload, tsc_hz());
        if (index == 0) {  // where ports are shaped, it is the only one
            auto shaper = Shaper::create(config);
            if (!shaper) {
                return tl::unexpected(shaper.error());
            }
            options.shaper = std::move(*shaper);
        }
        if (const config::Mirror& mirror = config.policy.mirror; !mirror.file.empty()) {
            auto ring = MirrorRing::create(
                "weir_mirror_" + std::to_string(index), mirror.queue_packets, mirror.snap_bytes);
            if (!ring) {
                return tl::unexpected(ring.error());
            }
            options.mirror = std::move(*ring);
        }
        if (config.workers.lcores.size() > 1) {
            auto reporter = HostReporter::create("weir_hosts_" + std::to_string(index));
            if (!reporter) {
                return tl::unexpected(reporter.error());
            }
            options.hosts_told = reporter->get();
            reporters_.push_back(std::move(*reporter));
        }
        auto worker = Worker::create(std::move(options), *publisher_);
        if (!worker) {
            return tl::unexpected(worker.error());
        }
        infos_.push_back(
            {index,
             config.workers.lcores[index],
             (*worker)->flows().capacity(),
             &(*worker)->stats(),
             shaper_queue_names(config.shaping)});
        workers_.push_back(std::move(*worker));
    }
    if (!reporters_.empty()) {
        std::vector<HostReporter*> ends;
        for (const auto& reporter : reporters_) {
            ends.push_back(reporter.get());
        }
        exchange_ = std::make_unique<HostExchange>(std::move(ends), *publisher_);
    }
    static_cast<void>(ports());  // first reading of the link states
    return {};
}

// Seeded apart: the workers' own hash must not know which flows a worker has.
Result<void> Gateway::create_distributor(const config::Config& config, std::uint64_t seed) {
    if (!ports_.software()) {
        return {};
    }
    distributor_lcore_ = config.workers.distributor_lcore;
    const auto& lcores = config.workers.lcores;
    if (const auto at = std::find(lcores.begin(), lcores.end(), distributor_lcore_);
        at != lcores.end()) {
        return fail(
            {},
            "workers.distributor_lcore",
            "lcore " + std::to_string(distributor_lcore_) + " is workers.lcores[" +
                std::to_string(at - lcores.begin()) + "], and port " + ports_.cannot_spread() +
                " cannot spread flows over workers by symmetric RSS, so that a distributor must",
            "name another CPU (eal.main_lcore will do), or use one worker");
    }
    DistributorOptions options;
    for (const PortHandle& handle : ports_.handles()) {
        options.ports.push_back(
            {handle.port_id, handle.rx_queues, handle.tx_queues < lcores.size()});
    }
    options.workers = static_cast<std::uint32_t>(lcores.size());
    options.ring = kDistributorRing;
    options.seed = seed;
    options.clock = clock_.get();
    options.idle = idle_limits(config.workers.idle, tsc_hz());
    auto distributor = Distributor::create(options);
    if (!distributor) {
        return tl::unexpected(distributor.error());
    }
    distributor_ = std::move(*distributor);
    return {};
}

Gateway::~Gateway() {
    stop_workers();
}

Result<void> Gateway::start() {
    struct Launch {
        Worker* worker;
        const std::atomic<bool>* stop;
    };
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        auto* launch = new Launch{workers_[i].get(), &stop_};
        const int error = rte_eal_remote_launch(
            [](void* argument) {
                const std::unique_ptr<Launch> mine(static_cast<Launch*>(argument));
                mine->worker->run(*mine->stop);
                return 0;
            },
            launch,
            infos_[i].lcore);
        if (error != 0) {
            delete launch;
            return fail(
                {},
                "workers.lcores[" + std::to_string(i) + "]",
                "lcore " + std::to_string(infos_[i].lcore) +
                    " is busy: DPDK already runs something on it",
                "use another lcore");
        }
        running_ = true;
    }
    if (distributor_ != nullptr) {
        return distributor_->start(distributor_lcore_);
    }
    return {};
}

void Gateway::stop_workers() {
    if (!running_) {
        return;
    }
    running_ = false;
    if (distributor_ != nullptr) {
        distributor_->stop_receiving();
    }
    stop_.store(true, std::memory_order_relaxed);
    for (const WorkerInfo& info : infos_) {
        rte_eal_wait_lcore(info.lcore);
    }
    if (distributor_ != nullptr) {
        distributor_->stop();
    }
    constexpr std::uint32_t kRecordsPerFlush = 4096;
    for (const auto& worker : workers_) {
        bool done = false;
        while (!done) {
            wait_for_room(worker->events(), kRecordsPerFlush);
            done = worker->flush(kRecordsPerFlush);
        }
    }
}

Totals Gateway::totals() const noexcept {
    Totals totals;
    for (const auto& worker : workers_) {
        add_totals(worker->stats(), totals);
    }
    if (distributor_ != nullptr) {
        add_totals(distributor_->stats(), totals);
    }
    return totals;
}

std::vector<std::string> Gateway::notes() const {
    std::vector<std::string> notes;
    if (!ports_.cannot_spread().empty()) {
        notes.push_back(
            ports_.cannot_spread() + ": no symmetric RSS: a distributor on lcore " +
            std::to_string(distributor_lcore_) + " spreads flows over the workers");
    }
    for (const PortHandle& handle : ports_.handles()) {
        for (const std::string& note : handle.notes) {
            notes.push_back(handle.config.name + ": " + note);
        }
    }
    const std::size_t ordinary = std::accumulate(
        workers_.begin(), workers_.end(), std::size_t{0}, [](std::size_t sum, const auto& worker) {
            return sum + worker->ordinary_bytes();
        });
    if (rte_eal_has_hugepages() != 0 && ordinary != 0) {
        notes.push_back(
            std::to_string(ordinary >> 20) +
            " MiB of flows and hosts found no room in the hugepages of 2 MiB: packets wait now and "
            "then, up to "
            "milliseconds, while the kernel tends other memory; raise vm.nr_hugepages by " +
            std::to_string(ordinary / HugeMap::kPageBytes + 1 + HugeMap::kLeftPages));
    }
    return notes;
}

std::vector<PortInfo> Gateway::ports() const {
    std::vector<PortInfo> infos;
    const auto& handles = ports_.handles();
    for (std::size_t p = 0; p < handles.size(); ++p) {
        PortInfo info;
        info.name = handles[p].config.name;
        info.device = handles[p].config.device;
        info.port_id = handles[p].port_id;
        rte_eth_link link{};
        const bool known = rte_eth_link_get_nowait(info.port_id, &link) == 0;
        info.link_up = !known || link.link_status == RTE_ETH_LINK_UP;
        info.link_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
        rte_eth_dev_get_mtu(info.port_id, &info.mtu);
        info.promiscuous = rte_eth_promiscuous_get(info.port_id) == 1;
        info.peer = peers_[p];
        rte_eth_stats stats{};
        if (rte_eth_stats_get(info.port_id, &stats) == 0) {
            info.rx_missed = stats.imissed;
            info.rx_errors = stats.ierrors;
            info.rx_nombuf = stats.rx_nombuf;
        }
        links_[p].store(info.link_up, std::memory_order_relaxed);
        infos.push_back(std::move(info));
    }
    return infos;
}

std::uint32_t Gateway::drain_events(std::span<FlowRecord> out) {
    std::uint32_t taken = 0;
    for (const auto& worker : workers_) {
        taken += worker->events().pop(out.subspan(taken));
    }
    return taken;
}

double Gateway::tsc_hz() const {
    return static_cast<double>(rte_get_tsc_hz());
}

}  // namespace weir::dataplane
