// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/decide.h"

#include "config/config.h"
#include "dataplane/snapshot_build.h"

#include <memory>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

constexpr std::uint16_t kHigh = 60000;

// A model without a network: decide never scores.
std::shared_ptr<SlotModel> named_model(
    const std::string& slot, std::vector<std::string> classes, std::uint16_t ref) {
    auto model = std::make_shared<SlotModel>();
    model->name = "m";
    model->ref = ref;
    for (std::size_t c = 0; c < classes.size(); ++c) {
        model->class_ids.push_back(*class_id(slot, classes[c]));
        model->benign_class = classes[c] == "benign" ? static_cast<int>(c) : model->benign_class;
    }
    model->classes = std::move(classes);
    return model;
}

kernels::HeadVerdict scored(
    std::uint8_t cls, std::uint16_t confidence, std::uint16_t not_benign = 0) {
    return {cls, confidence, not_benign};
}

TEST(MergeVerdict, FirstClassHoldsAtOnceLaterOnesNeedHysteresis) {
    const auto model = named_model("qos", {"telephony", "standard"}, 5);
    CachedVerdict cached;
    EXPECT_EQ(merge_verdict(cached, scored(1, kHigh), *model, 3, 1), Merged::decided);
    EXPECT_EQ(cached.cls, model->class_ids[1]);
    EXPECT_EQ(cached.told().decided_at_packet, 1U);
    EXPECT_EQ(cached.model_ref, 5U);
    EXPECT_EQ(merge_verdict(cached, scored(0, kHigh), *model, 3, 2), Merged::kept);
    EXPECT_EQ(merge_verdict(cached, scored(0, kHigh), *model, 3, 4), Merged::kept);
    EXPECT_EQ(cached.cls, model->class_ids[1]);
    EXPECT_EQ(merge_verdict(cached, scored(0, kHigh), *model, 3, 8), Merged::changed);
    EXPECT_EQ(cached.cls, model->class_ids[0]);
    EXPECT_EQ(cached.told().decided_at_packet, 8U);
}

TEST(MergeVerdict, AnEqualVerdictBetweenResetsTheCount) {
    const auto model = named_model("qos", {"telephony", "standard"}, 5);
    CachedVerdict cached;
    merge_verdict(cached, scored(1, kHigh), *model, 2, 1);
    for (std::uint32_t packet = 2; packet < 20; packet += 2) {
        EXPECT_EQ(merge_verdict(cached, scored(0, kHigh), *model, 2, packet), Merged::kept);
        EXPECT_EQ(merge_verdict(cached, scored(1, kHigh), *model, 2, packet + 1), Merged::kept);
    }
    EXPECT_EQ(cached.cls, model->class_ids[1]);
    EXPECT_EQ(cached.told().decided_at_packet, 1U);
}

TEST(MergeVerdict, AlarmBelowItsThresholdIsBenign) {
    const auto model = named_model("anomaly", {"benign", "scan"}, 9);
    model->min_score[1] = 50000;
    CachedVerdict cached;
    merge_verdict(cached, scored(1, 45000, 45000), *model, 1, 1);
    EXPECT_EQ(cached.cls, model->class_ids[0]);
    EXPECT_EQ(cached.score, 45000U) << "the score stays the confidence of not being benign";
    merge_verdict(cached, scored(1, 55000, 55000), *model, 1, 2);
    EXPECT_EQ(cached.cls, model->class_ids[1]);
}

TEST(MergeVerdict, AnUnsureClassOfServiceDecidesNothing) {
    const auto model = named_model("qos", {"telephony", "standard"}, 5);
    model->min_score[0] = 40000;
    CachedVerdict cached;
    merge_verdict(cached, scored(0, 30000), *model, 1, 1);
    EXPECT_EQ(cached.cls, kNoClass);
    merge_verdict(cached, scored(0, 40000), *model, 1, 2);
    EXPECT_EQ(cached.cls, model->class_ids[0]);
}

// One flow, one packet, two slots; rules as given.
class DecideTest : public testing::Test {
  protected:
    DecideTest() {
        FlowTable::Options options;
        options.config.capacity = 64;
        options.slots = 2;
        table_ = std::move(*FlowTable::create(options));
        const FlowKey key{};
        flow_ = table_->choose_slot(table_->hash(key), 0);
        table_->occupy(flow_, key, table_->hash(key));
        anomaly_ = named_model("anomaly", {"benign", "scan"}, 1);
        qos_ = named_model("qos", {"telephony", "standard"}, 2);
        config_.slots.resize(2);
        config_.slots[0].name = "anomaly";
        config_.slots[1].name = "qos";
        config_.slots[1].rules["telephony"] = {config::ActionKind::mark, 46, 0.5};
        batch_->size = 1;
        batch_->flow[0] = flow_;
        batch_->parsed[0] = ParseResult::flow;
        for (SlotRows& tile : *rows_) {
            tile.row_of_packet.fill(kNoRow);
        }
    }

    void score_as(std::size_t slot, kernels::HeadVerdict verdict) {
        (*rows_)[slot].row_of_packet[0] = 0;
        (*rows_)[slot].packet_number[0] = 1;
        (*rows_)[slot].verdicts[0] = verdict;
    }

    void run() {
        const auto snapshot = build_snapshot(config_, {anomaly_, qos_}, 1);
        decide(*batch_, 0, 1, *table_, *snapshot, *rows_, *stats_);
    }

    config::Config config_;
    std::shared_ptr<const SlotModel> anomaly_;
    std::shared_ptr<const SlotModel> qos_;
    std::unique_ptr<FlowTable> table_;
    std::uint32_t flow_ = 0;
    std::unique_ptr<Batch> batch_ = std::make_unique<Batch>();
    std::unique_ptr<Rows> rows_ = std::make_unique<Rows>();
    std::unique_ptr<WorkerStats> stats_ = std::make_unique<WorkerStats>();
};

TEST_F(DecideTest, MarksByClassAndKeepsMarkingFromTheCache) {
    score_as(1, scored(0, kHigh));
    run();
    EXPECT_EQ(batch_->disposition[0], Disposition::forward);
    EXPECT_EQ(batch_->dscp[0], 46);
    EXPECT_EQ(table_->dscp_written(flow_), 46);
    (*rows_)[1].row_of_packet[0] = kNoRow;
    run();
    EXPECT_EQ(batch_->dscp[0], 46) << "a packet that is not due follows the flow's verdict";
}

TEST_F(DecideTest, BelowTheRulesConfidenceNothingIsDone) {
    score_as(1, scored(0, 32000));
    run();
    EXPECT_EQ(batch_->dscp[0], kKeepDscp);
    EXPECT_EQ(table_->verdicts(flow_)[1].cls, qos_->class_ids[0]) << "decided all the same";
}

TEST_F(DecideTest, NeverRemarkGuardsNetworkControl) {
    score_as(1, scored(0, kHigh));
    batch_->header[0].tos = 48 << 2;
    run();
    EXPECT_EQ(batch_->dscp[0], kKeepDscp);
    batch_->header[0].tos = 8 << 2;
    run();
    EXPECT_EQ(batch_->dscp[0], 46);
    batch_->header[0].outer_tos = 56 << 2;
    run();
    EXPECT_EQ(batch_->dscp[0], kKeepDscp) << "the outer header is the one that is marked";
}

TEST_F(DecideTest, DropWinsOverMark) {
    config_.slots[0].rules["scan"] = {config::ActionKind::drop, 0, 0.8};
    score_as(0, scored(1, kHigh, kHigh));
    score_as(1, scored(0, kHigh));
    run();
    EXPECT_EQ(batch_->disposition[0], Disposition::drop);
    EXPECT_EQ(batch_->drop_reason[0], DropReason::policy);
    EXPECT_TRUE(table_->dropped(flow_));
}

TEST_F(DecideTest, MissingModelFollowsTheSlotsPolicy) {
    anomaly_ = nullptr;
    run();
    EXPECT_EQ(batch_->disposition[0], Disposition::forward);
    config_.slots[0].model_missing = config::FailAction::drop;
    run();
    EXPECT_EQ(batch_->disposition[0], Disposition::drop);
    EXPECT_EQ(batch_->drop_reason[0], DropReason::model_missing);
}

TEST_F(DecideTest, AVerdictOutlivesItsModelWithItsMeaning) {
    score_as(1, scored(0, kHigh));
    run();
    // The next model has the classes in another order; the cached verdict still says telephony.
    qos_ = named_model("qos", {"standard", "telephony"}, 3);
    (*rows_)[1].row_of_packet[0] = kNoRow;
    run();
    EXPECT_EQ(batch_->dscp[0], 46);
    EXPECT_EQ(table_->verdicts(flow_)[1].model_ref, 2U);
}

TEST_F(DecideTest, CountsVerdictsInTheModelsBlock) {
    auto snapshot = build_snapshot(config_, {anomaly_, qos_}, 1);
    snapshot->slots[1].verdict_block = 3;
    score_as(1, scored(1, kHigh));
    decide(*batch_, 0, 1, *table_, *snapshot, *rows_, *stats_);
    EXPECT_EQ(stats_->slots[1].verdicts[3][qos_->class_ids[1]].get(), 1U);
    EXPECT_EQ(stats_->slots[1].verdicts[0][qos_->class_ids[1]].get(), 0U);
}

TEST_F(DecideTest, FailPolicyByParseResult) {
    struct Case {
        ParseResult parsed;
        config::FailAction config::Fail::*field;
        DropReason reason;
    };
    const Case cases[] = {
        {ParseResult::truncated, &config::Fail::truncated, DropReason::parse_truncated},
        {ParseResult::malformed, &config::Fail::malformed, DropReason::parse_malformed},
        {ParseResult::unsupported, &config::Fail::unsupported, DropReason::parse_unsupported},
        {ParseResult::flow, &config::Fail::flow_table_full, DropReason::flow_table_full},
    };
    batch_->flow[0] = kNoFlow;
    for (const Case& one : cases) {
        config_.fail = {};
        batch_->parsed[0] = one.parsed;
        run();
        EXPECT_EQ(batch_->disposition[0], Disposition::forward);
        config_.fail.*one.field = config::FailAction::drop;
        run();
        EXPECT_EQ(batch_->disposition[0], Disposition::drop);
        EXPECT_EQ(batch_->drop_reason[0], one.reason);
    }
    batch_->parsed[0] = ParseResult::other;
    run();
    EXPECT_EQ(batch_->disposition[0], Disposition::forward) << "ARP and the like always pass";
}

TEST(BuildSnapshot, WarnsOfRulesForClassesTheModelLacks) {
    config::Config config;
    config.slots.resize(1);
    config.slots[0].name = "qos";
    config.slots[0].rules["telefony"] = {config::ActionKind::mark, 46, 0};
    std::vector<std::string> warnings;
    static_cast<void>(build_snapshot(config, {named_model("qos", {"telephony"}, 1)}, 1, &warnings));
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_NE(warnings[0].find("slots.qos.rules.telefony"), std::string::npos);
}

}  // namespace
}  // namespace weir::dataplane
