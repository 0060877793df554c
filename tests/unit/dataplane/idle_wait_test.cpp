// SPDX-License-Identifier: BSD-3-Clause
// How a worker waits: by a fake CPU and fake ports, and by a real tap's interrupts.
#include "dataplane/idle_wait.h"

#include "dataplane/ports.h"

#include <array>
#include <string>
#include <vector>

#include <linux/if_packet.h>
#include <sys/socket.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_interrupts.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

namespace weir::dataplane {
namespace {

// What the fake CPU and ports can, and what was asked of them.
struct Machine {
    bool one = false;
    bool several = false;
    bool ports_monitorable = true;
    bool interrupts = true;
    int waiting = 0;
    std::string said;
    std::uint64_t deadline = 0;
    std::uint32_t slept_us = 0;
};
Machine machine;

const WaitCalls& fake() {
    static const WaitCalls calls{
        [](bool several) { return several ? machine.several : machine.one; },
        [](std::uint16_t, std::uint16_t) { return machine.ports_monitorable; },
        [](std::span<const WorkerPort> ports, std::uint64_t deadline) {
            machine.said += "monitor" + std::to_string(ports.size()) + " ";
            machine.deadline = deadline;
        },
        [](std::uint16_t, std::uint16_t) { return machine.interrupts; },
        [](std::uint16_t port, std::uint16_t, bool on) {
            machine.said += (on ? "on" : "off") + std::to_string(port) + " ";
            return true;
        },
        [](std::uint16_t, std::uint16_t) { return machine.waiting; },
        [](int ms) { machine.said += "epoll" + std::to_string(ms) + " "; }};
    return calls;
}

constexpr Sleeper kSleeper{[](void*, std::uint32_t us) { machine.slept_us = us; }, nullptr};

class IdleWaitTest : public testing::Test {
  protected:
    void SetUp() override { machine = {}; }

    IdleWait wait_by(config::IdleWait wanted, std::size_t ports) {
        ports_.resize(ports);
        for (std::size_t p = 0; p < ports; ++p) {
            ports_[p].rx_id = static_cast<std::uint16_t>(p + 1);
        }
        IdleWait wait(wanted, ports_, kSleeper, fake());
        wait.begin();
        machine.said.clear();
        return wait;
    }

    std::vector<WorkerPort> ports_;
};

TEST_F(IdleWaitTest, SleepsWhereThereIsNothingElse) {
    for (const auto wanted : {config::IdleWait::automatic, config::IdleWait::sleep}) {
        IdleWait wait = wait_by(wanted, 2);
        EXPECT_EQ(wait.kind(), WaitKind::sleep);
        wait.wait(17);
        EXPECT_EQ(machine.slept_us, 17U);
        EXPECT_EQ(machine.said, "");
    }
}

TEST_F(IdleWaitTest, MonitorsWhatCpuAndPortsAllow) {
    machine.one = true;
    EXPECT_EQ(wait_by(config::IdleWait::automatic, 2).kind(), WaitKind::sleep)
        << "one address is not two";
    EXPECT_EQ(wait_by(config::IdleWait::automatic, 1).kind(), WaitKind::monitor);
    machine.several = true;
    IdleWait wait = wait_by(config::IdleWait::automatic, 2);
    EXPECT_EQ(wait.kind(), WaitKind::monitor);
    const std::uint64_t before = rte_rdtsc();
    wait.wait(50);
    EXPECT_EQ(machine.said, "monitor2 ");
    EXPECT_GE(machine.deadline, before + 50 * (rte_get_tsc_hz() / 1'000'000));
    EXPECT_EQ(machine.slept_us, 0U) << "no system call";
    EXPECT_EQ(wait_by(config::IdleWait::sleep, 2).kind(), WaitKind::sleep) << "as asked";
    machine.ports_monitorable = false;
    EXPECT_EQ(wait_by(config::IdleWait::automatic, 2).kind(), WaitKind::sleep);
}

TEST_F(IdleWaitTest, BehindADistributorItSleeps) {
    machine.one = machine.several = true;
    ports_.resize(1);
    ports_[0].ring = reinterpret_cast<const rte_ring*>(this);  // never looked into
    for (const auto wanted : {config::IdleWait::automatic, config::IdleWait::interrupt}) {
        EXPECT_EQ(IdleWait(wanted, ports_, kSleeper, fake()).kind(), WaitKind::sleep);
    }
}

TEST_F(IdleWaitTest, WaitsForInterruptsOfAllPorts) {
    IdleWait wait = wait_by(config::IdleWait::interrupt, 2);
    EXPECT_EQ(wait.kind(), WaitKind::interrupt);
    wait.wait(5);
    EXPECT_EQ(machine.said, "on1 on2 epoll10 off1 off2 ");
}

TEST_F(IdleWaitTest, APacketThatCameBeforeTheInterruptWasOnIsNotWaitedFor) {
    IdleWait wait = wait_by(config::IdleWait::interrupt, 1);
    machine.waiting = 3;
    wait.wait(5);
    EXPECT_EQ(machine.said, "on1 off1 ");
    machine.said.clear();
    machine.waiting = -95;  // the port cannot tell: the wait is bounded
    wait.wait(5);
    EXPECT_EQ(machine.said, "on1 epoll10 off1 ");
}

TEST_F(IdleWaitTest, WithoutInterruptsItIsAsAuto) {
    machine.interrupts = false;
    EXPECT_EQ(wait_by(config::IdleWait::interrupt, 1).kind(), WaitKind::sleep);
    machine.one = true;
    EXPECT_EQ(wait_by(config::IdleWait::interrupt, 1).kind(), WaitKind::monitor);
}

TEST_F(IdleWaitTest, NoNullDeviceHasInterrupts) {
    Ports ports;
    ports.want_interrupts();
    ASSERT_TRUE(ports.start({{.name = "n", .device = "net_null_wait,no-rx=1"}}, 1));
    ports_.resize(1);
    ports_[0].rx_id = ports.handles()[0].port_id;
    IdleWait wait(config::IdleWait::interrupt, ports_);
    wait.begin();
    EXPECT_NE(wait.kind(), WaitKind::interrupt);
}

// A frame that the kernel sends through a tap ends a wait that would last for ever, and is there to be received.
TEST_F(IdleWaitTest, ATapsPacketEndsTheWait) {
    if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) {
        GTEST_SKIP() << "skipped: a tap needs root";
    }
    Ports ports;
    ports.want_interrupts();
    const auto started = ports.start({{.name = "t", .device = "net_tap_wait,iface=weirwait"}}, 1);
    if (!started) {
        GTEST_SKIP() << "skipped: " << started.error().line();
    }
    ports_.resize(1);
    ports_[0].rx_id = ports.handles()[0].port_id;
    static int events = 0;
    WaitCalls calls = real_wait_calls();
    calls.epoll = [](int) {
        constexpr int kForEver = 60'000;
        std::array<rte_epoll_event, 4> told{};
        events = rte_epoll_wait(RTE_EPOLL_PER_THREAD, told.data(), told.size(), kForEver);
    };
    IdleWait wait(config::IdleWait::interrupt, ports_, {}, calls);
    wait.begin();
    ASSERT_EQ(wait.kind(), WaitKind::interrupt);

    std::vector<rte_mbuf*> burst(64);
    const auto receive = [&] {
        const std::uint16_t n = rte_eth_rx_burst(ports_[0].rx_id, 0, burst.data(), 64);
        rte_pktmbuf_free_bulk(burst.data(), n);
        return n;
    };
    while (receive() != 0) {  // what the kernel itself says on a new interface
    }
    const int fd = socket(AF_PACKET, SOCK_RAW, 0);
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(if_nametoindex("weirwait"));
    const std::vector<std::uint8_t> frame(60, 0x5a);
    for (int n = 0; n < 50; ++n) {
        ASSERT_EQ(
            sendto(
                fd,
                frame.data(),
                frame.size(),
                0,
                reinterpret_cast<const sockaddr*>(&to),
                sizeof(to)),
            static_cast<ssize_t>(frame.size()));
        wait.wait(1);
        EXPECT_EQ(events, 1) << "frame " << n;
        EXPECT_GE(receive(), 1U) << "frame " << n;
    }
    close(fd);
}

}  // namespace
}  // namespace weir::dataplane
