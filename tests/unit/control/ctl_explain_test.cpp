// SPDX-License-Identifier: BSD-3-Clause
// weirctl explain, block, allow, unblock and overrides against a real control socket.
#include "ctl_fixture.h"

#include <arpa/inet.h>

namespace weir::control::test {
namespace {

class CtlExplainTest : public CtlTest {
  protected:
    void SetUp() override {
        CtlTest::SetUp();
        runtime_.finish_walks(true);
    }

    /// TCP from 10.0.0.1:40000 to 192.0.2.1:443, a scan by the slot's active model.
    [[nodiscard]] dataplane::FlowRecord flow(std::uint16_t vlan = 0) {
        dataplane::FlowRecord record;
        record.key.addr_lo = config::parse_prefix("10.0.0.1")->address;
        record.key.addr_hi = config::parse_prefix("192.0.2.1")->address;
        record.key.port_lo = htons(40000);
        record.key.port_hi = htons(443);
        record.key.ip_version = 4;
        record.key.proto = 6;
        record.key.vlan = vlan;
        record.first_ns = 1'700'000'000'000'000'000;
        record.last_ns = record.first_ns + 2'500'000'000;
        record.packets = {3, 1};
        auto& verdict = record.verdicts[0];
        verdict.cls = *dataplane::class_id("anomaly", "scan");
        verdict.score = 65535;
        verdict.decided_at_packet = 2;
        verdict.model_ref = runtime_.publisher().current().slots.at(0).active->ref;
        return record;
    }
    /// The flow's next packet: the test model reads packet_payload_bytes and packet_tcp_window.
    [[nodiscard]] dataplane::FlowSample sample() {
        dataplane::FlowSample out;
        out.flow = flow();
        out.flow.packets[0] = 4;
        out.row.codes.fill(0);
        out.row.raw.fill(0.0F);
        out.row.codes[0] = 100;
        out.row.raw[0] = 6144.0F;
        out.row.codes[1] = 10;
        out.row.raw[1] = 3.0F;
        out.generation = runtime_.publisher().current().generation;
        return out;
    }
    const std::string name_ = "tcp 10.0.0.1:40000 > 192.0.2.1:443";
};

TEST_F(CtlExplainTest, ExplainNamesVerdictRuleAndFeatures) {
    runtime_.add_flow(flow());
    auto packet = sample();
    packet.disposition = dataplane::Disposition::drop;
    packet.reason = dataplane::DropReason::policy;
    ASSERT_EQ(run({"policy", "set", "anomaly", "scan", "drop", "--yes"}).exit, 0);
    packet.generation = runtime_.publisher().current().generation;
    runtime_.add_sample(packet);
    const Json told = json({"explain", name_, "--slot", "anomaly"});
    EXPECT_EQ(told["sampled"], true);
    EXPECT_EQ(told["flow"]["packets_sent"], 4) << "as of the packet that was looked at";
    EXPECT_EQ(told["decision"]["outcome"], "drop");
    EXPECT_EQ(told["decision"]["drop_reason"], "policy");
    EXPECT_EQ(told["decision"]["rule"], "slots.anomaly.rules.scan (set by weirctl policy set)");
    EXPECT_EQ(told["decision"]["says"], "drop");
    EXPECT_EQ(told["decision"]["held_back"], "");
    ASSERT_EQ(told["slots"].size(), 1U);
    const Json& slot = told["slots"][0];
    EXPECT_EQ(slot["class_name"], "scan");
    EXPECT_EQ(slot["model"], "weir-anomaly");
    EXPECT_EQ(slot["version"], 1);
    EXPECT_EQ(slot["decided_at_packet"], 2);
    EXPECT_EQ(slot["against"], "benign");
    EXPECT_EQ(slot["method"], "occlusion");
    // raw(scan) − raw(benign) = 3·100 − 1·10 + 1, and 256 of 65536 bits each.
    EXPECT_DOUBLE_EQ(slot["score_bits"], 291.0 / 256);
    EXPECT_DOUBLE_EQ(slot["bias_bits"], 1.0 / 256);
    EXPECT_DOUBLE_EQ(slot["rest_bits"], 0.0);
    ASSERT_EQ(slot["features"].size(), 2U);
    EXPECT_EQ(slot["features"][0]["feature"], "packet_payload_bytes");
    EXPECT_EQ(slot["features"][0]["unit"], "bytes");
    EXPECT_EQ(slot["features"][0]["value"], 6144.0);
    EXPECT_EQ(slot["features"][0]["code"], 100);
    EXPECT_DOUBLE_EQ(slot["features"][0]["bits"], 300.0 / 256);
    EXPECT_DOUBLE_EQ(slot["features"][1]["bits"], -10.0 / 256);

    runtime_.add_flow(flow());
    runtime_.add_sample(packet);
    const auto id = std::to_string(told["flow"]["id"].get<std::uint64_t>());
    const Said said = run({"explain", id, "--top", "1"});
    EXPECT_EQ(said.exit, 0) << said.err;
    for (const char* part :
         {"drop, as policy",
          "rule      slots.anomaly.rules.scan (set by weirctl policy set): drop",
          "anomaly  scan 1.000, decided at packet 2 by weir-anomaly@1",
          "scan against benign: +1.14 bits",
          "packet_payload_bytes"}) {
        EXPECT_TRUE(contains(said.out, part)) << part << "\n" << said.out;
    }
    EXPECT_FALSE(contains(said.out, "packet_tcp_window")) << "--top 1";
    EXPECT_TRUE(contains(said.err, "slot qos: has no model")) << said.err;
}

TEST_F(CtlExplainTest, ExplainSaysWhatItCannotTell) {
    const Said gone = run({"explain", name_});
    EXPECT_EQ(gone.exit, 2);
    EXPECT_TRUE(contains(gone.err, "is not alive")) << gone.err;

    const Said nonsense = run({"explain", "tcp 10.0.0.1"});
    EXPECT_EQ(nonsense.exit, 2);
    EXPECT_TRUE(contains(nonsense.err, "is no flow")) << nonsense.err;
    EXPECT_EQ(run({"explain", name_, "--wait", "31s"}).exit, 2);
    EXPECT_EQ(run({"explain", name_, "--wait", "soon"}).exit, 2);
    EXPECT_EQ(run({"explain", name_, "--top", "0"}).exit, 2);
    const Said slot = run({"explain", name_, "--slot", "none"});
    EXPECT_EQ(slot.exit, 2);
    EXPECT_TRUE(contains(slot.err, "anomaly, qos")) << slot.err;

    runtime_.add_flow(flow(0));
    runtime_.add_flow(flow(5));
    const Said two = run({"explain", name_});
    EXPECT_EQ(two.exit, 2);
    EXPECT_TRUE(contains(two.err, "is 2 flows")) << two.err;
    EXPECT_TRUE(contains(two.err, "vlan 5")) << two.err;
}

TEST_F(CtlExplainTest, WithoutAPacketExplainTellsTheFlowAsItStood) {
    runtime_.add_flow(flow());
    const Said said = run({"explain", name_, "--wait", "1s"});
    EXPECT_EQ(said.exit, 0) << said.err;
    EXPECT_TRUE(contains(said.err, "had no packet")) << said.err;
    EXPECT_TRUE(contains(said.out, "anomaly=scan 1.000 (weir-anomaly@1, packet 2)")) << said.out;
    EXPECT_FALSE(runtime_.sampling()) << "no worker is asked any more";
}

TEST_F(CtlExplainTest, ExplainTellsOfRulesThatChangedMeanwhile) {
    runtime_.add_flow(flow());
    auto packet = sample();
    packet.generation -= 1;
    runtime_.add_sample(packet);
    const Said said = run({"explain", name_});
    EXPECT_EQ(said.exit, 0);
    EXPECT_TRUE(contains(said.err, "rules changed")) << said.err;
}

TEST_F(CtlExplainTest, BlockAllowListAndUnblock) {
    EXPECT_EQ(run({"overrides"}).out, "no overrides\n");
    const Said block = run({"block", "10.0.0.0/8", "--for", "2h"});
    EXPECT_EQ(block.exit, 0) << block.err;
    EXPECT_TRUE(contains(block.out, "block 10.0.0.0/8 until ")) << block.out;
    const Json allow = json({"allow", name_, "--for", "90"});
    EXPECT_EQ(allow["override"]["target"], name_);
    EXPECT_EQ(allow["override"]["kind"], "allow");
    EXPECT_EQ(
        allow["override"]["until_unix"].get<int>() - allow["override"]["since_unix"].get<int>(),
        90);
    EXPECT_EQ(allow["replaced"], false);

    const Json list = json({"overrides"});
    ASSERT_EQ(list["overrides"].size(), 2U);
    EXPECT_EQ(list["overrides"][0]["target"], "10.0.0.0/8");
    EXPECT_TRUE(contains(run({"status"}).out, "block"));
    EXPECT_EQ(json({"status"})["overrides"].size(), 2U);
    runtime_.add_flow(flow());
    EXPECT_EQ(json({"flows"})["flows"][0]["override"], "allow") << "the flow before the prefix";

    runtime_.add_flow(flow());
    auto packet = sample();
    packet.generation = runtime_.publisher().current().generation;
    runtime_.add_sample(packet);
    const Json told = json({"explain", name_, "--slot", "anomaly"});
    EXPECT_TRUE(contains(told["decision"]["override"].get<std::string>(), "allow " + name_));

    EXPECT_TRUE(contains(run({"unblock", name_}).out, "no longer: allow " + name_));
    EXPECT_EQ(run({"unblock", name_}).exit, 2) << "no such override";
    EXPECT_EQ(json({"overrides"})["overrides"].size(), 1U);
    EXPECT_EQ(run({"block", "10.0.0.1/8"}).exit, 2);
    EXPECT_EQ(run({"block", "10.0.0.1", "--for", "31d"}).exit, 2);
    EXPECT_EQ(run({"block", "10.0.0.1", "--for", "10 m"}).exit, 2);
    const auto lines = dir_.audit_lines();
    EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [&](const auto& line) {
        return contains(line, "\"action\":\"allow\"") && contains(line, "for 90 s");
    }));
}

}  // namespace
}  // namespace weir::control::test
