// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/features/payload.h"

#include "dataplane/features/catalog_table.h"
#include "dataplane/features/encoders.h"
#include "dataplane/features/state.h"
#include "tests/unit/dataplane/payload_fixture.h"

#include <memory>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

using test::Wire;

// A flow's payloads, one after the other.
class Talk {
  public:
    explicit Talk(std::uint8_t proto) {
        header_.proto = proto;
        flow_.set_times(1'000'007, 0);
    }
    Talk& say(bool forward, const std::string& bytes) {
        header_.payload_bytes = static_cast<std::uint32_t>(bytes.size());
        update_flow(flow_, header_, forward, 1'000'000'007);
        if (wants_payload(flow_, header_, forward)) {
            update_payload(state_, flow_, header_, forward, test::view_of(bytes));
        }
        return *this;
    }
    [[nodiscard]] float raw(std::string_view name) const {
        FeatureRow row{};
        compute_payload(payload_of(state_, flow_), row);
        const auto id = find_feature("payload_" + std::string(name));
        EXPECT_TRUE(id) << name;
        EXPECT_EQ(row.codes[*id], encode(catalog()[*id], row.raw[*id])) << name;
        return row.raw[*id];
    }
    [[nodiscard]] PayloadKind kind(std::string_view name) const {
        return static_cast<PayloadKind>(raw(name));
    }
    PacketHeader& header() { return header_; }
    Flow& flow() { return flow_; }
    PayloadState& state() { return state_; }

  private:
    Flow flow_{};
    PacketHeader header_{};
    PayloadState state_{};
};

TEST(Payload, NothingBeforeThePayloadComes) {
    Talk talk(kProtoTcp);
    talk.say(true, "").say(false, "");
    for (const FeatureInfo& feature : catalog()) {
        if (feature.group == FeatureGroup::payload) {
            EXPECT_EQ(talk.raw(feature.name.substr(8)), 0.0F) << feature.name;
        }
    }
}

TEST(Payload, FirstPayloadEachWayIsKept) {
    Talk talk(kProtoTcp);
    talk.say(true, Wire().u8({1, 2, 3, 4}).text("abcdefghijkl").get());
    talk.say(false, Wire().u8({9, 8, 7, 6}).noise(200).get()).say(true, "GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(talk.raw("fwd_byte_1"), 1.0F);
    EXPECT_EQ(talk.raw("fwd_byte_3"), 3.0F);
    EXPECT_EQ(talk.raw("bwd_byte_1"), 9.0F);
    EXPECT_EQ(talk.raw("bwd_byte_3"), 7.0F);
    EXPECT_EQ(talk.raw("fwd_first_bytes"), 16.0F);
    EXPECT_EQ(talk.raw("fwd_text"), 48.0F);      // 12 of 16 bytes, in 64ths
    EXPECT_EQ(talk.raw("fwd_entropy"), 128.0F);  // 16 different bytes: 4 bits
    EXPECT_EQ(talk.kind("fwd_first_kind"), PayloadKind::opaque);
    EXPECT_EQ(talk.kind("bwd_first_kind"), PayloadKind::opaque);
    EXPECT_EQ(talk.kind("fwd_kind"), PayloadKind::http_get);
    EXPECT_EQ(talk.kind("bwd_kind"), PayloadKind::opaque);
    EXPECT_EQ(talk.raw("fwd_purpose"), 2.0F);
    EXPECT_EQ(talk.raw("bwd_purpose"), 0.0F);
}

TEST(Payload, WhatTellsNoProtocolIsTextBinaryOrOpaque) {
    EXPECT_EQ(Talk(kProtoTcp).say(true, "hello, world, hello").kind("fwd_kind"), PayloadKind::text);
    EXPECT_EQ(
        Talk(kProtoTcp).say(true, Wire().u32(0xa0b0c0d0).fill(60).get()).kind("fwd_kind"),
        PayloadKind::binary);
    EXPECT_EQ(
        Talk(kProtoTcp).say(true, Wire().u8({0xa0}).noise(300, 9).get()).kind("fwd_kind"),
        PayloadKind::opaque);
}

TEST(Payload, EntropyIsShannonsInThirtySecondsOfABit) {
    const auto entropy = [](const std::string& bytes) {
        return Talk(kProtoTcp).say(true, bytes).raw("fwd_entropy");
    };
    EXPECT_EQ(entropy(std::string(64, 'x')), 0.0F);
    EXPECT_EQ(entropy(std::string(32, 'x') + std::string(32, 'y')), 32.0F);
    EXPECT_EQ(entropy(std::string(48, 'x') + std::string(16, 'y')), 25.0F);  // 0.8113 bit
    std::string all;
    for (int i = 0; i < 200; ++i) {
        all += static_cast<char>(i);
    }
    EXPECT_EQ(entropy(all), 192.0F);  // of the first 64 bytes
}

TEST(Payload, LengthFieldsAreFoundWhereTheyTell) {
    const auto field = [](const std::string& bytes) {
        return Talk(kProtoUdp).say(true, bytes).raw("fwd_length_field");
    };
    EXPECT_EQ(field(Wire().u16(40).noise(38).get()), 1.0F);  // whole, at 0
    EXPECT_EQ(field(Wire().u16(38).noise(38).get()), 1.0F);  // what follows
    EXPECT_EQ(field(Wire().u8({0x77, 0x66}).u16(36).noise(36).get()), 5.0F);
    EXPECT_EQ(field(Wire().u32(60).noise(60).get()), 5.0F);            // 32 bits, its lower half
    EXPECT_EQ(field(Wire().u8({60, 0, 0, 0}).noise(60).get()), 2.0F);  // little endian
    EXPECT_EQ(field(Wire().noise(64).get()), 0.0F);
    EXPECT_EQ(field(Wire().u16(5).fill(3).get()), 0.0F);  // too short to mean anything
}

TEST(Payload, RtpIsConfirmedByItsNumbersAndSource) {
    Talk talk(kProtoUdp);
    talk.say(true, Wire().u16(1).u16(0).u32(0x2112a442).noise(12).get());  // STUN comes first
    for (unsigned n = 0; n < 6; ++n) {
        talk.say(true, test::rtp_packet(111, (0xfffd + n) & 0xffffU));
        talk.say(false, test::rtp_packet(0, 100 + 2 * n));  // every other one is lost
    }
    EXPECT_EQ(talk.kind("fwd_first_kind"), PayloadKind::stun);
    EXPECT_EQ(talk.kind("fwd_kind"), PayloadKind::rtp);
    EXPECT_EQ(talk.raw("fwd_rtp_packets"), 5.0F);
    EXPECT_EQ(talk.raw("fwd_media_type"), 112.0F);
    EXPECT_EQ(talk.raw("fwd_counter_packets"), 5.0F);
    EXPECT_EQ(talk.raw("bwd_rtp_packets"), 0.0F);
    EXPECT_EQ(talk.raw("bwd_media_type"), 0.0F);
    talk.say(true, test::rtp_packet(111, 3, 0x11111111));  // another source
    EXPECT_EQ(talk.raw("fwd_rtp_packets"), 5.0F);
    talk.say(true, test::rtp_packet(34, 4, 0x11111111));
    EXPECT_EQ(talk.kind("fwd_kind"), PayloadKind::rtp_video);
}

TEST(Payload, ConstantBytesAndCountersOfAnUnknownProtocol) {
    Talk talk(kProtoUdp);
    for (unsigned n = 0; n < 5; ++n) {
        talk.say(true, Wire().u8({0xaa, 0xbb, 250 + n, 0, 0xcc, 0xdd, n * 50, n * 70}).get());
    }
    EXPECT_EQ(talk.raw("fwd_constant_bytes"), 5.0F);
    EXPECT_EQ(talk.raw("fwd_counter_packets"), 4.0F);  // little endian at 2
}

TEST(Payload, TlsHelloHasSuitesExtensionsNameAndProtocol) {
    Talk talk(kProtoTcp);
    talk.say(true, test::client_hello("www.example.com"));
    EXPECT_EQ(talk.raw("tls_ciphers"), 3.0F);
    EXPECT_EQ(talk.raw("tls_extensions"), 3.0F);
    EXPECT_EQ(talk.raw("tls_name_bytes"), 15.0F);
    EXPECT_EQ(talk.raw("tls_protocol"), 3.0F);
    Talk nameless(kProtoTcp);
    nameless.say(true, test::client_hello(""));
    EXPECT_EQ(nameless.raw("tls_name_bytes"), 0.0F);
    EXPECT_EQ(nameless.raw("tls_extensions"), 2.0F);
}

TEST(Payload, DnsNamesAreMeasuredAndNotKept) {
    Talk talk(kProtoUdp);
    talk.say(true, test::dns({"aabb", "example", "com"}, 16));
    EXPECT_EQ(talk.raw("dns_name_bytes"), 14.0F);
    EXPECT_EQ(talk.raw("dns_labels"), 3.0F);
    EXPECT_EQ(talk.raw("dns_type"), 16.0F);
    EXPECT_EQ(talk.raw("dns_answers"), 0.0F);
    talk.say(false, test::dns({"aabb", "example", "com"}, 16, 5));
    EXPECT_EQ(talk.raw("dns_answers"), 5.0F);
    const std::string label(60, 'z');
    talk.say(true, test::dns({label, label, "com"}, 1));
    EXPECT_EQ(talk.raw("dns_name_bytes"), 123.0F);
    EXPECT_EQ(talk.raw("dns_type"), 1.0F);
}

TEST(Payload, HttpPathsAreMeasured) {
    Talk talk(kProtoTcp);
    talk.say(true, "GET /index.php?a=%27<script>'(1)\" HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(talk.raw("http_path_bytes"), 28.0F);
    EXPECT_EQ(talk.raw("http_path_odd"), 7.0F);
    EXPECT_EQ(talk.raw("http_unfinished"), 0.0F);
    talk.say(true, "GET / HTTP/1.1\r\nHost: x\r\n");
    EXPECT_EQ(talk.raw("http_unfinished"), 1.0F);
    talk.say(true, "GET / HTTP/1.1\r\nX: " + std::string(600, 'y'));  // may end further on
    EXPECT_EQ(talk.raw("http_unfinished"), 1.0F);
}

TEST(Payload, OnlySoManyPacketsAreLookedAt) {
    Talk talk(kProtoUdp);
    for (std::uint32_t n = 0; n < kPayloadPackets; ++n) {
        talk.say(true, Wire().u16(0xf101).fill(20).get());
    }
    talk.say(true, test::dns({"a"}, 1));
    EXPECT_EQ(talk.kind("fwd_kind"), PayloadKind::binary);
    talk.say(false, test::dns({"a"}, 1, 1));
    EXPECT_EQ(talk.kind("bwd_kind"), PayloadKind::dns_response);

    Talk late(kProtoTcp);
    for (int n = 0; n < 255; ++n) {
        late.say(true, "");
    }
    late.say(true, "GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(late.kind("fwd_kind"), PayloadKind::none);
}

// A slot of the table passes from flow to flow, and observation may begin in the middle of one.
TEST(Payload, AStateIsOneFlowsFromItsFirstPayload) {
    Talk talk(kProtoUdp);
    talk.say(true, test::dns({"a"}, 1));
    const PayloadState old = talk.state();
    Flow next{};
    next.set_times(2'000'000, 0);
    EXPECT_EQ(payload_of(old, next).codes, PayloadState{}.codes);
    next = talk.flow();
    next.payload_packets = {};
    EXPECT_EQ(payload_of(old, next).codes, PayloadState{}.codes) << "begun in the same microsecond";

    Talk unobserved(kProtoUdp);
    unobserved.say(true, test::dns({"a"}, 1));
    unobserved.state() = PayloadState{};  // the first payload came while nobody looked
    unobserved.say(true, test::dns({"b"}, 1));
    EXPECT_EQ(unobserved.kind("fwd_kind"), PayloadKind::none);

    Talk taken(kProtoUdp);
    taken.state() = old;
    taken.state().stamp ^= 2U;  // another flow's
    taken.say(false, test::dns({"a"}, 1, 1));
    EXPECT_EQ(taken.kind("fwd_kind"), PayloadKind::none);
    EXPECT_EQ(taken.kind("bwd_kind"), PayloadKind::dns_response);
}

TEST(Payload, LaterFragmentsAreNotLookedAt) {
    Talk talk(kProtoUdp);
    talk.header().later_fragment = true;
    talk.say(true, test::dns({"a"}, 1));
    EXPECT_EQ(talk.kind("fwd_kind"), PayloadKind::none);
    talk.header().later_fragment = false;
    talk.say(true, test::dns({"a"}, 1));
    EXPECT_EQ(talk.kind("fwd_kind"), PayloadKind::dns_query);
}

// Blocks of every size hold what each state says.
TEST(Payload, BlocksHoldTheStatesCodes) {
    std::mt19937_64 random(3);
    const auto block = std::make_unique<FeatureBlock>();
    for (std::uint32_t rows = 1; rows <= FeatureBlock::kRows; ++rows) {
        std::array<PayloadState, FeatureBlock::kRows> states;
        for (std::uint32_t r = 0; r < rows; ++r) {
            for (std::uint8_t& code : states[r].codes) {
                code = static_cast<std::uint8_t>(random());
            }
            take_payload(states[r], r, block->measures);
        }
        block->rows = rows;
        for (const bool scalar : {true, false}) {
            compute_block(1U << static_cast<std::uint32_t>(FeatureGroup::payload), *block, scalar);
            for (std::uint32_t r = 0; r < rows; ++r) {
                FeatureRow row{};
                compute_payload(states[r], row);
                for (const FeatureInfo& feature : catalog()) {
                    if (feature.group == FeatureGroup::payload) {
                        ASSERT_EQ(block->codes[feature.id][r], row.codes[feature.id])
                            << feature.name << " of row " << r;
                    }
                }
            }
        }
    }
}

}  // namespace
}  // namespace weir::dataplane
