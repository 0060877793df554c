// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/worker.h"

#include "dataplane/act.h"
#include "dataplane/decide.h"
#include "dataplane/observe.h"
#include "dataplane/parse.h"
#include "dataplane/tx.h"
#include "kernels/onednn/variants.h"

#include <algorithm>
#include <new>
#include <type_traits>
#include <utility>

#include <sys/prctl.h>

#include <rte_cycles.h>
#include <rte_pause.h>

namespace weir::dataplane {

// ---- the loop -------------------------------------------------------------------------------------------------------

// The kernel may delay a sleep's end by so long; its own default is 50 us.
constexpr unsigned long kTimerSlackNs = 1000;
// Packets that track and observe take at once.
constexpr std::uint32_t kStride = 64;

void Worker::run(const std::atomic<bool>& stop) noexcept {
    kernels::prepare_onednn_thread();
    prctl(PR_SET_TIMERSLACK, kTimerSlackNs);
    wait_.begin();
    stats_->wait_kind.set(static_cast<std::uint64_t>(wait_.kind()));
    publisher_->go_online(options_.index);
    while (!stop.load(std::memory_order_relaxed)) {
        if (poll() == 0) {
            idle_poll();
        } else {
            backoff_.busy();
        }
    }
    drain();
    publisher_->go_offline(options_.index);
}

void Worker::drain() noexcept {
    constexpr std::uint32_t kDrainPolls = 4096;
    for (std::uint32_t n = 0; n < kDrainPolls && poll() != 0; ++n) {
    }
    if (options_.shaper == nullptr) {
        return;
    }
    // What waits leaves at its rate, for a second at most.
    const std::uint64_t start = rte_rdtsc();
    while (options_.shaper->held() != 0 && rte_rdtsc() - start < rte_get_tsc_hz()) {
        options_.shaper->release(options_.ports, *options_.links, *stats_);
    }
    options_.shaper->abandon(*stats_);
}

std::uint32_t Worker::poll() noexcept {
    const std::uint64_t start = rte_rdtsc();
    StageTimer timer(options_.stages, start);
    publisher_->quiescent(options_.index);
    if (inspector_->asked()) [[unlikely]] {
        inspector_->walk(*flows_);
    }
    if (options_.hosts_told != nullptr) [[unlikely]] {
        exchange_hosts(start);
    }
    const std::uint32_t received = rx(options_.ports, limits_, options_.time, *batch_, *stats_);
    if (received == 0) {
        if (options_.shaper != nullptr) {
            options_.shaper->release(options_.ports, *options_.links, *stats_);
        }
        return 0;
    }
    timer.lap(Stage::rx, rte_rdtsc);
    const Snapshot& snapshot = *publisher_->acquire();  // one for the whole batch
    process(snapshot, timer);
    if (snapshot.policy != nullptr && snapshot.policy->enforces) {
        enforcer_->send_redirected(*batch_);
    }
    if (options_.shaper != nullptr) {
        options_.shaper->take(*batch_, options_.ports, *flows_, *stats_);
        options_.shaper->release(options_.ports, *options_.links, *stats_);
    }
    tx(*batch_, options_.ports, *options_.links, *stats_);
    const std::uint64_t end = rte_rdtsc();
    count_burst(snapshot, received, end - start);
    govern(end, received, end - start);
    timer.lap(Stage::tx, rte_rdtsc);
    return received;
}

void Worker::process(const Snapshot& snapshot, StageTimer& timer) noexcept {
    Batch& batch = *batch_;
    parse(batch, domain_of_port_.data());
    count_parsed();
    if (batch.fragments != 0) {
        fragments_->follow(batch, *flows_, stats_->fragments);
    }
    timer.lap(Stage::parse, rte_rdtsc);
    std::uint32_t prepared = 0;
    for (std::uint32_t begin = 0; begin < batch.size;) {
        const bool asked = inspector_->asked();
        const std::uint32_t end = follow(snapshot, {begin}, prepared, asked, timer);
        score(snapshot, *rows_, *scratch_, *stats_);
        timer.lap(Stage::score, rte_rdtsc);
        decide(batch, begin, end, *flows_, snapshot, *rows_, *stats_);
        if (snapshot.policy != nullptr && snapshot.policy->enforces) {
            enforcer_->enforce(batch, begin, end, *flows_, snapshot);
        }
        if (asked) [[unlikely]] {
            inspector_->tell(batch, begin, end, *flows_, snapshot, *rows_);
        }
        timer.lap(Stage::decide, rte_rdtsc);
        act(batch, begin, end, *stats_);
        timer.lap(Stage::act, rte_rdtsc);
        begin = end;
    }
}

// Track and observe by strides, up to the segment's end: what track has touched is near when observe wants it.
std::uint32_t Worker::follow(
    const Snapshot& snapshot,
    const Segment& segment,
    std::uint32_t& prepared,
    bool asked,
    StageTimer& timer) noexcept {
    Batch& batch = *batch_;
    begin_rows(snapshot, *rows_);
    for (std::uint32_t from = segment.begin; from < batch.size;) {
        const std::uint32_t to = std::min(batch.size, (from / kStride + 1) * kStride);
        if (prepared < to) {
            track_prepare(batch, prepared, to, *track_);
            prepared = to;
        }
        timer.lap(Stage::prepare, rte_rdtsc);
        const std::uint32_t end = track(batch, from, to, segment, *track_);
        timer.lap(Stage::track, rte_rdtsc);
        RowTap* tap = options_.tap;
        if (asked) [[unlikely]] {
            tap = inspector_->sampler(batch, from, end, tap);
        }
        observe(batch, from, end, *flows_, *hosts_, snapshot, *rows_, *observe_, tap);
        timer.lap(Stage::observe, rte_rdtsc);
        if (end < to) {
            return end;
        }
        from = end;
    }
    return batch.size;
}

// ---- around it ------------------------------------------------------------------------------------------------------

namespace {

// Nothing came: age the table a little, by the clock, and let a sibling hyper-thread run.
constexpr std::uint32_t kIdlePollsPerSweep = 64;
// A sleeping worker polls so seldom that each time counts.
constexpr std::uint32_t kSweepsPerSleep = 4;

}  // namespace

// With the other workers, by way of control. What it is given holds until the next quiescent state.
void Worker::exchange_hosts(std::uint64_t now) noexcept {
    HostReporter& told = *options_.hosts_told;
    observe_->shared = told.shared();
    if (told.asked() && options_.time.clock != nullptr) {
        told.tell(*hosts_, options_.time.clock->ns(now));
        stats_->shared_hosts.set(observe_->shared != nullptr ? observe_->shared->size() : 0);
    }
}

void Worker::idle_poll() noexcept {
    const std::uint64_t now = rte_rdtsc();
    stats_->idle_polls.add(1);
    govern(now, 0, 0);
    if (options_.shaper != nullptr && options_.shaper->held() != 0) {
        backoff_.busy();  // what waits has its time to leave
    }
    const std::uint32_t sleep_us = backoff_.empty(now);
    if ((++idle_polls_ % kIdlePollsPerSweep == 0 || sleep_us != 0) &&
        options_.time.clock != nullptr) {
        expire_idle(*track_, sleep_us != 0 ? kSweepsPerSleep : 1, options_.time.clock->ns(now));
        stats_->flows_live.set(flows_->live());
    }
    if (sleep_us != 0) {
        doze(sleep_us);
    } else {
        rte_pause();
    }
}

// Offline meanwhile: a swap does not wait for a worker that sleeps.
void Worker::doze(std::uint32_t us) noexcept {
    publisher_->go_offline(options_.index);
    stats_->sleeps.add(1);
    wait_.wait(us);
    publisher_->go_online(options_.index);
}

void Worker::count_parsed() noexcept {
    std::array<std::uint64_t, static_cast<std::size_t>(ParseResult::count_)> counts{};
    for (std::uint32_t i = 0; i < batch_->size; ++i) {
        ++counts[static_cast<std::size_t>(batch_->parsed[i])];
    }
    for (std::size_t r = 0; r < counts.size(); ++r) {
        if (counts[r] != 0) {
            stats_->parsed[r].add(counts[r]);
        }
    }
}

// What the governor makes of a poll holds from the next one on. It judges by the burst: a batch may be several.
void Worker::govern(std::uint64_t now, std::uint32_t received, std::uint64_t cycles) noexcept {
    if (!governor_.enabled()) {
        return;
    }
    if (observe_->unscored != 0) {
        stats_->unscored[static_cast<std::size_t>(observe_->shed)].add(observe_->unscored);
        observe_->unscored = 0;
    }
    const std::uint32_t fill = backlog_.permille(batch_->full_ports, received);
    if (governor_.note(now, fill, cycles / batch_->rounds)) {
        observe_->shed = governor_.step();
        stats_->shed_step.set(static_cast<std::uint64_t>(governor_.step()));
        stats_->shed_changes.add(1);
    }
}

void Worker::count_burst(
    const Snapshot& snapshot, std::uint32_t packets, std::uint64_t cycles) noexcept {
    WorkerStats& stats = *stats_;
    stats.latency.add(cycles, packets);
    const auto* const bound =
        std::lower_bound(kBurstCycleBounds.begin(), kBurstCycleBounds.end(), cycles);
    stats.burst_cycles[static_cast<std::size_t>(bound - kBurstCycleBounds.begin())].add(1);
    stats.burst_cycles_sum.add(cycles);
    stats.bursts.add(1);
    stats.flows_live.set(flows_->live());
    stats.hosts_live.set(hosts_->live());
    stats.hosts_evicted.set(hosts_->evicted());
    if (stats.snapshot_generation.get() != snapshot.generation) {
        stats.snapshot_generation.set(snapshot.generation);
        stats.snapshot_swaps.add(1);
    }
}

bool Worker::flush(std::uint32_t limit) noexcept {
    const bool done = expire_all(*track_, flush_cursor_, limit);
    stats_->flows_live.set(flows_->live());
    return done;
}

Result<std::unique_ptr<Worker>> Worker::create(WorkerOptions options, Publisher& publisher) {
    std::unique_ptr<Worker> worker(new Worker);
    worker->publisher_ = &publisher;
    worker->fragments_ = std::make_unique<Fragments>();
    auto memory = HugeMap::create(sizeof(Memory), options.pages, {}, "working memory", {});
    if (!memory) {
        return tl::unexpected(memory.error());
    }
    worker->memory_ = std::move(*memory);
    static_assert(std::is_trivially_destructible_v<Memory>);
    auto* const parts = new (worker->memory_.base()) Memory;
    worker->stats_ = &parts->stats;
    worker->batch_ = &parts->batch;
    worker->rows_ = &parts->rows;
    worker->observe_ = &parts->observe;
    worker->scratch_ = &parts->score;
    auto flows =
        FlowTable::create({options.flow_table, options.slots, options.seed, options.pages});
    if (!flows) {
        return tl::unexpected(flows.error());
    }
    worker->flows_ = std::move(*flows);
    auto hosts = HostTable::create(options.flow_table.host_capacity, options.seed, options.pages);
    if (!hosts) {
        return tl::unexpected(hosts.error());
    }
    worker->hosts_ = std::move(*hosts);
    if (options.payload) {
        auto payloads = PayloadTable::create(worker->flows_->capacity(), options.pages);
        if (!payloads) {
            return tl::unexpected(payloads.error());
        }
        worker->payloads_ = std::move(*payloads);
        worker->observe_->payloads = worker->payloads_.get();
    }
    auto events =
        EventRing::create("weir_events_" + std::to_string(options.index), options.event_capacity);
    if (!events) {
        return tl::unexpected(events.error());
    }
    worker->events_ = std::move(*events);
    auto inspector = Inspector::create("weir_live_" + std::to_string(options.index));
    if (!inspector) {
        return tl::unexpected(inspector.error());
    }
    worker->inspector_ = std::move(*inspector);
    worker->track_ = std::make_unique<TrackContext>(
        TrackContext{*worker->flows_, *worker->events_, *worker->stats_});
    for (WorkerPort& port : options.ports) {
        worker->domain_of_port_.push_back(port.domain);
        if (port.rx_id == kSamePort) {
            port.rx_id = port.port_id;
            port.rx_queue = port.queue;
        }
        port.device = port.device == kSamePort ? port.port_id : port.device;
    }
    constexpr std::uint64_t kUsPerS = 1'000'000;
    worker->limits_ = {options.burst, options.gather_us * rte_get_tsc_hz() / kUsPerS};
    worker->options_ = std::move(options);
    auto enforcer = Enforcer::create(
        worker->flows_->capacity(),
        worker->options_.ports,
        *worker->options_.links,
        *worker->stats_);
    if (!enforcer) {
        return tl::unexpected(enforcer.error());
    }
    worker->enforcer_ = std::move(*enforcer);
    if (worker->options_.mirror != nullptr) {
        worker->enforcer_->mirror_into(*worker->options_.mirror);
    }
    worker->governor_ = Governor(worker->options_.governor);
    worker->backoff_ = IdleBackoff(worker->options_.idle);
    worker->wait_ =
        IdleWait(worker->options_.wait, worker->options_.ports, worker->options_.sleeper);
    worker->backlog_ = Backlog(worker->options_.ports);
    worker->observe_->early_packets = worker->options_.governor.early_packets;
    return worker;
}

}  // namespace weir::dataplane
