// SPDX-License-Identifier: BSD-3-Clause
// Copies that a running gateway writes: which packets, with which verdicts, as tshark reads them.
#include "tests/e2e/gateway_fixture.h"
#include "tests/support/tshark.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace weir::test {
namespace {

constexpr int kMarked = 8;
constexpr int kDropped = 4;
constexpr const char* kFarAddress = "10.99.0.3";  // the server's second

TEST_F(GatewayE2e, MirroredPacketsCarryTheirVerdictsIntoTheFile) {
    if (!have_tshark()) {
        GTEST_SKIP() << "skipped: no tshark";
    }
    const std::string file = wire_->dir() + "/copies.pcapng";
    start(
        "slots:\n  qos: {score: every_packet, hysteresis: 1}\n"
        "policy: {use: edge, mirror: {file: " +
        file +
        "}}\n"
        "policies:\n"
        "  edge:\n"
        "    rules:\n"
        "      - {prefixes: [10.99.0.3/32], action: drop, mirror: true}\n"
        "      - {prefixes: [10.99.0.2/32], sender: initiator, dscp: AF41, mirror: true}\n");
    ASSERT_EQ(run(wire_->server("ip addr add 10.99.0.3/24 dev eth0")).status, 0);
    const auto ping = [&](int count, int payload, const char* address) {
        return run(wire_->client(
            "ping -c " + std::to_string(count) + " -i 0.1 -W 1 -s " + std::to_string(payload) +
            " " + address));
    };
    // Payloads of their own tell them from the pings that waited for the gateway.
    const auto answered = ping(kMarked, 333, kServerAddress);
    EXPECT_EQ(answered.status, 0) << answered.output;
    const auto dropped = ping(kDropped, 444, kFarAddress);
    EXPECT_NE(dropped.output.find("100% packet loss"), std::string::npos) << dropped.output;
    stop();

    const auto rows = [&](const std::string& filter) {
        return lines_of(
            "tshark -n -r " + file + " -Y '" + filter +
            "' -T fields -e ip.src -e ip.dst -e icmp.type -e icmp.seq -e ip.dsfield.dscp -e "
            "frame.comment 2>/dev/null");
    };
    const auto marked = rows("frame.len == 375");  // 14 + 20 + 8 + 333
    ASSERT_EQ(marked.size(), std::size_t{kMarked}) << gateway_->output();
    for (int n = 0; n < kMarked; ++n) {
        const std::string& row = marked[static_cast<std::size_t>(n)];
        const auto column = split(row, '\t');
        ASSERT_EQ(column.size(), 6U) << row;
        EXPECT_EQ(column[0], "10.99.0.1");
        EXPECT_EQ(column[1], kServerAddress);
        EXPECT_EQ(column[2], "8") << "the answers' sender is no initiator";
        EXPECT_EQ(column[3], std::to_string(n + 1)) << row;
        EXPECT_EQ(column[4], "0") << "a copy is as received";
        EXPECT_EQ(
            column[5].find("verdict=mark dscp=AF41 rule=policies.edge.rules[1]; qos class="), 0U)
            << row;
    }
    EXPECT_NE(marked.back().find(" model="), std::string::npos)
        << "a flow of eight scored packets is decided: " << marked.back();
    const auto lost = rows("frame.len == 486");
    ASSERT_EQ(lost.size(), std::size_t{kDropped});
    for (const std::string& row : lost) {
        EXPECT_EQ(row.find("10.99.0.1\t10.99.0.3\t8\t"), 0U) << row;
        EXPECT_NE(
            row.find("\tverdict=drop reason=policy rule=policies.edge.rules[0]; qos class="),
            std::string::npos)
            << row;
    }
}

}  // namespace
}  // namespace weir::test
