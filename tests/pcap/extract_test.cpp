// SPDX-License-Identifier: BSD-3-Clause
// The table of features: the same codes as replay and as a live worker see for the same packets and times; the same bytes
// whatever the number of jobs and after an interruption.
#include "config/load.h"
#include "control/app/extract_run.h"
#include "control/lab/generate.h"
#include "dataplane/features/catalog.h"
#include "dataplane/replay.h"
#include "tests/pcap/live_replay.h"
#include "tests/support/corpus.h"

#include <bit>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <pcap/pcap.h>

namespace weir::app {
namespace {

namespace fs = std::filesystem;
using dataplane::test::LiveReplay;
using dataplane::test::TimedFrame;

struct SeenRow {
    dataplane::FlowKey key;
    std::uint64_t packets = 0;
    std::uint64_t time_ns = 0;
    dataplane::FeatureRow row;
};

class Recorder final : public dataplane::RowTap {
  public:
    void on_row(
        const dataplane::Batch& batch,
        std::uint32_t i,
        std::uint32_t,
        const dataplane::Flow& flow,
        const dataplane::FeatureRow& row) noexcept override {
        rows.push_back({flow.key(), flow.all_packets(), batch.time_ns[i], row});
    }
    std::vector<SeenRow> rows;
};

[[nodiscard]] std::string contents(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

class Extract : public testing::Test {
  protected:
    Extract() {
        char name[] = "/tmp/weir-extract-test-XXXXXX";
        dir_ = mkdtemp(name);
        config_ = config::defaults();
        config_.slots.clear();
        config_.features.payload = true;
    }
    ~Extract() override { fs::remove_all(dir_); }

    [[nodiscard]] std::string path(const std::string& name) const { return dir_ + "/" + name; }

    std::string generated(const std::string& name, std::uint64_t seed, std::uint64_t packets) {
        lab::synth::GenerateOptions options;
        options.out = path(name);
        options.seed = seed;
        options.seconds = 20;
        options.packets = packets;
        const auto made = lab::synth::generate(options);
        EXPECT_TRUE(made) << (made ? "" : made.error().line());
        return options.out;
    }

    ExtractArguments arguments(std::vector<std::string> in, const std::string& out) const {
        ExtractArguments arguments;
        arguments.in = std::move(in);
        arguments.out = path(out);
        return arguments;
    }

    static ExtractSummary must(const ExtractArguments& arguments) {
        const auto summary = extract_run(arguments, nullptr);
        EXPECT_TRUE(summary) << (summary ? "" : summary.error().line());
        return summary ? *summary : ExtractSummary{};
    }

    // Replay, live and extraction of one capture. Null: no live worker.
    void compare(const std::string& capture, const std::vector<TimedFrame>* frames);

    std::string dir_;
    config::Config config_;
};

// The first difference by name.
void expect_same(const std::vector<SeenRow>& live, const std::vector<SeenRow>& replayed) {
    ASSERT_EQ(live.size(), replayed.size());
    for (std::size_t i = 0; i < live.size(); ++i) {
        ASSERT_EQ(std::memcmp(&live[i].key, &replayed[i].key, sizeof(live[i].key)), 0) << i;
        ASSERT_EQ(live[i].packets, replayed[i].packets) << i;
        ASSERT_EQ(live[i].time_ns, replayed[i].time_ns) << i;
        for (std::size_t f = 0; f < dataplane::feature_count(); ++f) {
            const auto name = dataplane::catalog()[f].name;
            ASSERT_EQ(live[i].row.codes[f], replayed[i].row.codes[f]) << name << " of row " << i;
            ASSERT_EQ(live[i].row.raw[f], replayed[i].row.raw[f]) << name << " of row " << i;
        }
    }
}

// codes.npy: 128 bytes of header, then a column a feature.
void expect_extracted(const std::string& table, const std::vector<SeenRow>& replayed) {
    const std::string codes = contents(table + "/codes.npy");
    const std::string decisions = contents(table + "/decision.npy");
    constexpr std::size_t kHeader = 128;
    ASSERT_GE(decisions.size(), kHeader);
    const std::size_t rows = (decisions.size() - kHeader) / 4;
    const std::size_t features = dataplane::feature_count();
    ASSERT_EQ(codes.size(), kHeader + rows * features);
    std::size_t at = 0;
    std::size_t compared = 0;
    for (const SeenRow& seen : replayed) {
        if (!std::has_single_bit(seen.packets)) {
            continue;
        }
        std::uint32_t decision = 0;
        do {  // rows of flows' ends lie between
            ASSERT_LT(at, rows);
            std::memcpy(&decision, decisions.data() + kHeader + at++ * 4, 4);
        } while (decision == 0);
        ASSERT_EQ(decision, seen.packets);
        for (std::size_t f = 0; f < features; ++f) {
            ASSERT_EQ(
                static_cast<std::uint8_t>(codes[kHeader + f * rows + at - 1]), seen.row.codes[f])
                << "row " << at - 1 << ", feature " << f;
        }
        ++compared;
    }
    EXPECT_EQ(compared == 0, replayed.empty());
}

void Extract::compare(const std::string& capture, const std::vector<TimedFrame>* frames) {
    SCOPED_TRACE(capture);
    Recorder replayed;
    dataplane::ReplayOptions options;
    options.in = capture;
    options.config = config_;
    options.tap = &replayed;
    const auto result = dataplane::replay(options);
    ASSERT_TRUE(result) << result.error().line();
    if (frames != nullptr) {
        Recorder live;
        LiveReplay(*frames).play(config_, live);
        ASSERT_NO_FATAL_FAILURE(expect_same(live.rows, replayed.rows));
    }
    ExtractArguments columns = arguments({capture}, "table");
    columns.format = ExtractFormat::columns;
    must(columns);
    expect_extracted(path("table"), replayed.rows);
}

// Empty if the capture holds what an Ethernet device of 1,500 bytes does not carry untouched.
std::vector<TimedFrame> frames_of(const std::string& path) {
    char message[PCAP_ERRBUF_SIZE] = {};
    pcap_t* pcap = pcap_open_offline(path.c_str(), message);
    std::vector<TimedFrame> frames;
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    bool fits = pcap != nullptr;
    while (fits && pcap_next_ex(pcap, &header, &data) == 1) {
        constexpr std::size_t kEtherType = 12;
        fits = header->caplen >= 14 && header->caplen <= 1514 &&
               !(data[kEtherType] == 0x81 && data[kEtherType + 1] == 0) && data[kEtherType] != 0x88;
        frames.push_back(
            {static_cast<std::uint64_t>(header->ts.tv_sec) * 1'000'000 +
                 static_cast<std::uint64_t>(header->ts.tv_usec),
             {data, data + header->caplen}});
    }
    if (pcap != nullptr) {
        pcap_close(pcap);
    }
    return fits ? frames : std::vector<TimedFrame>();
}

TEST_F(Extract, GivesTheCodesOfReplayAndOfALiveWorkerOnAVethPair) {
    const std::string capture = generated("g.pcap", 5, 6000);
    if (geteuid() != 0 || !dataplane::test::enter_private_wire()) {
        compare(capture, nullptr);
        GTEST_SKIP() << "skipped: the live part needs root, for a network namespace and a veth";
    }
    const auto frames = frames_of(capture);
    ASSERT_EQ(frames.size(), 6000U);
    compare(capture, &frames);
}

TEST_F(Extract, GivesTheCodesOfReplayAndOfALiveWorkerOnRecordedTraffic) {
    const auto captures = weir::test::corpus_captures();
    if (captures.empty()) {
        GTEST_SKIP() << "skipped: no corpus (set WEIR_CORPUS)";
    }
    if (geteuid() != 0 || !dataplane::test::enter_private_wire()) {
        GTEST_SKIP() << "skipped: needs root, for a network namespace and a veth pair";
    }
    constexpr std::size_t kEach = 8;  // every eighth capture that an Ethernet carries
    std::size_t fitting = 0;
    std::size_t packets = 0;
    std::size_t played = 0;
    for (const std::string& capture : captures) {
        if (capture.find("/malformed/") != std::string::npos) {
            continue;  // a kernel need not carry them
        }
        const auto frames = frames_of(capture);
        if (frames.empty() || frames.size() > 4000 || fitting++ % kEach != 0) {
            continue;
        }
        compare(capture, &frames);
        if (HasFatalFailure()) {
            return;
        }
        packets += frames.size();
        ++played;
    }
    EXPECT_GT(played, 10U);
    std::printf("%zu captures, %zu packets, the same codes three ways\n", played, packets);
}

TEST_F(Extract, GivesTheSameBytesForAnyNumberOfJobs) {
    const std::vector<std::string> captures{
        generated("a.pcap", 1, 300), generated("b.pcap", 2, 5000), generated("c.pcap", 3, 1000)};
    for (const ExtractFormat format : {ExtractFormat::csv, ExtractFormat::columns}) {
        ExtractArguments one = arguments(captures, "one");
        one.format = format;
        ExtractArguments three = arguments(captures, "three");
        three.format = format;
        three.jobs = 3;
        const ExtractSummary summary = must(one);
        EXPECT_EQ(summary.packets, 6300U);
        EXPECT_EQ(must(three).rows, summary.rows);
        if (format == ExtractFormat::csv) {
            EXPECT_EQ(contents(path("one")), contents(path("three")));
            fs::remove(path("one"));
            fs::remove(path("three"));
            continue;
        }
        std::size_t files = 0;
        for (const auto& entry : fs::directory_iterator(path("one"))) {
            const std::string name = entry.path().filename().string();
            EXPECT_EQ(contents(entry.path().string()), contents(path("three/" + name))) << name;
            ++files;
        }
        EXPECT_EQ(files, 19U);
    }
}

TEST_F(Extract, GoesOnWhereItWasInterrupted) {
    const std::string whole = generated("a.pcap", 1, 3000);
    const std::string second = generated("b.pcap", 2, 1000);
    const std::string wanted = contents(second);
    std::ofstream(second, std::ios::binary) << wanted.substr(0, wanted.size() - 7);
    const ExtractArguments both = arguments({whole, second}, "t.csv");
    const auto broken = extract_run(both, nullptr);
    ASSERT_FALSE(broken);
    EXPECT_NE(broken.error().line().find("b.pcap: broken after packet 999"), std::string::npos)
        << broken.error().line();
    EXPECT_FALSE(fs::exists(path("t.csv")));
    EXPECT_TRUE(fs::exists(path("t.csv.parts")));

    // What was being written when it stopped is not taken for a part.
    std::ofstream(path("t.csv.parts/0123.tmp")) << "half a row";
    std::ofstream(second, std::ios::binary) << wanted;
    EXPECT_EQ(must(both).kept, 1U);
    EXPECT_FALSE(fs::exists(path("t.csv.parts")));
    const ExtractArguments fresh = arguments({whole, second}, "fresh.csv");
    EXPECT_EQ(must(fresh).kept, 0U);
    EXPECT_EQ(contents(path("t.csv")), contents(path("fresh.csv")));
}

TEST_F(Extract, KeepsNoPartOfACaptureThatHasChanged) {
    const std::string first = generated("a.pcap", 1, 500);
    const std::string broken = path("b.pcap");
    std::ofstream(broken, std::ios::binary) << contents(first).substr(0, 200);
    const ExtractArguments both = arguments({first, broken}, "t.csv");
    ASSERT_FALSE(extract_run(both, nullptr));
    generated("a.pcap", 9, 700);
    fs::copy_file(first, broken, fs::copy_options::overwrite_existing);
    const ExtractSummary summary = must(both);
    EXPECT_EQ(summary.kept, 0U);
    EXPECT_EQ(summary.packets, 1400U);
}

TEST_F(Extract, ReplacesATableOfItsOwnAndNothingElse) {
    ExtractArguments columns = arguments({generated("a.pcap", 1, 200)}, "table");
    columns.format = ExtractFormat::columns;
    must(columns);
    must(columns);
    std::ofstream(path("table/thesis.txt")) << "years of work";
    const auto refused = extract_run(columns, nullptr);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().line().find("more than a feature table"), std::string::npos);
    EXPECT_TRUE(fs::exists(path("table/thesis.txt")));
}

TEST_F(Extract, WritesHeadersThatNumpyReads) {
    ExtractArguments columns = arguments({generated("a.pcap", 1, 200)}, "table");
    columns.format = ExtractFormat::columns;
    const ExtractSummary summary = must(columns);
    const std::string codes = contents(path("table/codes.npy"));
    std::string header = codes.substr(0, 128);
    EXPECT_EQ(header.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
    EXPECT_EQ(header.back(), '\n');
    const std::string shape = "{'descr': '|u1', 'fortran_order': True, 'shape': (" +
                              std::to_string(summary.rows) + ", " +
                              std::to_string(dataplane::feature_count()) + "), }";
    EXPECT_EQ(header.substr(10, shape.size()), shape);
}

}  // namespace
}  // namespace weir::app
