// SPDX-License-Identifier: BSD-3-Clause
// The distributor alone, between a port that is made of rings and workers that are the test.
#include "dataplane/distributor.h"

#include "dataplane/parse.h"
#include "tests/packets/fixtures.h"
#include "tests/packets/mbufs.h"

#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

using test::Bytes;
using test::Ends;

constexpr std::uint16_t kMoreFragments = 0x2000;

class DistributorTest : public testing::Test {
  protected:
    void TearDown() override {
        distributor_.reset();
        device_.reset();
    }

    void make(std::uint32_t workers, std::uint32_t ring = 255, bool sends = false) {
        distributor_.reset();
        device_ = std::move(*RingPort::create(1, 255));
        DistributorOptions options;
        options.ports = {{device_->id(), 1, sends}};
        options.workers = workers;
        options.ring = ring;
        options.seed = 11;
        options.clock = &clock_;
        auto made = Distributor::create(options);
        ASSERT_TRUE(made) << made.error().line();
        distributor_ = std::move(*made);
        ports_.clear();
        for (std::uint32_t w = 0; w < workers; ++w) {
            ports_.emplace_back(1);
            distributor_->wire(w, ports_.back());
        }
    }

    void receive(const Bytes& frame, const std::vector<std::size_t>& segments = {}) {
        ASSERT_EQ(rte_ring_sp_enqueue(device_->rx(0), pool_.make(frame, segments)), 0);
    }

    /// What worker `w` receives now, as a worker would.
    std::vector<Bytes> take(std::uint32_t w) {
        std::vector<Bytes> frames;
        std::array<rte_mbuf*, 64> burst{};
        const WorkerPort& port = ports_[w][0];
        while (const std::uint16_t n =
                   rte_eth_rx_burst(port.rx_id, port.rx_queue, burst.data(), burst.size())) {
            for (std::uint16_t i = 0; i < n; ++i) {
                frames.push_back(test::MbufPool::bytes(burst[i]));
                rte_pktmbuf_free(burst[i]);
            }
        }
        return frames;
    }

    /// The one worker that gets all of these.
    std::uint32_t worker_of(const std::vector<Bytes>& frames) {
        for (const Bytes& frame : frames) {
            receive(frame);
        }
        while (distributor_->poll() != 0) {
        }
        std::set<std::uint32_t> workers;
        std::size_t got = 0;
        for (std::uint32_t w = 0; w < ports_.size(); ++w) {
            const std::size_t count = take(w).size();
            got += count;
            if (count != 0) {
                workers.insert(w);
            }
        }
        EXPECT_EQ(got, frames.size());
        EXPECT_EQ(workers.size(), 1U);
        return workers.empty() ? UINT32_MAX : *workers.begin();
    }

    test::MbufPool pool_{"distributor_test"};
    TscClock clock_{rte_get_tsc_hz(), 0, 1'700'000'000'000'000'000};
    std::unique_ptr<RingPort> device_;
    std::unique_ptr<Distributor> distributor_;
    std::vector<std::vector<WorkerPort>> ports_;
};

TEST_F(DistributorTest, BothDirectionsOfEveryProtocolMeetTheSameWorker) {
    make(3);
    std::set<std::uint32_t> used;
    std::size_t checked = 0;
    for (const auto& fixtures :
         {test::link_fixtures(), test::ip_fixtures(), test::tunnel_fixtures()}) {
        for (const test::Fixture& fixture : fixtures) {
            SCOPED_TRACE(fixture.name);
            for (std::uint16_t port = 40000; port < 40004; ++port) {
                Ends ends;
                ends.src_port = port;
                if (fixture.expect.later) {
                    continue;  // whose first has never come: by addresses, below
                }
                used.insert(worker_of({fixture.build(ends, 0), fixture.build(ends.reversed(), 0)}));
                ++checked;
            }
        }
    }
    EXPECT_GT(checked, 100U);
    EXPECT_EQ(used.size(), 3U) << "flows are spread over all workers";
}

// What the two directions of a GTP-U tunnel do not share is their tunnel id.
TEST_F(DistributorTest, TunnelsAreSpreadByTheInnerFlow) {
    make(4);
    const auto packet = [](std::uint32_t teid, std::uint16_t port, bool back) {
        const test::Address4 from = back ? test::kBob4 : test::kAlice4;
        const test::Address4 to = back ? test::kAlice4 : test::kBob4;
        const Bytes inner = test::ip4(
            {.src = from, .dst = to, .proto = 17},
            test::udp(
                {.src = back ? std::uint16_t{443} : port, .dst = back ? port : std::uint16_t{443}},
                test::text(20)));
        return test::eth(
            0x0800,
            test::ip4(
                {.src = back ? test::kFar4 : test::kNear4,
                 .dst = back ? test::kNear4 : test::kFar4,
                 .proto = 17},
                test::udp({.src = 2152, .dst = 2152}, test::gtp({.teid = teid}, inner))));
    };
    std::set<std::uint32_t> used;
    for (std::uint16_t port = 1000; port < 1064; ++port) {
        used.insert(worker_of({packet(1, port, false), packet(2, port, true)}));
    }
    EXPECT_EQ(used.size(), 4U) << "one pair of tunnel ends must not mean one worker";
}

TEST_F(DistributorTest, FragmentsGoWhereTheirFirstWent) {
    make(4);
    const auto fragment = [](std::uint16_t port, bool first) {
        const test::Ip4 ip{
            .proto = 17, .fragment = static_cast<std::uint16_t>(first ? kMoreFragments : 4)};
        return test::eth(
            0x0800,
            test::ip4(
                ip, first ? test::udp({.src = port, .dst = 53}, test::text(24)) : test::text(16)));
    };
    std::set<std::uint32_t> used;
    for (std::uint16_t port = 1000; port < 1032; ++port) {
        // The builder gives every packet the same identification: a new first one replaces the old.
        used.insert(worker_of({fragment(port, true), fragment(port, false)}));
    }
    EXPECT_EQ(used.size(), 4U);
    const DistributorStats& stats = distributor_->stats();
    EXPECT_EQ(stats.fragments[static_cast<std::size_t>(FragmentKind::first)].get(), 32U);
    EXPECT_EQ(stats.fragments[static_cast<std::size_t>(FragmentKind::followed)].get(), 32U);

    make(4);  // knows no first one any more
    EXPECT_EQ(worker_of({fragment(1, false), fragment(2, false)}), worker_of({fragment(3, false)}))
        << "without their first, by addresses";
}

TEST_F(DistributorTest, WhatIsNoFlowStillArrives) {
    make(2);
    std::size_t sent = 0;
    for (const test::Refused& refused : test::refused_packets()) {
        receive(refused.frame);
        ++sent;
        while (distributor_->poll() != 0) {
        }
    }
    receive(Bytes(3, 0));  // shorter than its addresses
    while (distributor_->poll() != 0) {
    }
    EXPECT_EQ(take(0).size() + take(1).size(), sent + 1);
    EXPECT_EQ(distributor_->stats().ports[0].lost.get(), 0U);
}

TEST_F(DistributorTest, SegmentsAreOnePacket) {
    make(2);
    const Bytes frame = test::eth(
        0x0800, test::ip4({.proto = 17}, test::udp({.src = 7, .dst = 9}, test::text(90))));
    receive(frame, {14, 20});
    receive(frame);
    while (distributor_->poll() != 0) {
    }
    const auto a = take(0);
    const auto b = take(1);
    EXPECT_EQ(a.size() + b.size(), 2U);
    EXPECT_TRUE(a.empty() || b.empty()) << "the same flow, however it lies in memory";
}

// 20,000 packets of 50 flows, whose workers fall behind at times: each packet is handed over once, in its flow's order,
// or counted as lost.
TEST_F(DistributorTest, OrderWithinAFlowAndNoPacketUncounted) {
    make(3, 63);
    std::mt19937 random(5);
    std::map<std::uint16_t, std::uint32_t> sent;  // by source port
    std::map<std::uint16_t, std::uint32_t> last;
    std::map<std::uint16_t, std::uint32_t> home;
    std::uint64_t received = 0;
    std::uint64_t taken = 0;
    const auto look = [&](std::uint32_t w) {
        for (const Bytes& frame : take(w)) {
            const auto port = static_cast<std::uint16_t>(frame[34] << 8 | frame[35]);
            std::uint32_t number = 0;
            std::memcpy(&number, frame.data() + 42, sizeof(number));
            EXPECT_GT(number, last[port]) << "flow " << port;
            last[port] = number;
            EXPECT_EQ(home.try_emplace(port, w).first->second, w);
            ++taken;
        }
    };
    for (std::uint32_t round = 0; round < 400; ++round) {
        for (std::uint32_t n = 0; n < 50; ++n) {
            const auto port = static_cast<std::uint16_t>(1000 + random() % 50);
            Bytes payload(16, 0);
            const std::uint32_t number = ++sent[port];
            std::memcpy(payload.data(), &number, sizeof(number));
            receive(test::eth(0x0800, test::ip4({.proto = 17}, test::udp({.src = port}, payload))));
            ++received;
        }
        while (distributor_->poll() != 0) {
        }
        for (std::uint32_t w = 0; w < 3; ++w) {
            if (random() % 4 != 0) {
                look(w);
            }
        }
    }
    for (std::uint32_t w = 0; w < 3; ++w) {
        look(w);
    }
    const DistributorStats::Port& stats = distributor_->stats().ports[0];
    EXPECT_EQ(stats.received.get(), received);
    EXPECT_EQ(stats.received.get(), taken + stats.lost.get());
    EXPECT_GT(stats.lost.get(), 0U) << "rings of 63 must overflow here";
    EXPECT_EQ(distributor_->handed(0) + distributor_->handed(1) + distributor_->handed(2), taken);
    EXPECT_EQ(stats.lost_bytes.get(), stats.lost.get() * (14 + 20 + 8 + 16));
}

TEST_F(DistributorTest, AFullRingLosesItsOwnPacketsOnly) {
    make(2, 15);
    // Two flows of different workers.
    std::array<Bytes, 2> frames;
    for (std::uint16_t port = 1000; frames[0].empty() || frames[1].empty(); ++port) {
        const Bytes frame =
            test::eth(0x0800, test::ip4({.proto = 17}, test::udp({.src = port}, test::text(8))));
        frames[worker_of({frame})] = frame;
    }
    for (int n = 0; n < 40; ++n) {
        receive(frames[0]);
        if (n % 4 == 0) {
            receive(frames[1]);
        }
    }
    while (distributor_->poll() != 0) {
    }
    EXPECT_EQ(distributor_->waiting(0), 15U);
    EXPECT_EQ(distributor_->waiting(1), 10U);
    EXPECT_EQ(distributor_->room(), 15U);
    EXPECT_EQ(distributor_->stats().ports[0].lost.get(), 25U);
    EXPECT_EQ(take(0).size(), 15U);
    EXPECT_EQ(take(1).size(), 10U);
}

// A port with one TX queue: workers send by rings, in order; what the port does not take waits, and is theirs to drop.
TEST_F(DistributorTest, SendsForWorkersWhatThePortTakes) {
    make(2, 31, true);
    const auto frame = [](std::uint8_t worker, std::uint8_t number) {
        Bytes bytes(60, worker);
        bytes[20] = number;
        return bytes;
    };
    std::array<std::uint32_t, 2> accepted{};
    for (std::uint8_t n = 0; n < 40; ++n) {
        for (std::uint8_t w = 0; w < 2; ++w) {
            rte_mbuf* packet = pool_.make(frame(w, n));
            const WorkerPort& port = ports_[w][0];
            if (rte_eth_tx_burst(port.port_id, port.queue, &packet, 1) == 1) {
                ++accepted[w];
            } else {
                rte_pktmbuf_free(packet);  // as send() does, after its retries
            }
        }
    }
    EXPECT_EQ(accepted[0], 31U);
    EXPECT_EQ(accepted[1], 31U);
    // The device's own ring holds 255: all of it goes.
    while (distributor_->poll() != 0) {
    }
    std::array<std::uint32_t, 2> next{};
    void* packet = nullptr;
    while (rte_ring_sc_dequeue(device_->tx(0), &packet) == 0) {
        auto* const mbuf = static_cast<rte_mbuf*>(packet);
        const Bytes bytes = test::MbufPool::bytes(mbuf);
        EXPECT_EQ(bytes[20], next[bytes[0]]++) << "worker " << int{bytes[0]};
        rte_pktmbuf_free(mbuf);
    }
    EXPECT_EQ(next[0] + next[1], 62U);
    EXPECT_EQ(distributor_->stats().ports[0].sent.get(), 62U);
}

TEST_F(DistributorTest, WhatItCannotSendAtTheEndIsCounted) {
    make(2, 255, true);
    // More than the device's ring of 255 takes: 300 of worker 0.
    std::uint32_t accepted = 0;
    const WorkerPort& port = ports_[0][0];
    for (int n = 0; n < 300; ++n) {
        rte_mbuf* packet = pool_.make(Bytes(60, 1));
        if (rte_eth_tx_burst(port.port_id, port.queue, &packet, 1) == 0) {
            rte_pktmbuf_free(packet);
        } else {
            ++accepted;
        }
        if (n % 64 == 0) {
            distributor_->poll();
        }
    }
    ASSERT_TRUE(distributor_->start(0));
    distributor_->stop_receiving();
    distributor_->stop();
    const DistributorStats::Port& stats = distributor_->stats().ports[0];
    EXPECT_GT(stats.unsent.get(), 0U);
    EXPECT_EQ(stats.sent.get() + stats.unsent.get(), accepted);
    EXPECT_EQ(stats.sent.get(), rte_ring_count(device_->tx(0)));
}

}  // namespace
}  // namespace weir::dataplane
