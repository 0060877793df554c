// SPDX-License-Identifier: BSD-3-Clause
// Frames through parse, one flow each by key, decide and enforce: all of acting but scoring. Verdicts are given.
#pragma once

#include "config/load.h"
#include "dataplane/act.h"
#include "dataplane/decide.h"
#include "dataplane/enforce.h"
#include "dataplane/parse.h"
#include "dataplane/snapshot_build.h"
#include "tests/packets/mbufs.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace weir::dataplane {

class EnforceFixture : public testing::Test {
  protected:
    static constexpr std::uint64_t kSecond = 1'000'000'000;
    static constexpr std::uint64_t kStart = 1'700'000'000 * kSecond;

    EnforceFixture() {
        FlowTable::Options options;
        options.config.capacity = 1024;
        options.slots = 2;
        table_ = std::move(*FlowTable::create(options));
        for (SlotRows& tile : *rows_) {
            tile.row_of_packet.fill(kNoRow);
        }
        enforcer_ = std::move(*Enforcer::create(table_->capacity(), ports_, links_, *stats_));
    }

    /// Slots anomaly and qos without models; ports lan, wan (a pair) and mon (a tap).
    void load(const std::string& policy) {
        auto loaded = config::load_text(
            "ports:\n"
            "  - {name: lan, device: net_null0}\n"
            "  - {name: wan, device: net_null1}\n"
            "  - {name: mon, device: net_null2}\n"
            "pairs: [[lan, wan]]\n"
            "taps: [mon]\n" +
                policy,
            "test.yaml");
        ASSERT_TRUE(loaded) << loaded.error()[0].line();
        snapshot_ = build_snapshot(*loaded, {nullptr, nullptr}, ++generation_);
    }

    struct From {
        std::uint8_t port = 0;
        bool initiator = true;
        std::uint64_t at_ns = kStart;
    };

    /// What became of one packet. Its flow is made at its first packet.
    struct Outcome {
        Disposition disposition;
        DropReason reason;
        std::uint8_t dscp;
        test::Bytes frame;  ///< after act
    };

    Outcome send(const test::Bytes& frame, const From& from) {
        Batch& batch = *batch_;
        batch.size = 1;
        batch.mbuf[0] = pool_.make(frame);
        batch.time_ns[0] = from.at_ns;
        batch.rx_port[0] = from.port;
        const std::array<std::uint16_t, 3> domains{0, 0, 1};
        parse(batch, domains.data());
        EXPECT_EQ(batch.parsed[0], ParseResult::flow);
        const std::uint32_t index = flow_of(batch.key[0], from);
        Flow& flow = (*table_)[index];
        ++flow.packets[from.initiator ? 0 : 1];
        batch.flow[0] = index;
        batch.forward[0] = from.initiator ? 1 : 0;
        decide(batch, 0, 1, *table_, *snapshot_, *rows_, *stats_);
        if (snapshot_->policy != nullptr && snapshot_->policy->enforces) {
            enforcer_->enforce(batch, 0, 1, *table_, *snapshot_);
        }
        act(batch, 0, 1, *stats_);
        Outcome out{
            batch.disposition[0],
            batch.drop_reason[0],
            batch.dscp[0],
            test::MbufPool::bytes(batch.mbuf[0])};
        rte_pktmbuf_free(batch.mbuf[0]);
        return out;
    }
    Outcome send(const test::Bytes& frame) { return send(frame, From{}); }

    /// The decided class of the flow that `frame` belongs to, in slot 0 or 1.
    void classify(
        const test::Bytes& frame, std::size_t slot, const std::string& cls, double confidence) {
        FlowKey key;
        PacketHeader header;
        const auto size = static_cast<std::uint32_t>(frame.size());
        ASSERT_EQ(parse_frame(frame.data(), size, size, key, header), ParseResult::flow);
        CachedVerdict& verdict = table_->verdicts(flow_of(key, From{}))[slot];
        verdict.cls = *class_id(slot == 0 ? "anomaly" : "qos", cls);
        verdict.score = static_cast<std::uint16_t>(confidence * 65535);
    }

    std::uint32_t flow_of(const FlowKey& key, const From& from) {
        const std::uint64_t hash = table_->hash(key);
        std::uint32_t index = table_->find(key, hash);
        if (index == kNoFlow) {
            index = table_->choose_slot(hash, from.at_ns);
            table_->occupy(index, key, hash);
            (*table_)[index].set_times(from.at_ns / 1000, 0);
            table_->touch(index, FlowPhase::opening, from.at_ns);
        }
        return index;
    }

    test::MbufPool pool_{"enforce"};
    std::array<WorkerPort, 3> ports_{
        WorkerPort{0, 0, 1, 0}, WorkerPort{0, 0, 0, 0}, WorkerPort{0, 0, kNoPeer, 1}};
    LinkStates links_{};
    std::unique_ptr<WorkerStats> stats_ = std::make_unique<WorkerStats>();
    std::unique_ptr<FlowTable> table_;
    std::unique_ptr<Batch> batch_ = std::make_unique<Batch>();
    std::unique_ptr<Rows> rows_ = std::make_unique<Rows>();
    std::unique_ptr<Enforcer> enforcer_;
    std::unique_ptr<Snapshot> snapshot_;
    std::uint64_t generation_ = 0;
};

}  // namespace weir::dataplane
