// SPDX-License-Identifier: BSD-3-Clause
// Every fixture: its verdict, both ways, cut everywhere, each bit flipped, and marked.
#include "tests/packets/fixtures.h"

#include "dataplane/act.h"
#include "dataplane/parse_walk.h"
#include "tests/kernels/guarded_buffer.h"
#include "tests/packets/invariants.h"

#include <algorithm>
#include <string_view>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

using test::Bytes;
using test::Ends;
using test::Fixture;
using test::Ports;

constexpr std::uint8_t kTos = 0xa6;  // DSCP 41, ECN 2

struct Parsed {
    ParseResult result = ParseResult::count_;
    FlowKey key;
    PacketHeader header;
};

// By both of parse's ways, which must agree.
[[nodiscard]] Parsed parse_both(
    const std::uint8_t* data, std::size_t available, std::size_t frame_bytes) {
    const auto readable = static_cast<std::uint32_t>(available);
    const auto bytes = static_cast<std::uint32_t>(frame_bytes);
    Parsed parsed;
    parsed.result = parse_frame(data, readable, bytes, parsed.key, parsed.header);
    Parsed walked;
    walked.result = walk_frame(data, readable, bytes, walked.key, walked.header);
    EXPECT_EQ(parsed.result, walked.result);
    EXPECT_EQ(test::facts(parsed.header), test::facts(walked.header));
    if (parsed.result == ParseResult::flow) {
        EXPECT_TRUE(parsed.key == walked.key);
        EXPECT_STREQ(test::broken_flow(data, readable, parsed.key, parsed.header), nullptr);
    }
    return parsed;
}

// The first `available` bytes of `frame`, right before a page that may not be read.
[[nodiscard]] Parsed parse_guarded(
    const Bytes& frame, std::size_t available, std::size_t frame_bytes) {
    const testing::GuardedBuffer buffer(available, true);
    std::copy_n(frame.begin(), available, buffer.as<std::uint8_t>());
    return parse_both(buffer.as<std::uint8_t>(), available, frame_bytes);
}

[[nodiscard]] Parsed parse_guarded(const Bytes& frame) {
    return parse_guarded(frame, frame.size(), frame.size());
}

struct Endpoint {
    Bytes address;
    std::uint16_t port;
};

[[nodiscard]] std::uint16_t port_of(const test::Expect& expect, std::uint16_t port) {
    switch (expect.ports) {
        case Ports::both:
            return port;
        case Ports::echo:
            return test::kEchoId;
        case Ports::fixed:
            return expect.port;
        case Ports::none:
            break;
    }
    return 0;
}

[[nodiscard]] Endpoint endpoint(
    const test::Expect& expect,
    const test::Address4& address4,
    const test::Address6& address6,
    std::uint16_t port) {
    Endpoint end{{address6.begin(), address6.end()}, port_of(expect, port)};
    if (expect.version == 4) {
        end.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
        end.address.insert(end.address.end(), address4.begin(), address4.end());
    }
    return end;
}

void check_key(const test::Expect& expect, const Ends& ends, const Parsed& parsed) {
    const Endpoint src = endpoint(expect, ends.src4, ends.src6, ends.src_port);
    const Endpoint dst = endpoint(expect, ends.dst4, ends.dst6, ends.dst_port);
    const bool src_is_hi = std::tie(src.address, src.port) > std::tie(dst.address, dst.port);
    const Endpoint& lo = src_is_hi ? dst : src;
    const Endpoint& hi = src_is_hi ? src : dst;
    const FlowKey& key = parsed.key;
    EXPECT_EQ(parsed.header.src_is_hi, src_is_hi);
    EXPECT_EQ(Bytes(key.addr_lo.begin(), key.addr_lo.end()), lo.address);
    EXPECT_EQ(Bytes(key.addr_hi.begin(), key.addr_hi.end()), hi.address);
    EXPECT_EQ(swap16(key.port_lo), lo.port);
    EXPECT_EQ(swap16(key.port_hi), hi.port);
    EXPECT_EQ(parsed.header.src_port, src.port);
    EXPECT_EQ(parsed.header.dst_port, dst.port);
    EXPECT_EQ(key.tunnel_id, expect.tunnel);
    EXPECT_EQ(key.vlan, expect.vlan);
    EXPECT_EQ(key.inner_vlan, expect.inner_vlan);
    EXPECT_EQ(key.proto, expect.proto);
    EXPECT_EQ(key.ip_version, expect.version);
    EXPECT_EQ(key.pair, 0);
}

void check_header(const test::Expect& expect, const Bytes& frame, const PacketHeader& header) {
    const bool tunnel = expect.outer_l3 != 0;
    EXPECT_EQ(header.frame_bytes, frame.size());
    EXPECT_EQ(header.ip_bytes, expect.ip_bytes);
    EXPECT_EQ(header.payload_bytes, expect.payload);
    EXPECT_EQ(header.l3_offset, expect.l3);
    EXPECT_EQ(header.outer_l3_offset, tunnel ? expect.outer_l3 : expect.l3);
    EXPECT_EQ(header.l4_offset, expect.l4);
    EXPECT_EQ(header.ip_version, expect.version);
    EXPECT_EQ(header.proto, expect.proto);
    EXPECT_EQ(header.ttl, 64);
    EXPECT_EQ(header.tos, tunnel ? test::kInnerTos : kTos);
    EXPECT_EQ(header.outer_tos, kTos);
    EXPECT_EQ(header.vlan_tags, expect.tags);
    EXPECT_EQ(header.fragment, expect.fragment);
    EXPECT_EQ(header.later_fragment, expect.later);
    EXPECT_EQ(header.ip_options, expect.options);
    const bool tcp = expect.proto == 6 && !expect.later;
    EXPECT_EQ(header.tcp_seq, tcp ? 0x01020304U : 0U);
    EXPECT_EQ(header.tcp_ack, tcp ? 0xa0b0c0d0U : 0U);
    EXPECT_EQ(header.tcp_window, tcp ? 8192 : 0);
    EXPECT_EQ(header.tcp_flags, tcp ? 0x18 : 0);
    const bool icmp = (expect.proto == 1 || expect.proto == 58) && !expect.later;
    EXPECT_EQ(header.icmp_type, icmp ? frame[expect.l4] : 0);
    EXPECT_EQ(header.icmp_code, icmp ? frame[expect.l4 + 1] : 0);
}

// Behind the label stack nothing says what comes: a pseudo-wire cut short is as good as no pseudo-wire.
[[nodiscard]] bool is_pseudowire(const Fixture& fixture) {
    return std::string_view(fixture.name).find("pseudo-wire") != std::string_view::npos;
}

TEST(Fixtures, HaveTheVerdictBesideThem) {
    for (const Fixture& fixture : test::all_fixtures()) {
        SCOPED_TRACE(fixture.name);
        const Bytes frame = fixture.build({}, kTos);
        const Parsed parsed = parse_guarded(frame);
        EXPECT_EQ(parsed.result, ParseResult::flow);
        check_key(fixture.expect, {}, parsed);
        check_header(fixture.expect, frame, parsed.header);
    }
}

TEST(Fixtures, BothDirectionsAreOneFlow) {
    for (const Fixture& fixture : test::all_fixtures()) {
        SCOPED_TRACE(fixture.name);
        const Ends back = Ends{}.reversed();
        const Parsed one = parse_guarded(fixture.build({}, kTos));
        const Parsed two = parse_guarded(fixture.build(back, kTos));
        EXPECT_TRUE(one.key == two.key);
        EXPECT_NE(one.header.src_is_hi, two.header.src_is_hi);
        check_key(fixture.expect, back, two);
    }
}

TEST(Fixtures, PortsDecideBetweenEqualAddresses) {
    for (const Fixture& fixture : test::all_fixtures()) {
        SCOPED_TRACE(fixture.name);
        Ends ends;
        ends.dst4 = ends.src4;
        ends.dst6 = ends.src6;
        const Parsed one = parse_guarded(fixture.build(ends, kTos));
        const Parsed two = parse_guarded(fixture.build(ends.reversed(), kTos));
        EXPECT_TRUE(one.key == two.key);
        EXPECT_EQ(
            one.header.src_is_hi != two.header.src_is_hi, fixture.expect.ports == Ports::both);
        check_key(fixture.expect, ends, one);
        ends.dst_port = ends.src_port;  // a packet from an endpoint to itself
        EXPECT_FALSE(parse_guarded(fixture.build(ends, kTos)).header.src_is_hi);
    }
}

TEST(Fixtures, CutAnywhereAreTruncated) {
    for (const Fixture& fixture : test::all_fixtures()) {
        SCOPED_TRACE(fixture.name);
        const Bytes frame = fixture.build({}, kTos);
        const Parsed whole = parse_guarded(frame);
        for (std::size_t size = 0; size < frame.size(); ++size) {
            SCOPED_TRACE(size);
            const Parsed cut = parse_guarded(frame, size, size);
            if (cut.result == ParseResult::flow) {  // only padding is gone
                EXPECT_TRUE(cut.key == whole.key);
                EXPECT_TRUE(std::all_of(
                    frame.begin() + static_cast<std::ptrdiff_t>(size),
                    frame.end(),
                    [](std::uint8_t byte) { return byte == 0; }));
            } else if (!is_pseudowire(fixture) || cut.result != ParseResult::other) {
                EXPECT_EQ(cut.result, ParseResult::truncated);
            }
        }
    }
}

// As of a capture that kept but the first bytes: a flow, or a flow around it, as soon as its headers are there.
TEST(Fixtures, KeptInPartAreTruncatedOrFlows) {
    for (const Fixture& fixture : test::all_fixtures()) {
        SCOPED_TRACE(fixture.name);
        const Bytes frame = fixture.build({}, kTos);
        const Parsed whole = parse_guarded(frame);
        for (std::size_t size = 0; size < frame.size(); ++size) {
            SCOPED_TRACE(size);
            const Parsed kept = parse_guarded(frame, size, frame.size());
            const std::uint32_t headers = std::max(fixture.expect.l3 + 48, fixture.expect.l4 + 20);
            if (size >= headers) {
                EXPECT_EQ(kept.result, ParseResult::flow);
            }
            if (kept.result == ParseResult::flow &&
                kept.header.l3_offset == whole.header.l3_offset) {
                EXPECT_TRUE(kept.key == whole.key);
            } else if (!is_pseudowire(fixture) && kept.result != ParseResult::flow) {
                EXPECT_EQ(kept.result, ParseResult::truncated);
            }
        }
    }
}

TEST(Fixtures, AnyBitFlippedIsStillInBounds) {
    for (const Fixture& fixture : test::all_fixtures()) {
        SCOPED_TRACE(fixture.name);
        const Bytes frame = fixture.build({}, kTos);
        const testing::GuardedBuffer buffer(frame.size(), true);
        auto* const data = buffer.as<std::uint8_t>();
        std::copy(frame.begin(), frame.end(), data);
        for (std::size_t bit = 0; bit < 8 * frame.size(); ++bit) {
            const auto mask = static_cast<std::uint8_t>(1U << bit % 8);
            data[bit / 8] ^= mask;
            const Parsed parsed = parse_both(data, frame.size(), frame.size());
            EXPECT_NE(parsed.result, ParseResult::count_) << "bit " << bit;
            data[bit / 8] ^= mask;
        }
    }
}

TEST(Fixtures, MarkedAsIfSentSo) {
    for (const Fixture& fixture : test::all_fixtures()) {
        SCOPED_TRACE(fixture.name);
        for (const std::uint8_t dscp : {0, 1, 8, 40, 46, 63}) {
            Bytes frame = fixture.build({}, kTos);
            const Parsed parsed = parse_guarded(frame);
            std::uint8_t* const l3 = frame.data() + parsed.header.outer_l3_offset;
            EXPECT_TRUE(rewrite_dscp(l3, l3[0] >> 4U, dscp));
            const auto tos = static_cast<std::uint8_t>(dscp << 2U | (kTos & 3U));
            EXPECT_EQ(frame, fixture.build({}, tos)) << "dscp " << int{dscp};
            const Parsed again = parse_guarded(frame);
            EXPECT_TRUE(again.key == parsed.key);
            EXPECT_EQ(again.header.outer_tos, tos);
        }
    }
}

TEST(Refused, HaveTheVerdictBesideThem) {
    for (const test::Refused& packet : test::refused_packets()) {
        SCOPED_TRACE(packet.name);
        const Parsed parsed = parse_guarded(packet.frame);
        EXPECT_EQ(parsed.result, packet.result);
        EXPECT_EQ(parsed.key.ip_version, 0);
        EXPECT_EQ(parsed.header.frame_bytes, packet.frame.size());
    }
}

TEST(Refused, CutAnywhereAreInBounds) {
    for (const test::Refused& packet : test::refused_packets()) {
        SCOPED_TRACE(packet.name);
        for (std::size_t size = 0; size < packet.frame.size(); ++size) {
            EXPECT_NE(parse_guarded(packet.frame, size, size).result, ParseResult::count_);
        }
    }
}

}  // namespace
}  // namespace weir::dataplane
