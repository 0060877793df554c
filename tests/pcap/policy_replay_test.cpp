// SPDX-License-Identifier: BSD-3-Clause
// A policy through the whole worker, capture in, capture out: every frame that leaves is one that was made from scratch.
#include "config/load.h"
#include "dataplane/replay.h"
#include "tests/packets/packet_builder.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

namespace weir::dataplane {
namespace {

using namespace weir::test;

constexpr const char* kPolicy =
    "ports: [{name: in, device: net_null0}, {name: out, device: net_null1}]\n"
    "pairs: [[in, out]]\n"
    "policy:\n"
    "  use: p\n"
    "  meters: {m: {cir_kbps: 8, cbs_bytes: 1500, excess_bytes: 1500, per: flow, yellow: AF12}}\n"
    "policies:\n"
    "  p:\n"
    "    rules:\n"
    "      - {vlan: 100, dscp: EF, pcp: 5}\n"
    "      - {prefixes: [172.16.0.1], dscp: AF41, inner: true}\n"
    "      - {prefixes: [198.51.100.0/24], action: reset}\n"
    "      - {prefixes: [203.0.113.0/24], police: m}\n";

constexpr Address4 kBlocked{198, 51, 100, 7};
constexpr Address4 kPoliced{203, 0, 113, 9};
constexpr std::uint8_t kAf41 = 34 << 2;

Bytes tagged(std::uint16_t tci, std::uint8_t tos) {
    return eth(0x8100, vlan(tci, 0x0800, ip4({.proto = 17, .tos = tos}, udp({}, text(30)))));
}
Bytes partly_summed(std::uint8_t tos) {
    return eth(
        0x0800, ip4({.src = kNear4, .proto = 136, .tos = tos}, udp_lite(40000, 443, 8, text(21))));
}
Bytes not_summed(std::uint8_t tos) {
    return eth(
        0x0800, ip4({.src = kNear4, .proto = 17, .tos = tos}, udp({.checksum = false}, text(20))));
}
Bytes tunnelled(std::uint8_t tos) {
    return eth(
        0x0800,
        ip4({.src = kFar4, .proto = 4, .tos = tos},
            ip4({.src = kNear4, .proto = 17, .tos = tos}, udp({.dst = 53}, text(20)))));
}
Bytes policed(std::uint8_t tos) {
    return eth(0x0800, ip4({.dst = kPoliced, .proto = 17, .tos = tos}, udp({}, text(972))));
}
Bytes reset() {
    Bytes frame =
        eth(0x0800,
            ip4({.dst = kBlocked, .fragment = 0x4000},
                tcp({.seq = 1000, .ack = 0, .flags = 4, .window = 0}, {})));
    std::uint8_t* const ip = frame.data() + 14;
    ip[4] = ip[5] = 0;  // its identification
    const std::uint16_t checksum = ip4_checksum(ip);
    ip[10] = static_cast<std::uint8_t>(checksum >> 8U);
    ip[11] = static_cast<std::uint8_t>(checksum);
    return frame;
}

const std::vector<Bytes>& received() {
    static const std::vector<Bytes> frames{
        tagged(0x0064, 1),
        partly_summed(0),
        not_summed(0),
        tunnelled(0),
        eth(0x0800, ip4({.dst = kBlocked}, tcp({.seq = 1000, .ack = 5000}, text(100)))),
        policed(0),
        policed(0),
        policed(0)};
    return frames;
}

std::vector<Bytes> expected() {
    return {
        tagged(0xa064, 46 << 2 | 1),
        partly_summed(kAf41),
        not_summed(kAf41),
        tunnelled(kAf41),
        reset(),
        policed(0),
        policed(12 << 2)};
}

class PolicyReplay : public testing::TestWithParam<std::uint32_t> {
  protected:
    PolicyReplay() {
        std::string name = std::filesystem::temp_directory_path() / "weir-policy-XXXXXX";
        folder_ = ::mkdtemp(name.data());
        write_capture(folder_ / "in.pcap");
    }
    ~PolicyReplay() override { std::filesystem::remove_all(folder_); }

    static void write_capture(const std::filesystem::path& path) {
        std::ofstream out(path, std::ios::binary);
        const auto put = [&out](std::uint32_t value) {
            out.write(reinterpret_cast<const char*>(&value), sizeof(value));
        };
        for (const std::uint32_t word : {0xa1b2c3d4U, 0x00040002U, 0U, 0U, 262144U, 1U}) {
            put(word);
        }
        std::uint32_t us = 0;
        for (const Bytes& frame : received()) {
            put(1000);
            put(us += 10);
            put(static_cast<std::uint32_t>(frame.size()));
            put(static_cast<std::uint32_t>(frame.size()));
            out.write(
                reinterpret_cast<const char*>(frame.data()),
                static_cast<std::streamsize>(frame.size()));
        }
    }

    static std::vector<Bytes> read_capture(const std::filesystem::path& path) {
        std::ifstream in(path, std::ios::binary);
        const std::string all{std::istreambuf_iterator<char>(in), {}};
        std::vector<Bytes> frames;
        for (std::size_t at = 24; at + 16 <= all.size();) {
            std::uint32_t length = 0;
            std::memcpy(&length, all.data() + at + 8, sizeof(length));
            frames.emplace_back(
                all.begin() + static_cast<std::ptrdiff_t>(at + 16),
                all.begin() + static_cast<std::ptrdiff_t>(at + 16 + length));
            at += 16 + length;
        }
        return frames;
    }

    std::filesystem::path folder_;
};

TEST_P(PolicyReplay, EveryFrameThatLeavesIsTheOneIntended) {
    ReplayOptions options;
    options.in = folder_ / "in.pcap";
    options.out = folder_ / "out.pcap";
    options.config = *config::load_text(kPolicy, "weir.yaml");
    options.config.workers.burst = GetParam();
    options.models.resize(options.config.slots.size());
    const auto result = replay(options);
    ASSERT_TRUE(result) << result.error().line();
    EXPECT_TRUE(result->totals.conserved());
    EXPECT_EQ(result->totals.drops[static_cast<std::size_t>(DropReason::policy)], 1U);
    EXPECT_EQ(result->totals.drops[static_cast<std::size_t>(DropReason::police)], 1U);
    EXPECT_EQ(result->totals.tx_packets, 6U) << "a reset is no packet that came in";

    // A reset leaves ahead of its burst: all the same frames, in an order that depends on bursts.
    const std::vector<Bytes> got = read_capture(options.out);
    const std::vector<Bytes> want = expected();
    EXPECT_EQ(got.size(), want.size());
    for (const Bytes& frame : want) {
        EXPECT_EQ(std::count(got.begin(), got.end(), frame), 1) << testing::PrintToString(frame);
    }
}

TEST_P(PolicyReplay, TsharkFindsNoWrongChecksum) {
    if (std::system("command -v tshark >/dev/null 2>&1") != 0) {
        GTEST_SKIP() << "skipped: no tshark";
    }
    ReplayOptions options;
    options.in = folder_ / "in.pcap";
    options.out = folder_ / "out.pcap";
    options.config = *config::load_text(kPolicy, "weir.yaml");
    options.config.workers.burst = GetParam();
    options.models.resize(options.config.slots.size());
    ASSERT_TRUE(replay(options));
    const auto lines = [&](const std::string& filter) {
        const std::string command = "tshark -n -r " + options.out +
                                    " -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -o "
                                    "udp.check_checksum:TRUE -Y '" +
                                    filter + "' 2>/dev/null | wc -l";
        FILE* const pipe = ::popen(command.c_str(), "r");
        int count = -1;
        EXPECT_EQ(std::fscanf(pipe, "%d", &count), 1);
        ::pclose(pipe);
        return count;
    };
    EXPECT_EQ(lines("frame"), 7);
    EXPECT_EQ(
        lines("ip.checksum.status == Bad || tcp.checksum.status == Bad || "
              "udp.checksum.status == Bad || udplite.checksum.status == Bad || _ws.malformed"),
        0);
    EXPECT_GE(lines("ip.checksum.status == Good"), 7);
}

INSTANTIATE_TEST_SUITE_P(Bursts, PolicyReplay, testing::Values(1U, 3U, 64U));

}  // namespace
}  // namespace weir::dataplane
