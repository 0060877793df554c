// SPDX-License-Identifier: BSD-3-Clause
// What replay refuses, in words, and what it accepts: pcap and pcapng, micro- and nanoseconds.
#include "config/load.h"
#include "dataplane/replay.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

namespace weir::dataplane {
namespace {

using Blob = std::vector<std::uint8_t>;

void put32(Blob& out, std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) {
        out.push_back(static_cast<std::uint8_t>(value >> shift));
    }
}

void put16(Blob& out, std::uint16_t value) {
    out.push_back(static_cast<std::uint8_t>(value));
    out.push_back(static_cast<std::uint8_t>(value >> 8));
}

constexpr std::uint32_t kMagicUs = 0xa1b2c3d4;
constexpr std::uint32_t kMagicNs = 0xa1b23c4d;
constexpr std::uint32_t kEthernet = 1;

// A 60-byte UDP frame between two fixed hosts.
Blob udp_frame(std::uint8_t host) {
    Blob frame{2, 0,  0,  0, 0, 1,  2, 0, 0,    0,  0, 2, 8,  0,    0x45, 0, 0,  46, 0,  0, 0,
               0, 64, 17, 0, 0, 10, 0, 0, host, 10, 0, 0, 99, 0x30, 0x39, 0, 53, 0,  26, 0, 0};
    frame.resize(60);
    return frame;
}

Blob pcap_of(
    std::uint32_t magic,
    std::uint32_t link,
    const std::vector<Blob>& frames,
    std::uint32_t fraction_step) {
    Blob out;
    put32(out, magic);
    put16(out, 2);
    put16(out, 4);
    put32(out, 0);
    put32(out, 0);
    put32(out, 262144);
    put32(out, link);
    for (std::size_t i = 0; i < frames.size(); ++i) {
        put32(out, 1000);
        put32(out, static_cast<std::uint32_t>(i) * fraction_step);
        put32(out, static_cast<std::uint32_t>(frames[i].size()));
        put32(out, static_cast<std::uint32_t>(frames[i].size()));
        out.insert(out.end(), frames[i].begin(), frames[i].end());
    }
    return out;
}

Blob pcapng_of(const std::vector<Blob>& frames) {
    Blob out;
    const auto block = [&out](std::uint32_t type, Blob body) {
        while (body.size() % 4 != 0) {
            body.push_back(0);
        }
        const auto length = static_cast<std::uint32_t>(body.size() + 12);
        put32(out, type);
        put32(out, length);
        out.insert(out.end(), body.begin(), body.end());
        put32(out, length);
    };
    Blob section;
    put32(section, 0x1a2b3c4d);
    put16(section, 1);
    put16(section, 0);
    put32(section, 0xffffffff);
    put32(section, 0xffffffff);
    block(0x0a0d0d0a, section);
    Blob interface;
    put16(interface, 1);
    put16(interface, 0);
    put32(interface, 262144);
    block(1, interface);
    for (std::size_t i = 0; i < frames.size(); ++i) {
        Blob packet;
        put32(packet, 0);
        const std::uint64_t us = 1'000'000'000ULL + i * 100;
        put32(packet, static_cast<std::uint32_t>(us >> 32));
        put32(packet, static_cast<std::uint32_t>(us));
        put32(packet, static_cast<std::uint32_t>(frames[i].size()));
        put32(packet, static_cast<std::uint32_t>(frames[i].size()));
        packet.insert(packet.end(), frames[i].begin(), frames[i].end());
        block(6, packet);
    }
    return out;
}

class ReplayInput : public testing::Test {
  protected:
    ReplayInput() {
        char name[] = "/tmp/weir-replay-XXXXXX";
        dir_ = mkdtemp(name);
    }
    ~ReplayInput() override { std::filesystem::remove_all(dir_); }

    std::string file(const std::string& name, const Blob& bytes) {
        const std::string path = dir_ / name;
        std::ofstream(path, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
        return path;
    }

    Result<ReplayResult> play(const std::string& path, std::vector<FlowRecord>* flows = nullptr) {
        ReplayOptions options;
        options.in = path;
        options.config = config::defaults();
        options.config.workers.flow_table.capacity = 1024;
        options.models.resize(options.config.slots.size());
        options.on_flow = [flows](const FlowRecord& record) {
            if (flows != nullptr) {
                flows->push_back(record);
            }
        };
        return replay(options);
    }

    std::filesystem::path dir_;
    std::vector<Blob> frames_{udp_frame(1), udp_frame(1), udp_frame(2)};
};

TEST_F(ReplayInput, ReadsMicrosecondNanosecondAndNextGeneration) {
    const std::vector<std::pair<std::string, Blob>> inputs{
        {"us.pcap", pcap_of(kMagicUs, kEthernet, frames_, 100)},
        {"ns.pcap", pcap_of(kMagicNs, kEthernet, frames_, 100'000)},
        {"ng.pcapng", pcapng_of(frames_)},
        {"name,with=commas and spaces.pcap", pcap_of(kMagicUs, kEthernet, frames_, 100)},
    };
    for (const auto& [name, bytes] : inputs) {
        std::vector<FlowRecord> flows;
        const auto result = play(file(name, bytes), &flows);
        ASSERT_TRUE(result) << name << ": " << result.error().line();
        EXPECT_EQ(result->totals.rx_packets, 3U) << name;
        EXPECT_TRUE(result->totals.conserved()) << name;
        ASSERT_EQ(flows.size(), 2U) << name;
        EXPECT_EQ(flows[0].last_ns - flows[0].first_ns, flows[0].packets[0] == 2 ? 100'000U : 0U)
            << name;
        EXPECT_EQ(flows[0].first_ns / 1'000'000'000U, 1000U) << name;
    }
}

TEST_F(ReplayInput, AnEmptyCaptureIsFine) {
    const auto result = play(file("empty.pcap", pcap_of(kMagicUs, kEthernet, {}, 0)));
    ASSERT_TRUE(result) << result.error().line();
    EXPECT_EQ(result->totals.rx_packets, 0U);
}

TEST_F(ReplayInput, RefusesEachKindOfBadFileByName) {
    Blob cut = pcap_of(kMagicUs, kEthernet, frames_, 100);
    cut.resize(cut.size() - 10);
    Blob magic = pcap_of(0xdeadbeef, kEthernet, frames_, 100);
    const std::vector<std::tuple<std::string, std::string, std::string>> cases{
        {file("cut.pcap", cut), "broken after packet 2", "cut or damaged"},
        {file("magic.pcap", magic), "not a readable capture", "pcap or pcapng"},
        {file("zero.pcap", {}), "not a readable capture", "pcap or pcapng"},
        {file("raw.pcap", pcap_of(kMagicUs, 101, frames_, 100)), "not Ethernet", "convert"},
        {dir_ / "absent.pcap", "cannot open", "check the path"},
        {dir_.string(), "not a regular file", "name a pcap"},
    };
    for (const auto& [path, what, fix] : cases) {
        const auto result = play(path);
        ASSERT_FALSE(result) << path;
        const std::string line = result.error().line();
        EXPECT_NE(line.find(path), std::string::npos) << line;
        EXPECT_NE(line.find(what), std::string::npos) << line;
        EXPECT_NE(line.find(fix), std::string::npos) << line;
        EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    }
}

TEST_F(ReplayInput, WritesMarkedPacketsWithTheirTimes) {
    const std::string in = file("in.pcap", pcap_of(kMagicUs, kEthernet, frames_, 100));
    ReplayOptions options;
    options.in = in;
    options.out = dir_ / "out.pcap";
    options.config = config::defaults();
    options.models.resize(options.config.slots.size());
    ASSERT_TRUE(replay(options));
    const auto written = scan_capture(options.out);
    ASSERT_TRUE(written) << written.error().line();
    const auto original = scan_capture(in);
    EXPECT_EQ(written->packets, original->packets);
    EXPECT_EQ(written->bytes, original->bytes);
    EXPECT_EQ(written->first_ns, original->first_ns);
    EXPECT_EQ(written->last_ns, original->last_ns);
    EXPECT_FALSE(std::filesystem::exists(options.out + ".tmp"));
}

TEST_F(ReplayInput, AnOutputThatCannotBeWrittenLeavesNothing) {
    ReplayOptions options;
    options.in = file("in.pcap", pcap_of(kMagicUs, kEthernet, frames_, 100));
    options.out = dir_ / "no/such/folder/out.pcap";
    options.config = config::defaults();
    options.models.resize(options.config.slots.size());
    const auto result = replay(options);
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().line().find("cannot write"), std::string::npos);
}

}  // namespace
}  // namespace weir::dataplane
