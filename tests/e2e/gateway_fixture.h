// SPDX-License-Identifier: BSD-3-Clause
// weir run between two network namespaces, and what it says of itself.
#pragma once

#include "tests/e2e/harness.h"

#include <csignal>
#include <filesystem>
#include <memory>
#include <regex>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace weir::test {

using std::chrono::seconds;

inline constexpr const char* kServerAddress = "10.99.0.2";

// Counters of the summary that weir prints at its end.
struct Summary {
    std::uint64_t in = 0;
    std::uint64_t out = 0;
    std::uint64_t dropped = 0;
    bool found = false;
};

inline Summary parse_summary(const std::string& text) {
    Summary summary;
    std::smatch match;
    if (std::regex_search(
            text, match, std::regex(R"(packets in (\d+) = out (\d+) \+ dropped (\d+))"))) {
        summary = {std::stoull(match[1]), std::stoull(match[2]), std::stoull(match[3]), true};
    }
    return summary;
}

inline std::string gateway_config(const std::string& dir, const std::string& slots) {
    return "eal: {hugepages: off, memory_mb: 256, main_lcore: 0}\n"
           "workers: {lcores: [1], flow_table: {capacity: 65536}}\n"
           "ports:\n"
           "  - {name: lan, device: 'net_af_packet_wa,iface=wa'}\n"
           "  - {name: wan, device: 'net_af_packet_wb,iface=wb'}\n"
           "pairs: [[lan, wan]]\n"
           "control: {socket: " +
           dir + "/control.sock, keyring: " + dir + "/keys, state_dir: " + dir +
           "/state}\n"
           "metrics: {listen: '127.0.0.1:9464'}\n" +
           slots;
}

class GatewayE2e : public testing::Test {
  protected:
    void SetUp() override {
        if (!is_root()) {
            GTEST_SKIP() << "skipped: network namespaces need root";
        }
        wire_ = std::make_unique<Wire>();
        ASSERT_TRUE(wire_->ok());
        std::filesystem::create_directories(wire_->dir() + "/keys");
        std::filesystem::create_directories(wire_->dir() + "/state");
    }

    void TearDown() override { gateway_.reset(); }

    void start(const std::string& slots) {
        const std::string config = wire_->dir() + "/weir.yaml";
        write_file(config, gateway_config(wire_->dir(), slots));
        gateway_ = std::make_unique<Process>(
            wire_->gateway(std::string(WEIR_BINARY) + " run -c " + config),
            wire_->dir() + "/weir.log");
        const bool up = wait_until(
            [&] {
                return !gateway_->running() ||
                       run(wire_->client("ping -c 1 -W 1 ") + kServerAddress, 5).status == 0;
            },
            seconds(60));
        ASSERT_TRUE(up && gateway_->running()) << gateway_->output();
    }

    // SIGTERM must drain, account for every packet and exit 0.
    Summary stop() {
        gateway_->signal(SIGTERM);
        EXPECT_EQ(gateway_->wait(seconds(60)), 0) << gateway_->output();
        const Summary summary = parse_summary(gateway_->output());
        EXPECT_TRUE(summary.found) << gateway_->output();
        EXPECT_EQ(summary.in, summary.out + summary.dropped);
        return summary;
    }

    std::string metrics() const {
        return run(wire_->gateway("curl -s --max-time 5 http://127.0.0.1:9464/metrics"), 10).output;
    }

    // Sum of a counter over all label sets that contain `labels`.
    double metric(const std::string& name, const std::string& labels = "") const {
        double sum = 0;
        std::istringstream lines(metrics());
        for (std::string line; std::getline(lines, line);) {
            if (line.rfind(name, 0) == 0 &&
                (line[name.size()] == '{' || line[name.size()] == ' ') &&
                line.find(labels) != std::string::npos) {
                sum += std::stod(line.substr(line.rfind(' ') + 1));
            }
        }
        return sum;
    }

    CommandResult weirctl(const std::string& arguments) const {
        return run(
            std::string(WEIRCTL_BINARY) + " --socket " + wire_->dir() + "/control.sock " +
            arguments);
    }

    std::unique_ptr<Wire> wire_;
    std::unique_ptr<Process> gateway_;
};

}  // namespace weir::test
