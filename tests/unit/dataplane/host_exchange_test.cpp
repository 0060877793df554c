// SPDX-License-Identifier: BSD-3-Clause
// Several workers' host tables beside one that saw it all.
#include "dataplane/host_exchange.h"

#include "dataplane/features/host_account.h"
#include "dataplane/snapshot.h"

#include <atomic>
#include <cmath>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

constexpr std::uint64_t kStart = 1'700'000'000'000'000'000;
constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kSeed = 99;

[[nodiscard]] FlowKey key_of(std::uint32_t client, std::uint32_t server, std::uint16_t port) {
    FlowKey key;
    const auto put = [](std::array<std::uint8_t, 16>& address, std::uint32_t value) {
        address[10] = address[11] = 0xff;
        for (std::size_t b = 0; b < 4; ++b) {
            address[12 + b] = static_cast<std::uint8_t>(value >> (24 - 8 * b));
        }
    };
    put(key.addr_lo, client);  // clients are below servers
    put(key.addr_hi, server);
    key.port_lo = 0x3930;
    key.port_hi = static_cast<std::uint16_t>(port << 8 | port >> 8);
    key.proto = 6;
    key.ip_version = 4;
    return key;
}

// A worker, as far as hosts go.
struct Side {
    Side() {
        hosts = std::move(*HostTable::create(4096, kSeed));
        reporter = std::move(*HostReporter::create("test_hosts"));
    }
    HostPair packet(const FlowKey& key, bool forward, FlowEvents events, std::uint64_t now_ns) {
        PacketHeader header;
        header.ip_bytes = 40;
        return hosts->update(key, hosts->hash(key), header, false, forward, events, now_ns);
    }
    void tell(std::uint64_t now_ns) {
        while (reporter->asked()) {
            reporter->tell(*hosts, now_ns);
        }
    }
    std::unique_ptr<HostTable> hosts;
    std::unique_ptr<HostReporter> reporter;
};

class HostExchangeTest : public testing::Test {
  protected:
    explicit HostExchangeTest(std::size_t workers = 2) : sides_(workers) {
        publisher_ = std::move(*Publisher::create(
            static_cast<std::uint32_t>(workers), std::make_unique<const Snapshot>()));
        std::vector<HostReporter*> ends;
        for (Side& side : sides_) {
            ends.push_back(side.reporter.get());
        }
        exchange_ = std::make_unique<HostExchange>(ends, *publisher_);
        exchange_->step();  // asks for the first time
    }

    /// A whole round: workers tell, control takes and gives.
    void exchange(std::uint64_t now_ns) {
        const std::uint64_t before = exchange_->rounds();
        for (int n = 0; n < 100 && exchange_->rounds() == before; ++n) {
            for (Side& side : sides_) {
                if (side.reporter->asked()) {
                    side.reporter->tell(*side.hosts, now_ns);
                }
            }
            for (int takes = 0; takes < 20; ++takes) {
                for (Side& side : sides_) {
                    if (side.reporter->asked()) {
                        side.reporter->tell(*side.hosts, now_ns);
                    }
                }
                exchange_->step();
            }
        }
        ASSERT_GT(exchange_->rounds(), before);
    }

    [[nodiscard]] HostPair merged(
        std::size_t side, const HostPair& own, const FlowKey& key, SharedHosts::Sums& sums) {
        const SharedHosts* shared = sides_[side].reporter->shared();
        const HostTable::Ends ends = sides_[side].hosts->hash(key);
        return shared == nullptr ? own : shared->with_others(own, ends.lo_hash, ends.hi_hash, sums);
    }

    std::vector<Side> sides_;
    std::unique_ptr<Publisher> publisher_;
    std::unique_ptr<HostExchange> exchange_;
};

void expect_near(const Host& merged, const Host& whole, float relative) {
    for (std::size_t s = 0; s < kHostSums; ++s) {
        const auto which = static_cast<HostSum>(s);
        EXPECT_NEAR(merged.sum(which), whole.sum(which), relative * whole.sum(which) + 1e-3F)
            << "sum " << s;
    }
    EXPECT_EQ(distinct(merged.out_peers), distinct(whole.out_peers));
    EXPECT_EQ(distinct(merged.out_ports), distinct(whole.out_ports));
    EXPECT_EQ(distinct(merged.in_peers), distinct(whole.in_peers));
    EXPECT_EQ(distinct(merged.in_ports), distinct(whole.in_ports));
}

// A scanner's 600 probes of 60 servers go to two workers, by flow. After an exchange, the next probe's hosts are, at
// either worker, what one worker would have: peers and ports exactly, sums but for rounding.
TEST_F(HostExchangeTest, AScanSpreadOverTwoWorkersIsSeenWhole) {
    Side whole;
    const FlowEvents opened{.opened = true, .opened_by_syn = true};
    std::uint64_t now = kStart;
    for (std::uint32_t probe = 0; probe < 600; ++probe, now += kMs) {
        const FlowKey key =
            key_of(0x0a000001, 0xc0a80000 + probe % 60, static_cast<std::uint16_t>(probe));
        sides_[probe / 60 % 2].packet(key, true, opened, now);
        whole.packet(key, true, opened, now);
    }
    exchange(now);
    const FlowKey next = key_of(0x0a000001, 0xc0a80007, 7777);
    for (std::size_t side = 0; side < 2; ++side) {
        SCOPED_TRACE(side);
        HostTable& hosts = *sides_[side].hosts;
        const HostPair alone = sides_[side].packet(next, true, opened, now);
        EXPECT_LT(alone.initiator->sum(HostSum::out_flows), 350.0F) << "half of it";
        SharedHosts::Sums sums;
        const HostPair pair = merged(side, alone, next, sums);
        if (side == 0) {
            const HostPair all = whole.packet(next, true, opened, now);
            expect_near(*pair.initiator, *all.initiator, 1e-4F);
            expect_near(*pair.responder, *all.responder, 1e-4F);
        }
        EXPECT_GT(pair.initiator->sum(HostSum::out_flows), 500.0F);
        EXPECT_EQ(exchange_->shared(static_cast<std::uint32_t>(side)), 61U)
            << "the scanner and its 60 servers";
        EXPECT_EQ(hosts.live(), 61U);
    }
}

// What came after the latest exchange is missing, and only that; what came before has decayed meanwhile as it should.
TEST_F(HostExchangeTest, TheErrorIsWhatCameSinceTheLastExchange) {
    Side whole;
    const FlowEvents opened{.opened = true};
    std::uint64_t now = kStart;
    const auto send = [&](std::size_t side, std::uint32_t count) {
        for (std::uint32_t n = 0; n < count; ++n, now += 10 * kMs) {
            const FlowKey key = key_of(0x0a000001, 0xc0a80001, static_cast<std::uint16_t>(n));
            sides_[side].packet(key, true, opened, now);
            whole.packet(key, true, opened, now);
        }
    };
    send(0, 500);
    send(1, 500);
    exchange(now);
    send(1, 10);  // 0.1 s that worker 0 has not heard of
    const FlowKey key = key_of(0x0a000001, 0xc0a80001, 1);
    SharedHosts::Sums sums;
    const HostPair pair = merged(0, sides_[0].packet(key, true, {}, now), key, sums);
    const HostPair all = whole.packet(key, true, {}, now);
    const float missing =
        all.initiator->sum(HostSum::out_flows) - pair.initiator->sum(HostSum::out_flows);
    EXPECT_GT(missing, 9.0F);
    EXPECT_LT(missing, 10.5F);
}

TEST_F(HostExchangeTest, OlderWindowsTurnAndEnd) {
    const FlowEvents opened{.opened = true};
    for (std::uint32_t n = 0; n < 50; ++n) {
        sides_[1].packet(key_of(0x0a000001, 0xc0a80000 + n, 80), true, opened, kStart);
    }
    exchange(kStart);
    const FlowKey key = key_of(0x0a000001, 0xc0a80000, 80);
    const auto peers_after = [&](std::uint64_t ns) {
        SharedHosts::Sums sums;
        Host own = *sides_[0].packet(key, true, {}, kStart + ns).initiator;
        return distinct(merged(0, {&own, no_hosts().responder}, key, sums).initiator->out_peers);
    };
    constexpr std::uint64_t kWindow = std::uint64_t{1} << 35;
    EXPECT_GT(peers_after(0), 40.0F);
    EXPECT_GT(peers_after(kWindow), 40.0F) << "the previous window";
    EXPECT_LT(peers_after(2 * kWindow), 3.0F) << "gone, but for its own";
}

TEST_F(HostExchangeTest, HostsThatNobodyElseKnowsStayAsTheyAre) {
    const FlowKey key = key_of(0x0a000001, 0xc0a80001, 80);
    for (int n = 0; n < 20; ++n) {
        sides_[0].packet(key, true, {}, kStart);
    }
    exchange(kStart);
    SharedHosts::Sums sums;
    const HostPair own = sides_[0].packet(key, true, {}, kStart);
    const HostPair pair = merged(0, own, key, sums);
    EXPECT_EQ(pair.initiator, own.initiator) << "the very same: nothing is computed";
    EXPECT_EQ(pair.responder, own.responder);
    EXPECT_EQ(exchange_->shared(0), 0U);
    EXPECT_EQ(exchange_->shared(1), 2U);
    // The same address in another VLAN is another host.
    FlowKey other = key;
    other.vlan = 7;
    const HostPair there = sides_[1].packet(other, true, {}, kStart);
    EXPECT_EQ(merged(1, there, other, sums).initiator, there.initiator);
}

TEST_F(HostExchangeTest, MoreHostsThanARoundTellsOf) {
    // 16,384 hosts in the table, of which every one is busy: the busiest level goes first, and the round ends.
    sides_[0].hosts = std::move(*HostTable::create(1U << 15, kSeed));
    std::uint64_t now = kStart;
    for (std::uint32_t host = 0; host < 12000; ++host) {
        for (int n = 0; n < 8; ++n) {
            sides_[0].packet(key_of(0x0a000000 + host, 0xc0a80001, 80), true, {}, now);
        }
    }
    exchange(now);
    EXPECT_LE(exchange_->shared(1), HostReporter::kMost);
    EXPECT_GT(exchange_->shared(1), HostReporter::kMost / 2);
    exchange(now);
    exchange(now);
    EXPECT_LE(exchange_->shared(1), HostReporter::kMost);
    SharedHosts::Sums sums;
    const FlowKey key = key_of(0x0b000000, 0xc0a80001, 80);
    const HostPair own = sides_[1].packet(key, true, {}, now);
    EXPECT_GT(merged(1, own, key, sums).responder->sum(HostSum::received_packets), 90000.0F)
        << "the server that all of them talk to is among the busiest";
}

// Two threads that update and tell, a third that exchanges: for TSan, and no reader may see a share that is being filled.
TEST_F(HostExchangeTest, WhileWorkersRun) {
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> looked{0};
    const auto work = [&](std::size_t w) {
        const auto reader = static_cast<std::uint32_t>(w);
        publisher_->go_online(reader);
        SharedHosts::Sums sums;
        for (std::uint64_t n = 0; !stop.load(std::memory_order_relaxed); ++n) {
            publisher_->quiescent(reader);
            const std::uint64_t now = kStart + n * 1000;
            if (sides_[w].reporter->asked()) {
                sides_[w].reporter->tell(*sides_[w].hosts, now);
            }
            const FlowKey key = key_of(0x0a000000 + n % 50, 0xc0a80001, 80);
            const HostPair own = sides_[w].packet(key, true, {.opened = true}, now);
            const HostPair pair = merged(w, own, key, sums);
            // The others' share of an address is never that of another one.
            ASSERT_EQ(pair.initiator->address, own.initiator->address);
            ASSERT_GE(
                pair.initiator->sum(HostSum::out_flows), own.initiator->sum(HostSum::out_flows));
            looked += static_cast<std::uint64_t>(pair.initiator != own.initiator);
        }
        publisher_->go_offline(reader);
    };
    std::thread a(work, 0);
    std::thread b(work, 1);
    while (exchange_->rounds() < 50 || looked == 0) {
        exchange_->step();
        std::this_thread::yield();
    }
    stop = true;
    a.join();
    b.join();
    EXPECT_GT(looked.load(), 0U);
}

}  // namespace
}  // namespace weir::dataplane
