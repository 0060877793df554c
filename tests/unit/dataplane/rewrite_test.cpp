// SPDX-License-Identifier: BSD-3-Clause
// Tags, inner headers and resets: whole frames compared with frames made from scratch.
#include "dataplane/rewrite.h"

#include "dataplane/act.h"
#include "dataplane/parse.h"
#include "dataplane/reset.h"
#include "tests/packets/packet_builder.h"

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

using namespace weir::test;

constexpr std::uint8_t kEf = 46;

struct Parsed {
    FlowKey key;
    PacketHeader header;
};

Parsed parsed(const Bytes& frame) {
    Parsed out;
    const auto size = static_cast<std::uint32_t>(frame.size());
    EXPECT_EQ(parse_frame(frame.data(), size, size, out.key, out.header), ParseResult::flow);
    return out;
}

TEST(RewritePcp, OnlyThePriorityChanges) {
    const Bytes packet = ip4({}, tcp({}, text(9)));
    for (const std::uint16_t type : {0x8100, 0x88a8}) {
        for (std::uint32_t tci = 0; tci < 0x10000; tci += 0x0fff) {
            for (std::uint8_t pcp = 0; pcp < 8; ++pcp) {
                Bytes frame = eth(type, vlan(static_cast<std::uint16_t>(tci), 0x0800, packet));
                const auto after = static_cast<std::uint16_t>((tci & 0x1fffU) | pcp << 13U);
                const bool changed =
                    rewrite_pcp(frame.data(), static_cast<std::uint32_t>(frame.size()), pcp);
                EXPECT_EQ(changed, after != tci);
                EXPECT_EQ(frame, eth(type, vlan(after, 0x0800, packet)));
            }
        }
    }
    Bytes untagged = eth(0x0800, packet);
    EXPECT_FALSE(rewrite_pcp(untagged.data(), static_cast<std::uint32_t>(untagged.size()), 5));
    EXPECT_EQ(untagged, eth(0x0800, packet));
    Bytes cut = eth(0x8100, {});
    cut.push_back(0);
    EXPECT_FALSE(rewrite_pcp(cut.data(), static_cast<std::uint32_t>(cut.size()), 5));
}

TEST(UserPriority, Rfc8325) {
    EXPECT_EQ(user_priority(46), 6);
    EXPECT_EQ(user_priority(44), 6);
    EXPECT_EQ(user_priority(40), 5);
    EXPECT_EQ(user_priority(34), 4);
    EXPECT_EQ(user_priority(26), 4);
    EXPECT_EQ(user_priority(18), 3);
    EXPECT_EQ(user_priority(0), 0);
    EXPECT_EQ(user_priority(8), 1);
    EXPECT_EQ(user_priority(1), 1);
    EXPECT_EQ(user_priority(48), 7);
}

// `make(tos)`: the tunnel with that TOS in its inner header, all else the same.
template <typename Make>
void expect_inner_marked(Make make) {
    Bytes frame = make(0x01);
    const Parsed packet = parsed(frame);
    const std::uint32_t at =
        inner_header(frame.data(), static_cast<std::uint32_t>(frame.size()), packet.header);
    ASSERT_NE(at, 0U);
    EXPECT_TRUE(rewrite_dscp(frame.data() + at, frame[at] >> 4U, kEf));
    EXPECT_EQ(frame, make(kEf << 2U | 1U)) << "ECN stays, and every checksum is right";
}

void expect_inner_left(const Bytes& frame) {
    const Parsed packet = parsed(frame);
    EXPECT_EQ(
        inner_header(frame.data(), static_cast<std::uint32_t>(frame.size()), packet.header), 0U);
}

TEST(InnerHeader, WhereNothingAroundItIsSummed) {
    const auto v4 = [](std::uint8_t tos) { return ip4({.tos = tos}, tcp({}, text(40))); };
    const auto v6 = [](std::uint8_t tos) { return ip6({.tos = tos}, tcp({}, text(40))); };
    expect_inner_marked([&](std::uint8_t tos) {
        return eth(0x0800, ip4({.src = kNear4, .dst = kFar4, .proto = 4}, v4(tos)));
    });
    expect_inner_marked([&](std::uint8_t tos) {
        return eth(0x0800, ip4({.src = kNear4, .dst = kFar4, .proto = 41}, v6(tos)));
    });
    expect_inner_marked([&](std::uint8_t tos) {
        return eth(0x86dd, ip6({.src = kNear6, .dst = kFar6, .next = 4}, v4(tos)));
    });
    expect_inner_marked([&](std::uint8_t tos) {
        return eth(
            0x0800,
            ip4({.src = kNear4, .dst = kFar4, .proto = 47},
                gre({.key = 7, .sequence = 9}, v4(tos))));
    });
    expect_inner_marked([&](std::uint8_t tos) {
        return eth(
            0x0800,
            ip4({.src = kNear4, .dst = kFar4, .proto = 17},
                udp({.dst = 4789, .checksum = false}, vxlan(5, eth(0x0800, v4(tos))))));
    });
}

TEST(InnerHeader, LeftWhereAChecksumCoversIt) {
    const Bytes inner = ip4({}, tcp({}, text(40)));
    expect_inner_left(eth(0x0800, inner));
    expect_inner_left(eth(
        0x0800, ip4({.src = kNear4, .dst = kFar4, .proto = 47}, gre({.checksum = true}, inner))));
    expect_inner_left(
        eth(0x0800,
            ip4({.src = kNear4, .dst = kFar4, .proto = 17},
                udp({.dst = 4789}, vxlan(5, eth(0x0800, inner))))));
    expect_inner_left(
        eth(0x0800,
            ip4({.src = kNear4, .dst = kFar4, .proto = 17},
                udp({.dst = 2152}, gtp({.teid = 3}, inner)))));
    expect_inner_left(
        eth(0x0800,
            ip4({.src = kNear4, .dst = kFar4, .proto = 47},
                gre({}, ip4({.src = kFar4, .dst = kNear4, .proto = 4}, inner)))));
}

Bytes reset_of(const Bytes& frame, ResetTo to) {
    const Parsed packet = parsed(frame);
    std::array<std::uint8_t, kResetBytes> out{};
    const std::uint32_t length =
        build_reset(frame.data(), static_cast<std::uint32_t>(frame.size()), packet.header, to, out);
    return {out.begin(), out.begin() + length};
}

// eth() always writes the same two addresses; a reset to the sender has them the other way round.
Bytes back(Bytes frame) {
    std::swap_ranges(frame.begin(), frame.begin() + 6, frame.begin() + 6);
    return frame;
}

constexpr std::uint16_t kDontFragment = 0x4000;

// An IPv4 frame without tags, its identification 0.
Bytes no_id(Bytes frame) {
    std::uint8_t* const ip = frame.data() + 14;
    ip[4] = ip[5] = 0;
    const std::uint16_t checksum = ip4_checksum(ip);
    ip[10] = static_cast<std::uint8_t>(checksum >> 8U);
    ip[11] = static_cast<std::uint8_t>(checksum);
    return frame;
}

TEST(BuildReset, BothEndsOfAnEstablishedFlow) {
    const Bytes data = eth(0x0800, ip4({}, tcp({.seq = 1000, .ack = 5000}, text(100))));
    EXPECT_EQ(
        reset_of(data, ResetTo::sender),
        back(no_id(
            eth(0x0800,
                ip4({.src = kBob4, .dst = kAlice4, .fragment = kDontFragment},
                    tcp({.src = 443, .dst = 40000, .seq = 5000, .ack = 0, .flags = 4, .window = 0},
                        {}))))));
    EXPECT_EQ(
        reset_of(data, ResetTo::receiver),
        no_id(
            eth(0x0800,
                ip4({.fragment = kDontFragment},
                    tcp({.seq = 1000, .ack = 0, .flags = 4, .window = 0}, {})))));
}

TEST(BuildReset, Ipv6BehindATag) {
    const Bytes data =
        eth(0x8100, vlan(77, 0x86dd, ip6({.tos = 8}, tcp({.seq = 0xfffffff0, .ack = 1}, text(3)))));
    EXPECT_EQ(
        reset_of(data, ResetTo::sender),
        back(
            eth(0x8100,
                vlan(
                    77,
                    0x86dd,
                    ip6({.src = kBob6, .dst = kAlice6, .flow_label = 0},
                        tcp({.src = 443, .dst = 40000, .seq = 1, .ack = 0, .flags = 4, .window = 0},
                            {}))))));
}

// The session's header counts what follows it: the PPP protocol and the RST, and no more the packet's.
TEST(BuildReset, WithinAPppoeSession) {
    const Bytes data =
        eth(0x8100, vlan(7, 0x8864, pppoe(0x1234, 0x0021, ip4({}, tcp({}, text(500))))));
    const Bytes reset = reset_of(data, ResetTo::sender);
    ASSERT_EQ(reset.size(), 14U + 4 + 6 + 2 + 20 + 20);
    EXPECT_EQ(Bytes(reset.begin() + 18, reset.begin() + 24), (Bytes{0x11, 0, 0x12, 0x34, 0, 42}));
    const Parsed again = parsed(reset);
    EXPECT_TRUE(again.key == parsed(data).key);
    EXPECT_EQ(again.header.tcp_flags, 4);
}

// The labels of the way back are not the packet's.
TEST(BuildReset, NoneBehindLabels) {
    const Bytes data = eth(0x8847, mpls({5}, ip4({}, tcp({}, text(50)))));
    EXPECT_TRUE(reset_of(data, ResetTo::sender).empty());
    EXPECT_TRUE(reset_of(data, ResetTo::receiver).empty());
}

// RFC 9293, 3.10.7.1: what has no ACK is answered with the ACK of all that it sent.
TEST(BuildReset, ASynIsRefusedAtItsSenderOnly) {
    const Bytes syn = eth(0x0800, ip4({}, tcp({.seq = 0xffffffff, .ack = 0, .flags = 2}, {})));
    EXPECT_EQ(
        reset_of(syn, ResetTo::sender),
        back(no_id(
            eth(0x0800,
                ip4({.src = kBob4, .dst = kAlice4, .fragment = kDontFragment},
                    tcp({.src = 443, .dst = 40000, .seq = 0, .ack = 0, .flags = 0x14, .window = 0},
                        {}))))));
    EXPECT_TRUE(reset_of(syn, ResetTo::receiver).empty());
}

TEST(BuildReset, NoneWhereThereIsNoConnectionToEnd) {
    EXPECT_TRUE(reset_of(eth(0x0800, ip4({}, tcp({.flags = 0x14}, {}))), ResetTo::sender).empty())
        << "a RST is never answered";
    EXPECT_TRUE(
        reset_of(eth(0x0800, ip4({.proto = 17}, udp({}, text(3)))), ResetTo::sender).empty());
    EXPECT_TRUE(
        reset_of(
            eth(0x0800, ip4({.src = kNear4, .dst = kFar4, .proto = 4}, ip4({}, tcp({}, text(3))))),
            ResetTo::sender)
            .empty());
    EXPECT_TRUE(
        reset_of(eth(0x0800, ip4({.fragment = 0x2000}, tcp({}, text(4)))), ResetTo::receiver)
            .empty());
}

}  // namespace
}  // namespace weir::dataplane
