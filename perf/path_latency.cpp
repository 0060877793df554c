// SPDX-License-Identifier: BSD-3-Clause
#include "perf/path_latency.h"

#include "perf/path_lane.h"
#include "perf/path_traffic.h"
#include "perf/report.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <string>
#include <vector>

#include <rte_cycles.h>
#include <rte_mbuf.h>

namespace weir::perf {

void PacedSource::pace(double interval, std::uint64_t now) noexcept {
    interval_ = interval;
    begin_ = now;
    due_ = 0;
    admitted_ = 0;
}

std::uint16_t PacedSource::admit(std::uint16_t count, std::uint64_t now) noexcept {
    if (interval_ == 0) {
        admitted_ = 0;  // nothing is due, so nothing is late
        return count;
    }
    const auto elapsed = static_cast<double>(now - begin_);
    const double come = elapsed < due_ ? 0.0 : (elapsed - due_) / interval_ + 1.0;
    admitted_ = static_cast<std::uint16_t>(std::min(come, static_cast<double>(count)));
    first_ = due_;
    due_ += admitted_ * interval_;
    return admitted_;
}

void PacedSource::finish(std::uint64_t now) noexcept {
    const auto elapsed = static_cast<double>(now - begin_);
    for (std::uint16_t i = 0; i < admitted_; ++i) {
        const double delay = std::max(elapsed - (first_ + i * interval_), 0.0);
        ++delays_[dataplane::LatencyBuckets::index(static_cast<std::uint64_t>(delay))];
    }
    admitted_ = 0;
}

dataplane::LatencyCounts PacedSource::take() noexcept {
    const dataplane::LatencyCounts out = delays_;
    delays_.fill(0);
    return out;
}

std::uint16_t PacedSource::receive(
    std::uint16_t,
    std::uint16_t,
    rte_mbuf* packets[],
    std::uint16_t count,
    std::uint16_t,
    void* source) {
    PacedSource& self = *static_cast<PacedSource*>(source);
    const std::uint16_t come = self.admit(count, rte_rdtsc());
    if (come < count) {
        rte_pktmbuf_free_bulk(packets + come, count - come);
    }
    self.trace_.fill(packets, come);
    return come;
}

// ---- measuring ------------------------------------------------------------------------------------------------------

namespace {

constexpr double kRunSeconds = 0.25;
constexpr std::uint16_t kBurst = 64;

/// Quantiles by run, in microseconds.
struct Delays {
    std::vector<double> p50;
    std::vector<double> p99;
    std::vector<double> p999;
    std::vector<double> max;

    void add(const dataplane::LatencyCounts& counts, double ns_per_tick) {
        const auto us = [&](double share) {
            return static_cast<double>(dataplane::latency_quantile(counts, share)) * ns_per_tick /
                   1e3;
        };
        p50.push_back(us(0.5));
        p99.push_back(us(0.99));
        p999.push_back(us(0.999));
        max.push_back(us(1.0));
    }
    void print(const std::string& name) const {
        print_row(name + ".p50", median(p50), "us");
        print_row(name + ".p99", median(p99), "us");
        print_row(name + ".p999", median(p999), "us");
        print_row(name + ".max", median(max), "us");
    }
};

// Polls for a while with packets that come every `interval` ticks.
template <typename Poll>
[[nodiscard]] dataplane::LatencyCounts run_paced(
    const DelaySetup& setup, double interval, Poll poll) {
    const auto length = static_cast<std::uint64_t>(kRunSeconds * 1e9 / setup.ns_per_tick);
    const std::uint64_t start = rte_rdtsc();
    setup.source.pace(interval, start);
    for (std::uint64_t now = start; now - start < length;) {
        poll(now);
        now = rte_rdtsc();
        setup.source.finish(now);
    }
    setup.source.pace(0, 0);
    return setup.source.take();
}

struct SilentSource {
    PacedSource& paced;
    std::uint64_t left;
    std::atomic<bool> stop{false};
};

// Within run() the callback is where time can be read: the delay ends at the receive call.
std::uint16_t receive_after_silence(
    std::uint16_t port,
    std::uint16_t queue,
    rte_mbuf* packets[],
    std::uint16_t count,
    std::uint16_t room,
    void* context) {
    SilentSource& self = *static_cast<SilentSource*>(context);
    const std::uint16_t come = PacedSource::receive(port, queue, packets, count, room, &self.paced);
    self.paced.finish(rte_rdtsc());
    self.left -= std::min<std::uint64_t>(come, self.left);
    if (self.left == 0) {
        self.stop.store(true);
    }
    return come;
}

void measure_wake_up(const DelaySetup& setup) {
    constexpr double kSilenceNs = 3.2e6;
    constexpr std::uint64_t kPackets = 500;
    SilentSource source{setup.source, kPackets};
    setup.callback.remove();
    if (!setup.callback.add(setup.port, receive_after_silence, &source)) {
        std::fprintf(stderr, "no memory for a receive callback\n");
        return;
    }
    setup.source.pace(kSilenceNs / setup.ns_per_tick, rte_rdtsc());
    setup.worker.run(source.stop);
    setup.callback.remove();
    Delays late;
    late.add(setup.source.take(), setup.ns_per_tick);
    late.print("wake_up");
    print_row("wake_up.sleeps", static_cast<double>(setup.worker.stats().sleeps.get()), "sleeps");
}

}  // namespace

void measure_delays(const DelaySetup& setup, double free_ns) {
    constexpr std::array<int, 4> kLoads{10, 50, 80, 95};
    print_row("no_loss_rate", 1000 / free_ns, "Mpps");
    const auto interval = [&](int load) { return free_ns / setup.ns_per_tick * 100 / load; };
    std::array<Delays, kLoads.size()> delays;
    Delays floor;
    for (int round = 0; round < setup.rounds; ++round) {
        for (std::size_t load = 0; load < kLoads.size(); ++load) {
            delays[load].add(
                run_paced(
                    setup,
                    interval(kLoads[load]),
                    [&](std::uint64_t) { static_cast<void>(setup.worker.poll()); }),
                setup.ns_per_tick);
        }
        floor.add(
            run_paced(
                setup,
                interval(80),
                [&](std::uint64_t now) { static_cast<void>(setup.source.admit(kBurst, now)); }),
            setup.ns_per_tick);
    }
    for (std::size_t load = 0; load < kLoads.size(); ++load) {
        delays[load].print("load_" + std::to_string(kLoads[load]));
    }
    floor.print("noise_floor");
    measure_wake_up(setup);
}

}  // namespace weir::perf
