// SPDX-License-Identifier: BSD-3-Clause
// rte_power_monitor and its likes are DPDK 22.11's experimental interface.
#define ALLOW_EXPERIMENTAL_API
#include "dataplane/idle_wait.h"

#include <algorithm>
#include <ctime>

#include <rte_cpuflags.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_interrupts.h>
#include <rte_power_intrinsics.h>

namespace weir::dataplane {

// ---- DPDK's calls ---------------------------------------------------------------------------------------------------

namespace {

bool cpu_monitors(bool several) {
    rte_cpu_intrinsics can{};
    rte_cpu_get_intrinsics_support(&can);
    return can.power_monitor != 0 && (!several || can.power_monitor_multi != 0);
}

bool monitorable(std::uint16_t port, std::uint16_t queue) {
    rte_power_monitor_cond condition{};
    return rte_eth_get_monitor_addr(port, queue, &condition) == 0;
}

void monitor(std::span<const WorkerPort> ports, std::uint64_t deadline) {
    std::array<rte_power_monitor_cond, IdleWait::kMostMonitored> conditions{};
    for (std::size_t p = 0; p < ports.size(); ++p) {
        // Anew each time: what is watched is the next descriptor.
        if (rte_eth_get_monitor_addr(ports[p].rx_id, ports[p].rx_queue, &conditions[p]) != 0) {
            return;
        }
    }
    if (ports.size() == 1) {
        rte_power_monitor(conditions.data(), deadline);
    } else {
        rte_power_monitor_multi(
            conditions.data(), static_cast<std::uint32_t>(ports.size()), deadline);
    }
}

bool add_interrupt(std::uint16_t port, std::uint16_t queue) {
    return rte_eth_dev_rx_intr_ctl_q(
               port, queue, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD, nullptr) == 0;
}

bool switch_interrupt(std::uint16_t port, std::uint16_t queue, bool on) {
    const int error =
        on ? rte_eth_dev_rx_intr_enable(port, queue) : rte_eth_dev_rx_intr_disable(port, queue);
    // Without switches they are a file descriptor that can be read while packets wait (net_tap).
    return error == 0 || error == -ENOTSUP;
}

int waiting(std::uint16_t port, std::uint16_t queue) {
    return rte_eth_rx_queue_count(port, queue);
}

void epoll(int timeout_ms) {
    std::array<rte_epoll_event, IdleWait::kMostMonitored> events{};
    rte_epoll_wait(RTE_EPOLL_PER_THREAD, events.data(), events.size(), timeout_ms);
}

void sleep_us(const Sleeper& sleeper, std::uint32_t us) noexcept {
    if (sleeper.sleep != nullptr) {
        sleeper.sleep(sleeper.context, us);
        return;
    }
    const timespec time{0, static_cast<long>(us) * 1000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr);
}

}  // namespace

const WaitCalls& real_wait_calls() noexcept {
    static constexpr WaitCalls kCalls{
        cpu_monitors, monitorable, monitor, add_interrupt, switch_interrupt, waiting, epoll};
    return kCalls;
}

// ---- the choice -----------------------------------------------------------------------------------------------------

IdleWait::IdleWait(
    config::IdleWait wanted,
    std::span<const WorkerPort> ports,
    Sleeper sleeper,
    const WaitCalls& calls)
    : behind_rings_(std::any_of(
          ports.begin(), ports.end(), [](const auto& port) { return port.ring != nullptr; })),
      ports_(ports),
      sleeper_(sleeper),
      calls_(&calls),
      ticks_per_us_(rte_get_tsc_hz() / 1'000'000) {
    otherwise_ = wanted == config::IdleWait::sleep ? WaitKind::sleep : without_interrupts();
    const bool interrupts = wanted == config::IdleWait::interrupt && !behind_rings_;
    kind_ = interrupts ? WaitKind::interrupt : otherwise_;
}

WaitKind IdleWait::without_interrupts() const {
    const bool can = !behind_rings_ && !ports_.empty() && ports_.size() <= kMostMonitored &&
                     calls_->cpu_monitors(ports_.size() > 1) &&
                     std::all_of(ports_.begin(), ports_.end(), [this](const auto& port) {
                         return calls_->monitorable(port.rx_id, port.rx_queue);
                     });
    return can ? WaitKind::monitor : WaitKind::sleep;
}

void IdleWait::begin() noexcept {
    if (kind_ != WaitKind::interrupt) {
        return;
    }
    const bool all = std::all_of(ports_.begin(), ports_.end(), [this](const auto& port) {
        return calls_->add_interrupt(port.rx_id, port.rx_queue) &&
               calls_->switch_interrupt(port.rx_id, port.rx_queue, false);
    });
    kind_ = all ? WaitKind::interrupt : otherwise_;
}

// ---- a wait ---------------------------------------------------------------------------------------------------------

void IdleWait::wait(std::uint32_t us) noexcept {
    switch (kind_) {
        case WaitKind::sleep:
            sleep_us(sleeper_, us);
            return;
        case WaitKind::monitor:
            calls_->monitor(ports_, rte_rdtsc() + us * ticks_per_us_);
            return;
        case WaitKind::interrupt:
            if (interrupts_on()) {
                calls_->epoll(kInterruptMs);
            }
            interrupts_off();
    }
}

// False: a packet came before its queue's interrupt was on, which might then never tell of it.
bool IdleWait::interrupts_on() noexcept {
    bool quiet = true;
    for (const WorkerPort& port : ports_) {
        quiet = calls_->switch_interrupt(port.rx_id, port.rx_queue, true) && quiet;
    }
    for (const WorkerPort& port : ports_) {
        quiet = calls_->waiting(port.rx_id, port.rx_queue) <= 0 && quiet;
    }
    return quiet;
}

void IdleWait::interrupts_off() noexcept {
    for (const WorkerPort& port : ports_) {
        (void)calls_->switch_interrupt(port.rx_id, port.rx_queue, false);
    }
}

}  // namespace weir::dataplane
