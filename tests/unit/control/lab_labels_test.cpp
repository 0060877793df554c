// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/labels.h"
#include "control/lab/labels_csv.h"
#include "control/lab/labels_flows.h"
#include "control/lab/labels_rules.h"
#include "tests/unit/control/lab_fixtures.h"

#include <cstring>
#include <set>

#include <gtest/gtest.h>
#include <unistd.h>

namespace weir::lab {
namespace {

FlowFacts attack(
    std::string_view family, std::string_view label, std::uint8_t proto, std::string_view dpi) {
    FlowFacts facts;
    facts.family = family;
    facts.file_label = label;
    facts.proto = proto;
    facts.sport = 40000;
    facts.dport = 443;
    facts.dpi_proto = dpi;
    return facts;
}

FlowFacts reviewed(std::uint8_t proto, std::string_view dpi, std::string_view service_class) {
    auto facts = attack("benign/x", "x", proto, dpi);
    facts.service_class = service_class;
    facts.reviewed = true;
    return facts;
}

TEST(AnomalyRules, BenignCapturesAreBenign) {
    EXPECT_EQ(anomaly_label(attack("benign/web", "http", 6, "TLS")), "benign");
    EXPECT_EQ(anomaly_label(attack("benign/gaming", "wow", 17, "")), "benign");
}

TEST(AnomalyRules, PacketsPickedOutOfConnectionsAreInNoClass) {
    const auto picked = attack("benign/web", "http_many_protocols", 6, "HTTP");
    EXPECT_EQ(anomaly_label(picked), "");
    EXPECT_EQ(qos_label(picked), "");
    EXPECT_EQ(qos_label(attack("benign/web", "http", 6, "HTTP")), "standard");
}

TEST(AnomalyRules, FloodsScansAndReflectionAreNamedWhole) {
    EXPECT_EQ(anomaly_label(attack("attack/ddos_synflood", "syn_flood_spoofed", 6, "")), "flood");
    EXPECT_EQ(
        anomaly_label(attack("attack/ddos_synflood", "syn_backscatter", 6, "")), "amplification");
    EXPECT_EQ(
        anomaly_label(attack("attack/ddos_amplification", "isakmp_amplification", 17, "")),
        "amplification");
    EXPECT_EQ(anomaly_label(attack("attack/flood_other", "udp_flood", 17, "")), "flood");
    // A scanned port's name says nothing of the scan.
    EXPECT_EQ(anomaly_label(attack("attack/scan", "masscan_udp", 17, "NTP")), "scan");
    EXPECT_EQ(anomaly_label(attack("attack/scan", "arp_scan", 17, "Google")), "");
    EXPECT_EQ(anomaly_label(attack("attack/scan", "tcp_flag_sweep", 6, "")), "");
}

TEST(AnomalyRules, AVictimsOwnTrafficIsNoAttack) {
    EXPECT_EQ(anomaly_label(attack("attack/malware_c2", "cerber", 6, "HTTP")), "malware_c2");
    EXPECT_EQ(
        anomaly_label(attack("attack/malware_c2", "cerber", 6, "TLS.WindowsUpdate")), "benign");
    EXPECT_EQ(anomaly_label(attack("attack/malware_c2", "cerber", 17, "LLMNR")), "benign");
    EXPECT_EQ(anomaly_label(attack("attack/malware_c2", "cerber", 6, "TLS.AmazonAWS")), "");
    auto lookup = attack("attack/malware_c2", "cerber", 17, "DNS");
    lookup.dport = 53;
    EXPECT_EQ(anomaly_label(lookup), "");
    auto unlisted = attack("attack/malware_c2", "cerber", 17, "");
    unlisted.dport = 6892;
    EXPECT_EQ(anomaly_label(unlisted), "malware_c2");
    unlisted.dport = 5355;
    EXPECT_EQ(anomaly_label(unlisted), "benign");
}

TEST(AnomalyRules, OnlyTheServiceUnderAttackIsTheAttack) {
    EXPECT_EQ(anomaly_label(attack("attack/bruteforce", "ssh_hydra", 6, "SSH")), "bruteforce");
    EXPECT_EQ(anomaly_label(attack("attack/bruteforce", "ssh_hydra", 6, "TLS")), "");
    EXPECT_EQ(anomaly_label(attack("attack/web_attack", "xss", 6, "HTTP")), "web_attack");
    EXPECT_EQ(anomaly_label(attack("attack/web_attack", "xss", 17, "SSDP")), "benign");
    EXPECT_EQ(
        anomaly_label(attack("attack/exploit", "smbghost_loopback", 6, "NetBIOS.SMBv23")),
        "exploit");
    auto dns = attack("attack/dns_tunnel", "iodine_cname", 17, "DNS");
    dns.dport = 53;
    EXPECT_EQ(anomaly_label(dns), "dns_tunnel");
    EXPECT_EQ(anomaly_label(attack("attack/dns_tunnel", "icmp_tunnel", 1, "ICMP")), "");
    EXPECT_EQ(anomaly_label(attack("attack/mitm", "arp_poison", 6, "HTTP")), "");
}

TEST(AnomalyRules, PacketLabelsDecideWhereThereAreAny) {
    auto facts = attack("attack/ics_attack", "modbus_fake_command", 6, "Modbus");
    EXPECT_EQ(anomaly_label(facts), "");
    facts.has_packet_labels = true;
    EXPECT_EQ(anomaly_label(facts), "benign");
    facts.attack_packet = true;
    EXPECT_EQ(anomaly_label(facts), "exploit");
}

TEST(QosRules, FinerNamesGoBeforeTheCorpusGrouping) {
    EXPECT_EQ(qos_label(reviewed(17, "RTP", "voip_rtc")), "telephony");
    EXPECT_EQ(qos_label(reviewed(17, "SIP", "voip_rtc")), "signaling");
    EXPECT_EQ(qos_label(reviewed(17, "STUN.Zoom", "voip_rtc")), "multimedia_conferencing");
    EXPECT_EQ(qos_label(reviewed(6, "TLS.Zoom", "voip_rtc")), "");
    EXPECT_EQ(qos_label(reviewed(17, "DNS.Zoom", "background")), "standard");
    EXPECT_EQ(qos_label(reviewed(6, "TLS.NetFlix", "video_streaming")), "multimedia_streaming");
    EXPECT_EQ(qos_label(reviewed(17, "BitTorrent", "bulk_transfer")), "low_priority_data");
    EXPECT_EQ(qos_label(reviewed(6, "SSH", "interactive")), "low_latency_data");
    EXPECT_EQ(qos_label(reviewed(17, "Source_Engine", "gaming")), "realtime_interactive");
    EXPECT_EQ(qos_label(reviewed(6, "TLS.Steam", "gaming")), "");
    EXPECT_EQ(qos_label(reviewed(6, "Unknown", "unknown")), "");
}

TEST(QosRules, AttacksAndUnlistedFlowsHaveNoServiceClass) {
    EXPECT_EQ(qos_label(attack("attack/scan", "syn_scan", 6, "SSH")), "");
    EXPECT_EQ(qos_label(attack("benign/voip_rtc", "zoom", 17, "")), "");
    EXPECT_EQ(qos_label(attack("benign/web", "http_web", 6, "HTTP")), "standard");
    // A guessed name is enough only where the capture agrees.
    EXPECT_EQ(qos_label(attack("benign/vpn", "surfshark", 6, "TLS")), "");
}

TEST(Rules, EveryLabelIsOneOfItsSlotsClasses) {
    const std::set<std::string_view> anomaly(
        slot_classes("anomaly").begin(), slot_classes("anomaly").end());
    for (const auto* family :
         {"ddos_synflood",
          "flood_other",
          "scan",
          "slow_http",
          "dns_tunnel",
          "exploit",
          "malware_c2",
          "bruteforce",
          "web_attack",
          "cryptomining",
          "lateral_movement",
          "ddos_amplification"}) {
        for (const auto* dpi : {"", "DNS", "HTTP", "SSH", "Mining", "TLS", "MDNS"}) {
            const std::string name = std::string("attack/") + family;
            const auto label = anomaly_label(attack(name, "x", 6, dpi));
            EXPECT_TRUE(label.empty() || anomaly.contains(label))
                << name << ' ' << dpi << ' ' << label;
        }
    }
    EXPECT_TRUE(slot_classes("nonsense").empty());
}

TEST(Rules, CollectionsOfManyOriginsAreSplitByOrigin) {
    EXPECT_EQ(source_group("ntop/nDPI", "benign/web/ntop__quic-28.pcap"), "nDPI/quic");
    EXPECT_EQ(source_group("vel21ripn/nDPI", "benign/web/vel21ripn__quic_t51.pcap"), "nDPI/quic");
    EXPECT_EQ(source_group("ntop/nDPI", "benign/web/ntop__443-curl.pcap"), "nDPI/443");
    EXPECT_EQ(
        source_group("ntop/nDPI", "benign/voip_rtc/ntop__KakaoTalk_talk.pcap"), "nDPI/kakaotalk");
    EXPECT_EQ(
        source_group("corelight/zeek-asyncrat-detector", "attacks/malware_c2/corelight__x.pcap"),
        "corelight");
    EXPECT_EQ(
        source_group("corelight/cve-2021-44228", "attacks/exploit/corelight__y.pcap"), "corelight");
    EXPECT_EQ(
        source_group("StopDDoS/packet-captures", "a/StopDDoS__amp.UDP.isakmp.pcap"),
        "StopDDoS/amp.UDP.isakmp");
}

TEST(Csv, ReadsQuotesAndRefusesRaggedRows) {
    const test::TempDir dir;
    const auto path = dir.write("t.csv", "a,b,c\r\n1,\"x, \"\"y\"\"\",3\n\n4,,\n");
    auto csv = CsvReader::open(path);
    ASSERT_TRUE(csv);
    ASSERT_TRUE(csv->next().value());
    EXPECT_EQ(csv->fields()[1], "x, \"y\"");
    EXPECT_EQ(csv->fields()[2], "3");
    ASSERT_TRUE(csv->next().value());
    EXPECT_EQ(csv->fields()[0], "4");
    EXPECT_EQ(csv->fields()[2], "");
    EXPECT_FALSE(csv->next().value());
    EXPECT_EQ(csv->column("d").error().field, "d");

    auto ragged = CsvReader::open(dir.write("r.csv", "a,b\n1\n"));
    const auto row = ragged->next();
    ASSERT_FALSE(row);
    EXPECT_NE(row.error().where.find("r.csv:2"), std::string::npos);
    auto open_quote = CsvReader::open(dir.write("q.csv", "a,b\n1,\"2\n"));
    EXPECT_FALSE(open_quote->next());
    EXPECT_FALSE(CsvReader::open(dir.write("e.csv", "")));
    EXPECT_FALSE(CsvReader::open(dir.path("absent.csv")));
    EXPECT_EQ(csv_field("a,\"b\""), "\"a,\"\"b\"\"\"");
}

// ---- a corpus of one scan capture and one benign capture, built byte by byte

void put32(std::string& out, std::uint32_t v) {
    out.append(reinterpret_cast<const char*>(&v), 4);  // captures are in the writer's byte order
}

std::string udp_frame(
    std::uint8_t src, std::uint16_t sport, std::uint8_t dst, std::uint16_t dport) {
    std::string frame("\x02\0\0\0\0\x0b\x02\0\0\0\0\x0a\x08\0", 14);
    const auto hi = [](std::uint16_t v) { return static_cast<char>(v >> 8); };
    const auto lo = [](std::uint16_t v) { return static_cast<char>(v & 0xff); };
    frame += std::string("\x45\0\0\x20\0\0\0\0\x40\x11\0\0", 12);
    frame += std::string({10, 0, 0, static_cast<char>(src), 10, 0, 0, static_cast<char>(dst)});
    frame +=
        std::string({hi(sport), lo(sport), hi(dport), lo(dport), 0, 12, 0, 0, 'w', 'e', 'i', 'r'});
    return frame;
}

std::string capture(const std::vector<std::string>& frames) {
    std::string out;
    for (const std::uint32_t v : {0xa1b2c3d4U, 0x00040002U, 0U, 0U, 65535U, 1U}) {
        put32(out, v);
    }
    for (const auto& frame : frames) {
        for (const std::uint32_t v :
             {1U,
              0U,
              static_cast<std::uint32_t>(frame.size()),
              static_cast<std::uint32_t>(frame.size())}) {
            put32(out, v);
        }
        out += frame;
    }
    return out;
}

class Corpus : public ::testing::Test {
  protected:
    Corpus() {
        dir_.write(
            "attacks/scan/x__udp.pcap",
            capture(
                {udp_frame(1, 4000, 2, 53), udp_frame(2, 53, 1, 4000), udp_frame(1, 4000, 2, 54)}));
        dir_.write(
            "benign/voip_rtc/ntop__call.pcap",
            capture(
                {udp_frame(3, 5004, 4, 5006),
                 udp_frame(3, 5060, 4, 5060),
                 udp_frame(3, 9, 4, 9),
                 udp_frame(4, 5006, 3, 5004)}));
        dir_.write(
            "labels.csv",
            "file,label_family,label,source_repo\n"
            "attacks/scan/x__udp.pcap,attack/scan,udp_scan,some/repo\n"
            "benign/voip_rtc/ntop__call.pcap,benign/voip_rtc,call,ntop/nDPI\n"
            "malformed/z.pcap,malformed,z,other/repo\n");
        dir_.write(
            "ndpi_expected_flows.csv",
            "file,l4,src_ip,src_port,dst_ip,dst_port,ndpi_proto,ndpi_category\n"
            "benign/voip_rtc/ntop__call.pcap,UDP,10.0.0.4,5006,10.0.0.3,5004,RTP,Media\n"
            "benign/voip_rtc/ntop__call.pcap,UDP,10.0.0.3,5060,10.0.0.4,5060,SIP,VoIP\n");
        dir_.write(
            "flows.csv",
            "file,ip_proto,src_ip,src_port,dst_ip,dst_port,ndpi_proto\n"
            "benign/voip_rtc/ntop__call.pcap,17,10.0.0.3,5060,10.0.0.4,5060,SSH\n");
        dir_.write(
            "qos_map.csv",
            "ndpi_category,ndpi_proto_contains,service_class\nMedia,RTP,voip_rtc\nMedia,,video_"
            "streaming\n");
    }
    test::TempDir dir_;
};

TEST_F(Corpus, FlowsAreListedAsTheGatewayKeysThem) {
    const auto flows = list_flows(dir_.path("attacks/scan/x__udp.pcap"));
    ASSERT_TRUE(flows) << flows.error().line();
    ASSERT_EQ(flows->size(), 2U);
    EXPECT_EQ((*flows)[0].a.text(), "10.0.0.1");
    EXPECT_EQ((*flows)[0].a.port, 4000);
    EXPECT_EQ((*flows)[0].b.port, 53);
    EXPECT_EQ((*flows)[0].packets, (std::vector<std::uint32_t>{1, 2}));
    EXPECT_EQ((*flows)[1].packets, (std::vector<std::uint32_t>{3}));
}

TEST_F(Corpus, AnomalyLabelsCoverEveryFlow) {
    const auto labels = assemble_labels({dir_.path(""), "anomaly"});
    ASSERT_TRUE(labels) << labels.error().line();
    ASSERT_EQ(labels->flows.size(), 5U);
    EXPECT_EQ(labels->flows[0].label, "scan");
    EXPECT_EQ(labels->flows[0].group, "some");
    EXPECT_EQ(labels->flows[2].label, "benign");
    EXPECT_EQ(labels->flows[2].group, "nDPI/call");
    EXPECT_EQ(labels->counts.left_out, 0U);
}

TEST_F(Corpus, ReviewedLabelsWinAndUnlistedFlowsAreLeftOut) {
    const auto labels = assemble_labels({dir_.path(""), "qos"});
    ASSERT_TRUE(labels) << labels.error().line();
    ASSERT_EQ(labels->flows.size(), 2U);
    EXPECT_EQ(labels->flows[0].label, "telephony");
    EXPECT_EQ(labels->flows[0].sport, 5004);
    EXPECT_EQ(labels->flows[1].label, "signaling");
    EXPECT_EQ(labels->counts.left_out, 3U);
    ASSERT_TRUE(write_labels(*labels, dir_.path("out.csv")));
    auto csv = CsvReader::open(dir_.path("out.csv"));
    ASSERT_TRUE(csv->next().value());
    EXPECT_EQ(csv->fields()[0], "benign/voip_rtc/ntop__call.pcap");
    EXPECT_EQ(csv->fields()[6], "telephony");
}

TEST_F(Corpus, PacketLabelsReachTheirFlow) {
    dir_.write(
        "labels.csv",
        "file,label_family,label,source_repo\nattacks/scan/x__udp.pcap,attack/"
        "ics_attack,modbus,some/repo\n");
    dir_.write("attacks/scan/x__udp.packet_labels.csv", "packet_number,attack\n1,0\n2,0\n3,1\n");
    const auto labels = assemble_labels({dir_.path(""), "anomaly"});
    ASSERT_TRUE(labels) << labels.error().line();
    ASSERT_EQ(labels->flows.size(), 2U);
    EXPECT_EQ(labels->flows[0].label, "benign");
    EXPECT_EQ(labels->flows[1].label, "exploit");
    dir_.write("attacks/scan/x__udp.packet_labels.csv", "packet_number,attack\n1,maybe\n");
    EXPECT_EQ(assemble_labels({dir_.path(""), "anomaly"}).error().field, "attack");
}

TEST_F(Corpus, BadTablesAreRefusedByFileAndColumn) {
    EXPECT_EQ(assemble_labels({dir_.path(""), "weather"}).error().field, "slot");
    dir_.write(
        "flows.csv",
        "file,ip_proto,src_ip,src_port,dst_ip,dst_port,ndpi_proto\nx,17,10.0.0.1,70000,10.0.0.2,1,"
        "DNS\n");
    const auto port = assemble_labels({dir_.path(""), "qos"});
    ASSERT_FALSE(port);
    EXPECT_EQ(port.error().field, "src_port");
    dir_.write(
        "flows.csv",
        "file,ip_proto,src_ip,src_port,dst_ip,dst_port,ndpi_proto\nx,17,ten,7,10.0.0.2,1,DNS\n");
    EXPECT_EQ(assemble_labels({dir_.path(""), "qos"})->counts.unreadable_rows, 1U);
    dir_.write("attacks/scan/x__udp.pcap", "no capture");
    dir_.write("flows.csv", "file,ip_proto,src_ip,src_port,dst_ip,dst_port,ndpi_proto\n");
    EXPECT_NE(
        assemble_labels({dir_.path(""), "qos"}).error().where.find("x__udp.pcap"),
        std::string::npos);
}

}  // namespace
}  // namespace weir::lab
