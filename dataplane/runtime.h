// SPDX-License-Identifier: BSD-3-Clause
// The running data plane as control sees it.
#pragma once

#include "dataplane/events.h"
#include "dataplane/publisher.h"
#include "dataplane/sample.h"
#include "dataplane/worker_stats.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

struct rte_mbuf;

namespace weir::dataplane {

struct PortInfo {
    std::string name;
    std::string device;
    std::uint16_t port_id = 0;  ///< DPDK's
    bool link_up = false;
    std::uint32_t link_mbps = 0;
    std::uint16_t mtu = 0;
    bool promiscuous = false;
    std::string peer;             ///< name of the paired port; empty for a tap
    std::uint64_t rx_missed = 0;  ///< from rte_eth_stats: imissed
    std::uint64_t rx_errors = 0;
    std::uint64_t rx_nombuf = 0;
};

struct WorkerInfo {
    std::uint32_t index = 0;
    std::uint32_t lcore = 0;
    std::uint32_t flow_capacity = 0;
    const WorkerStats* stats = nullptr;
    std::array<std::string, kShaperQueues> shaper_queues{};  ///< names, empty: no such queue
};

/// What spreads flows over the workers, as of a moment. Counts since start.
struct DistributorInfo {
    struct Port {
        std::uint64_t received = 0;  ///< packets
        std::uint64_t lost =
            0;  ///< of these: no room in their worker's ring, in no worker's counts
        std::uint64_t lost_bytes = 0;
        std::uint64_t sent = 0;  ///< for workers, by a port with fewer TX queues than workers
    };
    struct Worker {
        std::uint64_t handed = 0;
        std::uint32_t waiting = 0;  ///< packets in its rings
    };
    std::uint32_t lcore = 0;
    std::uint32_t room = 0;       ///< packets that a worker's rings hold at most
    std::uint64_t sleeps = 0;     ///< of the idle distributor
    std::vector<Port> ports;      ///< order of Runtime::ports()
    std::vector<Worker> workers;  ///< order of Runtime::workers()
};

/// Interface so that control can be tested without EAL. Thread: control, unless said otherwise.
class Runtime {
  public:
    Runtime() = default;
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;
    virtual ~Runtime() = default;

    [[nodiscard]] virtual std::span<const WorkerInfo> workers() const = 0;
    /// Port states as of now; index order is WorkerStats::ports's.
    [[nodiscard]] virtual std::vector<PortInfo> ports() const = 0;
    [[nodiscard]] virtual Publisher& publisher() = 0;
    /// Nothing: the ports spread flows over the workers, or there is one worker.
    [[nodiscard]] virtual std::optional<DistributorInfo> distributor() const { return {}; }
    /// Takes up to out.size() flow records from the workers' rings; returns how many. Thread: control only.
    virtual std::uint32_t drain_events(std::span<FlowRecord> out) = 0;
    [[nodiscard]] virtual double tsc_hz() const = 0;
    /// Hosts' aggregates between workers (HostExchange): what has come is taken, and given when it is complete.
    virtual void exchange_hosts() {}

    // What Inspector does, of all workers together. Thread: control only.
    virtual void tell_verdicts(bool on) = 0;
    virtual std::uint32_t drain_verdicts(std::span<FlowRecord> out) = 0;
    [[nodiscard]] virtual std::uint64_t verdicts_lost() const = 0;
    virtual void start_walk() = 0;
    /// `over`: every worker's walk is.
    virtual std::uint32_t drain_walk(std::span<FlowRecord> out, bool& over) = 0;
    /// Wants the flow's next packet, whichever worker has it. False: some worker has not yet forgotten the one before.
    [[nodiscard]] virtual bool ask_sample(const FlowKey& key) = 0;
    /// True once, when it has come; the other workers are then asked no more.
    [[nodiscard]] virtual bool take_sample(FlowSample& out) = 0;
    virtual void withdraw_sample() = 0;

    /// Takes up to out.size() of the packets that are to be mirrored into a file (MirrorRing); the caller frees them.
    /// Thread: one at a time, any but a worker.
    virtual std::uint32_t drain_mirror(std::span<rte_mbuf*> /*out*/) { return 0; }
};

}  // namespace weir::dataplane
