// SPDX-License-Identifier: BSD-3-Clause
// A worker between two null devices whose receive side writes headers into each mbuf, as a card's DMA would: packets are
// conserved, and a burst neither allocates nor calls the system.
#include "dataplane/worker.h"

#include "config/load.h"
#include "dataplane/gateway.h"
#include "dataplane/ports.h"
#include "dataplane/rx_callback.h"
#include "dataplane/snapshot_build.h"
#include "tests/support/models.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <sys/resource.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <gtest/gtest.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WEIR_COUNTS_ALLOCATIONS 0
#else
#define WEIR_COUNTS_ALLOCATIONS 1
#endif

namespace {
std::atomic<std::uint64_t> allocations{0};
}  // namespace

#if WEIR_COUNTS_ALLOCATIONS
// The C library's allocator, counted: operator new and every library end up here.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);

void* malloc(std::size_t size) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    return __libc_calloc(count, size);
}
void* realloc(void* old, std::size_t size) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    return __libc_realloc(old, size);
}
}
#endif

namespace weir::dataplane {
namespace {

constexpr std::size_t kFrameBytes = 64;
constexpr std::uint16_t kEtherIpv4 = 0x0800;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;

void put16(std::uint8_t* at, std::uint32_t value) {
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
}

/// What the receive callback writes: TCP and UDP of some thousand flows, either way, and now and then a broken frame.
class Trace {
  public:
    void write(rte_mbuf& mbuf) {
        auto* frame = rte_pktmbuf_mtod(&mbuf, std::uint8_t*);
        std::memset(frame, 0, kFrameBytes);
        const std::uint32_t flow = random_() % 5000;
        const bool back = random_() % 3 == 0;
        put16(frame + 12, kEtherIpv4);
        std::uint8_t* ip = frame + 14;
        ip[0] = random_() % 64 == 0 ? 0x42 : 0x45;  // a header of 8 bytes contradicts itself
        put16(ip + 2, 46);
        ip[8] = 64;
        ip[9] = flow % 2 == 0 ? kTcp : kUdp;
        std::uint8_t* client = ip + (back ? 16 : 12);
        std::uint8_t* server = ip + (back ? 12 : 16);
        client[0] = server[0] = 10;
        put16(client + 2, flow);
        server[3] = static_cast<std::uint8_t>(flow % 7);
        std::uint8_t* l4 = ip + 20;
        put16(l4 + (back ? 2 : 0), 20000 + flow);
        put16(l4 + (back ? 0 : 2), 443);
        if (ip[9] == kTcp) {
            l4[12] = 0x50;
            l4[13] = random_() % 8 == 0 ? 0x02 : 0x10;
        } else {
            put16(l4 + 4, 26);
        }
        mbuf.data_len = mbuf.pkt_len = kFrameBytes;
    }

  private:
    std::minstd_rand random_{7};
};

std::uint16_t write_headers(
    std::uint16_t,
    std::uint16_t,
    rte_mbuf* packets[],
    std::uint16_t count,
    std::uint16_t,
    void* trace) {
    for (std::uint16_t i = 0; i < count; ++i) {
        static_cast<Trace*>(trace)->write(*packets[i]);
    }
    return count;
}

class WorkerTest : public testing::Test {
  protected:
    void SetUp() override {
        const auto started = ports_.start(
            {{.name = "in", .device = "net_null_worker_in,size=64"},
             {.name = "out", .device = "net_null_worker_out,size=64,no-rx=1"}},
            1);
        ASSERT_TRUE(started) << started.error().line();
        const std::uint16_t in = ports_.handles()[0].port_id;
        ASSERT_TRUE(callback_.add(in, write_headers, &trace_));
        links_[0].store(true);
        links_[1].store(true);

        config_ = config::defaults();
        config_.fail.malformed = config::FailAction::drop;
        for (config::Slot& slot : config_.slots) {
            slot.cadence.kind = config::CadenceKind::every_packet;
            slot.rules["one"] = {config::ActionKind::mark, 46, 0.0};
            slot.rules["two"] = slot.rules["three"] = {config::ActionKind::drop, 0, 0.0};
            models_.push_back(test::random_model(
                slot.name,
                {"benign", "one", "two", "three"},
                3,
                static_cast<std::uint16_t>(models_.size() + 1)));
        }
        auto publisher = Publisher::create(1, build_snapshot(config_, models_, 1));
        ASSERT_TRUE(publisher);
        publisher_ = std::move(*publisher);

        make_worker(nullptr);
    }

    void make_worker(std::unique_ptr<Shaper> shaper) {
        WorkerOptions options;
        options.burst = 64;
        options.ports = {
            WorkerPort{ports_.handles()[0].port_id, 0, 1, 0},
            WorkerPort{ports_.handles()[1].port_id, 0, 0, 0}};
        options.shaper = std::move(shaper);
        options.links = &links_;
        options.flow_table = config_.workers.flow_table;
        options.flow_table.capacity = 4096;  // fewer than the flows: eviction is part of a burst
        options.slots = 2;
        options.populate = true;
        options.time.clock = &clock_;
        auto worker = Worker::create(std::move(options), *publisher_);
        ASSERT_TRUE(worker) << worker.error().line();
        worker_ = std::move(*worker);
        publisher_->go_online(0);
    }

    void TearDown() override {
        if (publisher_ != nullptr) {
            publisher_->go_offline(0);
        }
        worker_.reset();
    }

    /// Polls, and empties the event ring outside of what is measured.
    void poll(std::uint32_t times) {
        for (std::uint32_t n = 0; n < times; ++n) {
            ASSERT_EQ(worker_->poll(), 64U);
            while (worker_->events().pop(records_) == records_.size()) {
            }
        }
    }

    Trace trace_;
    Ports ports_;
    RxCallback callback_;
    LinkStates links_{};
    TscClock clock_{1'000'000'000, 0, 1'700'000'000'000'000'000};
    config::Config config_;
    std::vector<std::shared_ptr<const SlotModel>> models_;
    std::unique_ptr<Publisher> publisher_;
    std::unique_ptr<Worker> worker_;
    std::vector<FlowRecord> records_ = std::vector<FlowRecord>(256);
};

TEST_F(WorkerTest, EveryPacketIsSentOrCountedUnderOneReason) {
    poll(2000);
    Totals totals;
    add_totals(worker_->stats(), totals);
    EXPECT_EQ(totals.rx_packets, 2000U * 64);
    EXPECT_TRUE(totals.conserved());
    EXPECT_GT(totals.marked, 0U);
    EXPECT_GT(totals.drops[static_cast<std::size_t>(DropReason::policy)], 0U);
    EXPECT_GT(totals.drops[static_cast<std::size_t>(DropReason::parse_malformed)], 0U);
    EXPECT_GT(worker_->stats().flows_evicted.get(), 0U);
    EXPECT_GT(worker_->stats().slots[0].scored.get(), 100'000U);
}

TEST_F(WorkerTest, ABurstAllocatesNothing) {
#if !WEIR_COUNTS_ALLOCATIONS
    GTEST_SKIP() << "skipped: a sanitizer has the allocator";
#endif
    poll(200);  // first touch of whatever is lazy
    const std::uint64_t before = allocations.load();
    const std::unique_ptr<int> counted(new int(1));
    ASSERT_GT(allocations.load(), before) << "the counter counts";

    const std::uint64_t start = allocations.load();
    poll(1000);
    EXPECT_EQ(allocations.load() - start, 0U) << "in 1000 bursts";
}

TEST_F(WorkerTest, ABurstWithModelsOnTrialAllocatesNothingAndChangesNoVerdict) {
    SlotTrials trials;
    for (std::uint16_t n = 0; n < kMaxTrials; ++n) {
        trials.trials.push_back(
            {test::random_model(
                 "anomaly",
                 {"benign", "one", "two", "three"},
                 20U + n,
                 static_cast<std::uint16_t>(20 + n)),
             static_cast<std::uint8_t>(n + 1),
             static_cast<std::uint8_t>(n)});
    }
    publisher_->go_offline(0);
    publisher_->publish(build_snapshot(config_, models_, 2, nullptr, {}, {trials}));
    publisher_->go_online(0);
    poll(200);
    const std::uint64_t start = allocations.load();
    poll(1000);
    EXPECT_EQ(allocations.load() - start, 0U) << "in 1000 bursts";
    const auto& slot = worker_->stats().slots[0];
    std::uint64_t agreed = 0;
    std::uint64_t compared = 0;
    for (std::uint32_t was = 0; was <= kMaxClasses; ++was) {
        for (std::uint32_t is = 0; is <= kMaxClasses; ++is) {
            compared += slot.pairs[0][was][is].get();
            agreed += was == is ? slot.pairs[0][was][is].get() : 0;
        }
    }
    EXPECT_EQ(compared, slot.scored.get());
    EXPECT_GT(agreed, 0U);
    EXPECT_LT(agreed, compared);
    EXPECT_EQ(slot.outcomes[1].packets.get(), 0U) << "a shadow decides for no flow";
    EXPECT_GT(slot.outcomes[0].packets.get(), 0U);
}

// One row for each thing that enforcement does.
constexpr const char* kPolicy = R"(
ports: [{name: in, device: net_null0}, {name: out, device: net_null1}]
pairs: [[in, out]]
policy:
  use: all
  meters: {m: {cir_kbps: 1000, cbs_bytes: 3000, excess_bytes: 3000, per: flow, yellow: AF12}}
  mirror: {port: out, one_in: 3}
  new_flows: {per_source_per_s: 10, burst: 5}
  budget: {flows: 50, window_s: 60, police: m}
policies:
  all:
    rules:
      - {slot: anomaly, class: three, action: drop, mirror: true}
      - {slot: anomaly, class: one, dscp: EF, pcp: 5, police: m}
      - {slot: qos, class: benign, sender: responder, dscp: AF41, inner: true, redirect: out}
      - {slot: qos, class: benign, prefixes: [10.0.8.0/21], action: reset}
)";

TEST_F(WorkerTest, ABurstUnderAPolicyAllocatesNothingAndLosesNothing) {
    const auto loaded = config::load_text(kPolicy, "weir.yaml");
    ASSERT_TRUE(loaded) << loaded.error()[0].line();
    config_.ports = loaded->ports;
    config_.pairs = loaded->pairs;
    config_.policy = loaded->policy;
    config_.policies = loaded->policies;
    publisher_->go_offline(0);
    publisher_->publish(build_snapshot(config_, models_, 2));
    publisher_->go_online(0);
    poll(200);
    const std::uint64_t start = allocations.load();
    poll(1000);
    EXPECT_EQ(allocations.load() - start, 0U) << "in 1000 bursts";

    const WorkerStats& stats = worker_->stats();
    Totals totals;
    add_totals(stats, totals);
    EXPECT_EQ(totals.rx_packets, 1200U * 64);
    EXPECT_TRUE(totals.conserved());
    EXPECT_GT(stats.metered[0].get(), 0U);
    EXPECT_GT(stats.mirrored.get(), 0U);
    EXPECT_GT(stats.resets_sent.get(), 0U);
    EXPECT_GT(stats.redirected.get(), 0U);
    EXPECT_GT(stats.softened.get(), 0U);
    EXPECT_GT(totals.drops[static_cast<std::size_t>(DropReason::new_flow_rate)], 0U);
}

constexpr const char* kShaping = R"(
ports: [{name: in, device: net_null0}, {name: out, device: net_null1}]
pairs: [[in, out]]
shaping:
  ports: [{port: out, rate_kbps: 50000}]
  queues: [{name: first, dscp: [EF]}, {name: rest, weight: 1}]
  max_packets: 700
  red: {min_packets: 20, max_packets: 100}
)";

TEST_F(WorkerTest, PacketsThatWaitAreCountedAndNothingIsAllocated) {
    const auto loaded = config::load_text(kShaping, "weir.yaml");
    ASSERT_TRUE(loaded) << loaded.error()[0].line();
    publisher_->go_offline(0);
    worker_.reset();
    make_worker(std::move(*Shaper::create(*loaded)));
    poll(200);
    const std::uint64_t start = allocations.load();
    poll(1000);
    EXPECT_EQ(allocations.load() - start, 0U) << "in 1000 bursts";

    const WorkerStats& stats = worker_->stats();
    Totals totals;
    add_totals(stats, totals);
    EXPECT_EQ(totals.rx_packets, totals.tx_packets + totals.dropped() + stats.shaper_held.get());
    EXPECT_GT(stats.shaper_held.get(), 0U);
    EXPECT_GT(stats.shaper[0].packets.get(), 0U);
    EXPECT_GT(totals.drops[static_cast<std::size_t>(DropReason::shaper_full)], 0U);
    EXPECT_GT(totals.drops[static_cast<std::size_t>(DropReason::shaper_red)], 0U);

    std::atomic<bool> stop{true};
    worker_->run(stop);  // drains: at the end nothing waits
    Totals after;
    add_totals(stats, after);
    EXPECT_TRUE(after.conserved());
    EXPECT_EQ(stats.shaper_held.get(), 0U);
}

TEST_F(WorkerTest, ABurstFaultsNoPageIn) {
    poll(500);
    rusage before{};
    getrusage(RUSAGE_THREAD, &before);
    poll(1000);
    rusage after{};
    getrusage(RUSAGE_THREAD, &after);
    EXPECT_EQ(after.ru_majflt - before.ru_majflt, 0);
    EXPECT_LE(after.ru_nvcsw - before.ru_nvcsw, 0) << "a worker never waits";
}

TEST_F(WorkerTest, ADownLinkIsTriedOnceAndCounted) {
    links_[1].store(false);
    poll(10);
    Totals totals;
    add_totals(worker_->stats(), totals);
    EXPECT_TRUE(totals.conserved());
    EXPECT_GT(totals.tx_packets, 0U)
        << "a null device takes packets whatever control thinks of its link";
}

}  // namespace
}  // namespace weir::dataplane
