// SPDX-License-Identifier: BSD-3-Clause
// A capture through a running worker that receives it from a veth pair, at the capture's own times.
#pragma once

#include "dataplane/gateway.h"
#include "dataplane/ports.h"
#include "dataplane/publisher.h"
#include "dataplane/replay.h"
#include "dataplane/rx_callback.h"
#include "dataplane/snapshot_build.h"
#include "dataplane/worker.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <linux/if_packet.h>
#include <sys/socket.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

namespace weir::dataplane::test {

struct TimedFrame {
    std::uint64_t us = 0;
    std::vector<std::uint8_t> bytes;
};

/// A network namespace of this process's own with one veth pair, weirtx to weirrx, on which nobody else talks.
[[nodiscard]] inline bool enter_private_wire() {
    static const bool ok = unshare(CLONE_NEWNET) == 0 &&
                           std::system(
                               "sysctl -qw net.ipv6.conf.default.disable_ipv6=1 2>/dev/null; "
                               "ip link add weirtx type veth peer name weirrx && "
                               "ip link set weirtx arp off multicast off up && "
                               "ip link set weirrx arp off multicast off up") == 0;
    return ok;
}

/// Sends `frames` over the wire to a worker that runs on a thread of its own; `tap` sees its rows.
class LiveReplay {
  public:
    explicit LiveReplay(const std::vector<TimedFrame>& frames) : frames_(frames) {}

    void play(const config::Config& config, RowTap& tap) {
        open(config, tap);
        if (testing::Test::HasFatalFailure()) {
            return;
        }
        std::atomic<bool> stop{false};
        std::thread worker([&] { worker_->run(stop); });
        send();
        stop = true;
        worker.join();
        EXPECT_EQ(worker_->stats().ports[0].rx_packets.get(), frames_.size());
    }

  private:
    // The receive order on a veth is the order of sending: the n-th packet has the n-th frame's time.
    static std::uint16_t stamp(
        std::uint16_t,
        std::uint16_t,
        rte_mbuf* packets[],
        std::uint16_t count,
        std::uint16_t,
        void* self) {
        auto& live = *static_cast<LiveReplay*>(self);
        const std::uint64_t first = live.received_.load(std::memory_order_relaxed);
        for (std::uint16_t i = 0; i < count && first + i < live.frames_.size(); ++i) {
            *RTE_MBUF_DYNFIELD(packets[i], live.time_.timestamp_offset, rte_mbuf_timestamp_t*) =
                live.frames_[first + i].us;
            packets[i]->ol_flags |= live.time_.timestamp_flag;
        }
        live.received_.store(first + count, std::memory_order_release);
        return count;
    }

    void open(const config::Config& config, RowTap& tap) {
        int offset = -1;
        ASSERT_EQ(rte_mbuf_dyn_rx_timestamp_register(&offset, &time_.timestamp_flag), 0);
        time_.timestamp_offset = offset;
        const auto started = ports_.start(
            {{.name = "in", .device = "net_af_packet_live,iface=weirrx"},
             {.name = "out", .device = "net_null_live,no-rx=1"}},
            1);
        ASSERT_TRUE(started) << started.error().line();
        const std::uint16_t in = ports_.handles()[0].port_id;
        ASSERT_TRUE(stamp_.add(in, stamp, this));
        links_[0].store(true);
        links_[1].store(true);
        WorkerOptions options;
        options.ports = {WorkerPort{in, 0, 1, 0}, WorkerPort{ports_.handles()[1].port_id, 0, 0, 0}};
        options.links = &links_;
        options.flow_table = config.workers.flow_table;
        options.payload = config.features.payload;
        options.slots = 0;
        options.seed = kReplaySeed;  // of the hosts' sketches; a gateway draws one
        options.tap = &tap;
        options.time = time_;
        auto publisher = Publisher::create(1, build_snapshot(config, {}, 1));
        ASSERT_TRUE(publisher);
        publisher_ = std::move(*publisher);
        auto worker = Worker::create(std::move(options), *publisher_);
        ASSERT_TRUE(worker) << worker.error().line();
        worker_ = std::move(*worker);
    }

    // Never more frames on the way than the receiving ring holds.
    void send() {
        constexpr std::uint64_t kOnTheWay = 64;
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        const int fd = socket(AF_PACKET, SOCK_RAW, 0);
        sockaddr_ll to{};
        to.sll_family = AF_PACKET;
        to.sll_ifindex = static_cast<int>(if_nametoindex("weirtx"));
        const auto wait_for = [&](std::uint64_t count) {
            while (received_.load(std::memory_order_acquire) < count &&
                   std::chrono::steady_clock::now() < deadline) {
                std::this_thread::yield();
            }
        };
        for (std::size_t i = 0; i < frames_.size(); ++i) {
            const auto& bytes = frames_[i].bytes;
            const auto sent = sendto(
                fd,
                bytes.data(),
                bytes.size(),
                0,
                reinterpret_cast<const sockaddr*>(&to),
                sizeof(to));
            if (sent != static_cast<ssize_t>(bytes.size())) {
                ADD_FAILURE() << "frame " << i << " of " << bytes.size() << " bytes was not sent";
                break;
            }
            wait_for(i + 1 > kOnTheWay ? i + 1 - kOnTheWay : 0);
        }
        wait_for(frames_.size());
        close(fd);
    }

    const std::vector<TimedFrame>& frames_;
    std::atomic<std::uint64_t> received_{0};
    RxTime time_;
    Ports ports_;
    RxCallback stamp_;
    LinkStates links_{};
    std::unique_ptr<Publisher> publisher_;
    std::unique_ptr<Worker> worker_;
};

}  // namespace weir::dataplane::test
