// SPDX-License-Identifier: BSD-3-Clause
// What tests/packets does not reach: whole batches, segmented frames, and frames too long for 16 bits.
#include "dataplane/parse.h"

#include "tests/packets/fixtures.h"
#include "tests/packets/invariants.h"
#include "tests/packets/mbufs.h"

#include <algorithm>
#include <memory>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

using test::Bytes;

struct Parsed {
    ParseResult result = ParseResult::count_;
    FlowKey key;
    PacketHeader header;
};

[[nodiscard]] Parsed parse_bytes(const Bytes& frame) {
    Parsed parsed;
    const auto size = static_cast<std::uint32_t>(frame.size());
    parsed.result = parse_frame(frame.data(), size, size, parsed.key, parsed.header);
    return parsed;
}

class ParseBatch : public testing::Test {
  protected:
    ~ParseBatch() override { clear(); }
    void clear() {
        for (std::uint32_t i = 0; i < batch_->size; ++i) {
            rte_pktmbuf_free(batch_->mbuf[i]);
        }
        batch_->size = 0;
    }
    void add(rte_mbuf* mbuf, std::uint8_t port = 0) {
        batch_->mbuf[batch_->size] = mbuf;
        batch_->rx_port[batch_->size++] = port;
    }
    // Packet i as if it had been parsed from its bytes in a row.
    void expect_same(std::uint32_t i, const Bytes& frame, std::uint16_t pair = 0) {
        Parsed want = parse_bytes(frame);
        want.key.pair = pair;
        EXPECT_EQ(batch_->parsed[i], want.result);
        EXPECT_EQ(test::facts(batch_->header[i]), test::facts(want.header));
        EXPECT_TRUE(batch_->key[i] == want.key);
    }

    test::MbufPool pool_{"parse_test"};
    std::unique_ptr<Batch> batch_ = std::make_unique<Batch>();
};

TEST_F(ParseBatch, EveryPacketAndItsPair) {
    const std::uint16_t pairs[] = {7, 0xfffe};
    std::vector<Bytes> frames;
    for (const test::Fixture& fixture : test::all_fixtures()) {
        frames.push_back(fixture.build({}, 0));
    }
    for (const test::Refused& packet : test::refused_packets()) {
        frames.push_back(packet.frame);
    }
    ASSERT_LT(frames.size(), Batch::kCapacity);
    for (const Bytes& frame : frames) {
        add(pool_.make(frame), batch_->size % 2);
    }
    parse(*batch_, pairs);
    for (std::uint32_t i = 0; i < batch_->size; ++i) {
        SCOPED_TRACE(i);
        expect_same(i, frames[i], pairs[i % 2]);
    }
}

TEST_F(ParseBatch, AnEmptyBatch) {
    const std::uint16_t pair = 0;
    parse(*batch_, &pair);
    EXPECT_EQ(batch_->size, 0U);
}

// Wherever a frame is split, it is the same frame.
TEST_F(ParseBatch, SegmentedAnywhere) {
    const std::uint16_t pair = 0;
    for (const test::Fixture& fixture : test::all_fixtures()) {
        SCOPED_TRACE(fixture.name);
        const Bytes frame = fixture.build({}, 0);
        for (std::size_t split = 0; split < frame.size(); ++split) {
            add(pool_.make(frame, {split}));
            parse(*batch_, &pair);
            expect_same(0, frame);
            clear();
            add(pool_.make(frame, {split / 2, split - split / 2, (frame.size() - split) / 2}));
            parse(*batch_, &pair);
            expect_same(0, frame);
            clear();
        }
    }
}

// A frame longer than kParseBytes, split on either side of it, gives what it gives in one piece.
TEST_F(ParseBatch, SegmentedAroundTheReachOfParse) {
    const std::uint16_t pair = 0;
    // Transport headers that begin up to, at and behind kParseBytes.
    for (std::size_t units = 52; units < 62; ++units) {
        const Bytes frame = test::eth(
            0x86dd, test::ip6({.next = 60}, test::ext(6, units, test::tcp({}, test::text(300)))));
        for (std::size_t split = 500; split < 524; ++split) {
            SCOPED_TRACE(split);
            add(pool_.make(frame, {split}));
            parse(*batch_, &pair);
            expect_same(0, frame);
            clear();
        }
        const std::size_t header_end = 54 + units * 8 + 20;
        EXPECT_EQ(
            parse_bytes(frame).result,
            header_end <= kParseBytes ? ParseResult::flow : ParseResult::unsupported);
    }
}

TEST_F(ParseBatch, AChainShorterThanItSays) {
    const std::uint16_t pair = 0;
    Bytes frame = test::eth(0x0800, test::tcp4({}, 0));
    const auto frame_bytes = static_cast<std::uint32_t>(frame.size());
    for (const bool whole : {true, false}) {
        frame.resize(whole ? frame.size() : 50);  // half a TCP header
        rte_mbuf* const mbuf = pool_.make(frame, {30});
        mbuf->pkt_len = frame_bytes + 100;
        add(mbuf);
        parse(*batch_, &pair);
        EXPECT_EQ(batch_->parsed[0], whole ? ParseResult::flow : ParseResult::truncated);
        EXPECT_EQ(batch_->header[0].frame_bytes, frame_bytes + 100);
        clear();
    }
}

// What segmentation offload joins is longer than 16 bits can tell.
TEST(ParseLong, Ipv4WithoutALength) {
    for (const std::size_t payload : {65495, 65496, 200000}) {
        SCOPED_TRACE(payload);
        const Bytes frame =
            test::eth(0x0800, test::ip4({.total_length = 0}, test::tcp({}, test::text(payload))));
        const Parsed parsed = parse_bytes(frame);
        if (payload + 40 <= 65535) {
            EXPECT_EQ(parsed.result, ParseResult::malformed);
            continue;
        }
        EXPECT_EQ(parsed.result, ParseResult::flow);
        EXPECT_EQ(parsed.header.ip_bytes, payload + 40);
        EXPECT_EQ(parsed.header.payload_bytes, payload);
    }
}

TEST(ParseLong, Ipv6WithoutALength) {
    const Bytes frame =
        test::eth(0x86dd, test::ip6({.payload_length = 0}, test::tcp({}, test::text(65516))));
    const Parsed parsed = parse_bytes(frame);
    EXPECT_EQ(parsed.result, ParseResult::flow);
    EXPECT_EQ(parsed.header.ip_bytes, 40U + 65536U);
    EXPECT_EQ(parsed.header.payload_bytes, 65516U);
}

[[nodiscard]] Bytes jumbogram(std::uint32_t length, std::size_t payload, const Bytes& transport) {
    const Bytes options = test::join(
        {{transport.size() == 8 ? std::uint8_t{17} : std::uint8_t{6}, 1},
         {0, 0},     // two Pad1
         {1, 0},     // PadN of nothing
         {0xc2, 4},  // jumbo payload
         test::be32(length),
         {1, 2, 0, 0}});
    return test::eth(
        0x86dd,
        test::ip6(
            {.next = 0, .payload_length = 0},
            test::join({options, transport, test::text(payload)})));
}

TEST(ParseLong, Jumbograms) {
    const Bytes tcp = test::tcp({}, {});
    const std::uint32_t length = 16 + 20 + 70000;
    Parsed parsed = parse_bytes(jumbogram(length, 70000, tcp));
    EXPECT_EQ(parsed.result, ParseResult::flow);
    EXPECT_EQ(parsed.header.ip_bytes, 40U + length);
    EXPECT_EQ(parsed.header.payload_bytes, 70000U);
    EXPECT_EQ(parsed.header.l4_offset, 70);

    // Padding behind it is none of its bytes.
    parsed = parse_bytes(jumbogram(length, 70002, tcp));
    EXPECT_EQ(parsed.result, ParseResult::flow);
    EXPECT_EQ(parsed.header.payload_bytes, 70000U);

    EXPECT_EQ(parse_bytes(jumbogram(length, 69999, tcp)).result, ParseResult::truncated);
    // A jumbo length that 16 bits could have told is against RFC 2675: the payload length of 0 stands.
    EXPECT_EQ(parse_bytes(jumbogram(16 + 20 + 9, 9, tcp)).result, ParseResult::malformed);
}

TEST(ParseLong, UdpInAJumbogramHasLength0) {
    const Parsed parsed =
        parse_bytes(jumbogram(16 + 8 + 70000, 70000, test::udp({.length = 0}, {})));
    EXPECT_EQ(parsed.result, ParseResult::flow);
    EXPECT_EQ(parsed.header.proto, 17);
    EXPECT_EQ(parsed.header.payload_bytes, 70000U);
    EXPECT_EQ(
        parse_bytes(
            test::eth(0x86dd, test::ip6({.next = 17}, test::udp({.length = 0}, test::text(100)))))
            .result,
        ParseResult::malformed);
}

// More bytes than the frame has are none of it.
TEST(ParseFrame, NeverLooksBeyondTheFrame) {
    const Bytes frame = test::eth(0x0800, test::tcp4({}, 0));
    Parsed parsed;
    for (std::uint32_t size = 0; size < frame.size(); ++size) {
        parsed.result = parse_frame(
            frame.data(),
            static_cast<std::uint32_t>(frame.size()),
            size,
            parsed.key,
            parsed.header);
        EXPECT_EQ(parsed.result, ParseResult::truncated) << size;
    }
}

TEST(ParseFrame, LeavesNothingOfThePacketBefore) {
    Parsed parsed;
    for (const test::Fixture& first : test::all_fixtures()) {
        for (const test::Fixture& second : test::all_fixtures()) {
            for (const test::Fixture* fixture : {&first, &second}) {
                const Bytes frame = fixture->build({}, 0);
                const auto size = static_cast<std::uint32_t>(frame.size());
                parsed.result = parse_frame(frame.data(), size, size, parsed.key, parsed.header);
            }
            const Parsed fresh = parse_bytes(second.build({}, 0));
            ASSERT_EQ(test::facts(parsed.header), test::facts(fresh.header)) << second.name;
            ASSERT_TRUE(parsed.key == fresh.key) << first.name << ", then " << second.name;
        }
    }
}

}  // namespace
}  // namespace weir::dataplane
