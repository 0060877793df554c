// SPDX-License-Identifier: BSD-3-Clause
// The egress scheduler of one port: rte_sched below, queue lengths and early detection above it.
#pragma once

#include "config/error.h"
#include "config/shaping.h"
#include "dataplane/worker_stats.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

struct rte_mbuf;

namespace weir::dataplane {

/// Where a packet waits. Pipe 0 is of all that is no subscriber's, pipe n + 1 of subscriber n.
struct ShaperPlace {
    std::uint32_t pipe = 0;
    std::uint8_t queue = 0;  ///< < kShaperQueues
};

enum class ShaperVerdict : std::uint8_t {
    wait,   ///< there is room
    mark,   ///< early detection chose it, and a mark will do
    early,  ///< early detection chose it, and it has to go
    full
};

/// Strict queues before weighted ones within a pipe, each pipe by its own rate, all of them by the port's. Of its queues
/// rte_sched keeps order and rates; their lengths are kept here, so that none of its own drops ever happens and each loss
/// has a reason. Time is the TSC's. create() on the main thread, the rest on the worker's: no allocation, no lock.
class PortScheduler {
  public:
    /// `name`: unique in the process. `mtu`: the port's, bytes. Fails if there is no memory.
    [[nodiscard]] static Result<std::unique_ptr<PortScheduler>> create(
        const config::Shaping& shaping,
        const config::ShapedPort& port,
        std::uint32_t mtu,
        const std::string& name);
    /// Frees what still waits.
    ~PortScheduler();
    PortScheduler(const PortScheduler&) = delete;
    PortScheduler& operator=(const PortScheduler&) = delete;

    /// What becomes of a packet that comes to `place` now. Moves the queue's average, so ask once a packet.
    [[nodiscard]] ShaperVerdict offer(ShaperPlace place, bool ecn_capable) noexcept;
    /// Takes a packet that offer() let in; it is the scheduler's now.
    void enqueue(rte_mbuf* packet, ShaperPlace place) noexcept;
    /// Up to out.size() packets whose time has come, in order; they are the caller's.
    [[nodiscard]] std::uint32_t dequeue(std::span<rte_mbuf*> out) noexcept;
    /// The queue that a packet of dequeue()'s waited in.
    [[nodiscard]] static std::uint8_t queue_of(const rte_mbuf& packet) noexcept;

    /// Packets that wait.
    [[nodiscard]] std::uint32_t held() const noexcept;

  private:
    struct State;
    PortScheduler();
    std::unique_ptr<State> state_;
};

}  // namespace weir::dataplane
