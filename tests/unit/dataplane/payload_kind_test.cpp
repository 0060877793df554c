// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/features/payload_kind.h"

#include "dataplane/features/state.h"
#include "tests/unit/dataplane/payload_fixture.h"

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

using test::Wire;

constexpr std::uint8_t kUdp = kProtoUdp;
constexpr std::uint8_t kTcp = kProtoTcp;

struct Case {
    PayloadKind kind;
    std::uint8_t proto;
    std::string bytes;
};

void add_words(std::vector<Case>& out) {
    const auto add = [&](PayloadKind kind, std::uint8_t proto, std::string_view words) {
        out.push_back({kind, proto, std::string(words)});
    };
    add(PayloadKind::http_get, kTcp, "GET /a?b=c.mp4 HTTP/1.1\r\nHost: x\r\n\r\n");
    add(PayloadKind::http_media_request, kTcp, "GET /v/seg12.M4S?x HTTP/1.1\r\nHost: x\r\n\r\n");
    add(PayloadKind::http_range, kTcp, "GET /a HTTP/1.1\r\nRange: bytes=0-99\r\n\r\n");
    add(PayloadKind::http_post, kTcp, "POST / HTTP/1.1\r\n\r\n");
    add(PayloadKind::http_connect, kTcp, "CONNECT a:443 HTTP/1.1\r\n\r\n");
    add(PayloadKind::http_response, kTcp, "HTTP/1.1 304 Not Modified\r\n\r\n");
    add(PayloadKind::http_text, kTcp, "HTTP/1.1 200 OK\r\nA: b\r\nContent-Type: text/html\r\n\r\n");
    add(PayloadKind::http_image, kTcp, "HTTP/1.1 200 OK\r\ncontent-type:image/png\r\n\r\n");
    add(PayloadKind::http_media, kTcp, "HTTP/1.1 206 P\r\nContent-type: Video/mp4\r\n\r\n");
    add(PayloadKind::http_file, kTcp, "HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\n\r\n");
    add(PayloadKind::ssdp, kUdp, "HTTP/1.1 200 OK\r\nST: x\r\n\r\n");
    add(PayloadKind::ssdp, kUdp, "M-SEARCH * HTTP/1.1\r\n\r\n");
    add(PayloadKind::sip_request, kUdp, "INVITE sip:a@b SIP/2.0\r\n\r\n");
    add(PayloadKind::sip_response, kUdp, "SIP/2.0 200 OK\r\n\r\n");
    add(PayloadKind::rtsp, kTcp, "OPTIONS rtsp://a/b RTSP/1.0\r\n\r\n");
    add(PayloadKind::mgcp, kUdp, "CRCX 1 a@b MGCP 1.0\r\n");
    add(PayloadKind::ssh, kTcp, "SSH-2.0-x\r\n");
    add(PayloadKind::rfb, kTcp, "RFB 003.008\n");
    add(PayloadKind::smtp, kTcp, "220 a ESMTP ready\r\n");
    add(PayloadKind::ftp, kTcp, "220 (vsFTPd 3.0)\r\n");
    add(PayloadKind::imap, kTcp, "a1 LOGIN u p\r\n");
    add(PayloadKind::pop3, kTcp, "+OK ready\r\n");
    add(PayloadKind::syslog, kUdp, "<34>1 2003-10-11T22:14:15.003Z m su - - x");
    add(PayloadKind::monitoring, kTcp, "ZBXD\x01");
    add(PayloadKind::amqp, kTcp, std::string_view("AMQP\0\0\x09\x01", 8));
    add(PayloadKind::bittorrent,
        kTcp,
        "\x13"
        "BitTorrent protocol");
    add(PayloadKind::bittorrent_dht,
        kUdp,
        "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe");
    add(PayloadKind::json_rpc, kTcp, "{\"id\": 1, \"method\": \"mining.subscribe\"}");
}

void add_streams(std::vector<Case>& out) {
    const auto add = [&](PayloadKind kind, const Wire& wire) {
        out.push_back({kind, kTcp, wire.get()});
    };
    out.push_back({PayloadKind::tls_client_hello, kTcp, test::client_hello("www.example.com")});
    add(PayloadKind::tls_server_hello, Wire().u8({22, 3, 3}).u16(74).u8({2}).noise(73));
    add(PayloadKind::tls_data, Wire().u8({23, 3, 3}).u16(64).noise(64));
    add(PayloadKind::q931, Wire().u8({3, 0}).u16(20).u8({8}).fill(15, 5));
    add(PayloadKind::rdp, Wire().u8({3, 0}).u16(19).u8({14, 0xe0, 0, 0, 0, 0, 0, 1}).fill(7));
    add(PayloadKind::s7, Wire().u8({3, 0}).u16(22).u8({17, 0xe0, 0, 0, 0, 1, 0, 0xc0}).fill(10));
    add(PayloadKind::modbus, Wire().u16(7).u16(0).u16(6).u8({1, 3}).u32(0x10002));
    add(PayloadKind::dnp3, Wire().u16(0x0564).u8({5, 0xc9}).fill(6, 3));
    add(PayloadKind::iec104, Wire().u8({0x68, 4, 7, 0, 0, 0}));
    add(PayloadKind::mqtt,
        Wire().u8({0x10, 14, 0, 4}).text("MQTT").u8({4, 2, 0, 60, 0, 2}).text("ab"));
    add(PayloadKind::opc_ua, Wire().text("HELF").fill(28));
    add(PayloadKind::telnet, Wire().u8({0xff, 0xfd, 3}));
    add(PayloadKind::smb2, Wire().u8({0, 0, 0, 64, 0xfe}).text("SMB").fill(60));
    add(PayloadKind::onc_rpc,
        Wire().u32(0x80000028).u32(7).u32(0).u32(2).u32(100003).u32(3).fill(20));
    add(PayloadKind::pptp, Wire().u16(156).u16(1).u32(0x1a2b3c4d).fill(148));
    add(PayloadKind::socks, Wire().u8({5, 1, 0}));
    add(PayloadKind::ldap, Wire().u8({0x30, 12, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x80, 0}));
    add(PayloadKind::kerberos, Wire().u32(6).u8({0x6a, 4, 0x30, 2, 1, 0}));
    const std::string query = test::dns({"a", "example"}, 1);
    add(PayloadKind::dns_query, Wire().u16(static_cast<unsigned>(query.size())).text(query));
}

void add_datagrams(std::vector<Case>& out) {
    const auto add = [&](PayloadKind kind, const Wire& wire) {
        out.push_back({kind, kUdp, wire.get()});
    };
    out.push_back({PayloadKind::dns_query, kUdp, test::dns({"www", "example"}, 28)});
    out.push_back({PayloadKind::dns_response, kUdp, test::dns({"www", "example"}, 1, 2)});
    out.push_back({PayloadKind::rtp_audio, kUdp, test::rtp_packet(0, 7)});
    out.push_back({PayloadKind::rtp, kUdp, test::rtp_packet(111, 7)});
    out.push_back({PayloadKind::rtp_video, kUdp, test::rtp_packet(34, 7)});
    add(PayloadKind::netbios_name,
        Wire().u16(1).u16(0x0110).u16(1).fill(6).u8({32}).fill(32, 'C').u8({0}).u16(32).u16(1));
    add(PayloadKind::rtcp, Wire().u8({0x80, 201}).u16(1).u32(7));
    add(PayloadKind::quic_initial, Wire().u8({0xc3}).u32(1).u8({8}).noise(1190));
    add(PayloadKind::quic_long, Wire().u8({0xe3}).u32(1).u8({8}).noise(190));
    add(PayloadKind::stun, Wire().u16(1).u16(0).u32(0x2112a442).noise(12));
    add(PayloadKind::turn, Wire().u16(3).u16(8).u32(0x2112a442).noise(20));
    add(PayloadKind::turn_data, Wire().u16(0x4001).u16(100).noise(100));
    add(PayloadKind::dtls, Wire().u8({22, 0xfe, 0xfd}).fill(8).u16(60).noise(60));
    add(PayloadKind::transport_stream, Wire().u8({0x47}).noise(187).u8({0x47}).noise(187, 2));
    add(PayloadKind::ntp, Wire().u8({0x23, 0, 6, 0xe9}).fill(44));
    add(PayloadKind::ntp_control, Wire().u8({0x17, 0, 3, 42}).fill(4));
    add(PayloadKind::dhcp, Wire().u8({1, 1, 6, 0}).fill(232, 1).u32(0x63825363).u8({53, 1, 1}));
    add(PayloadKind::snmp, Wire().u8({0x30, 13, 2, 1, 0, 4, 6}).text("public").u8({0xa0, 0}));
    add(PayloadKind::flow_export, Wire().u16(5).u16(1).fill(68, 2));
    add(PayloadKind::radius, Wire().u8({1, 9}).u16(24).noise(20));
    add(PayloadKind::collectd, Wire().u16(0).u16(9).text("host").u8({0}).u16(8).u16(12).fill(8));
    add(PayloadKind::ike, Wire().noise(16).u8({33, 0x20, 34, 8}).u32(0).u32(28));
    add(PayloadKind::wireguard, Wire().u8({1, 0, 0, 0}).noise(144));
    add(PayloadKind::openvpn, Wire().u8({0x38}).noise(8).u8({0}).u32(0));
    add(PayloadKind::bittorrent_tracker, Wire().u32(0x417).u32(0x27101980).u32(0).u32(7));
    add(PayloadKind::utp, Wire().u8({0x41, 0}).u16(9).u32(1).u32(0).u32(0x30000).u16(1).u16(0));
    add(PayloadKind::raknet,
        Wire()
            .u8({5})
            .text(std::string_view(
                "\0\xff\xff\0\xfe\xfe\xfe\xfe\xfd\xfd\xfd\xfd\x12\x34\x56\x78", 16))
            .fill(20));
    add(PayloadKind::connectionless, Wire().u32(0xffffffff).text("TSource"));
    add(PayloadKind::bacnet, Wire().u8({0x81, 0x0a}).u16(12).fill(8, 1));
    add(PayloadKind::coap, Wire().u8({0x40, 1}).u16(7).u8({0xb4}).text("test"));
    add(PayloadKind::tftp, Wire().u16(1).text("file").u8({0}).text("octet").u8({0}));
    add(PayloadKind::onc_rpc, Wire().u32(7).u32(0).u32(2).u32(100003).u32(3).fill(20));
    add(PayloadKind::bfcp, Wire().u8({0x20, 11}).u16(0).u32(1).u16(1).u16(1));
    add(PayloadKind::slp, Wire().u8({2, 1, 0, 0, 20}).fill(15));
    add(PayloadKind::nat_pmp, Wire().u8({0, 0}));
    add(PayloadKind::memcached, Wire().u16(1).u16(0).u16(1).u16(0).text("stats\r\n"));
}

[[nodiscard]] std::vector<Case> cases() {
    std::vector<Case> out;
    add_words(out);
    add_streams(out);
    add_datagrams(out);
    return out;
}

TEST(PayloadKinds, EachIsToldByItsOpening) {
    for (const Case& c : cases()) {
        EXPECT_EQ(
            static_cast<int>(recognise(test::view_of(c.bytes), c.proto, true)),
            static_cast<int>(c.kind))
            << c.bytes.substr(0, 40);
    }
}

// Cut anywhere, whether the rest is said to follow or not: from a block of exactly that size, so that a sanitizer sees a
// read beyond.
TEST(PayloadKinds, AnyLengthOfAnyOpeningIsReadWithinItsBounds) {
    std::set<int> told;
    for (const Case& c : cases()) {
        for (std::size_t n = 0; n <= std::min<std::size_t>(c.bytes.size(), 512); ++n) {
            const auto block = std::make_unique<std::uint8_t[]>(n);
            std::copy_n(c.bytes.begin(), n, block.get());
            const auto readable = static_cast<std::uint32_t>(n);
            for (const std::uint32_t bytes : {readable, readable + 1, readable + 60000}) {
                for (const std::uint8_t proto : {kTcp, kUdp}) {
                    const PayloadView view{block.get(), readable, bytes};
                    told.insert(static_cast<int>(recognise(view, proto, true)));
                    EXPECT_TRUE(n != 0 || recognise(view, proto, true) == PayloadKind::none);
                }
            }
        }
    }
    EXPECT_GT(told.size(), 60U);
}

TEST(PayloadKinds, RandomBytesSeldomTellAProtocol) {
    std::mt19937_64 random(5);
    int told[2] = {};
    constexpr int kTries = 20000;
    for (int n = 0; n < kTries; ++n) {
        std::string bytes = Wire().noise(40 + random() % 1200, random()).get();
        told[0] += recognise(test::view_of(bytes), kUdp, false) != PayloadKind::none ? 1 : 0;
        told[1] += recognise(test::view_of(bytes), kTcp, false) != PayloadKind::none ? 1 : 0;
    }
    EXPECT_LT(told[0], kTries / 200);
    EXPECT_LT(told[1], kTries / 200);
}

TEST(PayloadKinds, OtherTransportsTellNothing) {
    const std::string query = test::dns({"a"}, 1);
    EXPECT_EQ(recognise(test::view_of(query), 1, true), PayloadKind::none);
    EXPECT_EQ(recognise(test::view_of(query), 50, true), PayloadKind::none);
}

TEST(PayloadKinds, ListIsInOrderAndWhole) {
    int last = -1;
    for (const PayloadKindInfo& info : payload_kinds()) {
        EXPECT_GT(static_cast<int>(info.kind), last) << info.what;
        EXPECT_FALSE(info.what.empty());
        last = static_cast<int>(info.kind);
    }
    for (const Case& c : cases()) {
        EXPECT_TRUE(std::any_of(
            payload_kinds().begin(), payload_kinds().end(), [&](const PayloadKindInfo& info) {
                return info.kind == c.kind;
            }));
    }
}

}  // namespace
}  // namespace weir::dataplane
