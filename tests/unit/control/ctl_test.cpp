// SPDX-License-Identifier: BSD-3-Clause
// weirctl as a person or a script meets it: words in, text, JSON and an exit code out, against a real control socket.
#include "ctl_fixture.h"

#include <cstdlib>

#include <sys/wait.h>

namespace weir::control::test {
namespace {

// ---- no gateway ------------------------------------------------------------------------------------------------------

TEST(NoGateway, TheSocketTriedIsNamedAndWhoChoseIt) {
    const TempDir dir;
    const std::string path = dir / "c.sock";
    const std::string words = "socket not found: is weir running? tried " + path;
    ::unsetenv("WEIR_SOCKET");
    auto said = weirctl({"--socket", path, "status"});
    EXPECT_EQ(said.exit, 1);
    EXPECT_EQ(said.err, "weirctl: " + words + " (by --socket)\n");
    ::setenv("WEIR_SOCKET", path.c_str(), 1);
    said = weirctl({"status", "--json"});
    ::unsetenv("WEIR_SOCKET");
    EXPECT_EQ(said.exit, 1);
    EXPECT_EQ(Json::parse(said.out)["error"]["message"], words + " (by $WEIR_SOCKET)");
    EXPECT_EQ(Json::parse(said.out)["error"]["code"], "UNAVAILABLE");
}

TEST(NoGateway, WhatStandsInTheWayIsSaid) {
    const TempDir dir;
    const std::string path = dir / "c.sock";
    write_text(path, "no socket");
    auto said = weirctl({"--socket", path, "status"});
    EXPECT_EQ(said.exit, 1);
    EXPECT_TRUE(contains(said.err, "is no socket")) << said.err;
    said = weirctl({"--socket", "/" + std::string(200, 'x'), "status"});
    EXPECT_EQ(said.exit, 2);
    EXPECT_TRUE(contains(said.err, "too long")) << said.err;
}

// ---- a gateway -------------------------------------------------------------------------------------------------------

TEST_F(CtlTest, PushActivateRollBackRemoveInText) {
    auto said = run({"models", "push", bundle_, "--slot", "anomaly"});
    EXPECT_EQ(said.exit, 0) << said.err;
    EXPECT_EQ(
        said.out,
        "anomaly: scan-detector@2 verified and stored, signed by " +
            operator_key().public_key("").id + ", now verified\n");
    EXPECT_TRUE(contains(run({"models", "push", bundle_}).out, "was stored already"));
    said = run({"models", "activate", "anomaly", "scan-detector"});
    EXPECT_TRUE(contains(said.out, "anomaly: weir-anomaly@1 -> scan-detector@2 (generation "))
        << said.out << said.err;
    EXPECT_EQ(in_snapshot(0), "scan-detector@2");
    said = run({"models", "list"});
    EXPECT_TRUE(contains(said.out, "SLOT     MODEL            STAGE")) << said.out;
    EXPECT_TRUE(contains(said.out, "anomaly  scan-detector@2  active")) << said.out;
    EXPECT_TRUE(contains(said.out, "anomaly  weir-anomaly@1   retired")) << said.out;
    EXPECT_EQ(run({"models", "list", "--slot", "qos"}).out, "no models\n");
    said = run({"models", "rollback", "anomaly"});
    EXPECT_TRUE(contains(said.out, "scan-detector@2 -> weir-anomaly@1")) << said.out;
    said = run({"--yes", "models", "remove", "anomaly", "scan-detector", "2"});
    EXPECT_EQ(said.out, "anomaly: scan-detector@2 removed\n");
}

TEST_F(CtlTest, TheSameInJson) {
    auto answer = json({"models", "push", bundle_, "--activate"});
    EXPECT_EQ(answer["model"]["name"], "scan-detector");
    EXPECT_EQ(answer["model"]["stage"], "active");
    EXPECT_EQ(answer["already_stored"], false);
    answer = json({"models", "list"});
    EXPECT_EQ(answer["models"].size(), 2u);
    EXPECT_EQ(answer["models"][0]["source"], "pushed");
    EXPECT_EQ(answer["models"][1]["source"], "default");
    EXPECT_EQ(answer["models"][0]["classes"], Json::array({"benign", "scan"}));
    answer = json({"models", "rollback", "anomaly"});
    EXPECT_EQ(answer["from"]["version"], 2);
    EXPECT_EQ(answer["to"]["name"], "weir-anomaly");
    answer = json({"models", "activate", "anomaly", "scan-detector", "2"});
    EXPECT_EQ(answer["to"]["stage"], "active");
    answer = json({"models", "activate", "anomaly", "weir-anomaly"});
    EXPECT_EQ(json({"--yes", "models", "remove", "anomaly", "scan-detector", "2"}), Json::object());
    answer = json({"status"});
    EXPECT_EQ(answer["version"], "1.2.3-test");
    EXPECT_EQ(answer["slots"][0]["active"]["name"], "weir-anomaly");
    EXPECT_TRUE(answer["slots"][1]["active"].is_null());
    EXPECT_EQ(answer["workers"].size(), 2u);
    answer = json({"ports"});
    EXPECT_EQ(answer["ports"][0]["link_up"], true);
    EXPECT_EQ(answer["ports"][1]["peer"], "left");
    answer = json({"reload"});
    EXPECT_TRUE(answer["applied"].is_array());
}

TEST_F(CtlTest, StatusAndPortsInText) {
    runtime_.stats(0).ports[0].rx_packets.add(1000);
    runtime_.stats(0).ports[1].tx_packets.add(990);
    runtime_.stats(0).drops[static_cast<std::size_t>(dataplane::DropReason::policy)].add(10);
    runtime_.count_verdict(1, 0, *dataplane::class_id("anomaly", "scan"), 6);
    const auto status = run({"status"}).out;
    EXPECT_TRUE(contains(status, "weir 1.2.3-test, process ")) << status;
    EXPECT_TRUE(contains(status, "packets  in 1000  out 990  dropped 10  marked 0")) << status;
    EXPECT_TRUE(contains(status, "  policy 10: ")) << status;
    EXPECT_TRUE(contains(status, "  anomaly: weir-anomaly@1, 6 rows scored")) << status;
    EXPECT_TRUE(contains(status, "    scan 6\n")) << status;
    EXPECT_TRUE(contains(status, "  qos: none")) << status;
    const auto ports = run({"ports"}).out;
    EXPECT_TRUE(contains(ports, "left   net_null0  right  up 10.0 Gbit/s")) << ports;
    EXPECT_TRUE(contains(ports, "right  net_null1  left   down")) << ports;
}

TEST_F(CtlTest, RefusalsAreToldWithTheirExitCode) {
    auto said = run({"models", "push", dir_ / "absent.weir"});
    EXPECT_EQ(said.exit, 2);
    EXPECT_TRUE(contains(said.err, "absent.weir: cannot be read: No such file")) << said.err;
    said = run({"models", "push", dir_.path()});
    EXPECT_EQ(said.exit, 2);
    EXPECT_TRUE(contains(said.err, "is no regular file")) << said.err;
    write_text(dir_ / "empty.weir", "");
    EXPECT_EQ(run({"models", "push", dir_ / "empty.weir"}).exit, 2);
    write_text(dir_ / "broken.weir", "these bytes are no bundle");
    said = run({"models", "push", dir_ / "broken.weir", "--json"});
    EXPECT_EQ(said.exit, 2);
    EXPECT_TRUE(contains(said.err, dir_ / "broken.weir")) << "names the file: " << said.err;
    EXPECT_EQ(Json::parse(said.out)["error"]["code"], "INVALID_ARGUMENT");
    said = run({"models", "push", bundle_, "--slot", "qos"});
    EXPECT_EQ(said.exit, 2);
    EXPECT_TRUE(contains(said.err, "manifest.slot")) << said.err;
    EXPECT_EQ(run({"models", "activate", "anomaly", "nobody"}).exit, 2);
    EXPECT_EQ(run({"models", "activate", "anomaly", "weir-anomaly", "zero"}).exit, 2);
    EXPECT_EQ(run({"models", "activate", "anomaly", "weir-anomaly", "0"}).exit, 2);
    EXPECT_EQ(run({"models", "activate", "anomaly", "weir-anomaly", "4294967297"}).exit, 2);
    said = run({"models", "rollback", "anomaly"});
    EXPECT_EQ(said.exit, 1) << "the gateway's state does not allow it";
    EXPECT_TRUE(contains(said.err, "no model was active before")) << said.err;
    EXPECT_EQ(run({"--yes", "models", "remove", "anomaly", "weir-anomaly", "1"}).exit, 1);
    EXPECT_EQ(run({"models", "list", "--slot", "third"}).exit, 2);
    write_config("no_such_key: 1\n");
    said = run({"reload"});
    EXPECT_EQ(said.exit, 2);
    EXPECT_TRUE(contains(said.err, "no_such_key")) << said.err;
    write_bytes(bundle_, kernels::Bytes(2u << 20));
    said = run({"models", "push", bundle_});
    EXPECT_EQ(said.exit, 1) << "a limit of the gateway";
    EXPECT_TRUE(contains(said.err, "max_bundle_mb")) << said.err;
}

TEST_F(CtlTest, AModelIsTriedPromotedAndWithdrawn) {
    write_bytes(bundle_, make_bundle({.version = 2}, operator_key()));
    ASSERT_EQ(run({"models", "push", bundle_}).exit, 0);
    auto said = run({"models", "shadow", "anomaly", "scan-detector"});
    EXPECT_TRUE(contains(said.out, "scan-detector@2 is now shadow")) << said.out << said.err;
    said = run({"models", "canary", "anomaly", "scan-detector", "2.5%"});
    EXPECT_TRUE(contains(said.out, "is now canary 2.5")) << said.out << said.err;
    said = run({"models", "trials"});
    EXPECT_TRUE(contains(said.out, "against weir-anomaly@1")) << said.out;
    EXPECT_TRUE(contains(said.out, "no disagreement")) << said.out;
    EXPECT_EQ(json({"models", "trials"})[0]["trials"][0]["model"]["canary_permyriad"], 250);
    EXPECT_TRUE(contains(run({"models", "list"}).out, "canary 2.5"));
    said = run({"models", "withdraw", "anomaly", "scan-detector"});
    EXPECT_TRUE(contains(said.out, "is now verified")) << said.out << said.err;
    EXPECT_EQ(run({"models", "withdraw", "anomaly", "scan-detector"}).exit, 1);
    for (const char* share : {"0", "101", "many", "-5", "nan"}) {
        EXPECT_EQ(run({"models", "canary", "anomaly", "scan-detector", share}).exit, 2) << share;
    }
    EXPECT_EQ(run({"models", "trials", "--slot", "third"}).exit, 2);
}

TEST_F(CtlTest, PolicyIsTriedDrySetShownAndReset) {
    auto said = run({"policy", "set", "anomaly", "scan", "drop", "--dry-run"});
    EXPECT_TRUE(contains(said.out, "scan: no rule -> drop (dry run")) << said.out << said.err;
    EXPECT_TRUE(contains(run({"policy", "list", "--slot", "anomaly"}).out, "no rules"));
    said = run({"policy", "set", "anomaly", "scan", "drop"});
    EXPECT_EQ(said.exit, 2) << "there is no terminal to ask on";
    EXPECT_TRUE(contains(said.err, "--yes")) << said.err;
    EXPECT_EQ(run({"--yes", "policy", "set", "anomaly", "scan", "drop"}).exit, 0);
    EXPECT_EQ(run({"policy", "set", "anomaly", "scan", "AF41", "--min-confidence", "0.9"}).exit, 0);
    said = run({"policy", "list"});
    EXPECT_TRUE(contains(said.out, "mark AF41 from 0.9")) << said.out;
    EXPECT_TRUE(contains(said.out, "policy set")) << said.out;
    EXPECT_EQ(run({"policy", "reset", "anomaly", "scan"}).exit, 0);
    EXPECT_EQ(run({"policy", "set", "anomaly", "scan", "AF99"}).exit, 2);
    EXPECT_EQ(run({"policy", "set", "anomaly", "skan", "pass"}).exit, 2);
    EXPECT_EQ(run({"policy", "set", "anomaly", "scan", "pass", "--min-confidence", "2"}).exit, 2);
}

TEST_F(CtlTest, TheAuditLogIsVerifiedAndWhoAsksIsTold) {
    ASSERT_EQ(run({"models", "rollback", "anomaly"}).exit, 1);
    const std::string log = dir_ / "state/audit.log";
    EXPECT_EQ(run({"audit", "verify", log}).exit, 0);
    std::string text = read_text(log);
    text[text.find("rollback")] = 'R';
    write_text(log, text);
    const auto said = run({"audit", "verify", log});
    EXPECT_EQ(said.exit, 1);
    EXPECT_TRUE(contains(said.err, "edited")) << said.err;
    EXPECT_TRUE(contains(run({"whoami"}).out, "admin, by socket"));
}

TEST_F(CtlTest, ADryReloadChangesNothing) {
    write_config("never_remark: [EF]\n");
    EXPECT_TRUE(contains(run({"reload", "--dry-run"}).out, "would apply    never_remark"));
    EXPECT_TRUE(contains(run({"reload"}).out, "applied        never_remark"));
}

TEST_F(CtlTest, ReloadTellsWhatChanged) {
    EXPECT_TRUE(contains(run({"reload"}).out, "nothing changed"));
    write_config("never_remark: [EF]\n");
    const auto said = run({"reload"});
    EXPECT_EQ(said.exit, 0);
    EXPECT_TRUE(contains(said.out, "applied        never_remark")) << said.out;
}

TEST_F(CtlTest, AWriteErrorOfTheOutputIsAFailure) {
    // In a process of its own: a stream that failed once stays so.
    const std::string command = std::string(WEIRCTL_BINARY) + " --socket " +
                                config_.control.socket + " status > /dev/full 2> " + (dir_ / "err");
    const int status = std::system(command.c_str());
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 1);
    EXPECT_TRUE(contains(read_text(dir_ / "err"), "standard output")) << read_text(dir_ / "err");
}

}  // namespace
}  // namespace weir::control::test
