// SPDX-License-Identifier: BSD-3-Clause
// Who waits in which queue, in what order they leave, and what becomes of those that find no room. Nothing here depends
// on how fast the machine is: rates are checked from above, against the clock that the scheduler reads.
#include "dataplane/shape.h"

#include "config/load.h"
#include "dataplane/parse.h"
#include "dataplane/snapshot_build.h"
#include "tests/packets/mbufs.h"

#include <map>
#include <stdexcept>
#include <string>

#include <rte_cycles.h>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

constexpr std::uint8_t kFirstWeighted = 12;

config::Config load(const std::string& shaping) {
    auto loaded = config::load_text(
        "ports:\n"
        "  - {name: lan, device: net_null0}\n"
        "  - {name: wan, device: net_null1}\n"
        "pairs: [[lan, wan]]\n" +
            shaping,
        "test.yaml");
    if (!loaded) {
        for (const Error& error : loaded.error()) {
            ADD_FAILURE() << error.line();
        }
        std::abort();
    }
    return *loaded;
}

const std::string kQueues =
    "  queues:\n"
    "    - {name: voice, classes: [telephony], dscp: [EF]}\n"
    "    - {name: video, classes: [multimedia_conferencing]}\n"
    "    - {name: data, weight: 4}\n"
    "    - {name: bulk, weight: 1, classes: [low_priority_data], dscp: [LE]}\n";

std::string shaping(const std::string& port, const std::string& more = {}) {
    return "shaping:\n  ports: [{port: wan, " + port + "}]\n" + kQueues + more;
}

class SchedulerTest : public testing::Test {
  protected:
    static constexpr std::size_t kFrame = 1000;  // with the overhead of 24: 1,024 bytes

    void open(const std::string& text) {
        const config::Config config = load(text);
        auto made = PortScheduler::create(
            config.shaping, config.shaping.ports[0], 1500, "test_" + std::to_string(++opened_));
        if (!made) {
            throw std::runtime_error(made.error().line());
        }
        port_ = std::move(*made);
    }

    /// A frame into a queue; its bytes begin with `id`.
    ShaperVerdict put(ShaperPlace place, std::uint8_t id = 0, bool ecn = false) {
        const ShaperVerdict verdict = port_->offer(place, ecn);
        if (verdict == ShaperVerdict::wait || verdict == ShaperVerdict::mark) {
            test::Bytes frame(kFrame);
            frame[0] = id;
            port_->enqueue(pool_.make(frame), place);
        }
        return verdict;
    }

    /// The queues, in order, of the next `count` packets. Bounded by tries, not by time.
    std::vector<std::uint8_t> take(std::size_t count) {
        std::vector<std::uint8_t> out;
        std::array<rte_mbuf*, 8> burst{};
        for (std::uint64_t tries = 0; out.size() < count && tries < 1'000'000'000; ++tries) {
            const std::size_t room = std::min(burst.size(), count - out.size());
            const std::uint32_t n = port_->dequeue({burst.data(), room});
            for (std::uint32_t i = 0; i < n; ++i) {
                out.push_back(PortScheduler::queue_of(*burst[i]));
                ids_.push_back(*rte_pktmbuf_mtod(burst[i], std::uint8_t*));
                rte_pktmbuf_free(burst[i]);
            }
        }
        return out;
    }

    test::MbufPool pool_{"shape"};
    std::unique_ptr<PortScheduler> port_;
    std::vector<std::uint8_t> ids_;
    int opened_ = 0;
};

TEST_F(SchedulerTest, StrictQueuesLeaveFirstAndEachInItsOrder) {
    open(shaping("rate_kbps: 100000, burst_bytes: 100000"));
    for (std::uint8_t i = 0; i < 8; ++i) {
        ASSERT_EQ(put({0, kFirstWeighted}, i), ShaperVerdict::wait);
        ASSERT_EQ(put({0, 1}, static_cast<std::uint8_t>(10 + i)), ShaperVerdict::wait);
        ASSERT_EQ(put({0, 0}, static_cast<std::uint8_t>(20 + i)), ShaperVerdict::wait);
    }
    EXPECT_EQ(port_->held(), 24U);
    const auto order = take(24);
    ASSERT_EQ(order.size(), 24U);
    for (std::size_t i = 0; i < 24; ++i) {
        const std::uint8_t queue = i < 8 ? 0 : i < 16 ? 1 : kFirstWeighted;
        EXPECT_EQ(order[i], queue) << i;
        EXPECT_EQ(ids_[i], (2 - i / 8) * 10 + i % 8) << i;
    }
    EXPECT_EQ(port_->held(), 0U);
}

TEST_F(SchedulerTest, WeightedQueuesShareByBytes) {
    open(shaping("rate_kbps: 400000, burst_bytes: 200000"));
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(put({0, kFirstWeighted}), ShaperVerdict::wait);
        ASSERT_EQ(put({0, kFirstWeighted + 1}), ShaperVerdict::wait);
    }
    std::map<std::uint8_t, int> taken;
    for (const std::uint8_t queue : take(100)) {
        ++taken[queue];
    }
    EXPECT_NEAR(taken[kFirstWeighted], 80, 4);
    EXPECT_NEAR(taken[kFirstWeighted + 1], 20, 4);
    (void)take(100);
}

TEST_F(SchedulerTest, NoMoreLeavesThanTheRateAllows) {
    constexpr double kRate = 4000 * 125.0;  // bytes a second
    constexpr double kBurst = 4000;
    open(shaping("rate_kbps: 4000, burst_bytes: 4000"));
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(put({0, kFirstWeighted}), ShaperVerdict::wait);
    }
    const std::uint64_t start = rte_rdtsc();
    for (int i = 1; i <= 100; ++i) {
        ASSERT_EQ(take(1).size(), 1U);
        const double seconds =
            static_cast<double>(rte_rdtsc() - start) / static_cast<double>(rte_get_tsc_hz());
        // Its clock runs on by what it sends, an eighth of a frame's time: hence a little beyond the burst.
        EXPECT_LE(i * 1024.0, seconds * kRate * 1.01 + kBurst * 1.2 + 1024) << i;
    }
}

TEST_F(SchedulerTest, ASubscriberHasNoMoreThanItsOwnRate) {
    open(shaping(
        "rate_kbps: 100000, burst_bytes: 4000",
        "  subscribers:\n"
        "    - {name: slow, rate_kbps: 1000, vlans: [1]}\n"
        "    - {name: fast, rate_kbps: 50000, vlans: [2]}\n"));
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(put({1, kFirstWeighted}, 1), ShaperVerdict::wait);
        ASSERT_EQ(put({2, kFirstWeighted}, 2), ShaperVerdict::wait);
    }
    const std::uint64_t start = rte_rdtsc();
    for (int fast = 0; fast < 100;) {  // until the fast one is through
        ASSERT_EQ(take(1).size(), 1U);
        fast += ids_.back() == 2 ? 1 : 0;
        const double seconds =
            static_cast<double>(rte_rdtsc() - start) / static_cast<double>(rte_get_tsc_hz());
        const auto slow = static_cast<double>(ids_.size()) - fast;
        EXPECT_LE(slow * 1024.0, seconds * 125'000 * 1.01 + 4000 * 1.2 + 1024);
    }
}

// More of them than rte_sched takes turns between at once, too; each could take half of the port. Turns are of several
// packets, so what is asked is that nobody starves.
TEST_F(SchedulerTest, SubscribersThatAskForMoreThanThereIsShareAlike) {
    constexpr int kShare = 300;  // packets
    for (const std::uint8_t count : {4, 12}) {
        std::string subscribers = "  subscribers:\n";
        for (int id = 1; id <= count; ++id) {
            const std::string number = std::to_string(id);
            subscribers.append("    - {name: s").append(number);
            subscribers.append(", rate_kbps: 50000, vlans: [").append(number).append("]}\n");
        }
        open(shaping("rate_kbps: 100000, burst_bytes: 4000", subscribers));
        std::map<std::uint8_t, int> waiting;
        std::map<std::uint8_t, int> taken;
        for (int total = 0; total < kShare * count; ++total) {
            for (std::uint8_t id = 1; id <= count; ++id) {
                for (; waiting[id] < 8; ++waiting[id]) {
                    ASSERT_EQ(put({id, kFirstWeighted}, id), ShaperVerdict::wait);
                }
            }
            ASSERT_EQ(take(1).size(), 1U);
            ++taken[ids_.back()];
            --waiting[ids_.back()];
        }
        for (std::uint8_t id = 1; id <= count; ++id) {
            EXPECT_NEAR(taken[id], kShare, kShare / 2) << int{id} << " of " << int{count};
        }
    }
}

TEST_F(SchedulerTest, AFullQueueTakesNoMore) {
    open(shaping("rate_kbps: 64", "  queue_packets: 5\n"));
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(put({0, 0}), ShaperVerdict::wait);
    }
    EXPECT_EQ(put({0, 0}), ShaperVerdict::full);
    EXPECT_EQ(put({0, 1}), ShaperVerdict::wait) << "another queue has room";
    EXPECT_EQ(port_->held(), 6U);
    port_.reset();  // and what waits is freed: the pool would notice
}

TEST_F(SchedulerTest, APortHoldsABoundedNumber) {
    open(shaping("rate_kbps: 64", "  max_packets: 64\n"));
    for (int i = 0; i < 64; ++i) {
        EXPECT_EQ(put({0, static_cast<std::uint8_t>(i % 2)}), ShaperVerdict::wait);
    }
    EXPECT_EQ(put({0, kFirstWeighted}), ShaperVerdict::full);
    port_.reset();
}

TEST_F(SchedulerTest, EarlyDetectionMarksWhatCanBeMarked) {
    const std::string red =
        "  queue_packets: 256\n  red: {min_packets: 2, max_packets: 150, one_in: 2";
    for (const bool mark : {true, false}) {
        open(shaping("rate_kbps: 64", red + ", ecn: " + (mark ? "true" : "false") + "}\n"));
        std::map<ShaperVerdict, int> capable;
        std::map<ShaperVerdict, int> other;
        // The average stays below max_packets, and about one packet in seven is chosen: none of 120 has odds of 1 : 10^7.
        for (int i = 0; i < 240; ++i) {
            const bool ecn = i % 2 == 0;
            ++(ecn ? capable : other)[put({0, 0}, 0, ecn)];
        }
        EXPECT_EQ(capable[ShaperVerdict::mark] > 0, mark);
        EXPECT_EQ(capable[ShaperVerdict::early] > 0, !mark);
        EXPECT_GT(other[ShaperVerdict::early], 0);
        EXPECT_EQ(other[ShaperVerdict::mark], 0);
        port_.reset();
    }
}

TEST_F(SchedulerTest, BeyondTheUpperBoundNothingIsMarkedAnyMore) {
    open(shaping(
        "rate_kbps: 64", "  queue_packets: 1024\n  red: {min_packets: 2, max_packets: 10}\n"));
    ShaperVerdict last = ShaperVerdict::wait;
    for (int i = 0; i < 2000 && last != ShaperVerdict::early; ++i) {
        last = put({0, 0}, 0, true);
    }
    EXPECT_EQ(last, ShaperVerdict::early) << "RFC 3168, 7: beyond it packets are dropped";
    port_.reset();
}

// ---- CE -------------------------------------------------------------------------------------------------------------

std::uint32_t ipv4_sum(const std::uint8_t* l3) {
    std::uint32_t sum = 0;
    for (int i = 0; i < 20; i += 2) {
        sum += static_cast<std::uint32_t>(l3[i]) << 8U | l3[i + 1];
    }
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16U);
    }
    return sum;
}

TEST(MarkCongestion, EveryTosKeepsItsDscpAndItsChecksum) {
    for (std::uint32_t tos = 0; tos < 256; ++tos) {
        test::Bytes frame = test::eth(
            0x0800,
            test::ip4(
                {.proto = 17, .tos = static_cast<std::uint8_t>(tos)}, test::udp({}, {1, 2, 3})));
        std::uint8_t* const l3 = frame.data() + 14;
        ASSERT_EQ(ipv4_sum(l3), 0xffffU);
        const test::Bytes before = frame;
        EXPECT_EQ(mark_congestion(l3, 4), (tos & 3U) != 0);
        EXPECT_EQ(l3[1], (tos & 3U) != 0 ? tos | 3U : tos);
        EXPECT_EQ(ipv4_sum(l3), 0xffffU) << tos;
        for (std::size_t i = 0; i < frame.size(); ++i) {
            if (i != 15 && i != 24 && i != 25) {
                EXPECT_EQ(frame[i], before[i]);
            }
        }
    }
}

TEST(MarkCongestion, Ipv6HasItsBitsInTheSecondByte) {
    for (std::uint32_t tos = 0; tos < 256; ++tos) {
        std::array<std::uint8_t, 40> l3{};
        l3[0] = static_cast<std::uint8_t>(0x60U | tos >> 4U);
        l3[1] = static_cast<std::uint8_t>(tos << 4U | 0x0aU);  // and a piece of the flow label
        EXPECT_EQ(mark_congestion(l3.data(), 6), (tos & 3U) != 0);
        const std::uint32_t after = (l3[0] & 0x0fU) << 4U | l3[1] >> 4U;
        EXPECT_EQ(after, (tos & 3U) != 0 ? tos | 3U : tos);
        EXPECT_EQ(l3[1] & 0x0fU, 0x0aU);
    }
}

// ---- where a packet belongs -----------------------------------------------------------------------------------------

class ShaperMapTest : public testing::Test {
  protected:
    ShaperMapTest() {
        FlowTable::Options options;
        options.config.capacity = 64;
        options.slots = 2;
        table_ = std::move(*FlowTable::create(options));
    }

    void open(const std::string& text) {
        const config::Config config = load(text);
        auto made = ShaperMap::create(config);
        if (!made) {
            throw std::runtime_error(made.error().line());
        }
        map_ = std::move(*made);
    }

    /// Of a packet whose flow has `cls` in slot qos; empty: none.
    ShaperPlace place(
        const std::string& cls,
        std::uint8_t dscp,
        std::uint8_t mark = kKeepDscp,
        FlowKey key = {}) {
        batch_->size = 1;
        batch_->parsed[0] = ParseResult::flow;
        batch_->header[0] = PacketHeader{};
        batch_->header[0].outer_tos = static_cast<std::uint8_t>(dscp << 2U);
        batch_->dscp[0] = mark;
        batch_->flow[0] = 3;
        batch_->key[0] = key;
        table_->verdicts(3)[1] = CachedVerdict{};
        if (!cls.empty()) {
            table_->verdicts(3)[1].cls = *class_id("qos", cls);
        }
        return map_->place(*batch_, 0, *table_);
    }

    static FlowKey between(const std::string& lo, const std::string& hi, std::uint16_t vlan = 0) {
        FlowKey key;
        key.addr_lo = config::parse_prefix(lo)->address;
        key.addr_hi = config::parse_prefix(hi)->address;
        key.vlan = vlan;
        return key;
    }

    std::unique_ptr<FlowTable> table_;
    std::unique_ptr<Batch> batch_ = std::make_unique<Batch>();
    std::unique_ptr<ShaperMap> map_;
};

TEST_F(ShaperMapTest, TheClassDecidesThenTheDscpThenTheRest) {
    open(shaping("rate_kbps: 1000"));
    EXPECT_EQ(place("telephony", 0).queue, 0);
    EXPECT_EQ(place("multimedia_conferencing", 46).queue, 1) << "the class goes before the DSCP";
    EXPECT_EQ(place("low_priority_data", 46).queue, kFirstWeighted + 1);
    EXPECT_EQ(place("standard", 46).queue, 0) << "a class of no queue: by DSCP";
    EXPECT_EQ(place("", 46).queue, 0);
    EXPECT_EQ(place("", 46, 1).queue, kFirstWeighted + 1) << "the DSCP that it leaves with";
    EXPECT_EQ(place("", 0).queue, kFirstWeighted) << "the first weighted queue takes the rest";
    batch_->flow[0] = kNoFlow;
    EXPECT_EQ(map_->place(*batch_, 0, *table_).queue, kFirstWeighted);
    batch_->parsed[0] = ParseResult::other;
    EXPECT_EQ(map_->place(*batch_, 0, *table_).queue, kFirstWeighted);
}

TEST_F(ShaperMapTest, TheLongestPrefixOfEitherEndFindsTheSubscriber) {
    open(shaping(
        "rate_kbps: 1000",
        "  subscribers:\n"
        "    - {name: all, rate_kbps: 500, prefixes: [10.0.0.0/8]}\n"
        "    - {name: one, rate_kbps: 500, prefixes: [10.1.2.0/24, '2001:db8:1::/48']}\n"
        "    - {name: tagged, rate_kbps: 500, vlans: [100], prefixes: [10.1.2.3/32]}\n"));
    const auto pipe = [&](const FlowKey& key) { return place("", 0, kKeepDscp, key).pipe; };
    EXPECT_EQ(pipe(between("192.0.2.1", "198.51.100.1")), 0U);
    EXPECT_EQ(pipe(between("10.9.9.9", "198.51.100.1")), 1U);
    EXPECT_EQ(pipe(between("198.51.100.1", "10.1.2.9")), 2U);
    EXPECT_EQ(pipe(between("10.9.9.9", "10.1.2.9")), 2U) << "the longer one";
    EXPECT_EQ(pipe(between("10.1.2.3", "10.1.2.9")), 3U);
    EXPECT_EQ(pipe(between("2001:db8:1::1", "2001:db8:2::1")), 2U);
    EXPECT_EQ(pipe(between("2001:db8:3::1", "2001:db8:2::1")), 0U);
    EXPECT_EQ(pipe(between("10.9.9.9", "198.51.100.1", 100)), 3U) << "the VLAN goes first";
}

TEST_F(ShaperMapTest, TheQueueThatSaysSoTakesTheRest) {
    open(
        "shaping:\n"
        "  ports: [{port: wan, rate_kbps: 1000}]\n"
        "  queues: [{name: a, weight: 1}, {name: b, weight: 2, otherwise: true}]\n");
    EXPECT_EQ(place("", 0).queue, kFirstWeighted + 1);
}

// ---- the stage ------------------------------------------------------------------------------------------------------

TEST(Shaper, TakesOnlyWhatLeavesByAShapedPort) {
    const config::Config config = load(shaping("rate_kbps: 64", "  queue_packets: 3\n"));
    auto shaper = std::move(*Shaper::create(config));
    ASSERT_NE(shaper, nullptr);
    test::MbufPool pool("shaper");
    FlowTable::Options options;
    options.config.capacity = 64;
    auto table = std::move(*FlowTable::create(options));
    auto batch = std::make_unique<Batch>();
    auto stats = std::make_unique<WorkerStats>();
    const std::array<WorkerPort, 2> ports{WorkerPort{0, 0, 1, 0}, WorkerPort{0, 0, 0, 0}};
    batch->size = 8;
    for (std::uint32_t i = 0; i < batch->size; ++i) {
        batch->mbuf[i] = pool.make(test::Bytes(100));
        batch->rx_port[i] = i == 0 ? 1 : 0;  // the first would leave by lan, the others by wan
        batch->disposition[i] = i == 1 ? Disposition::drop : Disposition::forward;
        batch->parsed[i] = ParseResult::other;
        batch->header[i] = PacketHeader{};
        batch->flow[i] = kNoFlow;
    }
    shaper->take(*batch, ports, *table, *stats);
    EXPECT_EQ(batch->disposition[0], Disposition::forward);
    EXPECT_EQ(batch->disposition[1], Disposition::drop);
    for (std::uint32_t i = 2; i < 5; ++i) {
        EXPECT_EQ(batch->disposition[i], Disposition::wait);
    }
    for (std::uint32_t i = 5; i < 8; ++i) {
        EXPECT_EQ(batch->disposition[i], Disposition::drop);
        EXPECT_EQ(batch->drop_reason[i], DropReason::shaper_full);
    }
    EXPECT_EQ(shaper->held(), 3U);
    EXPECT_EQ(stats->shaper_held.get(), 3U);
    EXPECT_EQ(stats->shaper[kFirstWeighted].full.get(), 3U);
    shaper->abandon(*stats);
    EXPECT_EQ(stats->drops[static_cast<std::size_t>(DropReason::shaper_full)].get(), 3U);
    EXPECT_EQ(stats->shaper_held.get(), 0U);
    for (const std::uint32_t i : {0, 1, 5, 6, 7}) {
        rte_pktmbuf_free(batch->mbuf[i]);
    }
}

TEST(Shaper, NothingShapedIsNoShaper) {
    EXPECT_EQ(*Shaper::create(load("")), nullptr);
}

}  // namespace
}  // namespace weir::dataplane
