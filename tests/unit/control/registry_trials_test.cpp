// SPDX-License-Identifier: BSD-3-Clause
// The life of a model within a slot: shadow, canary, active, and every step back.
#include "registry_fixture.h"

#include <algorithm>

namespace weir::control::test {
namespace {

const ModelKey kOne{"anomaly", "scan-detector", 1};
const ModelKey kTwo{"anomaly", "scan-detector", 2};

class TrialsTest : public RegistryTest {
  protected:
    /// Started, with versions 1 and 2 pushed.
    void begin() {
        start();
        ASSERT_TRUE(push({.version = 1}));
        ASSERT_TRUE(push({.version = 2}));
    }
    Outcome<Activation> stage(const ModelKey& key, Stage to, std::uint32_t permyriad = 0) {
        return registry_->stage({key, to, permyriad, false}, actor_);
    }
    [[nodiscard]] Stage stage_of(const ModelKey& key) const {
        const auto models = registry_->list(key.slot);
        for (const auto& model : *models) {
            if (model.key == key) {
                return model.stage;
            }
        }
        return Stage::retired;
    }
    [[nodiscard]] const dataplane::SnapshotSlot& slot() const {
        return runtime_->publisher().current().slots.at(0);
    }
    [[nodiscard]] std::vector<std::string> trials() const {
        std::vector<std::string> names;
        for (const auto& trial : slot().trials) {
            names.push_back(trial.model->name + "@" + std::to_string(trial.model->version));
        }
        return names;
    }
    [[nodiscard]] bool is_withdrawn(std::uint16_t ref) const {
        const auto* end = slot().withdrawn.begin() + slot().withdrawn_count;
        return std::find(slot().withdrawn.begin(), end, ref) != end;
    }
};

TEST_F(TrialsTest, AModelGoesAllTheWayAndBack) {
    begin();
    EXPECT_FALSE(slot().watched) << "a plain slot is not watched";
    ASSERT_TRUE(stage(kOne, Stage::shadow));
    EXPECT_EQ(stage_of(kOne), Stage::shadow);
    EXPECT_EQ(trials(), std::vector<std::string>{"scan-detector@1"});
    EXPECT_EQ(slot().canary, -1);
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1");

    const auto canary = stage(kOne, Stage::canary, 500);
    ASSERT_TRUE(canary) << canary.error().error.line();
    EXPECT_EQ(canary->to->stage, Stage::canary);
    EXPECT_EQ(canary->to->canary_permyriad, 500U);
    EXPECT_EQ(slot().canary, 0);
    EXPECT_EQ(slot().share.below, (std::uint64_t{500} << 32) / 10000);
    EXPECT_EQ(last_audit()["action"], "stage");
    EXPECT_EQ(last_audit()["from"], "scan-detector@1 shadow");
    EXPECT_EQ(last_audit()["to"], "scan-detector@1 canary 5 %");

    ASSERT_TRUE(stage(kOne, Stage::active));
    EXPECT_EQ(in_snapshot(0), "scan-detector@1");
    EXPECT_TRUE(trials().empty());
    EXPECT_FALSE(slot().watched);

    const auto ref = slot().active->ref;
    ASSERT_TRUE(stage(kOne, Stage::canary, 2500)) << "a step back";
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1");
    EXPECT_EQ(stage_of(kOne), Stage::canary);
    EXPECT_TRUE(is_withdrawn(ref));
    ASSERT_TRUE(stage(kOne, Stage::shadow));
    EXPECT_EQ(slot().canary, -1);
    ASSERT_TRUE(stage(kOne, Stage::verified));
    EXPECT_EQ(stage_of(kOne), Stage::retired) << "it was active once";
    EXPECT_TRUE(trials().empty());
    EXPECT_FALSE(stage(kOne, Stage::verified)) << "nothing to end";
}

TEST_F(TrialsTest, ACanarysShareGrowsWithoutChangingModelSaltOrCounters) {
    begin();
    ASSERT_TRUE(stage(kOne, Stage::canary, 100));
    const auto before = slot();
    ASSERT_TRUE(stage(kOne, Stage::canary, 5000));
    EXPECT_EQ(slot().trials[0].model, before.trials[0].model);
    EXPECT_EQ(slot().share.salt, before.share.salt);
    EXPECT_NE(slot().share.salt, 0U);
    EXPECT_EQ(slot().trials[0].verdict_block, before.trials[0].verdict_block);
    EXPECT_EQ(slot().trials[0].pair_block, before.trials[0].pair_block);
    EXPECT_GT(slot().share.below, before.share.below);
}

TEST_F(TrialsTest, RollbackEndsTheCanaryFirst) {
    begin();
    ASSERT_TRUE(stage(kOne, Stage::active));
    ASSERT_TRUE(stage(kTwo, Stage::canary, 1000));
    const auto ref = slot().trials[0].model->ref;
    auto back = registry_->rollback("anomaly", actor_);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->from->key, kTwo);
    EXPECT_EQ(back->to->key, kOne);
    EXPECT_EQ(last_audit()["reason"], "canary ended");
    EXPECT_EQ(in_snapshot(0), "scan-detector@1");
    EXPECT_TRUE(trials().empty());
    EXPECT_TRUE(is_withdrawn(ref));
    back = registry_->rollback("anomaly", actor_);
    ASSERT_TRUE(back);
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1");
}

TEST_F(TrialsTest, SeveralShadowsOneCanaryAndNoMore) {
    begin();
    for (std::uint32_t version = 3; version <= 5; ++version) {
        ASSERT_TRUE(push({.version = version}));
    }
    ASSERT_TRUE(stage(kOne, Stage::shadow));
    ASSERT_TRUE(stage(kTwo, Stage::canary, 300));
    const auto second = stage({"anomaly", "scan-detector", 3}, Stage::canary, 300);
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().error.what.find("scan-detector@2"), std::string::npos);
    ASSERT_TRUE(stage({"anomaly", "scan-detector", 3}, Stage::shadow));
    const auto fourth = stage({"anomaly", "scan-detector", 4}, Stage::shadow);
    ASSERT_FALSE(fourth);
    EXPECT_EQ(fourth.error().kind, FailureKind::exhausted);
    // Counters never meet: each trial has blocks of its own, apart from the active model's.
    std::vector<int> blocks{slot().verdict_block};
    std::vector<int> pair_blocks;
    for (const auto& trial : slot().trials) {
        blocks.push_back(trial.verdict_block);
        pair_blocks.push_back(trial.pair_block);
    }
    std::sort(blocks.begin(), blocks.end());
    std::sort(pair_blocks.begin(), pair_blocks.end());
    EXPECT_EQ(std::unique(blocks.begin(), blocks.end()), blocks.end());
    EXPECT_EQ(std::unique(pair_blocks.begin(), pair_blocks.end()), pair_blocks.end());
}

TEST_F(TrialsTest, ATrialCannotBeRemovedAndACanaryNeedsAnActiveModel) {
    begin();
    ASSERT_TRUE(stage(kOne, Stage::shadow));
    EXPECT_FALSE(registry_->remove(kOne, actor_));
    ASSERT_TRUE(push({.name = "q", .slot = "qos"}));
    const ModelKey q{"qos", "q", 1};
    EXPECT_FALSE(stage(q, Stage::canary, 100));
    EXPECT_TRUE(stage(q, Stage::shadow)) << "a shadow needs none";
    EXPECT_FALSE(stage(kOne, Stage::canary, 0));
    EXPECT_FALSE(stage(kOne, Stage::canary, 10001));
}

TEST_F(TrialsTest, EverythingIsThereAgainAfterARestart) {
    begin();
    ASSERT_TRUE(push({.version = 3}, {.activate = true}));
    ASSERT_TRUE(stage(kOne, Stage::shadow));
    ASSERT_TRUE(stage(kTwo, Stage::canary, 1234));
    const auto share = slot().share;
    start();
    EXPECT_EQ(in_snapshot(0), "scan-detector@3");
    EXPECT_EQ(trials(), (std::vector<std::string>{"scan-detector@1", "scan-detector@2"}));
    EXPECT_EQ(slot().canary, 1);
    EXPECT_EQ(slot().share.salt, share.salt) << "the same flows";
    EXPECT_EQ(slot().share.below, share.below);
    EXPECT_EQ(stage_of(kTwo), Stage::canary);
}

TEST_F(TrialsTest, ATrialThatNoLongerVerifiesEndsAtTheRestart) {
    begin();
    ASSERT_TRUE(stage(kOne, Stage::shadow));
    write_text(dir_ / "state/models/anomaly@scan-detector@1.bundle", "not a bundle");
    start();
    EXPECT_TRUE(trials().empty());
    EXPECT_TRUE(std::any_of(warnings_.begin(), warnings_.end(), [](const std::string& w) {
        return w.find("trial of scan-detector@1 ends") != std::string::npos;
    }));
}

TEST_F(TrialsTest, CountsBeginWithTheTrial) {
    begin();
    auto& stats = runtime_->stats(1).slots[0];
    for (auto& block : stats.outcomes) {
        block.rows.add(50);
    }
    for (auto& block : stats.pairs) {
        block[1][2].add(9);
    }
    ASSERT_TRUE(stage(kOne, Stage::shadow));
    const auto use = registry_->use();
    const auto& trial = use[0].trials.at(0);
    stats.outcomes[trial.block].rows.add(7);
    stats.pairs[trial.pair_block][1][2].add(4);
    const auto workers = runtime_->workers();
    EXPECT_EQ(read_outcomes(workers, 0, trial.block).since(trial.base->outcomes).rows, 7U);
    EXPECT_EQ(
        disagreements(read_pairs(workers, 0, trial.pair_block)) - disagreements(trial.base->pairs),
        4U);
}

TEST_F(TrialsTest, ABreachRollsBackBarsAndOnlyAnOverrideBringsItUpAgain) {
    begin();
    ASSERT_TRUE(stage(kOne, Stage::canary, 500));
    ASSERT_TRUE(registry_->breach(kOne, "dropped 100 % of 500 packets, limit 1 %"));
    EXPECT_TRUE(trials().empty());
    EXPECT_EQ(last_audit()["action"], "guardrail");
    EXPECT_EQ(last_audit()["via"], "guardrail");
    start();
    const auto again = stage(kOne, Stage::canary, 500);
    ASSERT_FALSE(again) << "over restarts";
    EXPECT_NE(again.error().error.what.find("dropped 100 %"), std::string::npos);
    EXPECT_FALSE(stage(kOne, Stage::active));
    EXPECT_TRUE(stage(kOne, Stage::shadow)) << "a shadow hurts nobody";
    EXPECT_TRUE(registry_->stage({kOne, Stage::canary, 500, true}, actor_));
    EXPECT_EQ(last_audit()["reason"], "bar overridden");
    EXPECT_TRUE(registry_->list("anomaly")->at(1).barred.empty());
}

TEST_F(TrialsTest, ABreachOfTheActiveModelGoesBackAndNeverToABarredOne) {
    begin();
    ASSERT_TRUE(stage(kOne, Stage::active));
    ASSERT_TRUE(stage(kTwo, Stage::active));
    ASSERT_TRUE(registry_->breach(kTwo, "alarms"));
    EXPECT_EQ(in_snapshot(0), "scan-detector@1");
    EXPECT_EQ(stage_of(kTwo), Stage::retired);
    ASSERT_TRUE(registry_->breach(kOne, "alarms"));
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1");
    EXPECT_FALSE(registry_->breach({"anomaly", "weir-anomaly", 1}, "alarms")) << "nowhere to go";
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1");
    EXPECT_FALSE(registry_->breach(kTwo, "alarms")) << "not in use";
}

TEST_F(TrialsTest, AWithdrawnModelIsForgottenWhenNoFlowCanRemember) {
    begin();
    ASSERT_TRUE(stage(kOne, Stage::active));
    ASSERT_TRUE(registry_->rollback("anomaly", actor_));
    EXPECT_TRUE(slot().watched);
    const auto now = ModelRegistry::Clock::now();
    EXPECT_FALSE(registry_->tick(now + std::chrono::seconds(299)));
    EXPECT_TRUE(slot().watched);
    EXPECT_TRUE(registry_->tick(now + std::chrono::seconds(303)));
    EXPECT_FALSE(slot().watched) << "the plain path again";
}

TEST_F(TrialsTest, AModelPastItsTimeFollowsTheStalePolicyUntilANewOneComes) {
    config_.slots[0].model_ttl_s = 100;
    config_.slots[0].stale = config::StaleAction::drop;
    begin();
    const auto now = ModelRegistry::Clock::now();
    EXPECT_FALSE(registry_->tick(now + std::chrono::seconds(90)));
    EXPECT_TRUE(registry_->tick(now + std::chrono::seconds(101)));
    EXPECT_EQ(slot().active, nullptr);
    EXPECT_EQ(slot().model_missing, config::FailAction::drop);
    EXPECT_EQ(last_audit()["action"], "stale");
    ASSERT_TRUE(stage(kOne, Stage::active));
    EXPECT_EQ(in_snapshot(0), "scan-detector@1");
    EXPECT_EQ(slot().model_missing, config::FailAction::pass);
}

TEST_F(TrialsTest, LostContactMakesEverySlotStale) {
    config_.control.contact_ttl_s = 50;
    config_.slots[0].stale = config::StaleAction::pass;
    begin();
    const auto now = ModelRegistry::Clock::now();
    EXPECT_TRUE(registry_->tick(now + std::chrono::seconds(60)));
    EXPECT_EQ(slot().active, nullptr);
    registry_->contact(now + std::chrono::seconds(61));
    EXPECT_TRUE(registry_->tick(now + std::chrono::seconds(62)));
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1");
}

TEST_F(TrialsTest, ANewActiveModelIsJudgedForItsProbation) {
    config_.slots[0].guardrails.max_alarm_rate = 0.1;
    config_.slots[0].guardrails.probation_s = 60;
    begin();
    EXPECT_FALSE(slot().watched) << "the model it came up with is not on probation";
    ASSERT_TRUE(stage(kOne, Stage::active));
    EXPECT_TRUE(slot().judged);
    EXPECT_TRUE(registry_->tick(ModelRegistry::Clock::now() + std::chrono::seconds(61)));
    EXPECT_FALSE(slot().watched);
}

TEST_F(TrialsTest, RulesSetWhileRunningHoldOverRestartAndReload) {
    config_.slots[0].rules["scan"] = {config::ActionKind::drop, 0, 0.9};
    begin();
    const auto scan = *dataplane::class_id("anomaly", "scan");
    EXPECT_EQ(slot().actions[scan].kind, config::ActionKind::drop);
    const config::ClassRule mark{config::ActionKind::mark, 8, 0.5};
    ASSERT_TRUE(registry_->set_rule("anomaly", "scan", mark, false, actor_));
    EXPECT_EQ(slot().actions[scan].dscp, 8);
    EXPECT_EQ(last_audit()["action"], "policy");
    start();
    EXPECT_EQ(slot().actions[scan].dscp, 8);
    auto next = config_;
    next.slots[0].hysteresis = 5;
    ASSERT_TRUE(registry_->apply_config(next, actor_));
    EXPECT_EQ(slot().actions[scan].dscp, 8);
    EXPECT_EQ(slot().hysteresis, 5U);
    ASSERT_TRUE(registry_->set_rule("anomaly", "scan", {}, false, actor_));
    EXPECT_EQ(slot().actions[scan].kind, config::ActionKind::pass);
    EXPECT_TRUE(registry_->rules("anomaly")->empty());
    ASSERT_TRUE(registry_->set_rule("anomaly", "scan", {}, true, actor_));
    EXPECT_EQ(slot().actions[scan].kind, config::ActionKind::drop);
    EXPECT_FALSE(registry_->set_rule("nope", "scan", mark, false, actor_));
}

}  // namespace
}  // namespace weir::control::test
