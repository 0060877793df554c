// SPDX-License-Identifier: BSD-3-Clause
// How a worker's waits are carried out, by what the CPU and the ports can.
#pragma once

#include "config/config.h"
#include "dataplane/idle.h"
#include "dataplane/worker_port.h"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

struct rte_power_monitor_cond;

namespace weir::dataplane {

enum class WaitKind : std::uint8_t {
    sleep,     ///< clock_nanosleep
    monitor,   ///< the CPU watches the receive rings (rte_power_monitor): no system call
    interrupt  ///< rte_epoll_wait
};
inline constexpr std::array<std::string_view, 3> kWaitKindNames{"sleep", "monitor", "interrupt"};

/// What IdleWait asks of CPU and ports. Tests give their own; real_wait_calls() are DPDK's.
struct WaitCalls {
    /// Can the CPU monitor one address; several at once?
    bool (*cpu_monitors)(bool several);
    /// Can the queue say what to monitor?
    bool (*monitorable)(std::uint16_t port, std::uint16_t queue);
    /// Monitors the queues until `deadline` of the TSC or a write to one of their rings.
    void (*monitor)(std::span<const WorkerPort> ports, std::uint64_t deadline);
    /// Adds the queue to the thread's epoll set. Thread: the one that will wait.
    bool (*add_interrupt)(std::uint16_t port, std::uint16_t queue);
    /// False: the driver cannot switch them.
    bool (*switch_interrupt)(std::uint16_t port, std::uint16_t queue, bool on);
    /// Packets that wait in the queue; negative: not known.
    int (*waiting)(std::uint16_t port, std::uint16_t queue);
    void (*epoll)(int timeout_ms);
};
[[nodiscard]] const WaitCalls& real_wait_calls() noexcept;

/// Waits of one worker. Thread: the worker, but for the constructor.
class IdleWait {
  public:
    /// Ends a wait for an interrupt at the latest: the worker has flows to age, and may be asked to stop.
    static constexpr int kInterruptMs = 10;
    static constexpr std::size_t kMostMonitored = 32;

    IdleWait() = default;
    /// `ports`: those it polls; they outlive this. Behind a distributor there is nothing to watch but rings: it sleeps.
    IdleWait(
        config::IdleWait wanted,
        std::span<const WorkerPort> ports,
        Sleeper sleeper = {},
        const WaitCalls& calls = real_wait_calls());

    /// Takes up interrupts for the calling thread. Where they cannot be had, it falls back to what `auto` would be.
    void begin() noexcept;
    /// About `us` microseconds, or until packets come; an interrupt's wait lasts kInterruptMs at most.
    void wait(std::uint32_t us) noexcept;

    [[nodiscard]] WaitKind kind() const noexcept { return kind_; }

  private:
    [[nodiscard]] WaitKind without_interrupts() const;
    [[nodiscard]] bool interrupts_on() noexcept;
    void interrupts_off() noexcept;

    WaitKind kind_ = WaitKind::sleep;
    WaitKind otherwise_ = WaitKind::sleep;
    bool behind_rings_ = false;
    std::span<const WorkerPort> ports_;
    Sleeper sleeper_;
    const WaitCalls* calls_ = nullptr;
    std::uint64_t ticks_per_us_ = 0;
};

}  // namespace weir::dataplane
