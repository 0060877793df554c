// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/features/features.h"

#include "dataplane/features/catalog_table.h"
#include "dataplane/features/encoders.h"
#include "dataplane/features/payload.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kUs = 1000;
constexpr std::uint8_t kFin = 0x01;
constexpr std::uint8_t kSyn = 0x02;
constexpr std::uint8_t kRst = 0x04;
constexpr std::uint8_t kPsh = 0x08;
constexpr std::uint8_t kAck = 0x10;

// A flow between 10.0.0.1:40000 (initiator) and 10.0.0.2:443, with its hosts.
class Conversation {
  public:
    explicit Conversation(std::uint8_t proto = 6) {
        key_.addr_lo[15] = 1;
        key_.addr_hi[15] = 2;
        key_.port_lo = htons(40000);
        key_.port_hi = htons(443);
        key_.proto = proto;
        key_.ip_version = 4;
        flow_.set_key(key_);
        header_.proto = proto;
        header_.ip_version = 4;
    }

    PacketHeader& header() { return header_; }
    Flow& flow() { return flow_; }

    FlowEvents send(
        bool forward, std::uint64_t at_us, std::uint32_t ip_bytes, std::uint32_t payload) {
        header_.ip_bytes = ip_bytes;
        header_.payload_bytes = payload;
        forward_ = forward;
        const std::uint64_t now = kSecond + at_us * kUs;
        events_ = update_flow(flow_, header_, forward, now);
        hosts_ = table_->update(key_, table_->hash(key_), header_, false, forward, events_, now);
        return events_;
    }
    FlowEvents tcp(
        bool forward,
        std::uint64_t at_us,
        std::uint8_t flags,
        std::uint32_t seq,
        std::uint32_t payload,
        std::uint16_t window = 1000) {
        header_.tcp_flags = flags;
        header_.tcp_seq = seq;
        header_.tcp_window = window;
        return send(forward, at_us, 52 + payload, payload);
    }

    FeatureRow row() const {
        FeatureRow row{};
        compute_features(kAllGroups, flow_, header_, forward_, events_, hosts_, row);
        compute_payload(payload_, row);
        return row;
    }
    void take_down(std::size_t at, FeatureBlock& block) const {
        dataplane::take_down(
            kAllGroups, flow_, header_, forward_, events_, hosts_, at, block.measures);
        take_payload(payload_, at, block.measures);
    }
    PayloadState& payload() { return payload_; }
    float raw(std::string_view name) const { return row().raw[*find_feature(name)]; }
    std::uint8_t code(std::string_view name) const { return row().codes[*find_feature(name)]; }

  private:
    FlowKey key_{};
    Flow flow_{};
    FlowEvents events_{};
    PayloadState payload_{};
    PacketHeader header_{};
    bool forward_ = true;
    std::unique_ptr<HostTable> table_ = std::move(*HostTable::create(64, 1));
    HostPair hosts_ = no_hosts();
};

void play_tls(Conversation& talk) {
    talk.header().ttl = 57;
    talk.header().tos = 0xb8;
    talk.header().tcp_flags = kSyn;
    talk.header().tcp_seq = 1000;
    talk.header().tcp_window = 64240;
    talk.send(true, 0, 60, 0);
    talk.header().tcp_flags = kSyn | kAck;
    talk.header().tcp_seq = 5000;
    talk.header().tcp_window = 65160;
    talk.send(false, 20000, 60, 0);
    talk.tcp(true, 20100, kAck, 1001, 0, 502);
    talk.tcp(true, 21100, kPsh | kAck, 1001, 517, 502);
    talk.tcp(false, 50100, kPsh | kAck, 5001, 1448, 501);
}

// Worked out by hand from the five packets above.
const std::map<std::string, double>& expected_tls() {
    constexpr double kLife = 12.39273;
    static const std::map<std::string, double> kExpected{
        {"packet_payload_bytes", 1448},
        {"packet_tcp_window", 501},
        {"packet_ip_bytes", 1500},
        {"protocol", 6},
        {"packet_icmp_type", 0},
        {"packet_icmp_code", 0},
        {"packet_ttl", 57},
        {"packet_dscp", 46},
        {"is_tcp", 1},
        {"is_udp", 0},
        {"is_ipv6", 0},
        {"packet_is_backward", 1},
        {"packet_has_syn", 0},
        {"packet_has_ack", 1},
        {"packet_has_rst", 0},
        {"packet_has_fin", 0},
        {"packet_has_psh", 1},
        {"packet_is_fragment", 0},
        {"initiator_port", 40000},
        {"responder_port", 443},
        {"duration_us", 50100},
        {"fwd_packets", 3},
        {"bwd_packets", 2},
        {"fwd_bytes", 681},
        {"bwd_bytes", 1560},
        {"fwd_payload_bytes", 517},
        {"bwd_payload_bytes", 1448},
        {"packet_rate_pps", 4 / 0.0501},
        {"byte_rate_bytes_per_s", 2241 / 0.0501},
        {"turns", 3},
        {"bwd_packet_share", 0.4},
        {"bwd_byte_share", 1560.0 / 2241},
        {"bwd_payload_share", 1448.0 / 1965},
        {"fwd_payload_packet_share", 0.2},
        {"bwd_payload_packet_share", 0.2},
        {"small_packet_share", 0.6},
        {"turn_share", 0.75},
        {"fwd_length_min_bytes", 52},
        {"bwd_length_min_bytes", 60},
        {"fwd_length_std_bytes", std::sqrt(175478.0 / 3)},
        {"bwd_length_std_bytes", 720},
        {"length_std_bytes", std::sqrt(1579248.8 / 5)},
        {"fwd_payload_mean_bytes", 517.0 / 3},
        {"bwd_payload_mean_bytes", 724},
        {"fwd_length_max_bytes", 569},
        {"bwd_length_max_bytes", 1500},
        {"fwd_length_mean_bytes", 227},
        {"bwd_length_mean_bytes", 780},
        {"length_mean_bytes", 448.2},
        {"gap_last_us", 28672},
        {"gap_min_us", 96},
        {"gap_max_us", 28672},
        {"gap_mean_us", 12525},
        {"gap_std_us", std::sqrt(153626875.0)},
        {"fwd_gap_mean_us", 10550},
        {"bwd_gap_mean_us", 30100},
        {"fwd_silence_us", 29000},
        {"bwd_silence_us", 0},
        {"reply_delay_us", 20000},
        {"gap_irregularity", 12394.631 / (12394.631 + 12525)},
        {"gap_max_share", 28672.0 / 50100},
        {"handshake_rtt_us", 20000},
        {"fwd_first_window", 61440},
        {"bwd_first_window", 61440},
        {"syn_packets", 2},
        {"fin_packets", 0},
        {"rst_packets", 0},
        {"zero_window_packets", 0},
        {"fwd_retransmissions", 0},
        {"bwd_retransmissions", 0},
        {"retransmission_share", 0},
        {"psh_share", 0.4},
        {"is_opened_by_syn", 1},
        {"is_syn_answered", 1},
        {"is_refused", 0},
        {"seq_length_01_bytes", 60},
        {"seq_length_02_bytes", -60},
        {"seq_length_03_bytes", 60},
        {"seq_length_04_bytes", 576},
        {"seq_length_05_bytes", -1500},
        {"seq_gap_02_us", 18432},
        {"seq_gap_03_us", 96},
        {"seq_gap_04_us", 960},
        {"seq_gap_05_us", 28672},
        {"init_sent_rate_pps", 3 / kLife},
        {"init_received_rate_pps", 2 / kLife},
        {"init_sent_rate_bytes_per_s", 681 / kLife},
        {"init_flow_rate_per_s", 1 / kLife},
        {"init_peers", 1},
        {"init_ports", 1},
        {"init_flows_per_peer", 1},
        {"resp_received_rate_pps", 3 / kLife},
        {"resp_sent_rate_pps", 2 / kLife},
        {"resp_received_rate_bytes_per_s", 681 / kLife},
        {"resp_flow_rate_per_s", 1 / kLife},
        {"resp_peers", 1},
        {"resp_ports", 1},
        {"resp_flows_per_peer", 1},
        {"init_unreplied_share", 0},
        {"init_syn_unanswered_share", 0},
        {"init_refused_share", 0},
        {"resp_unreplied_share", 0},
        {"resp_unconfirmed_share", 0}};
    return kExpected;
}

TEST(Features, EveryFeatureOfATlsOpeningIsAsWorkedOutByHand) {
    Conversation talk;
    play_tls(talk);
    const FeatureRow row = talk.row();
    std::size_t checked = 0;
    for (const FeatureInfo& feature : catalog()) {
        const auto expected = expected_tls().find(std::string(feature.name));
        if (expected == expected_tls().end()) {
            // Only packets that have not come yet may be left out of the list.
            EXPECT_TRUE(
                feature.group == FeatureGroup::sequence || feature.group == FeatureGroup::payload)
                << feature.name;
            EXPECT_EQ(row.raw[feature.id], 0.0F) << feature.name;
            continue;
        }
        ++checked;
        EXPECT_NEAR(row.raw[feature.id], expected->second, 1e-5 * std::abs(expected->second))
            << feature.name;
    }
    EXPECT_EQ(checked, expected_tls().size());
}

TEST(Features, FirstPacketHasNeitherRatesNorGaps) {
    Conversation talk(17);
    talk.send(true, 0, 100, 72);
    for (const char* name :
         {"duration_us",
          "packet_rate_pps",
          "byte_rate_bytes_per_s",
          "gap_last_us",
          "gap_min_us",
          "gap_max_us",
          "gap_mean_us",
          "gap_std_us",
          "gap_irregularity",
          "gap_max_share",
          "fwd_length_std_bytes",
          "length_std_bytes",
          "turn_share",
          "reply_delay_us",
          "bwd_length_min_bytes",
          "bwd_length_mean_bytes",
          "bwd_silence_us"}) {
        EXPECT_EQ(talk.raw(name), 0.0F) << name;
    }
    EXPECT_EQ(talk.raw("fwd_length_mean_bytes"), 100.0F);
    EXPECT_EQ(talk.raw("resp_unreplied_share"), 1.0F);
    EXPECT_EQ(talk.code("resp_unreplied_share"), 255);
    EXPECT_EQ(talk.raw("packet_tcp_window"), 0.0F);
}

TEST(Features, TimeThatRunsBackwardsIsNoTime) {
    Conversation talk(17);
    talk.send(true, 1000, 100, 72);
    talk.send(false, 400, 100, 72);
    EXPECT_EQ(talk.raw("duration_us"), 0.0F);
    EXPECT_EQ(talk.raw("gap_last_us"), 0.0F);
    EXPECT_EQ(talk.raw("reply_delay_us"), 1.0F) << "a reply at once is not the same as none";
    EXPECT_EQ(talk.raw("packet_rate_pps"), 1e6F) << "at least a microsecond";
    talk.send(true, 1500, 100, 72);
    EXPECT_EQ(talk.raw("duration_us"), 500.0F);
    EXPECT_EQ(talk.flow().last_us(), 1'001'500U);
    talk.send(true, 0, 100, 72);
    EXPECT_EQ(talk.flow().last_us(), 1'001'500U);
    EXPECT_EQ(talk.raw("gap_min_us"), 0.0F);
}

TEST(Features, RetransmissionsAreSegmentsWithNothingNew) {
    Conversation talk;
    talk.tcp(true, 0, kSyn, 0xfffffff0U, 0);
    talk.tcp(true, 10, kSyn, 0xfffffff0U, 0);  // SYN again
    EXPECT_EQ(talk.raw("fwd_retransmissions"), 1.0F);
    talk.tcp(false, 20, kSyn | kAck, 7, 0);
    talk.tcp(true, 30, kAck, 0xfffffff1U, 0);
    talk.tcp(true, 40, kAck, 0xfffffff1U, 100);  // across the wrap
    talk.tcp(true, 50, kAck, 85, 100);
    EXPECT_EQ(talk.raw("fwd_retransmissions"), 1.0F);
    talk.tcp(true, 60, kAck, 0xfffffff1U, 100);
    EXPECT_EQ(talk.raw("fwd_retransmissions"), 2.0F);
    talk.tcp(true, 70, kAck, 135, 100);  // half of it is new
    talk.tcp(true, 80, kAck, 235, 0);    // a bare ACK is never one
    talk.tcp(true, 90, kAck, 235, 0);
    EXPECT_EQ(talk.raw("fwd_retransmissions"), 2.0F);
    EXPECT_EQ(talk.raw("bwd_retransmissions"), 0.0F);
    EXPECT_FLOAT_EQ(talk.raw("retransmission_share"), 0.2F);
}

TEST(Features, RefusedAndUnansweredFlows) {
    Conversation talk;
    EXPECT_TRUE(talk.tcp(true, 0, kSyn, 1, 0).opened_by_syn);
    const FlowEvents events = talk.tcp(false, 100, kRst | kAck, 0, 0, 0);
    EXPECT_TRUE(events.refused && events.replied && !events.syn_answered);
    EXPECT_EQ(talk.raw("is_refused"), 1.0F);
    EXPECT_EQ(talk.raw("is_syn_answered"), 0.0F);
    EXPECT_EQ(talk.raw("handshake_rtt_us"), 0.0F);
    EXPECT_EQ(talk.raw("zero_window_packets"), 0.0F) << "a RST has no window";
    EXPECT_EQ(talk.raw("init_refused_share"), 1.0F);
    EXPECT_EQ(talk.raw("init_syn_unanswered_share"), 1.0F);
    EXPECT_EQ(talk.raw("init_unreplied_share"), 0.0F);
    EXPECT_EQ(talk.raw("resp_unconfirmed_share"), 1.0F);
    EXPECT_TRUE(talk.tcp(true, 200, kFin | kAck, 2, 0, 0).confirmed);
    EXPECT_EQ(talk.raw("resp_unconfirmed_share"), 0.0F);
    EXPECT_EQ(talk.raw("zero_window_packets"), 1.0F);
    EXPECT_EQ(talk.raw("fin_packets"), 1.0F);
}

TEST(Features, CountersOfByteSizeSaturate) {
    Conversation talk;
    talk.tcp(true, 0, kSyn, 1, 0, 0);
    for (std::uint64_t n = 1; n <= 600; ++n) {
        talk.tcp(n % 2 == 0, n, kSyn | kFin | kRst | kPsh, 1, 10, 0);
    }
    EXPECT_EQ(talk.raw("syn_packets"), 255.0F);
    EXPECT_EQ(talk.raw("fin_packets"), 255.0F);
    EXPECT_EQ(talk.raw("rst_packets"), 255.0F);
    EXPECT_EQ(talk.raw("turns"), 254.0F);
    EXPECT_EQ(talk.raw("turn_share"), 1.0F);
    EXPECT_EQ(talk.raw("small_packet_share"), 1.0F);
    EXPECT_FLOAT_EQ(talk.raw("psh_share"), 254.0F / 255.0F);
    for (std::uint64_t n = 0; n < 600; ++n) {
        talk.tcp(true, 700 + n, kAck, 1, 10, 0);
    }
    EXPECT_EQ(talk.raw("fwd_retransmissions"), 255.0F);
    EXPECT_EQ(talk.raw("zero_window_packets"), 255.0F);
}

TEST(Features, WideCountersSaturate) {
    Conversation talk(17);
    talk.send(true, 0, 100, 72);
    talk.flow().packets = {UINT32_MAX, UINT32_MAX};
    talk.flow().set_bytes(0, Flow::kMostBytes - 1);
    talk.flow().set_bytes(1, Flow::kMostBytes);
    talk.flow().payload_bytes = {UINT32_MAX - 1, UINT32_MAX};
    talk.send(true, 10, 100000, 90000);
    talk.send(false, 20, 100000, 90000);
    EXPECT_EQ(talk.flow().packets[0], UINT32_MAX);
    EXPECT_EQ(talk.flow().bytes(0), Flow::kMostBytes);
    EXPECT_EQ(talk.flow().bytes(1), Flow::kMostBytes);
    EXPECT_EQ(talk.flow().payload_bytes[0], UINT32_MAX);
    EXPECT_EQ(talk.flow().length_max[0], 65535);
    EXPECT_EQ(talk.code("fwd_packets"), 255);
    EXPECT_LE(talk.raw("bwd_byte_share"), 1.0F);
    for (const float raw : talk.row().raw) {
        EXPECT_TRUE(std::isfinite(raw));
    }
}

TEST(Features, DeviationsStayExactOverLongEvenFlows) {
    Conversation talk(17);
    constexpr std::uint64_t kPackets = 300000;
    for (std::uint64_t n = 0; n < kPackets; ++n) {
        talk.send(true, n * 20000, 1400, 1372);
    }
    // Sums beyond 2^24 are rounded to float: not exactly 0, but far below the encoder's first step of one byte.
    EXPECT_LT(talk.raw("fwd_length_std_bytes"), 1e-3F);
    EXPECT_EQ(talk.code("fwd_length_std_bytes"), 0);
    EXPECT_LT(talk.raw("gap_std_us"), 20.0F) << "of 20000";
    EXPECT_EQ(talk.raw("gap_mean_us"), 20000.0F);
    EXPECT_EQ(talk.raw("fwd_gap_mean_us"), 20000.0F) << "beyond 2^32 us too";
    EXPECT_LT(talk.code("gap_irregularity"), 2);
}

TEST(Features, PortsAreThoseOfTheFlowsEndsAndOnlyOfTransportsThatHaveThem) {
    Conversation icmp(1);
    icmp.header().icmp_type = 8;
    icmp.send(true, 0, 84, 56);
    EXPECT_EQ(icmp.raw("initiator_port"), 0.0F) << "an echo identifier is no port";
    EXPECT_EQ(icmp.raw("packet_icmp_type"), 8.0F);
    Conversation udp(17);
    udp.flow().set_initiator_is_hi(true);
    udp.send(true, 0, 84, 56);
    EXPECT_EQ(udp.raw("initiator_port"), 443.0F);
    EXPECT_EQ(udp.raw("responder_port"), 40000.0F);
    EXPECT_EQ(udp.code("initiator_port"), kPortCodes[443]);
}

TEST(Features, LaterFragmentsHaveNoTcpHeader) {
    Conversation talk;
    talk.tcp(true, 0, kSyn, 1, 0);
    talk.header().later_fragment = true;
    talk.header().fragment = true;
    talk.tcp(true, 10, kRst | kFin, 0, 100, 0);
    EXPECT_EQ(talk.raw("rst_packets"), 0.0F);
    EXPECT_EQ(talk.raw("packet_has_rst"), 0.0F);
    EXPECT_EQ(talk.raw("packet_is_fragment"), 1.0F);
    EXPECT_EQ(talk.raw("fwd_packets"), 2.0F);
}

void send_random(Conversation& talk, bool first, std::uint64_t at_us, std::mt19937_64& random) {
    for (std::uint8_t& code : talk.payload().codes) {
        code = static_cast<std::uint8_t>(random());
    }
    talk.tcp(
        first || random() % 2 == 0,
        at_us,
        static_cast<std::uint8_t>(random()),
        static_cast<std::uint32_t>(random()),
        static_cast<std::uint32_t>(random() % 1460),
        static_cast<std::uint16_t>(random()));
}

// Random conversations: the fast and the full computation agree, and codes are what encode() makes of raw values.
TEST(Features, CodesAreTheEncodedRawValues) {
    std::mt19937_64 random(7);
    for (int n = 0; n < 200; ++n) {
        Conversation talk(n % 3 == 0 ? 17 : 6);
        std::uint64_t at = 0;
        const std::uint64_t packets = 1 + random() % 40;
        for (std::uint64_t p = 0; p < packets; ++p) {
            at += random() >> (34 + random() % 30);
            send_random(talk, p == 0, at, random);
            const FeatureRow row = talk.row();
            for (const FeatureInfo& feature : catalog()) {
                ASSERT_EQ(row.codes[feature.id], encode(feature, row.raw[feature.id]))
                    << feature.name << " " << row.raw[feature.id];
                ASSERT_TRUE(std::isfinite(row.raw[feature.id])) << feature.name;
            }
        }
    }
}

// Rows of a block are what compute_features() says at each packet, whatever their number, on the plain and on the best
// instruction set, and whichever features are gathered.
TEST(Features, BlocksHoldWhatEachPacketSays) {
    std::mt19937_64 random(8);
    auto block = std::make_unique<FeatureBlock>();
    for (int n = 0; n < 60; ++n) {
        Conversation talk(n % 3 == 0 ? 17 : 6);
        std::uint64_t at = random() >> 20;
        const std::uint32_t packets =
            n < 34 ? 1 + static_cast<std::uint32_t>(n) % FeatureBlock::kRows : FeatureBlock::kRows;
        const int before =
            n % 5 * 20;  // packets that no row tells of: of a short flow and of a long one
        for (int p = 0; p < before; ++p) {
            at += random() >> (34 + random() % 30);
            send_random(talk, p == 0, at, random);
        }
        std::vector<FeatureRow> rows;
        for (std::uint32_t p = 0; p < packets; ++p) {
            at += random() >> (34 + random() % 30);
            send_random(talk, p == 0 && before == 0, at, random);
            rows.push_back(talk.row());
            talk.take_down(p, *block);
        }
        block->rows = packets;
        std::vector<std::uint16_t> features(1 + random() % kMaxFeatures);
        for (std::uint16_t& feature : features) {
            feature = static_cast<std::uint16_t>(random() % feature_count());
        }
        for (const bool scalar : {true, false}) {
            for (auto& column : block->codes) {
                column.fill(0xee);
            }
            compute_block(kAllGroups, *block, scalar);
            std::vector<std::uint8_t> codes(packets * features.size(), 0xdd);
            gather_rows(*block, features, codes.data());
            for (std::uint32_t p = 0; p < packets; ++p) {
                for (const FeatureInfo& feature : catalog()) {
                    ASSERT_EQ(block->codes[feature.id][p], rows[p].codes[feature.id])
                        << feature.name << " of packet " << p << " of " << packets;
                }
                for (std::size_t k = 0; k < features.size(); ++k) {
                    ASSERT_EQ(codes[p * features.size() + k], rows[p].codes[features[k]]);
                }
            }
        }
    }
}

TEST(Features, TimesEndButDoNotWrap) {
    Flow flow;
    PacketHeader header;
    EXPECT_TRUE(update_flow(flow, header, true, UINT64_MAX).opened);
    EXPECT_EQ(flow.first_us(), Flow::kMostUs);
    Flow old;
    update_flow(old, header, true, kSecond);
    update_flow(old, header, true, UINT64_MAX);
    EXPECT_EQ(old.first_us(), 1'000'000U);
    EXPECT_EQ(old.elapsed_us(), Flow::kMostElapsedUs);
    EXPECT_EQ(old.gap_max_code, 255);
}

TEST(Features, LateRepliesAreRoundedDownTo512Microseconds) {
    Flow flow;
    flow.set(Flow::kRefused, true);
    for (const std::uint32_t us : {1U, 511U, 0x7fffffU}) {
        flow.set_reply_us(us);
        EXPECT_EQ(flow.reply_us(), us);
    }
    for (const std::uint32_t us : {0x800000U, 0x8001ffU, 0xdeadbeefU, UINT32_MAX}) {
        flow.set_reply_us(us);
        EXPECT_EQ(flow.reply_us(), us & ~511U);
    }
    EXPECT_EQ(flow.bits(), Flow::kRefused);
}

TEST(Features, APacketsNumberIsExactThenToThirteenBits) {
    for (std::uint32_t n = 0; n < 8192; ++n) {
        ASSERT_EQ(PacketNumber::unpack(PacketNumber::pack(n)), n);
    }
    for (std::uint32_t width = 14; width <= 27; ++width) {
        for (const std::uint32_t n : {1U << (width - 1), (1U << width) - 1, 3U << (width - 2)}) {
            const std::uint32_t told = PacketNumber::unpack(PacketNumber::pack(n));
            EXPECT_LE(told, n);
            EXPECT_LE(n - told, n >> 12U);
        }
    }
    EXPECT_EQ(PacketNumber::unpack(PacketNumber::pack(UINT32_MAX)), PacketNumber::kMost);
}

// ---- flows at once --------------------------------------------------------------------------------------------------

[[nodiscard]] std::uint64_t any_u64(std::mt19937_64& random) {
    return random() >> random() % 64;
}

// Any state, reachable or not, with values near their bounds among them.
[[nodiscard]] Flow any_flow(std::mt19937_64& random) {
    Flow flow;
    std::array<std::uint8_t, sizeof(Flow)> bytes;
    for (std::uint8_t& byte : bytes) {
        byte = static_cast<std::uint8_t>(random() % 4 == 0 ? 0xff : random());
    }
    std::memcpy(static_cast<void*>(&flow), bytes.data(), sizeof(flow));
    constexpr std::array<std::uint8_t, 4> kProtocols{6, 17, 132, 1};  // TCP, UDP, SCTP, ICMP
    flow.key_bytes[Flow::kProtoAt] = kProtocols[random() % kProtocols.size()];
    flow.set_times(any_u64(random) >> random() % 2 * 12, any_u64(random) >> random() % 2 * 20);
    for (std::size_t way = 0; way < 2; ++way) {
        flow.set_bytes(way, any_u64(random));
        flow.packets[way] = random() % 8 == 0
                                ? UINT32_MAX - static_cast<std::uint32_t>(random() % 2)
                            : random() % 2 == 0 ? static_cast<std::uint32_t>(random() % 20)
                                                : static_cast<std::uint32_t>(any_u64(random));
        flow.payload_bytes[way] = static_cast<std::uint32_t>(any_u64(random));
        flow.length_m2[way] = static_cast<float>(random() % 1000000);
    }
    flow.gap_m2_us2 = static_cast<float>(any_u64(random));
    return flow;
}

[[nodiscard]] PacketHeader any_header(std::mt19937_64& random, const Flow& flow) {
    PacketHeader header;
    header.ip_bytes =
        static_cast<std::uint32_t>(random() % 8 == 0 ? any_u64(random) : random() % 1501);
    header.payload_bytes = random() % 3 == 0 ? 0 : static_cast<std::uint32_t>(random() % 70000);
    const std::uint32_t near = flow.next_seq[random() % 2];
    header.tcp_seq = random() % 2 == 0 ? near + static_cast<std::uint32_t>(random() % 5) - 2
                                       : static_cast<std::uint32_t>(random());
    header.tcp_window = static_cast<std::uint16_t>(random() % 3 == 0 ? 0 : random());
    header.proto = random() % 8 == 0 ? 58 : flow.proto();
    header.ip_version = random() % 2 == 0 ? 4 : 6;
    header.ttl = static_cast<std::uint8_t>(random());
    header.tos = static_cast<std::uint8_t>(random());
    header.tcp_flags = static_cast<std::uint8_t>(random());
    header.icmp_type = static_cast<std::uint8_t>(random());
    header.icmp_code = static_cast<std::uint8_t>(random());
    header.fragment = random() % 8 == 0;
    header.later_fragment = header.fragment && random() % 2 == 0;
    return header;
}

[[nodiscard]] std::uint64_t any_time(std::mt19937_64& random, const Flow& flow) {
    const std::uint64_t first = flow.first_us() * kUs;
    const std::uint64_t last = flow.last_us() * kUs;
    switch (random() % 4) {
        case 0:
            return last - std::min<std::uint64_t>(last, random() % 5000);
        case 1:
            return last + random() % 5000;
        case 2:
            return last + (any_u64(random) >> 2);
        default:
            return first + random() % 3000;
    }
}

// Without the two bits that no event has.
[[nodiscard]] unsigned event_bits(FlowEvents events) {
    return std::bit_cast<std::uint16_t>(events) & 0xff3fU;
}

[[nodiscard]] bool same_measures(
    const Measures& a, const Measures& b, std::size_t rows, std::size_t& where) {
    constexpr std::size_t kWords = offsetof(Measures, init_sent_packets) / sizeof(std::uint32_t);
    const auto* x = reinterpret_cast<const std::uint32_t*>(&a);
    const auto* y = reinterpret_cast<const std::uint32_t*>(&b);
    for (where = 0; where < kWords; ++where) {
        if (where % Measures::kRows < rows && x[where] != y[where]) {
            return false;
        }
    }
    for (std::size_t r = 0; r < rows; ++r, ++where) {
        if (a.seq_length[r] != b.seq_length[r] ||
            !std::equal(a.seq_gap[r].begin(), a.seq_gap[r].end() - 1, b.seq_gap[r].begin())) {
            return false;
        }
    }
    return true;
}

// A few packets of each of as many flows as there are lanes: state, events and what is taken down are the plain code's, bit
// for bit.
TEST(Features, FlowsAtOnceAreFlowsOneByOne) {
    std::mt19937_64 random(12);
    auto plain = std::make_unique<FlowPackets>();
    auto best = std::make_unique<FlowPackets>();
    auto plain_measures = std::make_unique<Measures>();
    auto best_measures = std::make_unique<Measures>();
    for (int n = 0; n < 4000; ++n) {
        std::array<Flow, FlowPackets::kLanes> flows;
        const std::uint32_t count =
            1 + static_cast<std::uint32_t>(n < 2000 ? n : 15) % FlowPackets::kLanes;
        for (Flow& flow : flows) {
            flow = random() % 3 == 0 ? Flow{} : any_flow(random);
        }
        std::array<Flow, FlowPackets::kLanes> copies = flows;
        for (int packet = 0; packet < 5; ++packet) {
            std::array<PacketHeader, FlowPackets::kLanes> headers;
            plain->count = best->count = count;
            plain->backward = best->backward =
                static_cast<std::uint32_t>(random()) & ((1U << count) - 1);
            for (std::uint32_t r = 0; r < count; ++r) {
                headers[r] = any_header(random, flows[r]);
                plain->flow[r] = &flows[r];
                best->flow[r] = &copies[r];
                plain->header[r] = best->header[r] = &headers[r];
                plain->now_ns[r] = best->now_ns[r] = any_time(random, flows[r]);
            }
            update_flows(kAllGroups, *plain, *plain_measures, true);
            update_flows(kAllGroups, *best, *best_measures);
            for (std::uint32_t r = 0; r < count; ++r) {
                const auto* a = reinterpret_cast<const std::uint8_t*>(&flows[r]);
                const auto* b = reinterpret_cast<const std::uint8_t*>(&copies[r]);
                for (std::size_t byte = 0; byte < sizeof(Flow); ++byte) {
                    ASSERT_EQ(a[byte], b[byte]) << "byte " << byte << " of flow " << r << " of "
                                                << count << ", round " << n;
                }
                ASSERT_EQ(plain->previous_us[r], best->previous_us[r]);
                ASSERT_EQ(event_bits(plain->events[r]), event_bits(best->events[r]));
            }
            std::size_t where = 0;
            ASSERT_TRUE(same_measures(*plain_measures, *best_measures, count, where))
                << "word " << where << " (column " << where / Measures::kRows << "), round " << n;
        }
    }
}

TEST(Features, OnlyTheGroupsAskedForAreWritten) {
    Conversation talk;
    play_tls(talk);
    for (std::uint32_t g = 0; g < kFeatureGroups; ++g) {
        FeatureRow row;
        row.raw.fill(-77.0F);
        row.codes.fill(99);
        compute_features(1U << g, talk.flow(), talk.header(), false, {}, no_hosts(), row);
        if (static_cast<FeatureGroup>(g) == FeatureGroup::payload) {
            compute_payload(talk.payload(), row);
        }
        for (const FeatureInfo& feature : catalog()) {
            EXPECT_EQ(row.raw[feature.id] == -77.0F, static_cast<std::uint32_t>(feature.group) != g)
                << feature.name;
        }
    }
}

}  // namespace
}  // namespace weir::dataplane
