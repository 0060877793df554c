// SPDX-License-Identifier: BSD-3-Clause
// The packet path of one lcore: rx → parse → track → observe → score → decide → act → tx.
#pragma once

#include "config/config.h"
#include "config/error.h"
#include "dataplane/backlog.h"
#include "dataplane/batch.h"
#include "dataplane/enforce.h"
#include "dataplane/event_ring.h"
#include "dataplane/features/hosts.h"
#include "dataplane/flow/table.h"
#include "dataplane/fragments.h"
#include "dataplane/governor.h"
#include "dataplane/host_exchange.h"
#include "dataplane/idle.h"
#include "dataplane/idle_wait.h"
#include "dataplane/inspect.h"
#include "dataplane/mirror_ring.h"
#include "dataplane/observe.h"
#include "dataplane/payload_table.h"
#include "dataplane/publisher.h"
#include "dataplane/rows.h"
#include "dataplane/rx.h"
#include "dataplane/score.h"
#include "dataplane/shape.h"
#include "dataplane/stage_cycles.h"
#include "dataplane/track.h"
#include "dataplane/worker_port.h"
#include "dataplane/worker_stats.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace weir::dataplane {

struct WorkerOptions {
    std::uint32_t index = 0;  ///< reader id at the publisher
    std::uint16_t burst = 64;
    std::uint32_t gather_us =
        0;  ///< how long further full bursts may join a batch; 0: one burst a port
    std::vector<WorkerPort> ports;
    const LinkStates* links = nullptr;
    config::FlowTable flow_table;
    bool payload = false;  ///< features of payloads can be had
    std::uint32_t slots = 1;
    std::uint64_t seed = 0;
    TablePages pages = TablePages::when_touched;  ///< of the tables
    std::uint32_t event_capacity = 1u << 14;
    RxTime time;
    GovernorLimits
        governor;  ///< off: what is due is scored, however long it takes (replay, benchmarks)
    IdleLimits idle;
    config::IdleWait wait = config::IdleWait::automatic;
    Sleeper sleeper;
    RowTap* tap = nullptr;
    StageCycles* stages = nullptr;       ///< measuring only
    HostReporter* hosts_told = nullptr;  ///< null: the only worker
    std::unique_ptr<Shaper> shaper;      ///< null: nothing is shaped
    std::unique_ptr<MirrorRing> mirror;  ///< null: no file gets copies
};

/// One worker. create() and the destructor run on the main thread; run(), poll() and flush() on one thread at a time,
/// which allocates, locks, logs and throws nothing. While packets come it makes no system call; idle, run() may sleep.
class Worker {
  public:
    [[nodiscard]] static Result<std::unique_ptr<Worker>> create(
        WorkerOptions options, Publisher& publisher);
    ~Worker() = default;
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// Polls until `stop` is set, then drains what the ports still hold (bounded) and flushes the flows.
    void run(const std::atomic<bool>& stop) noexcept;
    /// One receive from all ports through to transmit. Returns the number of packets received.
    std::uint32_t poll() noexcept;
    /// Ends up to `limit` live flows; true when none is left.
    [[nodiscard]] bool flush(std::uint32_t limit) noexcept;

    [[nodiscard]] const WorkerStats& stats() const noexcept { return *stats_; }
    [[nodiscard]] EventRing& events() noexcept { return *events_; }
    [[nodiscard]] Inspector& inspector() noexcept { return *inspector_; }
    /// Null: no file gets copies.
    [[nodiscard]] MirrorRing* mirror() noexcept { return options_.mirror.get(); }
    [[nodiscard]] const FlowTable& flows() const noexcept { return *flows_; }
    /// Bytes of the tables that are not of reserved hugepages.
    [[nodiscard]] std::size_t ordinary_bytes() const noexcept {
        return flows_->ordinary_bytes() + hosts_->ordinary_bytes() +
               (payloads_ != nullptr ? payloads_->ordinary_bytes() : 0);
    }

  private:
    Worker() = default;
    void process(const Snapshot& snapshot, StageTimer& timer) noexcept;
    [[nodiscard]] std::uint32_t follow(
        const Snapshot& snapshot,
        const Segment& segment,
        std::uint32_t& prepared,
        bool asked,
        StageTimer& timer) noexcept;
    void exchange_hosts(std::uint64_t now) noexcept;
    void idle_poll() noexcept;
    void drain() noexcept;
    void doze(std::uint32_t us) noexcept;
    void count_parsed() noexcept;
    void count_burst(
        const Snapshot& snapshot, std::uint32_t packets, std::uint64_t cycles) noexcept;
    void govern(std::uint64_t now, std::uint32_t received, std::uint64_t cycles) noexcept;

    /// What it works in, in one stretch: few pages.
    struct Memory {
        WorkerStats stats;
        Batch batch;
        Rows rows;
        ObserveScratch observe;
        ScoreScratch score;
    };

    WorkerOptions options_;
    Publisher* publisher_ = nullptr;
    HugeMap memory_;
    std::vector<std::uint16_t> domain_of_port_;
    WorkerStats* stats_ = nullptr;  ///< this and the next four: in memory_
    Batch* batch_ = nullptr;
    Rows* rows_ = nullptr;
    ObserveScratch* observe_ = nullptr;
    ScoreScratch* scratch_ = nullptr;
    std::unique_ptr<FlowTable> flows_;
    std::unique_ptr<HostTable> hosts_;
    std::unique_ptr<PayloadTable> payloads_;  ///< null: off
    std::unique_ptr<EventRing> events_;
    std::unique_ptr<Fragments> fragments_;
    std::unique_ptr<Inspector> inspector_;
    std::unique_ptr<TrackContext> track_;
    std::unique_ptr<Enforcer> enforcer_;
    RxLimits limits_;
    Governor governor_{GovernorLimits{}};
    Backlog backlog_{{}};
    IdleBackoff backoff_{IdleLimits{}};
    IdleWait wait_;
    std::uint32_t idle_polls_ = 0;
    std::uint32_t flush_cursor_ = 0;
};

}  // namespace weir::dataplane
