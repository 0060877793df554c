// SPDX-License-Identifier: BSD-3-Clause
// A real worker under full load, and a real registry over it.
#pragma once

#include "control/control_thread.h"
#include "control/guard/guard.h"
#include "control/registry/registry.h"
#include "dataplane/features/catalog.h"
#include "dataplane/gateway.h"
#include "dataplane/ports.h"
#include "dataplane/rx_callback.h"
#include "dataplane/worker.h"
#include "storm_bursts.h"
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

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using dataplane::Worker;

inline constexpr std::size_t kFrameBytes = 64;
inline constexpr std::uint32_t kFlows = 5000;
inline constexpr std::size_t kBursts = 2'000'000;  ///< timed, of each part

inline void put16(std::uint8_t* at, std::uint32_t value) {
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
}

/// UDP of some thousand flows, either way.
inline std::uint16_t write_headers(
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

inline double percentile(std::vector<double>& values, double share) {
    if (values.empty()) {
        return 0.0;
    }
    const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + at, values.end());
    return values[static_cast<std::size_t>(at)];
}

inline std::size_t resident_kb() {
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
        options.pages = dataplane::TablePages::resident;
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

    /// The worker's loop. Where there are two CPUs, the last one is the worker's and the others are everybody else's.
    void start() {
        stop_ = false;
        const auto worker_cpu = cpus_.back();
        if (cpus_.size() > 1) {
            (void)control::pin_this_thread({cpus_.begin(), cpus_.end() - 1});
        }
        thread_ = std::thread([this, worker_cpu] {
            (void)control::pin_this_thread({worker_cpu});
            publisher_->go_online(0);
            std::vector<dataplane::FlowRecord> records(256);
            std::uint64_t generation = worker_->stats().snapshot_generation.get();
            bursts_.begin();
            while (!stop_.load(std::memory_order_relaxed)) {
                const std::uint64_t from = rte_rdtsc();
                (void)worker_->poll();
                const std::uint64_t cycles = rte_rdtsc() - from;
                const auto before =
                    std::exchange(generation, worker_->stats().snapshot_generation.get());
                bursts_.add(cycles, generation != before);
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
    /// What bursts take while this thread does `meanwhile`.
    template <typename Meanwhile>
    void measure(const char* name, Meanwhile meanwhile) {
        start();
        meanwhile();
        stop();
        bursts_.print(name);
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
    BurstLog bursts_{kBursts};
    std::vector<std::uint32_t> cpus_ = control::cpus_without({});
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

}  // namespace weir
