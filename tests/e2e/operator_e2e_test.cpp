// SPDX-License-Identifier: BSD-3-Clause
// What an operator asks and overrides while real programs talk through the gateway.
#include "tests/e2e/gateway_fixture.h"

namespace weir::test {
namespace {

TEST_F(GatewayE2e, AnOperatorExplainsAFlowBlocksItAndLetsItPassAgain) {
    start("slots:\n  anomaly: {score: every_packet}\n  qos: {}\n");
    const auto ping = [&] {
        return run(wire_->client("ping -c 3 -i 0.1 -W 1 ") + kServerAddress, 20).status;
    };
    // The flow that one long ping is, while it lasts.
    const auto explain = [&](const std::string& options) {
        Process pinging(
            wire_->client("ping -i 0.05 -W 1 ") + kServerAddress, wire_->dir() + "/ping.log");
        std::smatch id;
        std::string flows;
        EXPECT_TRUE(wait_until(
            [&] {
                flows = weirctl("flows --prefix 10.99.0.1 --by recent --top 1 --json").output;
                return std::regex_search(flows, id, std::regex(R"re("id":\s*(\d+))re"));
            },
            seconds(60)))
            << flows;
        return weirctl("explain " + id[1].str() + " --wait 30s " + options).output;
    };
    const std::string passes = explain("--slot anomaly --json");
    EXPECT_TRUE(std::regex_search(passes, std::regex(R"re("outcome":\s*"(pass|mark \w+)")re")))
        << passes;
    EXPECT_TRUE(std::regex_search(passes, std::regex(R"re("method":\s*"occlusion")re")))
        << "the default is a network\n"
        << passes;
    EXPECT_TRUE(std::regex_search(passes, std::regex(R"re("rest_bits":\s*-?\d)re"))) << passes;
    EXPECT_TRUE(std::regex_search(passes, std::regex(R"re("feature":\s*"\w+")re"))) << passes;

    const std::regex feature(R"re("feature":)re");
    EXPECT_EQ(
        std::distance(
            std::sregex_iterator(passes.begin(), passes.end(), feature), std::sregex_iterator()),
        5)
        << "as many as --top says where it is not given";

    ASSERT_EQ(weirctl("block 10.99.0.2 --for 10m").status, 0);
    EXPECT_EQ(ping(), 1) << "no answer";
    EXPECT_GT(metric("weir_dropped_packets_total", "reason=\"override\""), 0);
    EXPECT_EQ(metric("weir_overrides", "kind=\"block\""), 1);
    const std::string blocked = explain("");
    EXPECT_NE(blocked.find("drop, as override"), std::string::npos) << blocked;
    EXPECT_NE(blocked.find("block 10.99.0.2/32"), std::string::npos) << blocked;
    EXPECT_GT(stop().dropped, 0U);

    gateway_ = std::make_unique<Process>(
        wire_->gateway(std::string(WEIR_BINARY) + " run -c " + wire_->dir() + "/weir.yaml"),
        wire_->dir() + "/weir.log");
    ASSERT_TRUE(wait_until([&] { return weirctl("status").status == 0; }, seconds(60)))
        << gateway_->output();
    EXPECT_NE(weirctl("overrides").output.find("block"), std::string::npos);
    EXPECT_EQ(ping(), 1) << "it holds over a restart";
    ASSERT_EQ(weirctl("unblock 10.99.0.2").status, 0);
    EXPECT_TRUE(wait_until([&] { return ping() == 0; }, seconds(60)));
    stop();
}

}  // namespace
}  // namespace weir::test
