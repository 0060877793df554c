// SPDX-License-Identifier: BSD-3-Clause
// A real worker under full load, a real registry over it: a storm of activations, and a canary that goes wrong.
#include "control/guard/guard.h"
#include "control/registry/registry.h"
#include "dataplane/features/catalog.h"
#include "dataplane/gateway.h"
#include "dataplane/ports.h"
#include "dataplane/rx_callback.h"
#include "dataplane/worker.h"
#include "storm_witness.h"
#include "tests/unit/control/gateway_fixture.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <gtest/gtest.h>
#include <unistd.h>

namespace weir {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using dataplane::Worker;

constexpr std::size_t kFrameBytes = 64;
constexpr std::uint32_t kFlows = 5000;

void put16(std::uint8_t* at, std::uint32_t value) {
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
}

/// UDP of some thousand flows, either way.
std::uint16_t write_headers(
    std::uint16_t /*port*/,
    std::uint16_t /*queue*/,
    rte_mbuf* packets[],
    std::uint16_t count,
    std::uint16_t /*max*/,
    void* random) {
    auto& draw = *static_cast<std::minstd_rand*>(random);
    for (std::uint16_t i = 0; i < count; ++i) {
        auto* frame = rte_pktmbuf_mtod(packets[i], std::uint8_t*);
        std::memset(frame, 0, kFrameBytes);
        const std::uint32_t flow = draw() % kFlows;
        const bool back = draw() % 3 == 0;
        put16(frame + 12, 0x0800);
        std::uint8_t* ip = frame + 14;
        ip[0] = 0x45;
        put16(ip + 2, 46);
        ip[8] = 64;
        ip[9] = 17;
        ip[back ? 16 : 12] = ip[back ? 12 : 16] = 10;
        put16(ip + (back ? 18 : 14), flow);
        put16(ip + 20 + (back ? 2 : 0), 20000 + flow);
        put16(ip + 20 + (back ? 0 : 2), 443);
        put16(ip + 24, 26);
        packets[i]->data_len = kFrameBytes;
        packets[i]->pkt_len = kFrameBytes;
    }
    return count;
}

double percentile(std::vector<double>& values, double share) {
    if (values.empty()) {
        return 0.0;
    }
    const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + at, values.end());
    return values[static_cast<std::size_t>(at)];
}

std::size_t resident_kb() {
    std::ifstream status("/proc/self/statm");
    std::size_t pages = 0;
    status >> pages >> pages;
    return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

class StormTest : public testing::Test {
  protected:
    void SetUp() override {
        config_ = dir_.config();
        config_.slots[0].rules["scan"] = {config::ActionKind::drop, 0, 0.0};
        for (auto& slot : config_.slots) {
            slot.model = "none";
            slot.cadence.kind = config::CadenceKind::every_packet;
        }
        const std::string suffix = std::to_string(++instance_);
        ASSERT_TRUE(ports_.start(
            {{.name = "in", .device = "net_null_storm_in" + suffix + ",size=64"},
             {.name = "out", .device = "net_null_storm_out" + suffix + ",size=64,no-rx=1"}},
            1));
        ASSERT_TRUE(callback_.add(ports_.handles()[0].port_id, write_headers, &random_));
        links_[0].store(true);
        links_[1].store(true);
        auto publisher = dataplane::Publisher::create(1, dataplane::build_snapshot(config_, {}, 0));
        ASSERT_TRUE(publisher);
        publisher_ = std::move(*publisher);
        dataplane::WorkerOptions options;
        options.ports = {
            {ports_.handles()[0].port_id, 0, 1, 0}, {ports_.handles()[1].port_id, 0, 0, 0}};
        options.links = &links_;
        options.flow_table.capacity = 8192;
        options.slots = 2;
        options.populate = true;
        options.time.clock = &clock_;
        options.event_capacity = 1U << 16;
        auto worker = Worker::create(std::move(options), *publisher_);
        ASSERT_TRUE(worker) << worker.error().line();
        worker_ = std::move(*worker);
        infos_ = {{0, 1, 8192, &worker_->stats()}};
        open_registry();
    }
    void TearDown() override { stop(); }

    void open_registry() {
        auto store = control::ModelStore::open(config_.control.state_dir);
        auto audit = control::AuditLog::open(config_.control.state_dir + "/audit.log");
        ASSERT_TRUE(store && audit);
        audit_ = std::move(*audit);
        checker_ = std::make_shared<const control::BundleChecker>(
            config_.control.keyring, kernels::Keyring{}, dataplane::catalog_view(), 1U << 20);
        ledger_ = std::make_unique<control::VerdictLedger>(
            infos_, std::vector<std::string>{"anomaly", "qos"});
        std::vector<std::string> warnings;
        auto registry = control::ModelRegistry::recover(
            config_,
            {std::move(*store), checker_, {}, *publisher_, *audit_, *ledger_, infos_, {}},
            warnings);
        ASSERT_TRUE(registry) << registry.error().line();
        registry_ = std::move(*registry);
    }
    void push(const control::test::BundleRecipe& recipe) {
        auto candidate = checker_->check(
            control::test::make_bundle(recipe, control::test::operator_key()), "push", "");
        ASSERT_TRUE(candidate) << candidate.error().error.line();
        ASSERT_TRUE(registry_->push(std::move(*candidate), {}, {}));
    }

    /// The worker's loop; `bursts_` gets each burst's cycles while there is room.
    void start() {
        stop_ = false;
        thread_ = std::thread([this] {
            publisher_->go_online(0);
            std::vector<dataplane::FlowRecord> records(256);
            while (!stop_.load(std::memory_order_relaxed)) {
                const std::uint64_t from = rte_rdtsc();
                (void)worker_->poll();
                const auto cycles = static_cast<double>(rte_rdtsc() - from);
                if (bursts_.size() < bursts_.capacity()) {
                    bursts_.push_back(cycles);
                }
                if (witness_) {
                    witness_->look();
                }
                while (worker_->events().pop(records) == records.size()) {
                }
            }
            publisher_->go_offline(0);
        });
    }
    void stop() {
        stop_ = true;
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    static inline int instance_ = 0;
    control::test::GatewayDir dir_;
    config::Config config_;
    std::minstd_rand random_{7};
    dataplane::Ports ports_;
    dataplane::RxCallback callback_;
    dataplane::LinkStates links_{};
    dataplane::TscClock clock_{1'000'000'000, 0, 1'700'000'000'000'000'000};
    std::unique_ptr<dataplane::Publisher> publisher_;
    std::unique_ptr<Worker> worker_;
    std::vector<dataplane::WorkerInfo> infos_;
    std::unique_ptr<control::AuditLog> audit_;
    std::shared_ptr<const control::BundleChecker> checker_;
    std::unique_ptr<control::VerdictLedger> ledger_;
    std::unique_ptr<control::ModelRegistry> registry_;
    std::atomic<bool> stop_{false};
    std::thread thread_;
    std::vector<double> bursts_;
    std::optional<Witness> witness_;
    /// By generation: the snapshot's block and version of each slot.
    std::map<std::uint64_t, std::array<std::pair<int, std::uint32_t>, kSlots>> published_;

    void note_published() {
        const auto& snapshot = publisher_->current();
        auto& entry = published_[snapshot.generation];
        for (std::size_t s = 0; s < kSlots; ++s) {
            entry[s] = {snapshot.slots[s].verdict_block, snapshot.slots[s].active->version};
        }
    }
    /// Each verdict's version was active in its burst, and no burst mixed versions.
    void check_versions() {
        EXPECT_EQ(witness_->mixed(), 0U);
        std::array<std::map<std::uint32_t, std::uint64_t>, kSlots> rows;
        for (const Used& used : witness_->used()) {
            const auto at = published_.find(used.generation);
            ASSERT_NE(at, published_.end()) << "generation " << used.generation;
            for (std::size_t s = 0; s < kSlots; ++s) {
                const auto& [block, version] = at->second[s];
                EXPECT_TRUE(used.block[s] < 0 || used.block[s] == block)
                    << "generation " << used.generation << ", slot " << s;
                rows[s][version] += used.rows[s];
            }
        }
        std::printf("the worker met %zu generations\n", witness_->used().size());
        // What the ledger has for each version is what the bursts of that version's generations counted.
        for (const auto& total : ledger_->totals()) {
            rows[total.slot == config_.slots[0].name ? 0 : 1][total.version] -= total.rows;
        }
        for (const auto& slot : rows) {
            for (const auto& [version, difference] : slot) {
                EXPECT_EQ(difference, 0U) << "version " << version;
            }
        }
    }
};

void print_bursts(const char* name, std::vector<double>& cycles) {
    const double p50 = percentile(cycles, 0.5);
    const double p99 = percentile(cycles, 0.99);
    const double p999 = percentile(cycles, 0.999);
    const double most = percentile(cycles, 1.0);
    std::printf(
        "%-14s %zu bursts of 64: p50 %.0f, p99 %.0f, p99.9 %.0f, max %.0f cycles\n",
        name,
        cycles.size(),
        p50,
        p99,
        p999,
        most);
}

TEST_F(StormTest, AThousandActivationsUnderFullLoadLoseNothing) {
    constexpr int kActivations = 1000;
    for (std::uint32_t version = 1; version <= 4; ++version) {
        push(
            {.name = "a",
             .slot = "anomaly",
             .version = version,
             .bias = static_cast<int>(version)});
        push({.name = "q", .slot = "qos", .version = version, .bias = static_cast<int>(version)});
    }
    ASSERT_TRUE(registry_->activate({"anomaly", "a", 1}, {}));
    ASSERT_TRUE(registry_->activate({"qos", "q", 1}, {}));
    bursts_.reserve(2'000'000);
    witness_.emplace(worker_->stats());
    note_published();
    start();
    std::this_thread::sleep_for(
        3s);  // what a burst takes in peace: a measurement, not a synchronisation
    stop();
    print_bursts("without storm", bursts_);
    bursts_.clear();
    start();
    const std::size_t resident = resident_kb();
    const auto begin = Clock::now();
    std::vector<double> publish_us;
    for (int i = 0; i < kActivations; ++i) {
        const auto from = Clock::now();
        const bool anomaly = i % 2 == 0;
        const auto version = static_cast<std::uint32_t>(i / 2 % 4);
        const auto done = registry_->activate(
            {anomaly ? "anomaly" : "qos", anomaly ? "a" : "q", (version + 1) % 4 + 1}, {});
        ASSERT_TRUE(done) << done.error().error.line();
        note_published();
        publish_us.push_back(
            std::chrono::duration<double, std::micro>(Clock::now() - from).count());
    }
    const double took = std::chrono::duration<double>(Clock::now() - begin).count();
    stop();
    const auto grown = static_cast<double>(resident_kb()) - static_cast<double>(resident);
    print_bursts("under storm", bursts_);
    std::printf(
        "%d activations in %.2f s; one takes p50 %.0f us, p99 %.0f us; memory grew by %.0f KiB\n",
        kActivations,
        took,
        percentile(publish_us, 0.5),
        percentile(publish_us, 0.99),
        grown);

    dataplane::Totals totals;
    add_totals(worker_->stats(), totals);
    EXPECT_TRUE(totals.conserved());
    EXPECT_EQ(totals.drops[static_cast<std::size_t>(dataplane::DropReason::tx_link_down)], 0U);
    EXPECT_EQ(totals.rx_packets, totals.tx_packets + totals.dropped());
    check_versions();
    // No row is without its model: what each version counted is what was scored, none twice, none lost.
    for (std::size_t s = 0; s < 2; ++s) {
        std::uint64_t rows = 0;
        for (const auto& total : ledger_->totals()) {
            rows += total.slot == config_.slots[s].name ? total.rows : 0;
        }
        EXPECT_EQ(rows, worker_->stats().slots[s].scored.get());
        EXPECT_GT(rows, 0U);
    }
    EXPECT_EQ(publisher_->swaps(), 2U + kActivations + 1U);
    EXPECT_EQ(worker_->stats().snapshot_generation.get(), publisher_->current().generation);
#if !defined(__SANITIZE_ADDRESS__)  // which keeps what is freed, up to 256 MiB of it
    EXPECT_LT(grown, 32'768.0);
#endif
}

TEST_F(StormTest, ACanaryThatDropsEverythingIsTakenBackByItself) {
    config_.slots[0].guardrails.max_drop_share = 0.01;
    config_.slots[0].guardrails.min_rows = 1000;
    open_registry();
    // Class "benign" where the bias says so; "scan", which the rules drop, elsewhere.
    push({.name = "good", .version = 1, .classes = {"benign", "other"}});
    push({.name = "bad", .version = 1, .classes = {"scan", "scan2"}});
    ASSERT_TRUE(registry_->activate({"anomaly", "good", 1}, {}));
    control::Guard guard(infos_, 1e9);
    (void)guard.judge(config_, registry_->use(), Clock::now());
    ASSERT_TRUE(registry_->set_rule(
        "anomaly", "scan2", config::ClassRule{config::ActionKind::drop, 0, 0.0}, false, {}));
    ASSERT_TRUE(registry_->stage({{"anomaly", "bad", 1}, control::Stage::canary, 500, false}, {}));
    const auto dropped = [this] {
        return worker_->stats()
            .drops[static_cast<std::size_t>(dataplane::DropReason::policy)]
            .get();
    };
    // Judged every 250 ms by the gateway; here every 1000 bursts, so that the test does not depend on the clock.
    publisher_->go_online(0);
    auto now = Clock::now();
    std::optional<control::Breach> breach;
    std::vector<dataplane::FlowRecord> records(256);
    for (int turn = 0; turn < 20 && !breach; ++turn) {
        for (int n = 0; n < 1000; ++n) {
            (void)worker_->poll();
            while (worker_->events().pop(records) == records.size()) {
            }
        }
        now += 250ms;
        const auto broken = guard.judge(config_, registry_->use(), now);
        if (!broken.empty()) {
            breach = broken.front();
        }
    }
    ASSERT_TRUE(breach);
    EXPECT_EQ(breach->rail, "max_drop_share");
    const std::uint64_t hurt = dropped();
    publisher_->go_offline(0);
    ASSERT_TRUE(registry_->breach(breach->key, breach->why));
    publisher_->go_online(0);
    for (int n = 0; n < 5000; ++n) {
        (void)worker_->poll();
        while (worker_->events().pop(records) == records.size()) {
        }
    }
    publisher_->go_offline(0);
    EXPECT_GT(hurt, 0U);
    EXPECT_EQ(dropped(), hurt) << "not one packet more after the rollback";
    dataplane::Totals totals;
    add_totals(worker_->stats(), totals);
    std::printf(
        "canary of 5 %%: %llu packets dropped, of %llu in all, until it was taken back: %s\n",
        static_cast<unsigned long long>(hurt),
        static_cast<unsigned long long>(totals.rx_packets),
        breach->why.c_str());
    // Two looks of 64,000 packets each at most, and a twentieth of the flows.
    EXPECT_LT(hurt, 2U * 64'000U / 10);
    EXPECT_FALSE(registry_->stage({{"anomaly", "bad", 1}, control::Stage::canary, 500, false}, {}));
}

}  // namespace
}  // namespace weir
