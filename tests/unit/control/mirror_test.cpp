// SPDX-License-Identifier: BSD-3-Clause
// Copies of packets through a worker's ring into a pcapng file, read back by tshark.
#include "control/mirror/mirror_file.h"
#include "control/mirror/mirror_writer.h"
#include "dataplane/ports.h"
#include "dataplane/snapshot_build.h"
#include "fake_runtime.h"
#include "tests/packets/fixtures.h"
#include "tests/packets/mbufs.h"
#include "tests/support/tshark.h"

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>

#include <gtest/gtest.h>
#include <unistd.h>

namespace weir::control::test {
namespace {

namespace fs = std::filesystem;
using dataplane::MirrorRing;
using dataplane::MirrorTag;
using weir::test::Bytes;

constexpr std::uint64_t kTime = 1'700'000'000'123'456'789;
constexpr std::uint32_t kPackets = 128;
constexpr std::uint32_t kSnap = 512;

/// A runtime whose only worker has this ring.
class RingRuntime final : public FakeRuntime {
  public:
    explicit RingRuntime(MirrorRing& ring) : ring_(ring) {}
    std::uint32_t drain_mirror(std::span<rte_mbuf*> out) override { return ring_.pop(out); }

  private:
    MirrorRing& ring_;
};

class MirrorTest : public testing::Test {
  protected:
    MirrorTest() {
        std::string name = fs::temp_directory_path() / "weir-mirror-XXXXXX";
        dir_ = ::mkdtemp(name.data());
        mirror_.file = dir_ / "copies.pcapng";
        ring_ = std::move(*MirrorRing::create("mirror_test", kPackets, kSnap));
    }
    ~MirrorTest() override {
        fs::permissions(dir_, fs::perms::owner_all);
        fs::remove_all(dir_);
    }

    static void SetUpTestSuite() {
        ports_ = std::make_unique<dataplane::Ports>();
        const auto started = ports_->start({{.name = "in", .device = "net_null_mirror"}}, 1);
        ASSERT_TRUE(started) << started.error().line();
        port_ = ports_->handles()[0].port_id;
    }
    static void TearDownTestSuite() { ports_.reset(); }  // before EAL goes

    [[nodiscard]] bool push(const Bytes& frame, const MirrorTag& tag) {
        rte_mbuf* const packet = pool_.make(frame);
        const bool pushed = ring_->push(*packet, port_, 0, tag);
        rte_pktmbuf_free(packet);
        return pushed;
    }

    [[nodiscard]] std::vector<rte_mbuf*> pop() {
        std::vector<rte_mbuf*> copies(MirrorFile::kMost);
        copies.resize(ring_->pop(copies));
        return copies;
    }

    /// Everything that waits into the file; packets that were written.
    std::size_t write(MirrorFile& file, MirrorFile::Clock::time_point now) {
        std::size_t written = 0;
        for (auto copies = pop(); !copies.empty(); copies = pop()) {
            for (rte_mbuf* const copy : copies) {
                EXPECT_TRUE(annotate_packet(*copy, MirrorRing::tag(*copy).time_ns, "a comment"));
            }
            written += file.write(copies, now) ? copies.size() : 0;
            rte_pktmbuf_free_bulk(copies.data(), static_cast<unsigned>(copies.size()));
        }
        return written;
    }

    [[nodiscard]] std::vector<std::string> tshark(const std::string& fields) const {
        return weir::test::lines_of(
            "tshark -n -t u -T fields " + fields + " -r " + mirror_.file + " 2>&1 | grep -v root");
    }
    [[nodiscard]] std::size_t packets_in(const std::string& file) const {
        return weir::test::lines_of("tshark -n -r " + file + " 2>/dev/null").size();
    }

    static Bytes frame(std::uint16_t port, std::size_t payload = 9) {
        weir::test::Ends ends;
        ends.src_port = port;
        return weir::test::eth(0x0800, weir::test::udp4(ends, 0, payload));
    }

    static std::unique_ptr<dataplane::Ports> ports_;
    static std::uint16_t port_;
    weir::test::MbufPool pool_{"mirror_packets"};
    fs::path dir_;
    config::Mirror mirror_;
    std::unique_ptr<MirrorRing> ring_;
    MirrorFile::Clock::time_point now_ = MirrorFile::Clock::now();
};

std::unique_ptr<dataplane::Ports> MirrorTest::ports_;
std::uint16_t MirrorTest::port_ = 0;

MirrorTag tag_of(std::uint64_t time_ns) {
    MirrorTag tag;
    tag.time_ns = time_ns;
    tag.generation = 7;
    return tag;
}

TEST_F(MirrorTest, TsharkReadsBytesTimesAndVerdicts) {
    if (!weir::test::have_tshark()) {
        GTEST_SKIP() << "skipped: no tshark";
    }
    RingRuntime runtime(*ring_);
    ExportCounters counters;
    dataplane::Snapshot snapshot;
    snapshot.generation = 7;
    auto model = std::make_shared<dataplane::SlotModel>();
    model->name = "scan-detector";
    model->version = 5;
    model->ref = 9;
    snapshot.slots.push_back({.name = "anomaly", .active = model});
    auto set = std::make_shared<dataplane::PolicySet>();
    set->policies.resize(2);
    set->policies[1].name = "office";
    snapshot.policy = set;

    MirrorTag dropped = tag_of(kTime);
    dropped.verdicts[0].cls = *dataplane::class_id("anomaly", "scan");
    dropped.verdicts[0].score = 65535;
    dropped.verdicts[0].model_ref = 9;
    dropped.verdicts[0].decided_at_packet = 8;
    dropped.policy = 1;
    dropped.row = 3;
    dropped.disposition = dataplane::Disposition::drop;
    dropped.reset = true;
    MirrorTag marked = tag_of(kTime + 1'000'000'001);
    marked.dscp = 46;
    marked.policy = 1;
    {
        auto writer = MirrorWriter::start(mirror_, {"anomaly", "qos"}, runtime, counters);
        ASSERT_TRUE(writer) << writer.error().line();
        (*writer)->learn(snapshot);
        for (std::size_t payload = 1; payload <= 4; ++payload) {  // each padding there is
            ASSERT_TRUE(push(frame(1000, payload), dropped));
        }
        ASSERT_TRUE(push(frame(1001, 1200), marked));
    }
    EXPECT_EQ(counters.exported.load(), 5U);
    EXPECT_EQ(counters.failed.load(), 0U);
    struct stat status {};
    ASSERT_EQ(::stat(mirror_.file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);

    const auto rows =
        tshark("-e frame.time_epoch -e udp.srcport -e frame.len -e frame.cap_len -e frame.comment");
    ASSERT_EQ(rows.size(), 5U) << testing::PrintToString(rows);
    EXPECT_EQ(
        rows[1],
        "1700000000.123456789\t1000\t44\t44\tverdict=drop reason=policy reset=yes "
        "rule=policies.office.rules[3]; anomaly class=scan score=1.0000 model=scan-detector "
        "version=5 packet=8; qos class=none");
    EXPECT_EQ(
        rows[4],
        "1700000001.123456790\t1001\t1242\t512\tverdict=mark dscp=EF "
        "rule=policies.office.rules[0]; anomaly class=none; qos class=none");
    const auto bytes = weir::test::lines_of(
        "tshark -n -r " + mirror_.file + " -x -Y 'frame.number == 3' 2>/dev/null");
    ASSERT_FALSE(bytes.empty());
    std::string hex;
    for (const std::string& line : bytes) {
        hex += line.size() > 6 ? line.substr(6, 48) : "";
    }
    std::string want;
    for (const std::uint8_t byte : frame(1000, 3)) {
        std::array<char, 4> text{};
        (void)std::snprintf(text.data(), text.size(), "%02x ", byte);
        want += text.data();
    }
    EXPECT_EQ(hex.substr(0, want.size()), want);
}

TEST_F(MirrorTest, AWorkerNeverWaitsAndLosesWhatHasNoRoom) {
    for (std::uint32_t n = 0; n < kPackets; ++n) {
        ASSERT_TRUE(push(frame(1), tag_of(kTime)));
    }
    EXPECT_FALSE(push(frame(1), tag_of(kTime))) << "nobody has taken any";
    auto copies = pop();
    rte_pktmbuf_free_bulk(copies.data(), static_cast<unsigned>(copies.size()));
    for (std::size_t n = 0; n < copies.size(); ++n) {
        EXPECT_TRUE(push(frame(1), tag_of(kTime))) << "what was freed is room";
    }
    EXPECT_FALSE(push(frame(1), tag_of(kTime)));
}

TEST_F(MirrorTest, RotatesBySizeByTimeAndAtTheStart) {
    mirror_.rotate_mb = 1;
    mirror_.rotate_s = 60;
    mirror_.keep = 2;
    { std::ofstream(mirror_.file) << "somebody else's"; }
    auto file = MirrorFile::open(mirror_, now_);
    ASSERT_TRUE(file) << file.error().line();
    EXPECT_EQ(fs::file_size(mirror_.file + ".1"), 15U) << "what was there is kept";
    for (int n = 0; n < 2500; ++n) {  // of 600 bytes and more
        ASSERT_TRUE(push(frame(1, 1400), tag_of(kTime)));
        ASSERT_EQ(write(**file, now_), 1U);
    }
    EXPECT_EQ((*file)->rotations(), 1U);
    EXPECT_GE(fs::file_size(mirror_.file + ".1"), 1U << 20U);
    EXPECT_EQ(fs::file_size(mirror_.file + ".2"), 15U);
    now_ += std::chrono::seconds(61);
    ASSERT_TRUE(push(frame(1), tag_of(kTime)));
    EXPECT_EQ(write(**file, now_), 1U);
    EXPECT_EQ((*file)->rotations(), 2U);
    EXPECT_GE(fs::file_size(mirror_.file + ".2"), 1U << 20U) << "the oldest of three is gone";
    now_ += std::chrono::seconds(61);
    if (weir::test::have_tshark()) {
        EXPECT_EQ(
            packets_in(mirror_.file) + packets_in(mirror_.file + ".1") +
                packets_in(mirror_.file + ".2"),
            2501U);
    }
}

TEST_F(MirrorTest, AFullDiskLosesPacketsAndNoBlock) {
    auto file = MirrorFile::open(mirror_, now_);
    ASSERT_TRUE(file) << file.error().line();
    ASSERT_TRUE(push(frame(1), tag_of(kTime)));
    ASSERT_EQ(write(**file, now_), 1U);
    const auto whole = fs::file_size(mirror_.file);
    // A limit on files' sizes stands for the disk: a write stops in the middle of the third packet of these.
    (void)std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const rlimit small{whole + 1500, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int n = 0; n < 10; ++n) {
        ASSERT_TRUE(push(frame(2, 400), tag_of(kTime)));
    }
    const std::size_t written = write(**file, now_);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    EXPECT_EQ(written, 0U);
    EXPECT_EQ(fs::file_size(mirror_.file), whole);
    ASSERT_TRUE(push(frame(3), tag_of(kTime)));
    EXPECT_EQ(write(**file, now_), 1U) << "there is space again";
    if (weir::test::have_tshark()) {
        EXPECT_EQ(packets_in(mirror_.file), 2U);
    }
    EXPECT_EQ(pop().size(), 0U);
    for (std::uint32_t n = 0; n < kPackets; ++n) {
        EXPECT_TRUE(push(frame(1), tag_of(kTime))) << "no copy was kept";
    }
}

TEST_F(MirrorTest, WhatCannotBeWrittenIsRefusedAtTheStartWithItsName) {
    mirror_.file = dir_ / "nowhere" / "copies.pcapng";
    const auto missing = MirrorFile::open(mirror_, now_);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().field, "policy.mirror.file");
    EXPECT_NE(missing.error().line().find(mirror_.file), std::string::npos);
    mirror_.file = dir_ / "link";
    fs::create_symlink(dir_ / "elsewhere", mirror_.file);
    EXPECT_FALSE(MirrorFile::open(mirror_, now_)) << "no symbolic link is followed";
    EXPECT_FALSE(fs::exists(dir_ / "elsewhere"));
    mirror_.file = dir_ / "folder";
    fs::create_directory(mirror_.file);
    EXPECT_FALSE(MirrorFile::open(mirror_, now_));
}

TEST_F(MirrorTest, AMovedFileIsFollowedAtAReopen) {
    auto file = MirrorFile::open(mirror_, now_);
    ASSERT_TRUE(file) << file.error().line();
    ASSERT_TRUE(push(frame(1), tag_of(kTime)));
    ASSERT_EQ(write(**file, now_), 1U);
    fs::rename(mirror_.file, mirror_.file + ".moved");
    (*file)->reopen();
    ASSERT_TRUE(push(frame(1), tag_of(kTime)));
    EXPECT_EQ(write(**file, now_), 1U);
    EXPECT_TRUE(fs::exists(mirror_.file));
}

TEST_F(MirrorTest, ALongCommentIsCutAndWhatIsNoBlockIsLeftAlone) {
    ASSERT_TRUE(push(frame(1), tag_of(kTime)));
    auto copies = pop();
    ASSERT_EQ(copies.size(), 1U);
    EXPECT_TRUE(annotate_packet(*copies[0], kTime, std::string(5000, 'x')));
    auto file = MirrorFile::open(mirror_, now_);
    ASSERT_TRUE(file);
    EXPECT_TRUE((*file)->write(copies, now_));
    if (weir::test::have_tshark()) {
        const auto rows = tshark("-e frame.comment");
        ASSERT_EQ(rows.size(), 1U);
        EXPECT_GT(rows[0].size(), 500U);
        EXPECT_EQ(rows[0].find_first_not_of('x'), std::string::npos);
    }
    rte_pktmbuf_free_bulk(copies.data(), 1);
    rte_mbuf* const plain = pool_.make(frame(1));
    EXPECT_FALSE(annotate_packet(*plain, kTime, "no"));
    EXPECT_EQ(weir::test::MbufPool::bytes(plain), frame(1));
    rte_pktmbuf_free(plain);
}

}  // namespace
}  // namespace weir::control::test
