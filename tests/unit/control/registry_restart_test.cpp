// SPDX-License-Identifier: BSD-3-Clause
// Restart, reload, and counts over swaps.
#include "registry_fixture.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

namespace weir::control::test {
namespace {

namespace fs = std::filesystem;

TEST_F(RegistryTest, RestartComesUpWithTheLastActiveModel) {
    start();
    ASSERT_TRUE(push({.version = 1}, {.activate = true}));
    ASSERT_TRUE(push({.version = 2}, {.activate = true}));
    start();
    EXPECT_EQ(in_snapshot(0), "scan-detector@2");
    ASSERT_TRUE(registry_->rollback("anomaly", actor_));
    EXPECT_EQ(in_snapshot(0), "scan-detector@1");
}

TEST_F(RegistryTest, AModelsAgeAndTheLastContactOutliveARestart) {
    config_.slots[0].model_ttl_s = 100;
    config_.slots[0].stale = config::StaleAction::drop;
    config_.control.contact_ttl_s = 500;
    start();
    EXPECT_FALSE(registry_->use()[0].stale);
    boot_.seconds += 90;  // of which the process may have run none
    start();
    EXPECT_NEAR(registry_->use()[0].age_s, 90.0, 5.0);
    EXPECT_FALSE(registry_->use()[0].stale);
    boot_.seconds += 20;
    start();
    EXPECT_TRUE(registry_->use()[0].stale) << "before the first packet";
    EXPECT_EQ(runtime_->publisher().current().slots[0].model_missing, config::FailAction::drop);
    EXPECT_FALSE(registry_->use()[1].stale);
    boot_.seconds += 400;
    config_.slots[0].model_ttl_s = 0;
    start();
    EXPECT_TRUE(registry_->use()[0].stale) << "510 s since anybody called";
    registry_->contact(ModelRegistry::Clock::now());
    EXPECT_TRUE(registry_->tick(ModelRegistry::Clock::now()));
    EXPECT_FALSE(registry_->use()[0].stale);
    ASSERT_TRUE(push({.name = "new", .version = 1}, {.activate = true}));
    boot_ = {"second", 30.0};  // the machine itself started again: what it slept is not known
    start();
    EXPECT_NEAR(registry_->use()[0].age_s, 30.0, 5.0);
    EXPECT_FALSE(registry_->use()[0].stale);
}

TEST_F(RegistryTest, NoClockThatCanBeSetMakesAModelStale) {
    config_.slots[0].model_ttl_s = 100;
    start();
    // As if the wall clock had stood decades away when these were written, either way.
    const std::string path = config_.control.state_dir + "/state.json";
    for (const std::int64_t unix_time : {std::int64_t{0}, std::int64_t{9'000'000'000}}) {
        std::ifstream file(path);
        auto state = nlohmann::json::parse(file);
        for (auto& model : state["models"]) {
            model["activated_unix"] = model["added_unix"] = model["created_unix"] = unix_time;
        }
        write_text(path, state.dump());
        start();
        EXPECT_FALSE(registry_->use()[0].stale);
        EXPECT_LT(registry_->use()[0].age_s, 50.0);
        EXPECT_TRUE(warnings_.empty() || warnings_[0].find("state") == std::string::npos);
    }
    // A boot clock that runs backwards is no reason either.
    boot_.seconds = 1.0;
    start();
    EXPECT_FALSE(registry_->use()[0].stale);
}

TEST_F(RegistryTest, AgesAreWrittenOnceAMinuteWhereTheyMatter) {
    const auto written = [this] {
        std::ifstream file(config_.control.state_dir + "/state.json");
        return nlohmann::json::parse(file)["written"]["age_s"].get<double>();
    };
    start();
    boot_.seconds += 70;
    (void)registry_->tick(ModelRegistry::Clock::now() + std::chrono::seconds(70));
    EXPECT_EQ(written(), 1000.0) << "no time to live is set";
    config_.slots[0].model_ttl_s = 1000;
    start();
    boot_.seconds += 30;
    (void)registry_->tick(ModelRegistry::Clock::now() + std::chrono::seconds(30));
    EXPECT_EQ(written(), 1070.0);
    boot_.seconds += 40;
    (void)registry_->tick(ModelRegistry::Clock::now() + std::chrono::seconds(70));
    EXPECT_EQ(written(), 1140.0);
}

TEST_F(RegistryTest, RestartFallsBackWhenTheKeyIsGone) {
    start();
    ASSERT_TRUE(push({.version = 1}, {.activate = true}));
    fs::remove(dir_ / "keyring/operator.pub");
    start();
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1");
    const bool told = std::any_of(warnings_.begin(), warnings_.end(), [](const std::string& w) {
        return w.find("last active model cannot be used") != std::string::npos;
    });
    EXPECT_TRUE(told);
}

TEST_F(RegistryTest, RestartFollowsAnUpgradedDefault) {
    start();
    default_version_ = 2;
    start();
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@2");
}

TEST_F(RegistryTest, ALostStateFileIsKeptAsideAndBundlesAreCheckedAnew) {
    start();
    ASSERT_TRUE(push({.version = 6}, {.activate = true}));
    write_text(dir_ / "state/state.json", "{\"format\": 1, \"slots\": 3}");
    start();
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1");
    EXPECT_TRUE(fs::exists(dir_ / "state/state.json.unreadable"));
    EXPECT_EQ(registry_->list("anomaly")->size(), 2u);
    EXPECT_FALSE(push({.version = 5})) << "versions seen are known again from the bundles";
}

TEST_F(RegistryTest, LeftoversOfACrashGo) {
    start();
    ASSERT_TRUE(push({.version = 1}));
    write_text(dir_ / "state/models/anomaly@ghost@1.bundle", "pushed, never answered");
    write_text(dir_ / "state/models/anomaly@half@1.bundle.tmp", "half");
    start();
    EXPECT_FALSE(fs::exists(dir_ / "state/models/anomaly@ghost@1.bundle"));
    EXPECT_FALSE(fs::exists(dir_ / "state/models/anomaly@half@1.bundle.tmp"));
    EXPECT_TRUE(fs::exists(dir_ / "state/models/anomaly@scan-detector@1.bundle"));
}

TEST_F(RegistryTest, WhatCannotBeStoredChangesNothing) {
    start();
    ASSERT_TRUE(push({.version = 1}, {.activate = true}));
    ASSERT_TRUE(push({.version = 2}));
    // A directory in the state file's place: rename fails, as root, too.
    fs::remove(dir_ / "state/state.json");
    fs::create_directories(dir_ / "state/state.json/x");
    const auto done = registry_->activate({"anomaly", "scan-detector", 2}, actor_);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind, FailureKind::internal);
    EXPECT_EQ(in_snapshot(0), "scan-detector@1");
    EXPECT_FALSE(push({.version = 3}, {.activate = true}));
    EXPECT_FALSE(fs::exists(dir_ / "state/models/anomaly@scan-detector@3.bundle"));
    EXPECT_EQ(in_snapshot(0), "scan-detector@1");
    // The emergency lever works, and says what it could not do.
    const auto back = registry_->rollback("anomaly", actor_);
    ASSERT_TRUE(back);
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1");
    EXPECT_FALSE(back->warnings.empty());
}

TEST_F(RegistryTest, ConfiguredFileIsUsedAndABadOneStopsTheFirstStart) {
    config_.slots[1].model = dir_ / "qos.bundle";
    auto started = try_start();
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().field, "slots.qos.model");
    write_bytes(
        dir_ / "qos.bundle", make_bundle({.name = "mine", .slot = "anomaly"}, operator_key()));
    EXPECT_FALSE(try_start()) << "made for another slot";
    write_bytes(dir_ / "qos.bundle", make_bundle({.name = "mine", .slot = "qos"}, operator_key()));
    start();
    EXPECT_EQ(in_snapshot(1), "mine@1");
    // Later, with something to go on with, a vanished file is a warning.
    fs::remove(dir_ / "qos.bundle");
    start();
    EXPECT_EQ(in_snapshot(1), "mine@1");
    EXPECT_FALSE(warnings_.empty());
}

TEST_F(RegistryTest, AChangedSettingWinsOverTheLastActive) {
    start();
    ASSERT_TRUE(push({.version = 1}, {.activate = true}));
    config_.slots[0].model = "none";
    start();
    EXPECT_EQ(in_snapshot(0), "");
    ASSERT_TRUE(registry_->rollback("anomaly", actor_));
    EXPECT_EQ(in_snapshot(0), "scan-detector@1");
}

TEST_F(RegistryTest, VerdictTotalsSurviveSwapsAndStayWithTheirModel) {
    start();
    const auto scan = *dataplane::class_id("anomaly", "scan");
    runtime_->count_verdict(0, 0, scan, 5);
    ASSERT_TRUE(push({.version = 1}, {.activate = true}));
    runtime_->count_verdict(1, 0, scan, 7);
    ASSERT_TRUE(registry_->rollback("anomaly", actor_));
    runtime_->count_verdict(0, 0, scan, 100);
    std::map<std::string, std::uint64_t> rows;
    for (const auto& total : ledger_->totals()) {
        EXPECT_EQ(total.cls, "scan");
        rows[total.model] += total.rows;
    }
    EXPECT_EQ(rows["weir-anomaly"], 105u);
    EXPECT_EQ(rows["scan-detector"], 7u);
    EXPECT_EQ(rows.size(), 2u);
}

TEST_F(RegistryTest, ManySwapsLoseNoCountAndNoBlock) {
    start();
    ASSERT_TRUE(push({.version = 1}));
    const auto scan = *dataplane::class_id("anomaly", "scan");
    for (int i = 0; i < 40; ++i) {
        ASSERT_TRUE(registry_->activate({"anomaly", "scan-detector", 1}, actor_));
        runtime_->count_verdict(0, 0, scan, 1);
        ASSERT_TRUE(registry_->rollback("anomaly", actor_));
        runtime_->count_verdict(1, 0, scan, 2);
    }
    std::uint64_t sum = 0;
    for (const auto& total : ledger_->totals()) {
        sum += total.rows;
    }
    EXPECT_EQ(sum, 120u);
    EXPECT_EQ(runtime_->publisher().swaps(), 81u);
}

TEST_F(RegistryTest, ReloadAppliesWhatIsHotAndNamesTheRest) {
    start();
    auto next = config_;
    next.slots[0].hysteresis = 5;
    next.slots[1].rules["voice"] = {config::ActionKind::mark, 46, 0.5};
    next.never_remark = {46};
    next.ports[0].mtu = 9000;
    const auto report = registry_->apply_config(next, actor_);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->needs_restart, std::vector<std::string>{"ports[0].mtu: 1500 -> 9000"});
    EXPECT_EQ(report->applied.size(), 3u);
    const auto& snapshot = runtime_->publisher().current();
    EXPECT_EQ(snapshot.slots[0].hysteresis, 5u);
    EXPECT_EQ(snapshot.never_remark, std::uint64_t{1} << 46);
    const auto voice = *dataplane::class_id("qos", "voice");
    EXPECT_EQ(snapshot.slots[1].actions[voice].dscp, 46);
    EXPECT_EQ(registry_->config().ports[0].mtu, 1500) << "the running value stands";
    // Told again as long as it holds.
    EXPECT_EQ(registry_->apply_config(next, actor_)->needs_restart.size(), 1u);
}

TEST_F(RegistryTest, ReloadWithABadModelFileChangesNothing) {
    start();
    const auto generation = runtime_->publisher().current().generation;
    auto next = config_;
    next.slots[0].hysteresis = 5;
    next.slots[0].model = dir_ / "good.bundle";
    next.slots[1].model = dir_ / "missing.bundle";
    write_bytes(dir_ / "good.bundle", make_bundle({.name = "good"}, operator_key()));
    const auto report = registry_->apply_config(next, actor_);
    ASSERT_FALSE(report);
    ASSERT_EQ(report.error().size(), 1u);
    EXPECT_EQ(report.error()[0].field, "slots.qos.model");
    EXPECT_EQ(runtime_->publisher().current().generation, generation);
    EXPECT_EQ(registry_->config().slots[0].hysteresis, config_.slots[0].hysteresis);
    EXPECT_EQ(registry_->list("anomaly")->size(), 1u);
}

TEST_F(RegistryTest, ReloadSwapsAModelWhoseFileChanged) {
    config_.slots[0].model = dir_ / "a.bundle";
    write_bytes(dir_ / "a.bundle", make_bundle({.name = "a", .version = 1}, operator_key()));
    start();
    auto report = registry_->apply_config(config_, actor_);
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->applied.empty());
    const auto generation = runtime_->publisher().current().generation;
    write_bytes(dir_ / "a.bundle", make_bundle({.name = "a", .version = 2}, operator_key()));
    report = registry_->apply_config(config_, actor_);
    ASSERT_TRUE(report);
    EXPECT_EQ(in_snapshot(0), "a@2");
    EXPECT_EQ(report->applied, std::vector<std::string>{"slot anomaly: model a@1 -> a@2"});
    EXPECT_EQ(runtime_->publisher().current().generation, generation + 1);
    // An operator's choice is kept by a reload of the same file.
    ASSERT_TRUE(registry_->rollback("anomaly", actor_));
    ASSERT_TRUE(registry_->apply_config(config_, actor_));
    EXPECT_EQ(in_snapshot(0), "a@1");
}

}  // namespace
}  // namespace weir::control::test
