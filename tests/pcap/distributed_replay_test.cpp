// SPDX-License-Identifier: BSD-3-Clause
// Captures of the corpus through a distributor and two workers, beside one worker alone: the same flows, the same
// verdicts. Of models that read no host features: a host's are those of its worker, plus what the others told last.
#include "config/load.h"
#include "dataplane/distributor.h"
#include "dataplane/replay.h"
#include "dataplane/rx_callback.h"
#include "dataplane/snapshot_build.h"
#include "dataplane/worker.h"
#include "tests/support/corpus.h"
#include "tests/support/models.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

constexpr std::uint32_t kWithoutHosts =
    kAllGroups & ~(1U << static_cast<std::uint32_t>(FeatureGroup::host));

// A flow's end as far as it does not tell which worker it was at, and when that swept its table.
using Story = std::tuple<
    std::string,
    std::uint64_t,
    std::uint64_t,
    std::array<std::uint64_t, 2>,
    std::array<std::uint32_t, 2>,
    std::string,
    bool>;

[[nodiscard]] Story story_of(const FlowRecord& record) {
    std::string verdicts;
    for (const Verdict& verdict : record.verdicts) {
        verdicts += std::to_string(verdict.cls) + ":" + std::to_string(verdict.score) + "@" +
                    std::to_string(verdict.decided_at_packet) + " ";
    }
    return {
        std::string(reinterpret_cast<const char*>(&record.key), sizeof(FlowKey)),
        record.first_ns,
        record.last_ns,
        record.bytes,
        record.packets,
        verdicts,
        record.dropped};
}

// As replay does: a packet that the capture cut short is as long as what is there.
std::uint16_t repair(
    std::uint16_t, std::uint16_t, rte_mbuf* packets[], std::uint16_t count, std::uint16_t, void*) {
    for (std::uint16_t i = 0; i < count; ++i) {
        std::uint32_t length = 0;
        for (const rte_mbuf* segment = packets[i]; segment != nullptr; segment = segment->next) {
            length += segment->data_len;
        }
        packets[i]->pkt_len = length;
    }
    return count;
}

class DistributedReplay : public testing::Test {
  protected:
    DistributedReplay() {
        config_ = config::defaults();
        config_.workers.flow_table.capacity = 1U << 16;  // nothing is evicted
        for (config::Slot& slot : config_.slots) {
            slot.cadence.kind = config::CadenceKind::every_packet;
            const auto seed = static_cast<std::uint16_t>(models_.size() + 1);
            models_.push_back(
                test::random_model(slot.name, {"benign", "one", "two"}, seed, seed, kWithoutHosts));
            slot.rules["two"] = {config::ActionKind::drop, 0, 0.5};
        }
    }

    void alone(const std::string& path, std::vector<Story>& stories, ReplayResult& result) {
        ReplayOptions options;
        options.in = path;
        options.config = config_;
        options.models = models_;
        options.on_flow = [&](const FlowRecord& record) { stories.push_back(story_of(record)); };
        const auto played = replay(options);
        ASSERT_TRUE(played) << played.error().line();
        result = *played;
    }

    void drain(std::vector<std::unique_ptr<Worker>>& workers, std::vector<Story>& stories) {
        for (const auto& worker : workers) {
            while (const std::uint32_t n = worker->events().pop(records_)) {
                for (std::uint32_t i = 0; i < n; ++i) {
                    stories.push_back(story_of(records_[i]));
                }
            }
        }
    }

    void distributed(const std::string& path, std::vector<Story>& stories, Totals& totals) {
        constexpr std::uint32_t kWorkers = 2;
        Ports ports;
        ASSERT_TRUE(ports.start(
            {{.name = "in", .device = "net_pcap_dr,rx_pcap=" + path},
             {.name = "out", .device = "net_null_dr,no-rx=1"}},
            kWorkers,
            8192,
            config::Distribute::automatic));
        ASSERT_TRUE(ports.software()) << "net_pcap has one queue";
        RxCallback repairs;
        ASSERT_TRUE(repairs.add(ports.handles()[0].port_id, repair, nullptr));
        TscClock clock(rte_get_tsc_hz(), rte_rdtsc(), 1'700'000'000'000'000'000);
        DistributorOptions options;
        for (const PortHandle& handle : ports.handles()) {
            options.ports.push_back(
                {handle.port_id, handle.rx_queues, handle.tx_queues < kWorkers});
        }
        options.seed = 3;
        options.clock = &clock;
        auto distributor = std::move(*Distributor::create(options));
        auto publisher =
            std::move(*Publisher::create(kWorkers, build_snapshot(config_, models_, 1)));
        LinkStates links{};
        links[0] = links[1] = true;
        std::vector<std::unique_ptr<Worker>> workers;
        for (std::uint32_t w = 0; w < kWorkers; ++w) {
            WorkerOptions worker;
            worker.index = w;
            worker.ports = {WorkerPort{0, 0, 1, 0}, WorkerPort{0, 0, 0, 0}};
            distributor->wire(w, worker.ports);
            worker.links = &links;
            worker.flow_table = config_.workers.flow_table;
            worker.slots = static_cast<std::uint32_t>(config_.slots.size());
            worker.seed = kReplaySeed;
            worker.time.timestamp_offset =
                rte_mbuf_dynfield_lookup(RTE_MBUF_DYNFIELD_TIMESTAMP_NAME, nullptr);
            worker.time.timestamp_flag = std::uint64_t{1} << rte_mbuf_dynflag_lookup(
                                             RTE_MBUF_DYNFLAG_RX_TIMESTAMP_NAME, nullptr);
            workers.push_back(std::move(*Worker::create(std::move(worker), *publisher)));
            publisher->go_online(w);
        }
        while (distributor->poll() != 0) {
            for (const auto& worker : workers) {
                while (worker->poll() != 0) {
                }
            }
            drain(workers, stories);
        }
        for (std::uint32_t w = 0; w < kWorkers; ++w) {
            while (!workers[w]->flush(256)) {
                drain(workers, stories);
            }
            publisher->go_offline(w);
            add_totals(workers[w]->stats(), totals);
        }
        drain(workers, stories);
        add_totals(distributor->stats(), totals);
        for (std::uint32_t w = 0; w < kWorkers; ++w) {
            handed_[w] += distributor->handed(w);
        }
        EXPECT_EQ(distributor->stats().ports[0].lost.get(), 0U);
        workers.clear();
        distributor.reset();
    }

    config::Config config_;
    std::vector<std::shared_ptr<const SlotModel>> models_;
    std::vector<FlowRecord> records_ = std::vector<FlowRecord>(256);
    std::array<std::uint64_t, 2> handed_{};
};

TEST_F(DistributedReplay, TwoWorkersDecideAsOne) {
    const auto captures = test::corpus_captures();
    if (captures.empty()) {
        GTEST_SKIP() << "skipped: no corpus (set WEIR_CORPUS)";
    }
    constexpr std::size_t kEach = 5;  // of the corpus, for the time that all of it takes
    std::size_t flows = 0;
    std::size_t played = 0;
    for (std::size_t c = 0; c < captures.size(); c += kEach, ++played) {
        const std::string& path = captures[c];
        SCOPED_TRACE(path);
        std::vector<Story> one;
        std::vector<Story> two;
        ReplayResult result;
        Totals totals;
        alone(path, one, result);
        distributed(path, two, totals);
        if (HasFatalFailure()) {
            return;
        }
        EXPECT_TRUE(totals.conserved());
        EXPECT_EQ(totals.rx_packets, result.totals.rx_packets);
        EXPECT_EQ(totals.drops, result.totals.drops);
        std::sort(one.begin(), one.end());
        std::sort(two.begin(), two.end());
        EXPECT_EQ(one.size(), two.size());
        EXPECT_TRUE(one == two) << "some flow's packets, times or verdicts differ";
        flows += one.size();
    }
    std::printf(
        "%zu captures, %zu flows; packets by worker: %llu, %llu\n",
        played,
        flows,
        static_cast<unsigned long long>(handed_[0]),
        static_cast<unsigned long long>(handed_[1]));
    EXPECT_GT(handed_[0], 0U);
    EXPECT_GT(handed_[1], 0U);
}

}  // namespace
}  // namespace weir::dataplane
