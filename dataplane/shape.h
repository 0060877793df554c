// SPDX-License-Identifier: BSD-3-Clause
// Stage 8a, only where the configuration asks for it: packets of shaped ports wait in queues of their class.
#pragma once

#include "config/config.h"
#include "config/error.h"
#include "dataplane/batch.h"
#include "dataplane/flow/table.h"
#include "dataplane/port_scheduler.h"
#include "dataplane/worker_port.h"
#include "dataplane/worker_stats.h"

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct rte_rib6;

namespace weir::dataplane {

/// Writes CE into the ECN bits of the IP header at `l3`, IPv4's checksum updated. True if it was ECN-capable, or bore
/// CE already. False, and nothing written, for any other.
bool mark_congestion(std::uint8_t* l3, std::uint8_t ip_version) noexcept;

/// Names of the queues, by PortScheduler's numbers; empty where there is none. All empty where nothing is shaped.
[[nodiscard]] std::array<std::string, kShaperQueues> shaper_queue_names(
    const config::Shaping& shaping);

/// Which of a pipe's queues, and which pipe, a packet belongs to. Immutable.
class ShaperMap {
  public:
    /// Fails if there is no memory for the subscribers' prefixes, or a slot has too many class names.
    [[nodiscard]] static Result<std::unique_ptr<ShaperMap>> create(const config::Config& config);
    ~ShaperMap();
    ShaperMap(const ShaperMap&) = delete;
    ShaperMap& operator=(const ShaperMap&) = delete;

    /// By the class of the packet's flow, then by the DSCP that it leaves with; by the outermost VLAN, then by the
    /// longest prefix of either end.
    [[nodiscard]] ShaperPlace place(
        const Batch& batch, std::uint32_t packet, const FlowTable& flows) const noexcept;

  private:
    ShaperMap() = default;
    [[nodiscard]] std::uint32_t pipe_of(const FlowKey& key) const noexcept;
    std::uint32_t slot_ = 0;
    std::array<std::uint8_t, kMaxClasses> by_class_{};
    std::array<std::uint8_t, 64> by_dscp_{};
    std::uint8_t otherwise_ = 0;
    std::vector<std::uint16_t> by_vlan_;  ///< empty: no subscriber has one; 0: none
    rte_rib6* by_prefix_ = nullptr;       ///< null: no subscriber has one
};

/// A worker's shaped ports. create() on the main thread, the rest on the worker's.
class Shaper {
  public:
    /// nullptr if nothing is shaped.
    [[nodiscard]] static Result<std::unique_ptr<Shaper>> create(const config::Config& config);

    /// Takes the packets that would leave by a shaped port; they are no longer the batch's to send. What does not fit
    /// is dropped (shaper_full), or by early detection (shaper_red). After act, before tx.
    void take(
        Batch& batch,
        std::span<const WorkerPort> ports,
        const FlowTable& flows,
        WorkerStats& stats) noexcept;
    /// Sends what is due, bounded by a burst a port. Each poll, also of a worker that received nothing.
    void release(
        std::span<const WorkerPort> ports, const LinkStates& links, WorkerStats& stats) noexcept;
    /// At the end: counts what still waits as dropped (shaper_full). It is freed with the shaper.
    void abandon(WorkerStats& stats) noexcept;

    /// Packets that wait, over all ports.
    [[nodiscard]] std::uint32_t held() const noexcept;

  private:
    Shaper() = default;
    void take_one(
        PortScheduler& port,
        Batch& batch,
        std::uint32_t packet,
        const FlowTable& flows,
        WorkerStats& stats) noexcept;
    std::unique_ptr<ShaperMap> map_;
    std::vector<std::unique_ptr<PortScheduler>> ports_;  ///< by port index, null: not shaped
};

}  // namespace weir::dataplane
