// SPDX-License-Identifier: BSD-3-Clause
// Overrides in the registry: targets, bounds, time, restarts, audit; and flows by name.
#include "control/registry/flow_name.h"
#include "registry_fixture.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <random>

#include <arpa/inet.h>

namespace weir::control::test {
namespace {

constexpr auto kBlock = dataplane::OverrideKind::block;
constexpr auto kAllow = dataplane::OverrideKind::allow;

TEST(FlowName, ReadsWhatIsPrinted) {
    for (const char* text :
         {"tcp 10.0.0.1:40000 > 192.0.2.1:443",
          "udp [2001:db8::1]:53 > [2001:db8::2]:5353 vlan 5",
          "icmp6 [::1]:7 > [::2]:7",
          "ip47 10.0.0.1:0 > 10.0.0.2:0"}) {
        const auto name = parse_flow_name(text);
        ASSERT_TRUE(name) << name.error().line();
        EXPECT_EQ(name->text, text);
        dataplane::FlowRecord record;
        record.key = name->key;
        record.key.vlan = name->vlan.value_or(0);
        record.initiator_is_hi = flow_text(record) != text;
        EXPECT_EQ(flow_text(record), text);
        EXPECT_TRUE(name->matches(record.key));
        record.key.vlan = 6;
        EXPECT_EQ(name->matches(record.key), !name->vlan.has_value());
    }
}

TEST(FlowName, EitherEndMayComeFirstAndSignsSeparate) {
    const auto one = parse_flow_name("tcp 10.0.0.1:40000 > 192.0.2.1:443");
    const auto other = parse_flow_name("tcp,192.0.2.1:443,10.0.0.1:40000");
    ASSERT_TRUE(one && other);
    EXPECT_EQ(one->key, other->key);
    EXPECT_EQ(one->key.port_lo, htons(40000));
    const auto same = parse_flow_name("udp 10.0.0.1:2 > 10.0.0.1:1");
    ASSERT_TRUE(same);
    EXPECT_EQ(same->key.port_lo, htons(1)) << "ports decide where addresses are equal";
    EXPECT_EQ(parse_flow_name("9007199254740991")->id, (std::uint64_t{1} << 53) - 1);
}

TEST(FlowName, RefusalsGiveTheForm) {
    for (const char* text :
         {"",
          "tcp",
          "tcp 10.0.0.1:1",
          "quic 10.0.0.1:1 > 10.0.0.2:2",
          "ip256 10.0.0.1 > 10.0.0.2",
          "tcp 10.0.0.1:65536 > 10.0.0.2:2",
          "tcp 10.0.0.1:1 > [::1]:2",
          "tcp 10.0.0.0/8:1 > 10.0.0.2:2",
          "tcp [::1:1 > [::2]:2",
          "tcp 10.0.0.1:1 > 10.0.0.2:2 vlan 4095",
          "tcp 10.0.0.1:1 > 10.0.0.2:2 lan 5",
          "9007199254740992",
          "-1"}) {
        const auto name = parse_flow_name(text);
        ASSERT_FALSE(name) << text;
        EXPECT_NE(name.error().line().find("192.0.2.1:443"), std::string::npos);
    }
}

// Names of whole and broken parts: what is read is printed so that it is read again as the same.
TEST(FlowName, WhateverIsReadIsPrintedAsItself) {
    using Choice = std::vector<std::string>;
    const Choice protocol{"tcp", "udp", "icmp6", "ip9", "ip", ""};
    const Choice between{" ", "\t", ",", ""};
    const Choice end{"10.0.0.1", "192.0.2.1", "[2001:db8::1]", "[::1]", "::", "[::", "10.0.0.0/24"};
    const Choice port{":53", ":65535", "", ":", ":65536"};
    const Choice rest{"", "", " vlan 5", " vlan 4095", " vlan", " 5", "]"};
    std::mt19937 random(3);
    std::uint32_t read = 0;
    for (int n = 0; n < 20'000; ++n) {
        std::string text;
        for (const Choice& part : {protocol, between, end, port, Choice{" > "}, end, port, rest}) {
            text += part[random() % part.size()];
        }
        const auto name = parse_flow_name(text);
        const auto target = parse_target(text);
        if (target) {
            const auto again = parse_target(target->target);
            ASSERT_TRUE(again) << text;
            ASSERT_TRUE(same_target(again->rule, target->rule)) << text;
        }
        if (!name || name->id) {
            continue;
        }
        ++read;
        const auto again = parse_flow_name(name->text);
        ASSERT_TRUE(again) << text;
        ASSERT_EQ(again->key, name->key) << text;
        ASSERT_EQ(again->text, name->text);
    }
    EXPECT_GT(read, 100U);
}

class OverridesTest : public RegistryTest {
  protected:
    [[nodiscard]] const dataplane::OverrideSet* in_use() const {
        return runtime_->publisher().current().overrides.get();
    }
    [[nodiscard]] static dataplane::FlowKey flow(const std::string& text) {
        return parse_flow_name(text)->key;
    }
    [[nodiscard]] Outcome<OverrideOutcome> set(
        const std::string& target,
        dataplane::OverrideKind kind = kBlock,
        std::uint32_t seconds = 600) {
        return registry_->set_override(target, kind, seconds, actor_);
    }
};

TEST_F(OverridesTest, HoldsForWorkersUntilItsTimeIsUp) {
    start();
    EXPECT_EQ(in_use(), nullptr) << "none costs a null pointer";
    const auto done = set("10.0.0.0/8");
    ASSERT_TRUE(done) << done.error().error.line();
    EXPECT_EQ(done->override.target, "10.0.0.0/8");
    EXPECT_EQ(done->override.until_unix() - done->override.since_unix, 600);
    ASSERT_NE(in_use(), nullptr);
    EXPECT_EQ(in_use()->find(flow("tcp 10.1.1.1:1 > 192.0.2.1:2")), 0);
    EXPECT_EQ(last_audit()["action"], "block");
    EXPECT_EQ(last_audit()["to"], "10.0.0.0/8");
    EXPECT_EQ(last_audit()["result"], "ok");

    ASSERT_TRUE(set("tcp 10.1.1.1:1 > 192.0.2.1:2", kAllow, 60));
    EXPECT_EQ(in_use()->find(flow("tcp 10.1.1.1:1 > 192.0.2.1:2")), 1);
    const auto now = ModelRegistry::Clock::now();
    EXPECT_FALSE(registry_->tick(now + std::chrono::seconds(50)));
    EXPECT_TRUE(registry_->tick(now + std::chrono::seconds(61)));
    EXPECT_EQ(registry_->overrides().size(), 1U);
    EXPECT_EQ(last_audit()["action"], "expire");
    EXPECT_EQ(last_audit()["from"], "allow tcp 10.1.1.1:1 > 192.0.2.1:2");
    EXPECT_EQ(in_use()->find(flow("tcp 10.1.1.1:1 > 192.0.2.1:2")), 0);
    EXPECT_TRUE(registry_->tick(now + std::chrono::seconds(601)));
    EXPECT_EQ(in_use(), nullptr);
}

TEST_F(OverridesTest, OneForTheSameTargetTakesItsPlace) {
    start();
    ASSERT_TRUE(set("192.0.2.1"));
    const auto again = set("192.0.2.1/32", kAllow, 5);
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->replaced);
    EXPECT_EQ(registry_->overrides().size(), 1U);
    EXPECT_EQ(in_use()->kind(0), kAllow);
    const auto gone = registry_->remove_override("192.0.2.1", actor_);
    ASSERT_TRUE(gone) << gone.error().error.line();
    EXPECT_EQ(in_use(), nullptr);
    EXPECT_EQ(last_audit()["action"], "unblock");
    const auto none = registry_->remove_override("192.0.2.1", actor_);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().kind, FailureKind::not_found);
    EXPECT_EQ(last_audit()["result"], "refused");
}

TEST_F(OverridesTest, BadTargetsAndTimesAreRefusedAndTold) {
    start();
    for (const char* target : {"10.0.0.1/8", "nonsense", "10.0.0.0/33", "123456", ""}) {
        const auto done = set(target);
        ASSERT_FALSE(done) << target;
        EXPECT_EQ(done.error().kind, FailureKind::invalid);
        EXPECT_NE(done.error().error.line().find("such as 10.0.0.0/8"), std::string::npos);
        EXPECT_EQ(last_audit()["result"], "refused");
    }
    EXPECT_FALSE(set("10.0.0.1", kBlock, 0));
    EXPECT_FALSE(set("10.0.0.1", kBlock, kLongestOverride + 1));
    EXPECT_EQ(in_use(), nullptr);
}

TEST_F(OverridesTest, ThereMayBe1024) {
    start();
    ASSERT_TRUE(set("10.0.0.0"));
    // All but one by the state file: each call of its own is a file written durably.
    const std::string path = config_.control.state_dir + "/state.json";
    auto state = [&] {
        std::ifstream file(path);
        return nlohmann::json::parse(file);
    }();
    auto override = state["overrides"][0];
    for (std::size_t n = 1; n + 1 < dataplane::kMaxOverrides; ++n) {
        override["target"] = "10.0." + std::to_string(n / 256) + "." + std::to_string(n % 256);
        state["overrides"].push_back(override);
    }
    std::ofstream(path) << state.dump();
    start();
    ASSERT_EQ(registry_->overrides().size(), dataplane::kMaxOverrides - 1);
    ASSERT_TRUE(set("198.51.100.1"));
    const auto more = set("192.0.2.1");
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().kind, FailureKind::exhausted);
    EXPECT_NE(more.error().error.line().find("1024"), std::string::npos);
    EXPECT_TRUE(set("10.0.0.7", kAllow)) << "in place of one";
    start();
    EXPECT_EQ(registry_->overrides().size(), dataplane::kMaxOverrides);
}

TEST_F(OverridesTest, OutlivesARestartForTheRestOfItsTime) {
    start();
    ASSERT_TRUE(set("10.0.0.0/8", kBlock, 600));
    ASSERT_TRUE(set("udp [2001:db8::1]:53 > [2001:db8::2]:5353 vlan 5", kAllow, 600));
    ASSERT_TRUE(set("2001:db8::/32", kBlock, 60));
    start();
    ASSERT_EQ(registry_->overrides().size(), 3U);
    ASSERT_NE(in_use(), nullptr) << "before the first packet";
    EXPECT_EQ(in_use()->find(flow("tcp 10.1.1.1:1 > 192.0.2.1:2")), 0);
    auto tagged = flow("udp [2001:db8::1]:53 > [2001:db8::2]:5353");
    EXPECT_EQ(in_use()->find(tagged), 2);
    tagged.vlan = 5;
    EXPECT_EQ(in_use()->find(tagged), 1);
    EXPECT_EQ(registry_->overrides()[0].by, "uid 1000");

    // As if all had been set 100 s ago, and once as if the clock had since been set back by a day.
    const std::string path = config_.control.state_dir + "/state.json";
    for (const std::int64_t shift : {-100, 86'400}) {
        std::ifstream file(path);
        auto state = nlohmann::json::parse(file);
        for (auto& override : state["overrides"]) {
            override["since_unix"] = override["since_unix"].get<std::int64_t>() + shift;
        }
        std::ofstream(path) << state.dump();
        start();
        const auto& left = registry_->overrides();
        EXPECT_EQ(left.size(), 2U) << "the one for a minute is over";
        const auto most = ModelRegistry::Clock::now() + std::chrono::seconds(600);
        EXPECT_TRUE(std::all_of(left.begin(), left.end(), [&](const auto& override) {
            return override.until <= most;
        })) << "none lasts longer than it was set for";
    }
}

TEST_F(OverridesTest, AStateFileThatLiesIsSetAside) {
    start();
    ASSERT_TRUE(set("10.0.0.0/8"));
    const std::string path = config_.control.state_dir + "/state.json";
    const auto good = [&] {
        std::ifstream file(path);
        return nlohmann::json::parse(file);
    }();
    for (const auto& [field, value] : std::map<std::string, nlohmann::json>{
             {"target", "10.0.0.1/8"},
             {"kind", "maybe"},
             {"seconds", 1U << 31},
             {"since_unix", -1},
             {"by", 7}}) {
        auto bad = good;
        bad["overrides"][0][field] = value;
        std::ofstream(path) << bad.dump();
        start();
        EXPECT_FALSE(warnings_.empty()) << field;
        EXPECT_TRUE(registry_->overrides().empty());
    }
    auto twice = good;
    twice["overrides"].push_back(twice["overrides"][0]);
    std::ofstream(path) << twice.dump();
    start();
    EXPECT_FALSE(warnings_.empty());
}

}  // namespace
}  // namespace weir::control::test
