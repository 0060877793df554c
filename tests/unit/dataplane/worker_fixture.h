// SPDX-License-Identifier: BSD-3-Clause
// A worker between two null devices whose receive side writes headers into each mbuf, as a card's DMA would.
#pragma once

#include "config/load.h"
#include "dataplane/gateway.h"
#include "dataplane/ports.h"
#include "dataplane/rx_callback.h"
#include "dataplane/snapshot_build.h"
#include "dataplane/worker.h"
#include "tests/support/models.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <gtest/gtest.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WEIR_SANITIZED 1
#else
#define WEIR_SANITIZED 0
#endif

namespace weir::dataplane {

/// Of the whole process, where no sanitizer has the allocator (worker_test.cpp).
extern std::atomic<std::uint64_t> allocations;

inline constexpr std::size_t kFrameBytes = 64;
inline constexpr std::uint64_t kBurst = 64;
inline constexpr std::uint16_t kEtherIpv4 = 0x0800;
inline constexpr std::uint8_t kTcp = 6;
inline constexpr std::uint8_t kUdp = 17;

inline void put16(std::uint8_t* at, std::uint32_t value) {
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
}

/// What the receive callback writes: TCP and UDP of some thousand flows, either way, and now and then a broken frame.
class Trace {
  public:
    void write(rte_mbuf& mbuf) {
        auto* frame = rte_pktmbuf_mtod(&mbuf, std::uint8_t*);
        std::memset(frame, 0, kFrameBytes);
        const std::uint32_t flow = random_() % 5000;
        const bool back = random_() % 3 == 0;
        put16(frame + 12, kEtherIpv4);
        std::uint8_t* ip = frame + 14;
        ip[0] = random_() % 64 == 0 ? 0x42 : 0x45;  // a header of 8 bytes contradicts itself
        put16(ip + 2, 46);
        ip[8] = 64;
        ip[9] = flow % 2 == 0 ? kTcp : kUdp;
        std::uint8_t* client = ip + (back ? 16 : 12);
        std::uint8_t* server = ip + (back ? 12 : 16);
        client[0] = server[0] = 10;
        put16(client + 2, flow);
        server[3] = static_cast<std::uint8_t>(flow % 7);
        std::uint8_t* l4 = ip + 20;
        put16(l4 + (back ? 2 : 0), 20000 + flow);
        put16(l4 + (back ? 0 : 2), 443);
        if (ip[9] == kTcp) {
            l4[12] = 0x50;
            l4[13] = random_() % 8 == 0 ? 0x02 : 0x10;
        } else {
            put16(l4 + 4, 26);
        }
        mbuf.data_len = mbuf.pkt_len = kFrameBytes;
    }

    std::uint64_t left = UINT64_MAX;  ///< packets until the source falls silent

  private:
    std::minstd_rand random_{7};
};

inline std::uint16_t write_headers(
    std::uint16_t,
    std::uint16_t,
    rte_mbuf* packets[],
    std::uint16_t count,
    std::uint16_t,
    void* context) {
    Trace& trace = *static_cast<Trace*>(context);
    const auto some = static_cast<std::uint16_t>(std::min<std::uint64_t>(count, trace.left));
    trace.left -= some;
    rte_pktmbuf_free_bulk(packets + some, count - some);
    for (std::uint16_t i = 0; i < some; ++i) {
        trace.write(*packets[i]);
    }
    return some;
}

class WorkerTest : public testing::Test {
  protected:
    void SetUp() override {
        const auto started = ports_.start(
            {{.name = "in", .device = "net_null_worker_in,size=64"},
             {.name = "out", .device = "net_null_worker_out,size=64,no-rx=1"}},
            1);
        ASSERT_TRUE(started) << started.error().line();
        const std::uint16_t in = ports_.handles()[0].port_id;
        ASSERT_TRUE(callback_.add(in, write_headers, &trace_));
        links_[0].store(true);
        links_[1].store(true);

        config_ = config::defaults();
        config_.fail.malformed = config::FailAction::drop;
        for (config::Slot& slot : config_.slots) {
            slot.hysteresis = 1;  // a flow's verdict is its latest row's
            slot.cadence.kind = config::CadenceKind::every_packet;
            slot.rules["one"] = {config::ActionKind::mark, 46, 0.0};
            slot.rules["two"] = slot.rules["three"] = {config::ActionKind::drop, 0, 0.0};
            // Payloads are not followed here: their constant codes would let one class always win.
            models_.push_back(test::random_model(
                slot.name,
                {"benign", "one", "two", "three"},
                3,
                static_cast<std::uint16_t>(models_.size() + 1),
                kAllGroups & ~(1U << static_cast<std::uint32_t>(FeatureGroup::payload))));
        }
        auto publisher = Publisher::create(1, build_snapshot(config_, models_, 1));
        ASSERT_TRUE(publisher);
        publisher_ = std::move(*publisher);

        make_worker(options());
    }

    [[nodiscard]] WorkerOptions options() const {
        WorkerOptions options;
        options.burst = 64;
        options.ports = {
            WorkerPort{ports_.handles()[0].port_id, 0, 1, 0},
            WorkerPort{ports_.handles()[1].port_id, 0, 0, 0}};
        options.links = &links_;
        options.flow_table = config_.workers.flow_table;
        options.flow_table.capacity = 4096;  // fewer than the flows: eviction is part of a burst
        options.slots = 2;
        options.pages = TablePages::resident;
        options.time.clock = &clock_;
        return options;
    }

    void make_worker(WorkerOptions options) {
        publisher_->go_offline(0);
        worker_.reset();
        auto worker = Worker::create(std::move(options), *publisher_);
        ASSERT_TRUE(worker) << worker.error().line();
        worker_ = std::move(*worker);
        publisher_->go_online(0);
    }

    void TearDown() override {
        if (publisher_ != nullptr) {
            publisher_->go_offline(0);
        }
        worker_.reset();
    }

    /// Polls, and empties the event ring outside of what is measured.
    void poll(std::uint32_t times) {
        for (std::uint32_t n = 0; n < times; ++n) {
            ASSERT_EQ(worker_->poll(), 64U);
            while (worker_->events().pop(records_) == records_.size()) {
            }
        }
    }

    Trace trace_;
    Ports ports_;
    RxCallback callback_;
    LinkStates links_{};
    TscClock clock_{1'000'000'000, 0, 1'700'000'000'000'000'000};
    config::Config config_;
    std::vector<std::shared_ptr<const SlotModel>> models_;
    std::unique_ptr<Publisher> publisher_;
    std::unique_ptr<Worker> worker_;
    std::vector<FlowRecord> records_ = std::vector<FlowRecord>(256);
};

}  // namespace weir::dataplane
