// SPDX-License-Identifier: BSD-3-Clause
// weir run between two network namespaces, with the programs people use.
#include "tests/e2e/gateway_fixture.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <regex>
#include <string>

#include <gtest/gtest.h>

namespace weir::test {
namespace {

TEST_F(GatewayE2e, AHundredMegabytesArriveUnchanged) {
    start("");
    const std::string file = wire_->dir() + "/www/big.bin";
    ASSERT_EQ(
        run("mkdir -p " + wire_->dir() + "/www; head -c 104857600 /dev/urandom > " + file).status,
        0);
    Process server(
        wire_->server(
            "python3 -m http.server 8000 --bind 10.99.0.2 --directory " + wire_->dir() + "/www"),
        wire_->dir() + "/http.log");
    const std::string url = std::string("http://") + kServerAddress + ":8000/big.bin";
    ASSERT_TRUE(wait_until(
        [&] {
            return run(wire_->client("curl -s -o /dev/null --max-time 5 -r 0-0 " + url)).status ==
                   0;
        },
        seconds(60)));
    const auto result =
        run(wire_->client("curl -s --max-time 120 -o " + wire_->dir() + "/got.bin " + url), 150);
    ASSERT_EQ(result.status, 0) << result.output;
    EXPECT_EQ(run("cmp " + file + " " + wire_->dir() + "/got.bin").status, 0);
    const Summary summary = stop();
    EXPECT_GT(summary.in, 70000U) << "the transfer's packets all crossed the gateway";
}

TEST_F(GatewayE2e, TheFarSideSeesTheMark) {
    // Whatever the class, the same mark: the test is of marking, not of the model.
    std::string rules;
    for (const char* cls :
         {"telephony",
          "signaling",
          "multimedia_conferencing",
          "realtime_interactive",
          "multimedia_streaming",
          "broadcast_video",
          "low_latency_data",
          "oam",
          "high_throughput_data",
          "standard",
          "low_priority_data"}) {
        rules += std::string(rules.empty() ? "" : ", ") + cls + ": {dscp: AF41}";
    }
    start("slots:\n  qos: {score: every_packet, rules: {" + rules + "}}\n");
    Process sniffer(
        wire_->server("tcpdump -i eth0 -n -v -l -c 20 src 10.99.0.1 and icmp"),
        wire_->dir() + "/tcpdump.log");
    ASSERT_TRUE(wait_until(
        [&] { return sniffer.output().find("listening on") != std::string::npos; }, seconds(60)));
    EXPECT_EQ(run(wire_->client("ping -c 25 -i 0.05 ") + kServerAddress).status, 0);
    ASSERT_GE(sniffer.wait(seconds(60)), 0);
    const std::string seen = sniffer.output();
    EXPECT_NE(seen.find("tos 0x88"), std::string::npos) << "AF41 is DSCP 34, 0x88 in the TOS byte\n"
                                                        << seen;
    EXPECT_EQ(seen.find("bad cksum"), std::string::npos) << seen;
    EXPECT_GT(metric("weir_marked_packets_total"), 0);
    stop();
}

TEST_F(GatewayE2e, AnNmapScanRaisesTheScanClass) {
    start("slots:\n  anomaly: {score: powers_of_two}\n");
    const auto scans = [&] { return metric("weir_verdicts_total", "class=\"scan\""); };
    const double before = scans();
    const auto result =
        run(wire_->client("nmap -n -Pn -sS --max-retries 1 -T4 -p 1-2000 ") + kServerAddress, 120);
    ASSERT_EQ(result.status, 0) << result.output;
    // The default model names the probes; what their refusals tell it, its card says.
    EXPECT_GT(scans() - before, 500) << "of 2000 probes";
    stop();
}

// Loss in percent that iperf3 reports for ten seconds of UDP, with something done meanwhile.
std::optional<double> udp_loss(const Wire& wire, const std::function<void()>& meanwhile) {
    Process server(
        wire.server("iperf3 -s -1 --forceflush -B 10.99.0.2"), wire.dir() + "/iperf-server.log");
    if (!wait_until(
            [&] { return server.output().find("Server listening") != std::string::npos; },
            seconds(60))) {
        return std::nullopt;
    }
    Process client(
        wire.client("iperf3 -c 10.99.0.2 -u -b 20M -l 1200 -t 8 -J"),
        wire.dir() + "/iperf-client.json");
    meanwhile();
    if (client.wait(seconds(60)) != 0) {
        return std::nullopt;
    }
    const std::string report = client.output();
    std::smatch match;
    const std::size_t sum = report.rfind("\"sum\"");
    if (sum == std::string::npos) {
        return std::nullopt;
    }
    const std::string tail = report.substr(sum);
    if (!std::regex_search(tail, match, std::regex("\"lost_packets\":\\s*(\\d+)"))) {
        return std::nullopt;
    }
    return std::stod(match[1]);
}

TEST_F(GatewayE2e, SwapsUnderLoadLoseNothing) {
    start("slots:\n  qos: {score: every_packet}\n  anomaly: {score: every_packet}\n");
    ASSERT_EQ(
        run("cd " + wire_->dir() +
            " && " WEIRLAB_BINARY " keygen operator && cp operator.pub keys/")
            .status,
        0);
    const std::string bundle = wire_->dir() + "/next.weir";
    const auto signed_one =
        run(WEIRLAB_BINARY " sign " WEIR_SOURCE_ROOT "/config/models/qos.weir --key " +
            wire_->dir() + "/operator.key --name operator-qos --version 7 --out " + bundle);
    ASSERT_EQ(signed_one.status, 0) << signed_one.output;
    gateway_->signal(SIGHUP);  // the keyring has a new key
    ASSERT_TRUE(wait_until(
        [&] { return weirctl("models push " + bundle + " --slot qos").status == 0; }, seconds(60)))
        << weirctl("models push " + bundle + " --slot qos").output;

    double baseline = 0;
    {
        const Wire bare(true);
        ASSERT_TRUE(bare.ok());
        const auto lost = udp_loss(bare, [] {});
        ASSERT_TRUE(lost.has_value());
        baseline = *lost;
    }
    const double generation = metric("weir_model_swaps_total");
    int swaps = 0;
    const auto lost = udp_loss(*wire_, [&] {
        for (; swaps < 40; ++swaps) {
            const bool own = swaps % 2 == 0;
            const auto result =
                weirctl(own ? "models activate qos operator-qos 7" : "models rollback qos");
            ASSERT_EQ(result.status, 0) << result.output;
        }
    });
    ASSERT_TRUE(lost.has_value());
    EXPECT_LE(*lost, baseline) << "lost beyond what the bare veth loses";
    EXPECT_EQ(swaps, 40);
    EXPECT_GE(metric("weir_model_swaps_total") - generation, 40);
    EXPECT_GT(metric("weir_verdicts_total", "model=\"operator-qos\",version=\"7\""), 0);
    stop();
}

TEST_F(GatewayE2e, ABundleWithOneFlippedByteChangesNothing) {
    start("");
    const std::string status = weirctl("models list --json").output;
    std::string bytes = read_file(WEIR_SOURCE_ROOT "/config/models/qos.weir");
    ASSERT_FALSE(bytes.empty());
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    write_file(wire_->dir() + "/flipped.weir", bytes);
    const auto result =
        weirctl("models push " + wire_->dir() + "/flipped.weir --slot qos --activate");
    EXPECT_EQ(result.status, 2) << result.output;
    EXPECT_NE(result.output.find("signature"), std::string::npos) << result.output;
    EXPECT_EQ(weirctl("models list --json").output, status);
    EXPECT_EQ(run(wire_->client("ping -c 3 -i 0.1 ") + kServerAddress).status, 0);
    stop();
}

TEST_F(GatewayE2e, StartsUnprivilegedOnVirtualDevices) {
    const std::string config = wire_->dir() + "/null.yaml";
    write_file(
        config,
        "eal: {hugepages: off, memory_mb: 128, main_lcore: 0}\n"
        "workers: {lcores: [1], flow_table: {capacity: 4096}}\n"
        "ports: [{name: a, device: 'net_null0,no-rx=1'}, {name: b, device: 'net_null1,no-rx=1'}]\n"
        "pairs: [[a, b]]\n"
        "control: {socket: " +
            wire_->dir() + "/own/c.sock, keyring: " + wire_->dir() +
            "/keys, state_dir: " + wire_->dir() +
            "/own/state}\n"
            "metrics: {listen: ''}\n");
    ASSERT_EQ(
        run("mkdir -p " + wire_->dir() + "/own && chmod 755 " + wire_->dir() + " && chown nobody " +
            wire_->dir() + "/own && mkdir -p " + wire_->dir() + "/own/state && chown nobody " +
            wire_->dir() + "/own/state")
            .status,
        0);
    // A copy where anyone may execute it: the build tree may lie below a private folder.
    ASSERT_EQ(
        run(std::string("cp ") + WEIR_BINARY + " " + wire_->dir() + "/weir && chmod 755 " +
            wire_->dir() + "/weir")
            .status,
        0);
    gateway_ = std::make_unique<Process>(
        "setpriv --reuid=nobody --regid=nogroup --clear-groups " + wire_->dir() + "/weir run -c " +
            config,
        wire_->dir() + "/weir.log");
    ASSERT_TRUE(wait_until(
        [&] {
            return !gateway_->running() ||
                   gateway_->output().find("forwarding on") != std::string::npos;
        },
        seconds(60)));
    ASSERT_TRUE(gateway_->running()) << gateway_->output();
    stop();
}

// Configurations that cannot start, and what the one line says.
TEST_F(GatewayE2e, RefusalsAreOneLineWithTheFix) {
    struct Case {
        const char* what;
        std::string text;
        const char* expected;
        const char* fix;
    };
    const std::string control =
        "control: {socket: " + wire_->dir() + "/x.sock, keyring: " + wire_->dir() +
        "/keys, state_dir: " + wire_->dir() + "/state}\nmetrics: {listen: ''}\n";
    const std::string ports =
        "ports: [{name: a, device: 'net_null0,no-rx=1'}, {name: b, device: 'net_null1,no-rx=1'}]\n"
        "pairs: [[a, b]]\n" +
        control;
    const std::string off = "eal: {hugepages: off, memory_mb: 128}\n";
    const std::vector<Case> cases{
        {"unknown interface",
         off + "ports: [{name: a, device: 'net_af_packet0,iface=nosuch0'}]\ntaps: [a]\n" + control,
         "ports[0].device",
         "ip link"},
        {"unknown key", off + "prots: []\n" + ports, "prots", "ports"},
        {"wrong type", off + "workers: {burst: many}\n" + ports, "workers.burst", ""},
        {"port twice",
         off +
             "ports: [{name: a, device: net_null0}, {name: a, device: net_null1}]\npairs: [[a, "
             "a]]\n" +
             control,
         "ports[1].name",
         ""},
        {"no such lcore", off + "workers: {lcores: [4000]}\n" + ports, "workers.lcores", ""},
    };
    for (const Case& one : cases) {
        const std::string config = wire_->dir() + "/bad.yaml";
        write_file(config, one.text);
        const auto result = run(std::string(WEIR_BINARY) + " run -c " + config);
        EXPECT_EQ(result.status, 2) << one.what << ": " << result.output;
        EXPECT_NE(result.output.find("weir: "), std::string::npos) << result.output;
        EXPECT_NE(result.output.find(one.expected), std::string::npos)
            << one.what << ": " << result.output;
        EXPECT_NE(result.output.find(one.fix), std::string::npos)
            << one.what << ": " << result.output;
    }
    const auto absent = run(std::string(WEIR_BINARY) + " run -c /nonexistent/weir.yaml");
    EXPECT_EQ(absent.status, 2);
    EXPECT_NE(absent.output.find("/nonexistent/weir.yaml"), std::string::npos);
}

}  // namespace
}  // namespace weir::test
