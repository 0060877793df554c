// SPDX-License-Identifier: BSD-3-Clause
// What one burst does: packets are conserved, and it neither allocates nor waits.
#include "dataplane/trace.h"
#include "kernels/explain/attribution.h"
#include "worker_fixture.h"

#include <sys/resource.h>

namespace weir::dataplane {
std::atomic<std::uint64_t> allocations{0};
}  // namespace weir::dataplane

using weir::dataplane::allocations;

#if !WEIR_SANITIZED
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

TEST_F(WorkerTest, FullBurstsJoinABatchUntilItIsFull) {
    WorkerOptions gathering = options();
    gathering.gather_us = 10'000'000;
    make_worker(std::move(gathering));
    for (int n = 0; n < 100; ++n) {
        ASSERT_EQ(worker_->poll(), Batch::kCapacity);
        while (worker_->events().pop(records_) == records_.size()) {
        }
    }
    Totals totals;
    add_totals(worker_->stats(), totals);
    EXPECT_EQ(totals.rx_packets, 100U * Batch::kCapacity);
    EXPECT_TRUE(totals.conserved());
}

TEST_F(WorkerTest, ABurstAllocatesNothing) {
#if WEIR_SANITIZED
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
    WorkerOptions shaped = options();
    shaped.shaper = std::move(*Shaper::create(*loaded));
    make_worker(std::move(shaped));
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

TEST_F(WorkerTest, VerdictsAreToldWhileAskedWithoutAllocation) {
    Inspector& inspector = worker_->inspector();
    poll(200);
    EXPECT_EQ(inspector.pop_verdicts(records_), 0U) << "nobody asked";

    inspector.tell_verdicts(true);
    inspector.start_walk();
    const std::uint64_t start = allocations.load();
    poll(1000);
    EXPECT_EQ(allocations.load() - start, 0U) << "in 1000 bursts";
    EXPECT_FALSE(inspector.asked() && inspector.verdicts_lost() == 0) << "nobody took any";
    bool over = false;
    std::uint64_t flows = 0;
    for (std::uint32_t n = 1; n != 0; flows += n) {
        n = inspector.pop_flows(records_, over);
    }
    EXPECT_TRUE(over);
    EXPECT_GT(flows, worker_->flows().live() / 2) << "of a table that changes meanwhile";
    EXPECT_LE(flows, worker_->flows().capacity());

    std::uint64_t told = 0;
    for (std::uint32_t n = 1; n != 0; told += n) {
        n = inspector.pop_verdicts(records_);
        for (std::uint32_t r = 0; r < n; ++r) {
            const FlowRecord& record = records_[r];
            const std::uint64_t packets = std::uint64_t{record.packets[0]} + record.packets[1];
            const auto decided = [&](const Verdict& verdict) {
                return verdict.cls != kNoClass && verdict.decided_at_packet <= packets;
            };
            EXPECT_TRUE(decided(record.verdicts[0]) || decided(record.verdicts[1]));
        }
    }
    EXPECT_EQ(told, Inspector::kVerdictRecords - 1) << "as many as the ring holds";
    inspector.tell_verdicts(false);
    poll(10);
    EXPECT_EQ(inspector.pop_verdicts(records_), 0U);
}

TEST_F(WorkerTest, AFlowsNextPacketIsSampledWithoutAllocation) {
    Inspector& inspector = worker_->inspector();
    poll(200);
    inspector.start_walk();
    poll(100);
    bool over = false;
    ASSERT_GT(inspector.pop_flows(records_, over), 0U);
    FlowSample sample;
    ASSERT_TRUE(inspector.sample_free());
    std::array<FlowKey, 20> keys;  // polls write records, too
    std::transform(
        records_.begin(), records_.begin() + keys.size(), keys.begin(), [](const auto& r) {
            return r.key;
        });
    for (const FlowKey& wanted : keys) {
        inspector.ask_sample(wanted);
        EXPECT_FALSE(inspector.take_sample(sample)) << "no packet has come";
        const std::uint64_t start = allocations.load();
        bool taken = false;
        for (int burst = 0; burst < 3000 && !taken; ++burst) {
            poll(1);
            taken = inspector.take_sample(sample);
        }
        EXPECT_EQ(allocations.load() - start, 0U);
        ASSERT_TRUE(taken) << "one packet in 5000 is the flow's";
        EXPECT_FALSE(inspector.take_sample(sample)) << "once";
        EXPECT_TRUE(inspector.sample_free());
        ASSERT_EQ(sample.flow.key, wanted);
        EXPECT_EQ(sample.generation, 1U);
        for (std::size_t s = 0; s < models_.size(); ++s) {
            // The slots score every packet: the verdict that the flow has is that of the row.
            const SlotModel& model = *models_[s];
            std::vector<std::uint8_t> codes;
            for (const std::uint16_t feature : model.features) {
                codes.push_back(sample.row.codes[feature]);
            }
            const auto raw = kernels::raw_outputs(*model.classifier, codes);
            kernels::HeadVerdict verdict;
            kernels::apply_head(
                model.head,
                raw.data(),
                static_cast<std::uint32_t>(raw.size()),
                1,
                model.benign_class,
                &verdict);
            EXPECT_EQ(sample.flow.verdicts[s].score, verdict.not_benign);
            EXPECT_EQ(sample.flow.verdicts[s].cls, model.class_ids[verdict.cls]);
        }
        const DecisionTrace trace = trace_decision(publisher_->current(), sample);
        EXPECT_EQ(trace.disposition, sample.disposition);
        EXPECT_EQ(trace.dscp, sample.dscp);
    }
}

TEST_F(WorkerTest, AWithdrawnSampleIsForgottenByTheNextBatch) {
    Inspector& inspector = worker_->inspector();
    FlowKey nobody;
    nobody.ip_version = 6;
    FlowSample sample;
    inspector.ask_sample(nobody);
    poll(50);
    EXPECT_FALSE(inspector.take_sample(sample));
    EXPECT_TRUE(inspector.asked());
    inspector.withdraw_sample();
    EXPECT_FALSE(inspector.sample_free()) << "the worker may be writing it";
    trace_.left = 0;
    EXPECT_EQ(worker_->poll(), 0U);
    EXPECT_TRUE(inspector.sample_free()) << "an empty batch is one";
    EXPECT_FALSE(inspector.asked());
    EXPECT_FALSE(inspector.take_sample(sample));
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
