// SPDX-License-Identifier: BSD-3-Clause
// Every capture of the corpus through the worker: no crash, packets conserved, and verdicts that depend neither on the
// run nor on the burst size.
#include "config/load.h"
#include "control/app/verdicts.h"
#include "dataplane/replay.h"
#include "tests/support/corpus.h"
#include "tests/support/models.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

// Twice the same, and more than 64 is several bursts gathered into a batch. Sanitizers look for what one run may do wrong,
// and take ten times as long.
#if defined(__SANITIZE_ADDRESS__)
const std::vector<std::uint32_t> kBursts{64, 7, 256};
#else
const std::vector<std::uint32_t> kBursts{64, 64, 1, 7, 32, 256};
#endif

struct Outcome {
    std::string verdicts;
    ReplayResult result;
};

class CorpusReplay : public testing::Test {
  protected:
    CorpusReplay() {
        config_ = config::defaults();
        config_.features.payload = true;
        config_.workers.flow_table.capacity = 1u << 14;
        for (config::Slot& slot : config_.slots) {
            slot.cadence.kind = config::CadenceKind::every_packet;
            names_.push_back(slot.name);
            models_.push_back(test::random_model(
                slot.name,
                {"benign", "one", "two", "three"},
                static_cast<std::uint32_t>(models_.size() + 1),
                static_cast<std::uint16_t>(models_.size() + 1)));
            slot.rules["one"] = {config::ActionKind::mark, 46, 0.0};
            slot.rules["two"] = {config::ActionKind::drop, 0, 0.5};
        }
    }

    Outcome play(const std::string& path, std::uint32_t burst) {
        Outcome outcome;
        ReplayOptions options;
        options.in = path;
        options.config = config_;
        constexpr std::uint32_t kMostBurst = 64;
        options.config.workers.burst = std::min(burst, kMostBurst);
        options.gather_us = burst > kMostBurst ? 1'000'000 : 0;  // several bursts a batch
        options.models = models_;
        options.on_flow = [&](const FlowRecord& record) {
            outcome.verdicts += app::verdict_json(record, names_, models_) + "\n";
        };
        const auto result = replay(options);
        EXPECT_TRUE(result) << path << ": " << (result ? "" : result.error().line());
        if (result) {
            outcome.result = *result;
        }
        return outcome;
    }

    static void check_conserved(const std::string& path, const ReplayResult& result) {
        EXPECT_TRUE(result.totals.conserved())
            << path << ": in " << result.totals.rx_packets << ", out " << result.totals.tx_packets
            << ", dropped " << result.totals.dropped();
        EXPECT_EQ(result.totals.rx_packets, result.capture_packets) << path;
        EXPECT_EQ(result.records_lost, 0U) << path;
        std::uint64_t parsed = 0;
        for (const std::uint64_t count : result.parsed) {
            parsed += count;
        }
        EXPECT_EQ(parsed, result.capture_packets) << path;
    }

    void compare_bursts(const std::string& path, const std::vector<std::uint32_t>& bursts) {
        const Outcome first = play(path, bursts.front());
        check_conserved(path, first.result);
        for (std::size_t i = 1; i < bursts.size(); ++i) {
            const Outcome other = play(path, bursts[i]);
            check_conserved(path, other.result);
            EXPECT_EQ(other.verdicts, first.verdicts)
                << path << ": bursts of " << bursts[i] << " and " << bursts[0];
            EXPECT_EQ(other.result.totals.drops, first.result.totals.drops) << path;
            EXPECT_EQ(other.result.totals.marked, first.result.totals.marked) << path;
        }
    }

    config::Config config_;
    std::vector<std::string> names_;
    std::vector<std::shared_ptr<const SlotModel>> models_;
};

TEST_F(CorpusReplay, EveryCaptureConservesAndRepeatsAtEveryBurstSize) {
    const auto captures = test::corpus_captures();
    if (captures.empty()) {
        GTEST_SKIP() << "skipped: no corpus (set WEIR_CORPUS)";
    }
    for (const std::string& path : captures) {
        compare_bursts(path, kBursts);
        if (HasFatalFailure()) {
            return;
        }
    }
    std::printf("%zu captures replayed %zu times each\n", captures.size(), kBursts.size());
}

// Eviction, refusal and the cuts they need: the same captures through tables far too small for them.
TEST_F(CorpusReplay, TinyTablesGiveTheSameAnswerAtEveryBurstSize) {
    const auto captures = test::corpus_captures();
    if (captures.empty()) {
        GTEST_SKIP() << "skipped: no corpus (set WEIR_CORPUS)";
    }
    config_.workers.flow_table.capacity = 64;
    config_.workers.flow_table.host_capacity = 64;
    std::uint64_t evicted = 0;
    for (const std::string& path : captures) {
        compare_bursts(path, {64, 1});
        evicted += play(path, 13).result.flows_evicted;
    }
    EXPECT_GT(evicted, 0U) << "the corpus should overflow 64 flows";
}

}  // namespace
}  // namespace weir::dataplane
