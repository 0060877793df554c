// SPDX-License-Identifier: BSD-3-Clause
// Models on trial: shadows act on nothing, a canary on its share of flows, and both are counted against the active one.
#include "dataplane/decide.h"
#include "dataplane/snapshot_build.h"
#include "tests/support/models.h"

#include <memory>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

constexpr std::uint32_t kFlows = 200;
constexpr std::uint8_t kBenign = 0;
constexpr std::uint8_t kScan = 1;

std::shared_ptr<const SlotModel> model(std::uint16_t ref) {
    return test::random_model("anomaly", {"benign", "scan"}, 1, ref);
}

FlowKey key_of(std::uint32_t flow) {
    FlowKey key;
    key.addr_lo = {10, 0, static_cast<std::uint8_t>(flow >> 8), static_cast<std::uint8_t>(flow)};
    key.addr_hi = {192, 0, 2, 1};
    key.port_lo = htons(static_cast<std::uint16_t>(1024 + flow));
    key.port_hi = htons(443);
    key.proto = 6;
    key.ip_version = 4;
    return key;
}

// One slot, kFlows flows of one packet each in a batch; the rules drop "scan".
class TrialsTest : public testing::Test {
  protected:
    TrialsTest() {
        FlowTable::Options options;
        options.config.capacity = 4096;
        options.slots = 1;
        table_ = std::move(*FlowTable::create(options));
        config_.slots.resize(1);
        config_.slots[0].name = "anomaly";
        config_.slots[0].hysteresis = 3;
        config_.slots[0].rules["scan"] = {config::ActionKind::drop, 0, 0.5};
        batch_->size = kFlows;
        for (std::uint32_t i = 0; i < kFlows; ++i) {
            const FlowKey key = key_of(i);
            batch_->key[i] = key;
            batch_->flow[i] = table_->choose_slot(table_->hash(key), 0);
            table_->occupy(batch_->flow[i], key, table_->hash(key));
            batch_->parsed[i] = ParseResult::flow;
        }
    }

    void set_due(bool due) {
        SlotRows& tile = (*rows_)[0];
        tile.count = due ? kFlows : 0;
        for (std::uint32_t i = 0; i < kFlows; ++i) {
            tile.row_of_packet[i] = due ? static_cast<std::uint16_t>(i) : kNoRow;
            tile.packet_number[i] = 1;
        }
    }
    /// The same verdict for every row.
    static void all(
        std::array<kernels::HeadVerdict, Batch::kCapacity>& verdicts, std::uint8_t cls) {
        const std::uint16_t not_benign = cls == kScan ? 65535 : 0;
        verdicts.fill({cls, 65535, not_benign});
    }
    void run(const SlotTrials& trials, std::shared_ptr<const SlotModel> active) {
        const auto snapshot =
            build_snapshot(config_, {std::move(active)}, 1, nullptr, {0}, {trials});
        decide(*batch_, 0, kFlows, *table_, *snapshot, *rows_, *stats_);
    }
    [[nodiscard]] std::uint32_t dropped() const {
        std::uint32_t n = 0;
        for (std::uint32_t i = 0; i < kFlows; ++i) {
            n += batch_->disposition[i] == Disposition::drop ? 1 : 0;
        }
        return n;
    }
    [[nodiscard]] std::uint64_t pairs(std::uint8_t block, std::uint8_t was, std::uint8_t is) const {
        const auto& ids = active_->class_ids;
        return stats_->slots[0].pairs[block][ids[was]][ids[is]].get();
    }

    config::Config config_;
    std::shared_ptr<const SlotModel> active_ = model(7);
    std::unique_ptr<FlowTable> table_;
    std::unique_ptr<Batch> batch_ = std::make_unique<Batch>();
    std::unique_ptr<Rows> rows_ = std::make_unique<Rows>();
    std::unique_ptr<WorkerStats> stats_ = std::make_unique<WorkerStats>();
};

TEST_F(TrialsTest, AShadowIsCountedAndActsOnNothing) {
    set_due(true);
    all((*rows_)[0].verdicts, kBenign);
    all((*rows_)[0].trials[0].verdicts, kScan);
    all((*rows_)[0].trials[1].verdicts, kBenign);
    SlotTrials trials;
    trials.trials = {{model(8), 1, 0}, {model(9), 2, 1}};
    run(trials, active_);
    EXPECT_EQ(dropped(), 0U);
    EXPECT_EQ(pairs(0, kBenign, kScan), kFlows);
    EXPECT_EQ(pairs(1, kBenign, kBenign), kFlows);
    const auto& counts = stats_->slots[0].outcomes;
    EXPECT_EQ(counts[1].alarms.get(), kFlows);
    EXPECT_EQ(counts[1].drops.get(), kFlows) << "it would have dropped them";
    EXPECT_EQ(counts[1].packets.get(), 0U);
    EXPECT_EQ(counts[2].alarms.get(), 0U);
    EXPECT_EQ(counts[0].packets.get(), kFlows);
    EXPECT_EQ(counts[0].packets_dropped.get(), 0U);
    for (std::uint32_t i = 0; i < kFlows; ++i) {
        EXPECT_EQ(table_->verdicts(batch_->flow[i])[0].model_ref, 7U);
    }
}

TEST_F(TrialsTest, ACanaryActsForExactlyItsShareOfFlows) {
    set_due(true);
    all((*rows_)[0].verdicts, kBenign);
    all((*rows_)[0].trials[0].verdicts, kScan);
    SlotTrials trials;
    trials.trials = {{model(8), 1, 0}};
    trials.canary = 0;
    trials.share = {0x1234, (std::uint64_t{1} << 32) / 4};
    run(trials, active_);
    const std::uint32_t hurt = dropped();
    EXPECT_GT(hurt, kFlows / 8);
    EXPECT_LT(hurt, kFlows / 2);
    for (std::uint32_t i = 0; i < kFlows; ++i) {
        const bool in = follows_canary(key_of(i), trials.share);
        EXPECT_EQ(batch_->disposition[i] == Disposition::drop, in) << i;
        EXPECT_EQ(table_->verdicts(batch_->flow[i])[0].model_ref, in ? 8U : 7U) << i;
    }
    EXPECT_EQ(stats_->slots[0].outcomes[1].packets_dropped.get(), hurt);
    EXPECT_EQ(stats_->slots[0].outcomes[0].packets.get(), kFlows - hurt);
    EXPECT_EQ(pairs(0, kBenign, kScan), kFlows) << "compared on every row, not on its share only";
}

TEST_F(TrialsTest, AWithdrawnModelsVerdictsActNoMore) {
    set_due(true);
    all((*rows_)[0].trials[0].verdicts, kScan);
    all((*rows_)[0].verdicts, kBenign);
    SlotTrials trials;
    trials.trials = {{model(8), 1, 0}};
    trials.canary = 0;
    trials.share = {1, std::uint64_t{1} << 32};
    run(trials, active_);
    ASSERT_EQ(dropped(), kFlows);
    SlotTrials withdrawn;
    withdrawn.withdrawn = {3, 8};
    set_due(false);
    run(withdrawn, active_);
    EXPECT_EQ(dropped(), 0U) << "without waiting for the flow's next due packet";
    set_due(true);
    run(withdrawn, active_);
    EXPECT_EQ(table_->verdicts(batch_->flow[0])[0].cls, active_->class_ids[kBenign])
        << "and no hysteresis for its sake";
}

TEST_F(TrialsTest, AStaleModelFollowsThePolicy) {
    set_due(true);
    all((*rows_)[0].verdicts, kScan);
    run({}, active_);
    ASSERT_EQ(dropped(), kFlows);
    set_due(false);
    SlotTrials stale;
    stale.stale = config::FailAction::pass;
    run(stale, active_);
    EXPECT_EQ(dropped(), 0U);
    stale.stale = config::FailAction::drop;
    run(stale, active_);
    EXPECT_EQ(dropped(), kFlows);
    EXPECT_EQ(batch_->drop_reason[0], DropReason::model_missing);
    run({}, active_);
    EXPECT_EQ(dropped(), kFlows) << "the flows kept what was decided";
    EXPECT_EQ(batch_->drop_reason[0], DropReason::policy);
}

TEST_F(TrialsTest, UndecidedAndSaturatedRowsAreCounted) {
    config_.slots[0].name = "qos";
    const auto make = [](std::uint16_t ref) {
        auto made = std::make_shared<SlotModel>();
        made->ref = ref;
        made->class_ids = {*class_id("qos", "telephony"), *class_id("qos", "standard")};
        made->classes = {"telephony", "standard"};
        made->min_score.fill(60000);
        return made;
    };
    const auto unsure = make(8);
    set_due(true);
    (*rows_)[0].verdicts.fill({0, 65535, 0});
    (*rows_)[0].trials[0].verdicts.fill({1, 30000, 0});
    SlotTrials trials;
    trials.trials = {{unsure, 1, 2}};
    run(trials, make(7));
    EXPECT_EQ(stats_->slots[0].pairs[2][unsure->class_ids[0]][kMaxClasses].get(), kFlows);
    EXPECT_EQ(stats_->slots[0].outcomes[0].saturated.get(), kFlows);
    EXPECT_EQ(stats_->slots[0].outcomes[1].saturated.get(), 0U);
}

TEST_F(TrialsTest, AnUnwatchedSlotCountsNoOutcome) {
    set_due(true);
    all((*rows_)[0].verdicts, kScan);
    run({}, active_);
    EXPECT_EQ(stats_->slots[0].outcomes[0].rows.get(), 0U);
    EXPECT_EQ(stats_->slots[0].verdicts[0][active_->class_ids[kScan]].get(), kFlows);
    SlotTrials judged;
    judged.judged = true;
    run(judged, active_);
    EXPECT_EQ(stats_->slots[0].outcomes[0].rows.get(), kFlows);
    EXPECT_EQ(stats_->slots[0].verdicts[0][active_->class_ids[kScan]].get(), 2 * kFlows);
}

TEST(FollowsCanary, ShareIsTrueGrowsByAdditionAndDependsOnTheSalt) {
    constexpr std::uint32_t kKeys = 40000;
    constexpr auto kPercent = static_cast<std::uint64_t>(42949672.96);
    std::uint32_t at5 = 0;
    std::uint32_t at10 = 0;
    std::uint32_t other_salt = 0;
    for (std::uint32_t i = 0; i < kKeys; ++i) {
        const FlowKey key = key_of(i);
        const bool in5 = follows_canary(key, {99, 5 * kPercent});
        const bool in10 = follows_canary(key, {99, 10 * kPercent});
        EXPECT_TRUE(in10 || !in5);
        at5 += in5 ? 1 : 0;
        at10 += in10 ? 1 : 0;
        other_salt += in5 && follows_canary(key, {100, 5 * kPercent}) ? 1 : 0;
        EXPECT_TRUE(follows_canary(key, {99, std::uint64_t{1} << 32}));
        EXPECT_FALSE(follows_canary(key, {99, 0}));
    }
    // Five standard deviations of a binomial: 218, 300.
    EXPECT_NEAR(at5, kKeys / 20, 218);
    EXPECT_NEAR(at10, kKeys / 10, 300);
    EXPECT_NEAR(other_salt, kKeys / 400, 50) << "another salt, other flows";
}

}  // namespace
}  // namespace weir::dataplane
