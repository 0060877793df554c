// SPDX-License-Identifier: BSD-3-Clause
// Packets of every kind through a policy that marks outside and inside and tags: nothing changes but the bits that were
// meant, and tshark finds no checksum that was good before bad after. Made packets always, real captures where there are.
#include "config/load.h"
#include "dataplane/parse.h"
#include "dataplane/replay.h"
#include "tests/packets/fixtures.h"
#include "tests/support/corpus.h"
#include "tests/support/tshark.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <pcap/pcap.h>
#include <unistd.h>

namespace weir::dataplane {
namespace {

using test::Bytes;

constexpr std::uint8_t kEf = 46;
constexpr std::uint8_t kPcp = 5;
constexpr std::size_t kTagAt = 14;
constexpr std::size_t kMostFrame = 65535;  // net_pcap cuts what segmentation offload joined beyond
constexpr std::uint64_t kNeverRemark = std::uint64_t{1} << 48 | std::uint64_t{1} << 56;

constexpr const char* kPolicy =
    "ports: [{name: in, device: net_null0}, {name: out, device: net_null1}]\n"
    "pairs: [[in, out]]\n"
    "workers: {flow_table: {capacity: 262144}}\n"
    "policy: {use: p}\n"
    "policies: {p: {rules: [{dscp: EF, inner: true, pcp: 5}]}}\n";

struct PcapClose {
    void operator()(pcap_t* pcap) const noexcept { pcap_close(pcap); }
};
struct DumperClose {
    void operator()(pcap_dumper_t* dumper) const noexcept { pcap_dump_close(dumper); }
};

struct Frame {
    std::string origin;
    Bytes bytes;
};

[[nodiscard]] std::vector<Frame> read_frames(const std::string& path, std::size_t most) {
    std::vector<Frame> frames;
    char message[PCAP_ERRBUF_SIZE] = {};
    const std::unique_ptr<pcap_t, PcapClose> pcap(pcap_open_offline(path.c_str(), message));
    EXPECT_NE(pcap, nullptr) << path << ": " << message;
    pcap_pkthdr* info = nullptr;
    const u_char* data = nullptr;
    while (pcap && frames.size() < most && pcap_next_ex(pcap.get(), &info, &data) == 1) {
        if (info->caplen <= kMostFrame) {
            frames.push_back({path, Bytes(data, data + info->caplen)});
        }
    }
    return frames;
}

void write_frames(const std::string& path, const std::vector<Frame>& frames) {
    const std::unique_ptr<pcap_t, PcapClose> ethernet(pcap_open_dead(DLT_EN10MB, 262144));
    const std::unique_ptr<pcap_dumper_t, DumperClose> dumper(
        pcap_dump_open(ethernet.get(), path.c_str()));
    ASSERT_NE(dumper, nullptr) << pcap_geterr(ethernet.get());
    pcap_pkthdr info{};
    info.ts.tv_sec = 1'700'000'000;
    for (const Frame& frame : frames) {
        info.ts.tv_usec = (info.ts.tv_usec + 10) % 1'000'000;
        info.ts.tv_sec += info.ts.tv_usec < 10 ? 1 : 0;
        info.caplen = info.len = static_cast<bpf_u_int32>(frame.bytes.size());
        pcap_dump(reinterpret_cast<u_char*>(dumper.get()), &info, frame.bytes.data());
    }
}

// Every kind of flow that parse knows, by several TOS; and what it refuses.
[[nodiscard]] std::vector<Frame> made_frames() {
    std::vector<Frame> frames;
    for (const test::Fixture& fixture : test::all_fixtures()) {
        for (const std::uint8_t tos : {0x00, 0x03, 0xb8, 0xc1, 0xe2}) {
            frames.push_back({fixture.name, fixture.build({}, tos)});
        }
    }
    for (const test::Refused& refused : test::refused_packets()) {
        frames.push_back({refused.name, refused.frame});
    }
    const auto inner = test::ip4({.proto = 17}, test::udp({.checksum = false}, test::text(20)));
    const auto carried = test::eth(0x0800, inner);
    const auto outer = [](const Bytes& payload, bool summed) {
        return test::eth(
            0x0800,
            test::ip4(
                {.src = test::kNear4, .proto = 17},
                test::udp({.dst = 4789, .checksum = summed}, payload)));
    };
    frames.push_back({"VXLAN under a checksum", outer(test::vxlan(7, carried), true)});
    frames.push_back({"VXLAN without a checksum", outer(test::vxlan(7, carried), false)});
    frames.push_back(
        {"UDP-lite, partly covered",
         test::eth(
             0x0800, test::ip4({.proto = 136}, test::udp_lite(40000, 443, 8, test::text(21))))});
    frames.push_back(
        {"tagged, no UDP checksum",
         test::eth(0x88a8, test::vlan(0x2065, 0x8100, test::vlan(0x0064, 0x0800, inner)))});
    return frames;
}

// What a header of IPv4 sums to beyond all ones: 0 if its checksum is right. Two zeroes are one.
[[nodiscard]] std::uint32_t checksum_error(const std::uint8_t* ip) {
    return (~std::uint32_t{test::ones_sum(ip, (ip[0] & 0x0fU) * 4U)} & 0xffffU) % 0xffffU;
}

// `expected` with the DSCP of the IP header at `at` that `after` has there, if that is EF, and IPv4's checksum of
// `after`, if it is as right or wrong as it was. True if it is EF.
bool allow_mark(std::size_t at, const Bytes& after, Bytes& expected) {
    const bool v4 = expected[at] >> 4U == 4;
    const Bytes before = expected;
    if (v4) {
        expected[at + 1] = static_cast<std::uint8_t>(kEf << 2U | (expected[at + 1] & 3U));
    } else {
        expected[at] = static_cast<std::uint8_t>((expected[at] & 0xf0U) | kEf >> 2U);
        expected[at + 1] = static_cast<std::uint8_t>((expected[at + 1] & 0x3fU) | (kEf & 3U) << 6U);
    }
    if (after[at] != expected[at] || after[at + 1] != expected[at + 1]) {
        expected = before;
        return false;
    }
    if (v4 && checksum_error(after.data() + at) == checksum_error(before.data() + at)) {
        expected[at + 10] = after[at + 10];
        expected[at + 11] = after[at + 11];
    }
    return true;
}

struct Tally {
    std::size_t flows = 0;
    std::size_t outer = 0;
    std::size_t inner = 0;
    std::size_t tagged = 0;
};

// Only what was meant is different, and all that was meant is.
void compare(const Frame& before, const Frame& after, std::size_t number, Tally& tally) {
    const auto size = static_cast<std::uint32_t>(before.bytes.size());
    FlowKey key;
    PacketHeader header;
    const ParseResult result = parse_frame(before.bytes.data(), size, size, key, header);
    Bytes expected = before.bytes;
    if (result == ParseResult::flow && before.bytes.size() == after.bytes.size()) {
        ++tally.flows;
        const bool keeps = carries_dscp(header, kNeverRemark);
        const bool marked = !keeps && allow_mark(header.outer_l3_offset, after.bytes, expected);
        EXPECT_NE(marked, keeps) << before.origin << ", frame " << number;
        tally.outer += marked ? 1 : 0;
        if (marked && header.l3_offset != header.outer_l3_offset &&
            allow_mark(header.l3_offset, after.bytes, expected)) {
            ++tally.inner;
        }
        const std::uint32_t type = expected[12] * 256U + expected[13];
        if (type == 0x8100 || type == 0x88a8) {
            expected[kTagAt] = static_cast<std::uint8_t>((expected[kTagAt] & 0x1fU) | kPcp << 5U);
            ++tally.tagged;
        }
    }
    EXPECT_TRUE(after.bytes == expected)
        << before.origin << ", frame " << number << ": " << testing::PrintToString(before.bytes)
        << " became " << testing::PrintToString(after.bytes);
}

class RewrittenReplay : public testing::Test {
  protected:
    RewrittenReplay() {
        std::string name = std::filesystem::temp_directory_path() / "weir-rewritten-XXXXXX";
        folder_ = ::mkdtemp(name.data());
    }
    ~RewrittenReplay() override { std::filesystem::remove_all(folder_); }

    void mark(const std::vector<Frame>& frames) {
        before_ = frames;
        write_frames(folder_ / "in.pcap", before_);
        ReplayOptions options;
        options.in = folder_ / "in.pcap";
        options.out = folder_ / "out.pcap";
        options.config = *config::load_text(kPolicy, "weir.yaml");
        options.models.resize(options.config.slots.size());
        const auto result = replay(options);
        ASSERT_TRUE(result) << result.error().line();
        EXPECT_EQ(result->totals.tx_packets, before_.size());
        after_ = read_frames(options.out, before_.size() + 1);
        ASSERT_EQ(after_.size(), before_.size());
        for (std::size_t i = 0; i < before_.size() && !HasFailure(); ++i) {
            compare(before_[i], after_[i], i, tally_);
        }
        std::printf(
            "%zu packets, %zu of flows: %zu marked outside, %zu of them inside, %zu tagged\n",
            before_.size(),
            tally_.flows,
            tally_.outer,
            tally_.inner,
            tally_.tagged);
    }

    // What tshark says of every checksum of every packet, and of packets that it cannot take apart.
    [[nodiscard]] std::vector<std::string> verdicts(const char* file) const {
        return test::lines_of(
            "WIRESHARK_CONFIG_DIR=" + folder_.string() +
            " tshark -n -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE"
            " -o udp.check_checksum:TRUE -o ip.defragment:FALSE -o ipv6.defragment:FALSE"
            " -o tcp.desegment_tcp_streams:FALSE -o tcp.analyze_sequence_numbers:FALSE"
            " -T fields -E occurrence=a -e ip.checksum.status -e tcp.checksum.status"
            " -e udp.checksum.status -e icmp.checksum.status -e icmpv6.checksum.status"
            " -e gre.checksum.status -e sctp.checksum.status -e dccp.checksum.status"
            " -e _ws.malformed -r " +
            (folder_ / file).string() + " 2>/dev/null");
    }

    void judge() const {
        if (!test::have_tshark()) {
            GTEST_SKIP() << "skipped: no tshark";
        }
        test::disable_dissectors_but(
            test::kParsedDissectors, (folder_ / "disabled_protos").string());
        const std::vector<std::string> before = verdicts("in.pcap");
        const std::vector<std::string> after = verdicts("out.pcap");
        ASSERT_EQ(before.size(), before_.size());
        ASSERT_EQ(after.size(), after_.size());
        std::size_t good = 0;
        for (std::size_t i = 0; i < before.size() && !HasFailure(); ++i) {
            EXPECT_EQ(after[i], before[i]) << before_[i].origin << ", frame " << i;
            good += before[i].find('1') != std::string::npos ? 1 : 0;  // 1 is tshark's "good"
        }
        std::printf("tshark: %zu packets with checksums that are good before and after\n", good);
        EXPECT_GT(good * 2, tally_.flows);
    }

    std::filesystem::path folder_;
    std::vector<Frame> before_;
    std::vector<Frame> after_;
    Tally tally_;
};

TEST_F(RewrittenReplay, MadePacketsChangeInTheIntendedBitsOnly) {
    mark(made_frames());
    EXPECT_GT(tally_.outer, 200U);
    EXPECT_GT(tally_.inner, 10U);
    EXPECT_GT(tally_.tagged, 10U);
    judge();
}

TEST_F(RewrittenReplay, CapturesChangeInTheIntendedBitsOnly) {
    const std::vector<std::string> captures = test::corpus_captures();
    if (captures.empty()) {
        GTEST_SKIP() << "skipped: no corpus (set WEIR_CORPUS)";
    }
    // All of the small ones, which are the strange ones, and the beginning of the long ones.
    constexpr std::size_t kMostOfACapture = 100;
    std::vector<Frame> frames;
    for (const std::string& capture : captures) {
        for (Frame& frame : read_frames(capture, kMostOfACapture)) {
            frames.push_back(std::move(frame));
        }
    }
    mark(frames);
    EXPECT_GT(tally_.outer * 2, frames.size());
    EXPECT_GT(tally_.inner, 0U);
    EXPECT_GT(tally_.tagged, 0U);
    judge();
}

}  // namespace
}  // namespace weir::dataplane
