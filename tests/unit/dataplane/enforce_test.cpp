// SPDX-License-Identifier: BSD-3-Clause
// Meters, limits, tags and the false-alarm budget, on frames.
#include "dataplane/enforce.h"

#include "dataplane/ports.h"
#include "dataplane/tx.h"
#include "enforce_fixture.h"

#include <rte_ethdev.h>

namespace weir::dataplane {
namespace {

using namespace weir::test;

class EnforceTest : public EnforceFixture {
  protected:
    static Bytes flow(std::uint16_t port, std::uint8_t tos = 0) {
        return eth(0x0800, ip4({.proto = 17, .tos = tos}, udp({.src = port}, text(972))));
    }
};

constexpr std::uint32_t kPacket = 1000;  // IP bytes of flow()

std::string metered(const std::string& meter, const std::string& row = "police: m") {
    return "policy: {use: p, meters: {m: {" + meter + "}}}\npolicies: {p: {rules: [{" + row +
           "}]}}\n";
}

TEST_F(EnforceTest, APoliceRateIsKeptWithinTwoPercentOverTenSeconds) {
    load(metered("cir_kbps: 2000, cbs_bytes: 3000, excess_bytes: 1500"));
    double passed = 0;
    for (std::uint64_t n = 0; n < 10000; ++n) {  // 8 Mb/s
        const Outcome out = send(flow(1), {.at_ns = kStart + n * 1'000'000});
        passed += out.disposition == Disposition::forward ? kPacket : 0;
        EXPECT_TRUE(out.disposition == Disposition::forward || out.reason == DropReason::police);
    }
    EXPECT_NEAR(passed * 8 / 10, 2e6, 2e6 * 0.02);
    EXPECT_EQ(
        stats_->metered[0].get() + stats_->metered[1].get() + stats_->metered[2].get(), 10000U);
}

TEST_F(EnforceTest, ColoursMarkDown) {
    load(metered(
        "cir_kbps: 8, cbs_bytes: 1500, excess_bytes: 1500, yellow: AF12, red: AF13",
        "dscp: AF11, police: m"));
    EXPECT_EQ(send(flow(1)).frame, flow(1, 10 << 2));
    EXPECT_EQ(send(flow(1, 3)).frame, flow(1, 12 << 2 | 3)) << "ECN stays";
    EXPECT_EQ(send(flow(1)).frame, flow(1, 14 << 2));
    EXPECT_EQ(send(flow(1, 56 << 2)).frame, flow(1, 56 << 2)) << "never_remark holds here as well";
}

TEST_F(EnforceTest, BucketsArePerMeterFlowOrClass) {
    const std::string small = "cir_kbps: 8, cbs_bytes: 1500, excess_bytes: 1500, yellow: drop";
    load(metered(small + ", per: flow"));
    EXPECT_EQ(send(flow(1)).disposition, Disposition::forward);
    EXPECT_EQ(send(flow(1)).disposition, Disposition::drop);
    EXPECT_EQ(send(flow(2)).disposition, Disposition::forward);
    load(metered(small));
    EXPECT_EQ(send(flow(3)).disposition, Disposition::forward);
    EXPECT_EQ(send(flow(4)).disposition, Disposition::drop);
    load(metered(small + ", per: class", "slot: qos, class: [a, b], police: m"));
    classify(flow(5), 1, "a", 1);
    classify(flow(6), 1, "a", 1);
    classify(flow(7), 1, "b", 1);
    EXPECT_EQ(send(flow(5)).disposition, Disposition::forward);
    EXPECT_EQ(send(flow(6)).disposition, Disposition::drop);
    EXPECT_EQ(send(flow(7)).disposition, Disposition::forward);
}

TEST_F(EnforceTest, ANewSnapshotKeepsTheTokens) {
    const std::string same = metered("cir_kbps: 8, cbs_bytes: 1500, yellow: drop");
    load(same);
    EXPECT_EQ(send(flow(1)).disposition, Disposition::forward);
    load(same);
    EXPECT_EQ(send(flow(1)).disposition, Disposition::drop);
    load(metered("cir_kbps: 9, cbs_bytes: 1500, yellow: drop"));
    EXPECT_EQ(send(flow(1)).disposition, Disposition::forward) << "another rate begins anew";
}

TEST_F(EnforceTest, NewFlowsOfASourceAreLimited) {
    load("policy: {new_flows: {per_source_per_s: 10, burst: 3}}\n");
    for (std::uint16_t n = 1; n <= 3; ++n) {
        EXPECT_EQ(send(flow(n)).disposition, Disposition::forward);
    }
    const Outcome refused = send(flow(4));
    EXPECT_EQ(refused.disposition, Disposition::drop);
    EXPECT_EQ(refused.reason, DropReason::new_flow_rate);
    EXPECT_EQ(send(flow(1)).disposition, Disposition::forward) << "flows that began go on";
    EXPECT_EQ(send(flow(4)).disposition, Disposition::drop) << "a second packet is no way in";
    EXPECT_EQ(send(flow(4), {.at_ns = kStart + kSecond / 10}).disposition, Disposition::forward);
    const Bytes other = eth(0x0800, ip4({.src = kNear4, .proto = 17}, udp({}, text(9))));
    EXPECT_EQ(send(other).disposition, Disposition::forward) << "another source";
}

TEST_F(EnforceTest, NeighboursAreSourcesOfTheirOwn) {
    load("policy: {new_flows: {per_source_per_s: 1, burst: 1}}\n");
    for (const std::uint16_t port : {1000, 1001}) {
        for (std::uint8_t host = 1; host <= 16; ++host) {
            const Bytes frame = eth(
                0x0800, ip4({.src = {10, 9, 8, host}, .proto = 17}, udp({.src = port}, text(9))));
            EXPECT_EQ(
                send(frame).disposition, port == 1000 ? Disposition::forward : Disposition::drop)
                << "host " << int{host};
        }
    }
}

TEST_F(EnforceTest, NeverTouchedSourcesAreNotLimited) {
    load(
        "policy:\n"
        "  new_flows: {per_source_per_s: 1, burst: 1}\n"
        "  never_touch: {prefixes: [10.1.2.3]}\n");
    EXPECT_EQ(send(flow(1)).disposition, Disposition::forward);
    EXPECT_EQ(send(flow(2)).disposition, Disposition::forward);
}

TEST_F(EnforceTest, PriorityByRowAndByDscp) {
    const auto tagged = [](std::uint16_t tci, std::uint8_t tos) {
        return eth(0x8100, vlan(tci, 0x0800, ip4({.proto = 17, .tos = tos}, udp({}, text(9)))));
    };
    load("policy: {use: p}\npolicies: {p: {rules: [{pcp: 3}]}}\n");
    EXPECT_EQ(send(tagged(0x1064, 0)).frame, tagged(0x7064, 0)) << "DEI and id stay";
    load("policy: {use: p, pcp_by_dscp: true}\npolicies: {p: {rules: [{dscp: EF}]}}\n");
    EXPECT_EQ(send(tagged(0x0064, 1)).frame, tagged(0xc064, 46 << 2 | 1));
    EXPECT_EQ(stats_->pcp_written.get(), 2U);
}

TEST_F(EnforceTest, ATunnelIsMarkedInsideAndOut) {
    const auto tunnel = [](std::uint8_t tos) {
        return eth(
            0x0800,
            ip4({.src = kNear4, .dst = kFar4, .proto = 4, .tos = tos},
                ip4({.proto = 17, .tos = tos}, udp({.checksum = false}, text(9)))));
    };
    load("policy: {use: p}\npolicies: {p: {rules: [{dscp: EF, inner: true}]}}\n");
    EXPECT_EQ(send(tunnel(2)).frame, tunnel(46 << 2 | 2));
    EXPECT_EQ(stats_->inner_marked.get(), 1U);
    EXPECT_EQ(stats_->marked.get(), 1U);
}

TEST_F(EnforceTest, ACopyIsAsReceivedAndTellsWhatWasDecided) {
    const auto ring = std::move(*MirrorRing::create("enforce_mirror", 64, 256));
    enforcer_->mirror_into(*ring);
    load(
        "policy:\n"
        "  use: p\n"
        "  mirror: {file: unused.pcapng, one_in: 2}\n"
        "  meters: {m: {cir_kbps: 8, cbs_bytes: 1500, excess_bytes: 1500, yellow: drop}}\n"
        "policies: {p: {rules: [{prefixes: [192.0.2.77], action: drop}, "
        "{dscp: EF, police: m, mirror: true}]}}\n");
    EXPECT_EQ(send(flow(1)).dscp, 46);
    EXPECT_EQ(send(flow(1)).disposition, Disposition::drop) << "not copied: one in two";
    EXPECT_EQ(send(flow(1), {.at_ns = kStart + 5}).disposition, Disposition::drop);
    std::array<rte_mbuf*, 4> copies{};
    ASSERT_EQ(ring->pop(copies), 2U);
    const MirrorTag& marked = MirrorRing::tag(*copies[0]);
    EXPECT_EQ(marked.time_ns, kStart);
    EXPECT_EQ(marked.disposition, Disposition::forward);
    EXPECT_EQ(marked.dscp, 46);
    EXPECT_EQ(marked.policy, 0);
    EXPECT_EQ(marked.row, 1);
    const MirrorTag& policed = MirrorRing::tag(*copies[1]);
    EXPECT_EQ(policed.time_ns, kStart + 5);
    EXPECT_EQ(policed.disposition, Disposition::drop);
    EXPECT_EQ(policed.reason, DropReason::police);
    constexpr std::size_t kBlockHead = 28;
    constexpr std::size_t kSnap = 256;
    const Bytes block = MbufPool::bytes(copies[0]);
    const Bytes original = flow(1);
    ASSERT_GT(block.size(), kBlockHead + kSnap);
    EXPECT_TRUE(std::equal(original.begin(), original.begin() + kSnap, block.begin() + kBlockHead))
        << "as received, cut";
    EXPECT_EQ(stats_->mirrored.get(), 2U);
    rte_pktmbuf_free_bulk(copies.data(), 2);
    for (int n = 0; n < 140; ++n) {
        static_cast<void>(send(flow(1)));
    }
    EXPECT_EQ(stats_->mirrored.get(), 66U);
    EXPECT_EQ(stats_->mirror_lost.get(), 6U) << "no room, and no wait";
    enforcer_.reset();
}

TEST_F(EnforceTest, TheBudgetStepsDownAndRecovers) {
    load(
        "policy:\n"
        "  use: p\n"
        "  meters: {m: {cir_kbps: 8, cbs_bytes: 1500, excess_bytes: 1500, yellow: pass}}\n"
        "  budget: {flows: 2, window_s: 10, police: m, dscp: LE, recover_s: 100}\n"
        "policies: {p: {default: drop}}\n");
    std::uint16_t port = 1;
    const auto alarms = [&](int count, std::uint64_t at_s) {
        Outcome last{};
        for (int n = 0; n < count; ++n) {
            last = send(flow(port++), {.at_ns = kStart + at_s * kSecond});
        }
        return last;
    };
    EXPECT_EQ(alarms(2, 0).disposition, Disposition::drop) << "within the budget";
    EXPECT_EQ(send(flow(2)).disposition, Disposition::drop) << "a flow counts once";
    EXPECT_EQ(alarms(2, 11).disposition, Disposition::drop) << "another window";
    EXPECT_EQ(stats_->enforcement_steps.get(), 0U);
    EXPECT_EQ(alarms(1, 11).disposition, Disposition::forward) << "spent: metered from now on";
    EXPECT_EQ(stats_->enforcement_level.get(), 1U);
    EXPECT_EQ(alarms(2, 11).reason, DropReason::police) << "and the meter is red";
    EXPECT_EQ(alarms(1, 11).dscp, 1) << "spent again: marked";
    EXPECT_EQ(stats_->enforcement_level.get(), 2U);
    EXPECT_EQ(alarms(3, 12).dscp, kKeepDscp) << "and at last observed";
    EXPECT_EQ(stats_->enforcement_level.get(), 3U);
    EXPECT_EQ(stats_->enforcement_steps.get(), 3U);
    EXPECT_EQ(alarms(1, 112).dscp, 1) << "one step up after recover_s";
    EXPECT_EQ(alarms(1, 212).disposition, Disposition::forward);
    EXPECT_EQ(alarms(1, 312).disposition, Disposition::drop);
    EXPECT_EQ(stats_->enforcement_level.get(), 0U);
    EXPECT_GE(stats_->softened.get(), 6U);
}

TEST_F(EnforceTest, AMirrorWithoutItsPortIsCountedAsLost) {
    enforcer_ =
        std::move(*Enforcer::create(table_->capacity(), {ports_.data(), 2}, links_, *stats_));
    load(
        "policy: {use: p, mirror: {port: mon, one_in: 2}}\npolicies: {p: {rules: [{mirror: "
        "true}]}}\n");
    for (std::uint16_t n = 1; n <= 4; ++n) {
        EXPECT_EQ(send(flow(n)).frame, flow(n));
    }
    EXPECT_EQ(stats_->mirror_lost.get(), 2U);
    EXPECT_EQ(stats_->mirrored.get(), 0U);
}

// Three null devices; what each is given to send is kept.
class EnforcePorts : public EnforceTest {
  protected:
    EnforcePorts() {
        std::vector<config::Port> ports(3);
        for (std::size_t p = 0; p < ports.size(); ++p) {
            ports[p].name = "p" + std::to_string(p);
            ports[p].device = "net_null_enforce" + std::to_string(p) + ",no-rx=1";
        }
        const auto started = devices_.start(ports, 1);
        EXPECT_TRUE(started) << started.error().line();
        for (std::size_t p = 0; p < ports.size(); ++p) {
            ports_[p].port_id = devices_.handles()[p].port_id;
            callbacks_[p] = rte_eth_add_tx_callback(ports_[p].port_id, 0, keep, &sent_[p]);
            links_[p].store(true);
        }
        enforcer_ = std::move(*Enforcer::create(table_->capacity(), ports_, links_, *stats_));
    }

    // A port's number, and what hangs on it, outlives the device.
    ~EnforcePorts() override {
        for (std::size_t p = 0; p < ports_.size(); ++p) {
            rte_eth_remove_tx_callback(ports_[p].port_id, 0, callbacks_[p]);
        }
    }

    static std::uint16_t keep(
        std::uint16_t, std::uint16_t, rte_mbuf* packets[], std::uint16_t count, void* to) {
        for (std::uint16_t i = 0; i < count; ++i) {
            static_cast<std::vector<Bytes>*>(to)->push_back(MbufPool::bytes(packets[i]));
        }
        return count;
    }

    Ports devices_;
    std::array<const rte_eth_rxtx_callback*, 3> callbacks_{};
    std::array<std::vector<Bytes>, 3> sent_;
};

TEST_F(EnforcePorts, AMirrorGetsThePacketAsReceived) {
    load(
        "policy: {use: p, mirror: {port: mon, one_in: 2}}\n"
        "policies: {p: {rules: [{mirror: true, dscp: EF}]}}\n");
    for (std::uint16_t n = 1; n <= 4; ++n) {
        EXPECT_EQ(send(flow(n)).frame, flow(n, 46 << 2));
    }
    EXPECT_EQ(sent_[2], (std::vector<Bytes>{flow(1), flow(3)}));
    EXPECT_EQ(stats_->mirrored.get(), 2U);
    EXPECT_EQ(stats_->ports[2].tx_packets.get(), 0U) << "copies are in no other count";
}

TEST_F(EnforcePorts, ABlockedFlowIsResetBothWaysAndDropped) {
    load("policy: {use: p}\npolicies: {p: {rules: [{action: reset}]}}\n");
    const Bytes data = eth(0x0800, ip4({}, tcp({.seq = 1000, .ack = 5000}, text(100))));
    const Outcome out = send(data, {.port = 1, .initiator = false});
    EXPECT_EQ(out.disposition, Disposition::drop);
    ASSERT_EQ(sent_[1].size(), 1U) << "back to where it came from";
    ASSERT_EQ(sent_[0].size(), 1U) << "and on to where it went";
    EXPECT_EQ(sent_[1][0].size(), 54U);
    EXPECT_EQ(stats_->resets_sent.get(), 2U);
    send(data, {.port = 2});
    EXPECT_TRUE(sent_[2].empty()) << "a tap's flows are elsewhere";
}

TEST_F(EnforcePorts, ARedirectedPacketLeavesOnceAndMarked) {
    load("policy: {use: p}\npolicies: {p: {rules: [{redirect: mon, dscp: EF}]}}\n");
    Batch& batch = *batch_;
    batch.size = 1;
    batch.mbuf[0] = pool_.make(flow(1));
    batch.time_ns[0] = kStart;
    batch.rx_port[0] = 0;
    const std::array<std::uint16_t, 3> domains{0, 0, 1};
    parse(batch, domains.data());
    batch.flow[0] = flow_of(batch.key[0], From{});
    batch.forward[0] = 1;
    decide(batch, 0, 1, *table_, *snapshot_, *rows_, *stats_);
    enforcer_->enforce(batch, 0, 1, *table_, *snapshot_);
    act(batch, 0, 1, *stats_);
    enforcer_->send_redirected(batch);
    tx(batch, ports_, links_, *stats_);
    EXPECT_EQ(sent_[2], (std::vector<Bytes>{flow(1, 46 << 2)}));
    EXPECT_TRUE(sent_[1].empty());
    EXPECT_EQ(stats_->ports[2].tx_packets.get(), 1U);
    EXPECT_EQ(stats_->redirected.get(), 1U);
    for (const Counter& drops : stats_->drops) {
        EXPECT_EQ(drops.get(), 0U);
    }
}

}  // namespace
}  // namespace weir::dataplane
