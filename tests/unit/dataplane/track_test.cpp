// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/track.h"

#include <vector>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint8_t kSyn = 0x02;
constexpr std::uint8_t kAck = 0x10;
constexpr std::uint8_t kFin = 0x01;
constexpr std::uint8_t kRst = 0x04;

struct Packet {
    std::uint64_t flow;
    bool reverse = false;
    std::uint8_t flags = 0;
    std::uint64_t time_ns = kSecond;
    std::uint8_t proto = 6;
};

class TrackTest : public testing::Test {
  protected:
    void make(std::uint32_t capacity) {
        FlowTable::Options options;
        options.config.capacity = capacity;
        options.slots = 1;
        table_ = std::move(*FlowTable::create(options));
        events_ = std::move(*EventRing::create("track_test", 4096));
        context_ = std::make_unique<TrackContext>(TrackContext{*table_, *events_, *stats_});
    }

    // One batch; as observe would, each packet is accounted after its segment. Returns the segments' lengths.
    std::vector<std::uint32_t> run(const std::vector<Packet>& packets) {
        Batch& batch = *batch_;
        batch.size = static_cast<std::uint32_t>(packets.size());
        for (std::size_t i = 0; i < packets.size(); ++i) {
            batch.key[i] = FlowKey{};
            std::memcpy(batch.key[i].addr_lo.data(), &packets[i].flow, sizeof(packets[i].flow));
            batch.key[i].proto = packets[i].proto;
            batch.key[i].ip_version = 4;
            batch.header[i] = PacketHeader{};
            batch.header[i].proto = packets[i].proto;
            batch.header[i].tcp_flags = packets[i].flags;
            batch.header[i].src_is_hi = packets[i].reverse;
            batch.time_ns[i] = packets[i].time_ns;
            batch.parsed[i] = ParseResult::flow;
        }
        track_prepare(batch, 0, batch.size, *context_);
        std::vector<std::uint32_t> segments;
        for (std::uint32_t begin = 0; begin < batch.size;) {
            const std::uint32_t end = track(batch, begin, batch.size, {begin}, *context_);
            for (std::uint32_t i = begin; i < end; ++i) {
                if (batch.flow[i] != kNoFlow) {
                    Flow& flow = (*table_)[batch.flow[i]];
                    const std::uint64_t now = batch.time_ns[i] / 1000;
                    flow.set_times(
                        flow.first_us(), std::max(flow.last_us(), now) - flow.first_us());
                    ++flow.packets[batch.forward[i] != 0 ? 0 : 1];
                }
            }
            segments.push_back(end - begin);
            begin = end;
        }
        return segments;
    }

    std::vector<FlowRecord> records() {
        std::vector<FlowRecord> out(4096);
        out.resize(events_->pop(out));
        return out;
    }
    const Flow& flow_of(std::uint32_t i) { return (*table_)[batch_->flow[i]]; }
    FlowPhase phase_of(std::uint32_t i) { return table_->phase(batch_->flow[i]); }

    std::unique_ptr<Batch> batch_ = std::make_unique<Batch>();
    std::unique_ptr<WorkerStats> stats_ = std::make_unique<WorkerStats>();
    std::unique_ptr<FlowTable> table_;
    std::unique_ptr<EventRing> events_;
    std::unique_ptr<TrackContext> context_;
};

TEST_F(TrackTest, BothDirectionsMeetInOneFlow) {
    make(1024);
    EXPECT_EQ(run({{1}, {1, true}, {1}, {2}}), (std::vector<std::uint32_t>{4}));
    EXPECT_EQ(batch_->flow[0], batch_->flow[1]);
    EXPECT_EQ(batch_->flow[0], batch_->flow[2]);
    EXPECT_NE(batch_->flow[0], batch_->flow[3]);
    EXPECT_EQ(batch_->forward[0], 1);
    EXPECT_EQ(batch_->forward[1], 0);
    EXPECT_EQ(stats_->flows_created.get(), 2U);
    EXPECT_EQ(table_->live(), 2U);
}

TEST_F(TrackTest, EstablishedNeedsTheInitiatorToAnswer) {
    make(1024);
    run({{1, false, kSyn}});
    EXPECT_EQ(phase_of(0), FlowPhase::opening);
    run({{1, true, kSyn | kAck}});
    EXPECT_EQ(phase_of(0), FlowPhase::opening) << "a spoofed SYN gets its SYN-ACK, too";
    run({{1, false, kRst}});
    EXPECT_EQ(phase_of(0), FlowPhase::closed);
    run({{2, false, kSyn}, {2, true, kSyn | kAck}, {2, false, kAck}});
    EXPECT_EQ(phase_of(2), FlowPhase::established);
}

TEST_F(TrackTest, LongOneWayFlowsAreWorthKeeping) {
    make(1024);
    run(std::vector<Packet>(14, {1, false, 0, kSecond, 17}));
    EXPECT_EQ(phase_of(0), FlowPhase::opening);
    run({{1, false, 0, kSecond, 17}});
    EXPECT_EQ(phase_of(0), FlowPhase::established);
}

TEST_F(TrackTest, FinBothWaysCloses) {
    make(1024);
    run({{1}, {1, true}, {1}, {1, false, kFin | kAck}});
    EXPECT_EQ(phase_of(0), FlowPhase::established);
    run({{1, true, kFin | kAck}});
    EXPECT_EQ(phase_of(0), FlowPhase::closed);
    run({{1, false, kAck}});
    EXPECT_EQ(phase_of(0), FlowPhase::closed) << "the last ACK does not reopen";
}

TEST_F(TrackTest, SynOnAClosedFlowStartsANewOne) {
    make(1024);
    run({{1, false, kSyn}, {1, true, kRst}});
    EXPECT_TRUE(records().empty());
    // Same batch as other packets of the old flow: the segment is cut before the old flow ends.
    EXPECT_EQ(run({{1, true, kRst}, {1, false, kSyn}}), (std::vector<std::uint32_t>{1, 1}));
    const auto ended = records();
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_EQ(ended[0].packets[0], 1U);
    EXPECT_EQ(ended[0].packets[1], 2U);
    EXPECT_EQ(ended[0].end, FlowEnd::closed);
    EXPECT_EQ(flow_of(1).packets[0], 1U);
}

TEST_F(TrackTest, IdleFlowEndsAndRestarts) {
    make(1024);
    run({{1, false, kSyn, kSecond}});
    run({{1, false, kSyn, kSecond * 20}});
    EXPECT_TRUE(records().empty()) << "within the opening timeout";
    run({{1, false, kSyn, kSecond * 51}});
    const auto ended = records();
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_EQ(ended[0].packets[0], 2U);
    EXPECT_EQ(ended[0].first_ns, kSecond);
    EXPECT_EQ(ended[0].last_ns, kSecond * 20);
    EXPECT_EQ(ended[0].end, FlowEnd::idle);
}

TEST_F(TrackTest, ATimeoutInsideABatchIsSeen) {
    make(1024);
    const auto segments = run({{1, false, kSyn, kSecond}, {1, false, kSyn, kSecond * 40}});
    EXPECT_EQ(segments, (std::vector<std::uint32_t>{1, 1}));
    EXPECT_EQ(records().size(), 1U);
    EXPECT_EQ(stats_->flows_expired.get(), 1U);
}

TEST_F(TrackTest, EvictionNeverHarmsAFlowOfItsOwnSegment) {
    make(64);
    std::vector<Packet> packets;
    for (std::uint64_t n = 0; n < 256; ++n) {
        packets.push_back({n, false, kSyn});
    }
    const auto segments = run(packets);
    EXPECT_GT(segments.size(), 1U) << "256 new flows cannot fit 64 slots without pushing some out";
    std::uint32_t total = 0;
    for (const std::uint32_t length : segments) {
        EXPECT_GT(length, 0U);
        total += length;
    }
    EXPECT_EQ(total, 256U);
    const auto ended = records();
    EXPECT_EQ(ended.size() + table_->live(), 256U);
    for (const FlowRecord& record : ended) {
        EXPECT_EQ(record.end, FlowEnd::evicted);
        EXPECT_EQ(record.packets[0], 1U) << "ended before its packet was accounted";
    }
    EXPECT_EQ(stats_->flows_evicted.get(), ended.size());
}

TEST_F(TrackTest, AFloodDoesNotTouchEstablishedFlows) {
    make(1024);
    for (std::uint64_t n = 0; n < 300; ++n) {
        run({{n, false, kSyn}, {n, true, kSyn | kAck}, {n, false, kAck}});
    }
    for (std::uint64_t n = 0; n < 100000; n += 250) {
        std::vector<Packet> flood;
        for (std::uint64_t k = 0; k < 250; ++k) {
            flood.push_back({1000000 + n + k, false, kSyn, kSecond * 2});
        }
        run(flood);
        records();
    }
    for (std::uint64_t n = 0; n < 300; ++n) {
        run({{n, false, kAck, kSecond * 3}});
        ASSERT_NE(batch_->flow[0], kNoFlow);
        EXPECT_EQ(flow_of(0).packets[0], 3U) << "flow " << n << " lost its state";
    }
}

TEST_F(TrackTest, ATableFullOfEstablishedFlowsRefuses) {
    make(64);
    std::uint64_t n = 0;
    while (stats_->flows_refused.get() == 0 && n < 100000) {
        ++n;
        run({{n, false, kSyn}, {n, true, kSyn | kAck}, {n, false, kAck}});
    }
    EXPECT_GT(stats_->flows_refused.get(), 0U);
    EXPECT_GT(table_->live(), 40U);
}

TEST_F(TrackTest, SweepingFollowsPackets) {
    make(64);
    std::vector<Packet> old;
    for (std::uint64_t n = 0; n < 30; ++n) {
        old.push_back({n, false, kSyn});
    }
    run(old);
    // One long flow; by 16 packets a bucket, four buckets are swept after 64 packets.
    run(std::vector<Packet>(64, {999, false, kAck, kSecond * 100}));
    EXPECT_EQ(records().size(), 30U);
    EXPECT_EQ(table_->live(), 1U);
}

TEST_F(TrackTest, ExpireAllEndsEveryFlowInSteps) {
    make(1024);
    for (std::uint64_t n = 0; n < 200; ++n) {
        run({{n}});
    }
    std::uint32_t cursor = 0;
    EXPECT_FALSE(expire_all(*context_, cursor, 50));
    EXPECT_EQ(records().size(), 50U);
    while (!expire_all(*context_, cursor, 50)) {
    }
    EXPECT_EQ(records().size(), 150U);
    EXPECT_EQ(table_->live(), 0U);
}

TEST_F(TrackTest, AFullEventRingLosesRecordsAndSaysSo) {
    make(8192);
    std::uint64_t n = 0;
    for (; n < 6000; ++n) {
        run({{n}});
    }
    std::uint32_t cursor = 0;
    while (!expire_all(*context_, cursor, 1000)) {
    }
    const std::size_t kept = records().size();
    EXPECT_GT(stats_->events_lost.get(), 0U);
    EXPECT_EQ(kept + stats_->events_lost.get(), n);
}

TEST_F(TrackTest, OtherFramesHaveNoFlow) {
    make(64);
    batch_->size = 1;
    batch_->parsed[0] = ParseResult::other;
    batch_->time_ns[0] = kSecond;
    track_prepare(*batch_, 0, 1, *context_);
    EXPECT_EQ(track(*batch_, 0, 1, {0}, *context_), 1U);
    EXPECT_EQ(batch_->flow[0], kNoFlow);
    EXPECT_EQ(table_->live(), 0U);
}

}  // namespace
}  // namespace weir::dataplane
