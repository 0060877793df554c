// SPDX-License-Identifier: BSD-3-Clause
#include "control/registry/registry.h"

#include "registry_fixture.h"

#include <algorithm>
#include <filesystem>
#include <memory>

#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/spdlog.h>

namespace weir::control::test {
namespace {

namespace fs = std::filesystem;

TEST_F(RegistryTest, FirstStartRunsTheDefaultAndSaysWhatIsMissing) {
    start();
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1");
    EXPECT_EQ(in_snapshot(1), "");
    ASSERT_EQ(warnings_.size(), 1u);
    EXPECT_NE(warnings_[0].find("slots.qos.model"), std::string::npos) << warnings_[0];
    const auto models = registry_->list("");
    ASSERT_TRUE(models);
    ASSERT_EQ(models->size(), 1u);
    EXPECT_EQ(models->front().stage, Stage::active);
    EXPECT_EQ(models->front().source, Source::builtin);
}

// Whoever starts, reloads or activates hears of a rule that no model can trigger, and the log does.
TEST_F(RegistryTest, ARuleForAClassThatNoModelHasIsToldOf) {
    config_.file = "weir.yaml";
    config::PolicyRule rule;
    rule.slot = "anomaly";
    rule.classes = {"flood"};
    config_.policies["edge"].rules = {rule};
    const auto told = [](const std::vector<std::string>& warnings) {
        return std::any_of(warnings.begin(), warnings.end(), [](const std::string& line) {
            return line.find(
                       "weir.yaml: policies.edge.rules[0].class: no model of slot anomaly has "
                       "the class 'flood'") == 0 &&
                   line.find("use one of: benign, scan") != std::string::npos;
        });
    };
    start();
    EXPECT_TRUE(told(warnings_));

    const PushOptions activate{.activate = true};
    const auto knows = push({.name = "floods", .classes = {"benign", "flood"}}, activate);
    ASSERT_TRUE(knows) << knows.error().error.line();
    EXPECT_TRUE(knows->warnings.empty()) << knows->warnings[0];

    const auto heard = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(16);
    const auto log = spdlog::default_logger();
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", heard));
    const auto back = registry_->rollback("anomaly", actor_);
    spdlog::set_default_logger(log);
    ASSERT_TRUE(back) << back.error().error.line();
    EXPECT_TRUE(told(back->warnings));
    const auto lines = heard->last_formatted();
    EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
        return line.find("the class 'flood'") != std::string::npos;
    }));

    auto next = config_;
    next.policies["edge"].rules[0].classes = {"scan"};
    auto report = registry_->apply_config(next, actor_);
    ASSERT_TRUE(report);
    EXPECT_FALSE(told(report->warnings));
    report = registry_->apply_config(config_, actor_);
    ASSERT_TRUE(report);
    EXPECT_TRUE(told(report->warnings));
}

TEST_F(RegistryTest, PushStoresWithoutTouchingWorkers) {
    start();
    const auto generation = runtime_->publisher().current().generation;
    const auto pushed = push(BundleRecipe{});
    ASSERT_TRUE(pushed) << pushed.error().error.line();
    EXPECT_EQ(pushed->model.stage, Stage::verified);
    EXPECT_FALSE(pushed->already_stored);
    EXPECT_EQ(runtime_->publisher().current().generation, generation);
    EXPECT_TRUE(fs::exists(dir_ / "state/models/anomaly@scan-detector@1.bundle"));
    const auto line = last_audit();
    EXPECT_EQ(line["action"], "push");
    EXPECT_EQ(line["result"], "ok");
    EXPECT_EQ(line["to"], "scan-detector@1");
    EXPECT_EQ(line["uid"], 1000);
    EXPECT_EQ(line["pid"], 42);
}

TEST_F(RegistryTest, PushingTheSameBytesAgainIsAnsweredAlike) {
    start();
    const auto bytes = make_bundle({}, operator_key());
    ASSERT_TRUE(push_bytes(bytes));
    const auto again = push_bytes(bytes);
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->already_stored);
    EXPECT_EQ(registry_->list("anomaly")->size(), 2u);
}

TEST_F(RegistryTest, EveryFlippedByteIsRefused) {
    start();
    auto bad = make_bundle({}, operator_key());
    for (std::size_t i = 0; i < bad.size(); ++i) {
        for (const int mask : {1, 128, 255}) {
            bad[i] ^= std::byte(mask);
            ASSERT_FALSE(push_bytes(bad)) << "byte " << i << " xor " << mask;
            bad[i] ^= std::byte(mask);
        }
    }
    EXPECT_EQ(registry_->list("anomaly")->size(), 1u);
    EXPECT_TRUE(push_bytes(bad)) << "unchanged, it is taken";
}

TEST_F(RegistryTest, AStrangersSignatureIsRefused) {
    start();
    const auto pushed = push_bytes(make_bundle({}, stranger_key()));
    ASSERT_FALSE(pushed);
    EXPECT_EQ(pushed.error().kind, FailureKind::invalid);
    // The program's own key vouches for its default models only.
    EXPECT_FALSE(push_bytes(make_bundle({}, builtin_key())));
}

TEST_F(RegistryTest, SameVersionWithOtherContentIsRefused) {
    start();
    ASSERT_TRUE(push({.version = 3}));
    const auto pushed = push({.version = 3, .bias = 7});
    ASSERT_FALSE(pushed);
    EXPECT_EQ(pushed.error().kind, FailureKind::precondition);
    EXPECT_EQ(pushed.error().error.field, "version");
    EXPECT_EQ(last_audit()["result"], "refused");
}

TEST_F(RegistryTest, OlderVersionNeedsLeaveEvenAfterRemovalAndRestart) {
    start();
    ASSERT_TRUE(push({.version = 5}));
    ASSERT_TRUE(registry_->remove({"anomaly", "scan-detector", 5}, actor_));
    start();
    const auto refused = push({.version = 4});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error.field, "version");
    EXPECT_NE(refused.error().error.fix.find("--allow-older"), std::string::npos);
    ASSERT_TRUE(push({.version = 4}, {.allow_older = true}));
    EXPECT_EQ(last_audit()["reason"], "older allowed");
}

TEST_F(RegistryTest, ActivateAndRollBackThroughHistory) {
    start();
    ASSERT_TRUE(push({.version = 1}));
    ASSERT_TRUE(push({.version = 2}, {.activate = true}));
    EXPECT_EQ(in_snapshot(0), "scan-detector@2");
    ASSERT_TRUE(registry_->activate({"anomaly", "scan-detector", 1}, actor_));
    EXPECT_EQ(in_snapshot(0), "scan-detector@1");

    auto back = registry_->rollback("anomaly", actor_);
    ASSERT_TRUE(back) << back.error().error.line();
    EXPECT_EQ(in_snapshot(0), "scan-detector@2");
    EXPECT_EQ(back->from->key.version, 1u);
    EXPECT_EQ(back->from->stage, Stage::retired);
    EXPECT_EQ(back->to->stage, Stage::active);
    EXPECT_EQ(last_audit()["action"], "rollback");
    EXPECT_EQ(last_audit()["from"], "scan-detector@1");

    ASSERT_TRUE(registry_->rollback("anomaly", actor_));
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1");
    back = registry_->rollback("anomaly", actor_);
    ASSERT_FALSE(back);
    EXPECT_EQ(back.error().kind, FailureKind::precondition);
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1");
}

TEST_F(RegistryTest, VersionZeroActivatesTheNewest) {
    start();
    ASSERT_TRUE(push({.version = 1}));
    ASSERT_TRUE(push({.version = 9}));
    const auto done = registry_->activate({"anomaly", "scan-detector", 0}, actor_);
    ASSERT_TRUE(done);
    EXPECT_EQ(done->to->key.version, 9u);
}

TEST_F(RegistryTest, RollBackToNoModel) {
    start();
    ASSERT_TRUE(push({.name = "q", .slot = "qos"}, {.activate = true}));
    EXPECT_EQ(in_snapshot(1), "q@1");
    const auto back = registry_->rollback("qos", actor_);
    ASSERT_TRUE(back);
    EXPECT_FALSE(back->to);
    EXPECT_EQ(in_snapshot(1), "");
}

TEST_F(RegistryTest, RollBackPassesOverWhatNoLongerVerifies) {
    start();
    ASSERT_TRUE(push({.version = 1}, {.activate = true}));
    ASSERT_TRUE(push({.version = 2}, {.activate = true}));
    write_text(dir_ / "state/models/anomaly@scan-detector@1.bundle", "not a bundle");
    const auto back = registry_->rollback("anomaly", actor_);
    ASSERT_TRUE(back) << back.error().error.line();
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1");
    ASSERT_FALSE(back->warnings.empty());
    EXPECT_NE(back->warnings[0].find("scan-detector@1"), std::string::npos);
}

TEST_F(RegistryTest, FailedActivationKeepsTheOldModel) {
    start();
    ASSERT_TRUE(push({.version = 1}));
    // Replaced on disk by a good bundle of the same name that was never pushed.
    write_bytes(
        dir_ / "state/models/anomaly@scan-detector@1.bundle",
        make_bundle({.version = 1, .bias = 9}, operator_key()));
    const auto generation = runtime_->publisher().current().generation;
    const auto done = registry_->activate({"anomaly", "scan-detector", 1}, actor_);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().error.field, "digest");
    EXPECT_EQ(in_snapshot(0), "weir-anomaly@1");
    EXPECT_EQ(runtime_->publisher().current().generation, generation);
}

TEST_F(RegistryTest, UnknownNamesSayWhatThereIs) {
    start();
    auto done = registry_->activate({"anomly", "x", 1}, actor_);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind, FailureKind::not_found);
    EXPECT_NE(done.error().error.fix.find("anomaly, qos"), std::string::npos);
    done = registry_->activate({"anomaly", "weir-anomaly", 7}, actor_);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().error.field, "version");
    EXPECT_FALSE(registry_->rollback("nope", actor_));
    EXPECT_FALSE(registry_->list("nope"));
}

TEST_F(RegistryTest, ActiveAndDefaultModelsCannotBeRemoved) {
    start();
    ASSERT_TRUE(push({.version = 1}, {.activate = true}));
    EXPECT_FALSE(registry_->remove({"anomaly", "scan-detector", 1}, actor_));
    EXPECT_FALSE(registry_->remove({"anomaly", "weir-anomaly", 1}, actor_));
    ASSERT_TRUE(registry_->rollback("anomaly", actor_));
    EXPECT_TRUE(registry_->remove({"anomaly", "scan-detector", 1}, actor_));
    EXPECT_FALSE(fs::exists(dir_ / "state/models/anomaly@scan-detector@1.bundle"));
}

}  // namespace
}  // namespace weir::control::test
