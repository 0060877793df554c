// SPDX-License-Identifier: BSD-3-Clause
// Spreads packets over workers by flow where the ports cannot: one thread between ports and workers.
#pragma once

#include "config/error.h"
#include "dataplane/batch.h"
#include "dataplane/clock.h"
#include "dataplane/flow/table.h"
#include "dataplane/fragments.h"
#include "dataplane/idle.h"
#include "dataplane/ring_port.h"
#include "dataplane/worker_port.h"
#include "dataplane/worker_stats.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace weir::dataplane {

/// Written by the distributor alone, read by anyone.
struct DistributorStats {
    struct Port {
        Counter received;    ///< packets taken from the port
        Counter lost;        ///< of these, freed: their worker's ring was full
        Counter lost_bytes;  ///< what they held
        Counter sent;        ///< for workers, by a port with fewer TX queues than workers
        Counter
            unsent;  ///< freed at the end: counted as sent by their worker, never taken by the port
    };
    std::array<Port, kMaxPorts> ports;
    FragmentCounters fragments;  ///< by FragmentKind
    Counter polls;               ///< that moved packets
    Counter idle_polls;
    Counter sleeps;
};

struct DistributorOptions {
    struct Port {
        std::uint16_t port_id = 0;    ///< DPDK's
        std::uint16_t rx_queues = 1;  ///< all are emptied
        bool sends =
            false;  ///< it sends for the workers, by TX queue 0; else each has a queue of its own
    };
    std::vector<Port> ports;
    std::uint32_t workers = 2;
    std::uint32_t ring = 1024;  ///< packets a ring holds, rounded up to a power of two
    std::uint64_t seed = 0;
    const TscClock* clock = nullptr;
    IdleLimits idle;
};

/// Takes packets from the ports' queues, hashes the flow of each (the innermost 5-tuple in canonical order, so that both
/// directions are one; no tunnel id, as GTP-U's differ by direction) and hands it to that flow's worker by a bounded
/// single-producer, single-consumer ring. To a worker the rings look like a port (net_ring): its loop does not know.
/// Later fragments follow their first one (Fragments), others their addresses; what is no flow goes by its MAC addresses.
/// Order within a flow is kept. It never waits for a worker: what finds no room is freed and counted. For ports with fewer
/// TX queues than workers it sends as well; what such a port does not take stays in the ring, and is the worker's to drop
/// when that is full. Scores nothing, knows no snapshot.
class Distributor {
  public:
    /// Needs EAL. Thread: main.
    [[nodiscard]] static Result<std::unique_ptr<Distributor>> create(
        const DistributorOptions& options);
    /// Stops it and frees what the rings still hold. Workers must have stopped.
    ~Distributor();
    Distributor(const Distributor&) = delete;
    Distributor& operator=(const Distributor&) = delete;

    /// Makes `ports`, in the order of options.ports, worker `index`'s: it receives from rings.
    void wire(std::uint32_t index, std::vector<WorkerPort>& ports) const noexcept;

    /// Runs on a thread of its own, on this CPU. Errors name workers.distributor_lcore.
    [[nodiscard]] Result<void> start(std::uint32_t cpu);
    /// Takes what the ports hold (bounded), then no more. Returns when it has. Workers still run, and empty the rings.
    void stop_receiving();
    /// Sends what the workers left (bounded) and ends. Workers must have stopped.
    void stop();

    // ---- its thread, or the one of a test that runs none ---------------------------------------------------------------

    /// One burst of each queue to the workers, one of each worker's to the port. Returns packets moved.
    std::uint32_t poll() noexcept;

    // ---- any thread ----------------------------------------------------------------------------------------------------

    [[nodiscard]] const DistributorStats& stats() const noexcept { return stats_; }
    [[nodiscard]] std::uint32_t workers() const noexcept { return workers_; }
    /// Packets handed to worker `worker`, of all ports.
    [[nodiscard]] std::uint64_t handed(std::uint32_t worker) const noexcept {
        return handed_[worker].get();
    }
    /// Packets that wait for worker `worker`, of all ports, at this moment.
    [[nodiscard]] std::uint32_t waiting(std::uint32_t worker) const noexcept;
    /// What waiting() can be at most.
    [[nodiscard]] std::uint32_t room() const noexcept;
    /// The worker of a packet that parse() and Fragments have seen. Thread: its own, or a test's.
    [[nodiscard]] std::uint32_t worker_of(const Batch& batch, std::uint32_t i) const noexcept;

  private:
    static constexpr std::uint16_t kBurst = 64;
    using List = std::array<rte_mbuf*, kBurst>;

    struct Port {
        DistributorOptions::Port device;
        std::unique_ptr<RingPort> rings;  ///< what workers see: RX is from here, TX to here
        std::uint32_t turn = 0;           ///< worker whose TX ring is looked at first
        std::uint16_t held_from = 0;      ///< held[from … end) wait for room in the TX queue
        std::uint16_t held_end = 0;
        List held{};
    };

    Distributor() = default;
    void run() noexcept;
    std::uint32_t receive() noexcept;
    std::uint32_t send_for_workers() noexcept;
    void spread(std::size_t p) noexcept;
    [[nodiscard]] std::uint16_t send_held(Port& port, DistributorStats::Port& counts) noexcept;
    void abandon() noexcept;

    std::vector<Port> ports_;
    std::uint32_t workers_ = 0;
    const TscClock* clock_ = nullptr;
    IdleLimits idle_;
    std::unique_ptr<FlowTable> keyed_;  ///< for its keyed hash alone
    std::unique_ptr<Fragments> fragments_;
    std::unique_ptr<Batch> batch_;
    std::vector<List> lists_;            ///< by worker
    std::vector<std::uint16_t> counts_;  ///< by worker
    DistributorStats stats_;
    std::vector<Counter> handed_;
    std::thread thread_;
    std::atomic<bool> receiving_{true};
    std::atomic<bool> drained_{false};
    std::atomic<bool> stop_{false};
};

}  // namespace weir::dataplane
