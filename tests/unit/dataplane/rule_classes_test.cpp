// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/rule_classes.h"

#include "dataplane/snapshot_build.h"

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

config::Config with_rules() {
    config::Config config;
    config.file = "weir.yaml";
    config.slots.resize(2);
    config.slots[0].name = "anomaly";
    config.slots[1].name = "qos";
    config::PolicyRule open;
    config::PolicyRule scans;
    scans.slot = "anomaly";
    scans.classes = {"scan", "scam"};
    config::PolicyRule voice;
    voice.slot = "qos";
    voice.classes = {"telephony"};
    config.policies["edge"].rules = {open, scans, voice};
    return config;
}

std::shared_ptr<const SlotModel> model_of(std::vector<std::string> classes) {
    auto model = std::make_shared<SlotModel>();
    model->classes = std::move(classes);
    return model;
}

TEST(RuleClasses, ARuleForAClassOfNoModelIsNamed) {
    const auto lines = rules_without_class(with_rules(), {{"benign", "scan"}, {"telephony"}});
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(
        lines[0],
        "weir.yaml: policies.edge.rules[1].class: no model of slot anomaly has the class 'scam': "
        "the "
        "rule never acts for it; fix: use one of: benign, scan");
}

TEST(RuleClasses, ASlotWithoutAModelSaysNothing) {
    EXPECT_TRUE(rules_without_class(with_rules(), {{}, {}}).empty());
    EXPECT_TRUE(rules_without_class(with_rules(), {}).empty());
    EXPECT_EQ(rules_without_class(with_rules(), {{}, {"bulk"}}).size(), 1U);
}

TEST(RuleClasses, ModelsOnTrialCount) {
    const auto active = model_of({"benign", "scan"});
    const std::vector<Trial> trials{{model_of({"benign", "scam"}), 0, 0}};
    EXPECT_EQ(
        slot_classes(active.get(), trials), (std::vector<std::string>{"benign", "scan", "scam"}));
    EXPECT_TRUE(slot_classes(nullptr, {}).empty());

    std::vector<std::string> warnings;
    std::vector<SlotTrials> on_trial(2);
    (void)build_snapshot(with_rules(), {active, nullptr}, 1, &warnings, {}, on_trial);
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_NE(warnings[0].find("'scam'"), std::string::npos) << warnings[0];
    warnings.clear();
    on_trial[0].trials = trials;
    (void)build_snapshot(with_rules(), {active, nullptr}, 1, &warnings, {}, on_trial);
    EXPECT_TRUE(warnings.empty()) << warnings[0];
}

}  // namespace
}  // namespace weir::dataplane
