// SPDX-License-Identifier: BSD-3-Clause
// weirctl tail and flows against a real control socket.
#include "ctl_fixture.h"

#include <csignal>
#include <cstdlib>
#include <thread>

#include <sys/wait.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

namespace weir::control::test {
namespace {

class CtlFlowsTest : public CtlTest {
  protected:
    void SetUp() override {
        CtlTest::SetUp();
        runtime_.finish_walks(true);
    }

    /// TCP from 10.0.0.`host`:40000 to 192.0.2.1:443, decided by the slot's active model.
    [[nodiscard]] dataplane::FlowRecord flow(std::uint8_t host, std::uint64_t bytes) {
        dataplane::FlowRecord record;
        record.key.addr_lo = config::parse_prefix("10.0.0." + std::to_string(host))->address;
        record.key.addr_hi = config::parse_prefix("192.0.2.1")->address;
        record.key.port_lo = htons(40000);
        record.key.port_hi = htons(443);
        record.key.ip_version = 4;
        record.key.proto = 6;
        record.first_ns = 1'700'000'000'000'000'000;
        record.last_ns = record.first_ns + 2'500'000'000;
        record.bytes = {bytes, 1000};
        record.packets = {3, 1};
        auto& verdict = record.verdicts[0];
        verdict.cls = *dataplane::class_id("anomaly", host < 3 ? "scan" : "benign");
        verdict.score = host < 3 ? 65535 : 0;
        verdict.decided_at_packet = 2;
        verdict.model_ref = runtime_.publisher().current().slots.at(0).active->ref;
        record.dropped = host == 1;
        return record;
    }
    /// Three verdicts, as soon as somebody reads.
    [[nodiscard]] std::thread teller() {
        return std::thread([this] {
            const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
            while (!runtime_.telling() && std::chrono::steady_clock::now() < until) {
                std::this_thread::yield();
            }
            for (const std::uint8_t host : {3, 1, 2}) {
                runtime_.add_verdict(flow(host, 100U * host));
            }
        });
    }
};

TEST_F(CtlFlowsTest, FlowsShowsTheGreatestThatMatch) {
    const auto fill = [&] {
        for (std::uint8_t host = 1; host <= 5; ++host) {
            runtime_.add_flow(flow(host, 1000U * host));
        }
    };
    fill();
    const Json all = json({"flows", "--top", "2"});
    EXPECT_EQ(all["live"], 5);
    EXPECT_EQ(all["matched"], 5);
    EXPECT_EQ(all["complete"], true);
    ASSERT_EQ(all["flows"].size(), 2U);
    EXPECT_EQ(all["flows"][0]["source"], "10.0.0.5");
    EXPECT_EQ(all["flows"][1]["source"], "10.0.0.4");

    fill();
    const Said said = run({"flows", "--class", "scan", "--slot", "anomaly", "--by", "score"});
    EXPECT_EQ(said.exit, 0) << said.err;
    EXPECT_TRUE(contains(said.out, "tcp 10.0.0.1:40000 > 192.0.2.1:443")) << said.out;
    EXPECT_TRUE(contains(said.out, "anomaly=scan 1.000")) << said.out;
    EXPECT_TRUE(contains(said.out, "2 of 5 live flows match")) << said.out;

    fill();
    const Json one = json({"flows", "--prefix", "10.0.0.3"});
    ASSERT_EQ(one["flows"].size(), 1U);
    const Json& told = one["flows"][0];
    EXPECT_EQ(told["source_port"], 40000);
    EXPECT_EQ(told["destination"], "192.0.2.1");
    EXPECT_EQ(told["bytes_sent"], 3000);
    EXPECT_EQ(told["packets_received"], 1);
    EXPECT_EQ(told["verdicts"][0]["class_name"], "benign");
    EXPECT_EQ(told["verdicts"][0]["model"], "weir-anomaly");
    EXPECT_EQ(told["verdicts"][0]["version"], 1);
    EXPECT_EQ(told["verdicts"][0]["decided_at_packet"], 2);
    EXPECT_TRUE(told["dscp"].is_null()) << "nothing was written";
}

TEST_F(CtlFlowsTest, TailTellsVerdictsAsTheyCome) {
    std::thread telling = teller();
    const Said said = run({"tail", "--class", "scan", "--count", "2"});
    telling.join();
    EXPECT_EQ(said.exit, 0) << said.err;
    EXPECT_EQ(
        said.out,
        "22:13:22.500  tcp 10.0.0.1:40000 > 192.0.2.1:443  anomaly=scan 1.000 "
        "(weir-anomaly@1, packet 2)  drop\n"
        "22:13:22.500  tcp 10.0.0.2:40000 > 192.0.2.1:443  anomaly=scan 1.000 "
        "(weir-anomaly@1, packet 2)  pass\n");
}

TEST_F(CtlFlowsTest, TailSaysWhatItMissed) {
    std::thread telling([this] {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!runtime_.telling() && std::chrono::steady_clock::now() < until) {
            std::this_thread::yield();
        }
        runtime_.lose_verdicts(12);
        runtime_.add_verdict(flow(1, 1));
    });
    const Said said = run({"tail", "--count", "1", "--json"});
    telling.join();
    EXPECT_EQ(said.exit, 0);
    EXPECT_EQ(Json::parse(said.out)["source"], "10.0.0.1");
    EXPECT_TRUE(contains(said.err, "12 verdicts were not told")) << said.err;
}

TEST_F(CtlFlowsTest, AWriteErrorEndsTailAndIsAFailure) {
    std::thread telling = teller();
    const std::string command = std::string(WEIRCTL_BINARY) + " --socket " +
                                config_.control.socket + " tail > /dev/full 2> " + (dir_ / "err");
    const int status = std::system(command.c_str());
    telling.join();
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 1);
    EXPECT_TRUE(contains(read_text(dir_ / "err"), "standard output: No space left"))
        << read_text(dir_ / "err");
}

TEST_F(CtlFlowsTest, CtrlCEndsTailInTheOrdinaryWay) {
    int out[2];
    ASSERT_EQ(::pipe2(out, O_CLOEXEC), 0);
    const std::string socket = config_.control.socket;
    const char* const argv[] = {WEIRCTL_BINARY, "--socket", socket.c_str(), "tail", nullptr};
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    pid_t child = 0;
    ASSERT_EQ(
        ::posix_spawn(&child, argv[0], &actions, nullptr, const_cast<char* const*>(argv), environ),
        0);
    ::posix_spawn_file_actions_destroy(&actions);
    (void)::close(out[1]);
    std::thread telling = teller();
    char first = 0;
    EXPECT_EQ(::read(out[0], &first, 1), 1) << "it prints";
    telling.join();
    EXPECT_EQ(::kill(child, SIGINT), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << "by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
    std::string rest(1, first);
    char buffer[4096];
    for (ssize_t n = 0; (n = ::read(out[0], buffer, sizeof(buffer))) > 0;) {
        rest.append(buffer, static_cast<std::size_t>(n));
    }
    (void)::close(out[0]);
    EXPECT_EQ(rest.back(), '\n') << "whole lines: " << rest;
}

TEST_F(CtlFlowsTest, WhatCannotBeAskedIsNamed) {
    const struct {
        std::vector<std::string> words;
        const char* message;
        int exit;
    } cases[] = {
        {{"flows", "--slot", "nosuch"}, "--slot: 'nosuch' is not one of anomaly, qos", 2},
        {{"flows", "--class", "skan"}, "--class: 'skan' is not one of benign, scan", 2},
        {{"flows", "--slot", "anomaly", "--class", "\x1b[2J"}, "--class: '\\x1b[2J' is not one", 2},
        {{"flows", "--prefix", "10.0.0.1/8"}, "--prefix: '10.0.0.1/8' is no address and no", 2},
        {{"flows", "--by", "luck"}, "--by: 'luck' is not one of bytes, packets, score, recent", 2},
        {{"flows", "--by", "score"}, "--slot: is needed with --by score", 2},
        {{"flows", "--top", "0"}, "--top: '0' is not within 1 to 1000", 2},
        {{"flows", "--min-confidence", "1.5"}, "--min-confidence: '1.5' is not within 0 to 1", 2},
        {{"tail", "--count", "-1"}, "--count: '-1' is not within 0 to 1000000000", 2},
        {{"tail", "--slot", "nosuch"}, "--slot: 'nosuch' is not one of anomaly, qos", 2},
        {{"tail", "--class", "skan"}, "--class: 'skan' is not one of benign, scan", 2},
    };
    for (const auto& asked : cases) {
        const Said said = run(asked.words);
        EXPECT_EQ(said.exit, asked.exit) << asked.message << said.err;
        EXPECT_TRUE(contains(said.err, asked.message)) << said.err;
    }
}

}  // namespace
}  // namespace weir::control::test
