// SPDX-License-Identifier: BSD-3-Clause
#include "perf/path_latency.h"

#include "perf/path_lane.h"
#include "perf/path_traffic.h"
#include "perf/report.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include <rte_cycles.h>
#include <rte_mbuf.h>

namespace weir::perf {

void PacedSource::pace(double interval, std::uint64_t now, std::size_t packets) {
    interval_ = interval;
    begin_ = now;
    let_through_ = 0;
    noted_ = 0;
    delays_.clear();
    delays_.reserve(packets);
}

std::uint16_t PacedSource::admit(std::uint16_t count, std::uint64_t now) noexcept {
    if (interval_ == 0) {
        return count;  // nothing is due, so nothing is late
    }
    const auto come = static_cast<std::uint64_t>(static_cast<double>(now - begin_) / interval_) + 1;
    const auto admitted = std::min<std::uint64_t>(come - std::min(come, let_through_), count);
    let_through_ += admitted;
    return static_cast<std::uint16_t>(admitted);
}

void PacedSource::finish(std::uint64_t now) noexcept {
    const auto elapsed = static_cast<double>(now - begin_);
    for (; noted_ < let_through_; ++noted_) {
        if (delays_.size() < delays_.capacity()) {
            const double delay = elapsed - static_cast<double>(noted_) * interval_;
            delays_.push_back(static_cast<std::uint64_t>(std::max(delay, 0.0)));
        }
    }
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

// The least of `delays` that `share` of them do not exceed, in ticks; orders them anew.
[[nodiscard]] double quantile(std::span<std::uint64_t> delays, double share) {
    if (delays.empty()) {
        return 0;
    }
    const auto wanted =
        static_cast<std::size_t>(std::ceil(share * static_cast<double>(delays.size())));
    const std::size_t at = std::max<std::size_t>(wanted, 1) - 1;
    std::nth_element(delays.begin(), delays.begin() + static_cast<long>(at), delays.end());
    return static_cast<double>(delays[at]);
}

// The same by run, in microseconds.
struct Delays {
    std::vector<double> p50;
    std::vector<double> p99;
    std::vector<double> p999;
    std::vector<double> max;
    std::vector<double> p999_of_ms;  // of each millisecond of each run

    void add(const PacedSource& source, double interval, double ns_per_tick) {
        std::vector<std::uint64_t> all = source.delays();
        const auto us = [&](std::span<std::uint64_t> delays, double share) {
            return quantile(delays, share) * ns_per_tick / 1e3;
        };
        const auto a_ms = static_cast<std::size_t>(1e6 / (interval * ns_per_tick));
        for (std::size_t at = 0; a_ms > 0 && at + a_ms <= all.size(); at += a_ms) {
            p999_of_ms.push_back(us(std::span(all).subspan(at, a_ms), 0.999));
        }
        p50.push_back(us(all, 0.5));
        p99.push_back(us(all, 0.99));
        p999.push_back(us(all, 0.999));
        max.push_back(us(all, 1.0));
    }
    void print(const std::string& name) const {
        print_row(name + ".p50", median(p50), "us");
        print_row(name + ".p99", median(p99), "us");
        print_row(name + ".p999", median(p999), "us");
        print_row(name + ".max", median(max), "us");
        if (!p999_of_ms.empty()) {
            print_row(name + ".p999_of_ms", median(p999_of_ms), "us");
        }
    }
};

// Polls for a while with packets that come every `interval` ticks, and adds their delays.
template <typename Poll>
void run_paced(const DelaySetup& setup, double interval, Delays& delays, Poll poll) {
    const auto length = static_cast<std::uint64_t>(kRunSeconds * 1e9 / setup.ns_per_tick);
    const std::uint64_t start = rte_rdtsc();
    setup.source.pace(
        interval, start, static_cast<std::size_t>(static_cast<double>(length) / interval) + 1);
    for (std::uint64_t now = start; now - start < length;) {
        poll(now);
        now = rte_rdtsc();
        setup.source.finish(now);
    }
    delays.add(setup.source, interval, setup.ns_per_tick);
    setup.source.pace(0, 0);
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
    const double interval = kSilenceNs / setup.ns_per_tick;
    setup.source.pace(interval, rte_rdtsc(), kPackets + kBurst);
    setup.worker.run(source.stop);
    setup.callback.remove();
    Delays late;
    late.add(setup.source, interval, setup.ns_per_tick);
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
            run_paced(setup, interval(kLoads[load]), delays[load], [&](std::uint64_t) {
                static_cast<void>(setup.worker.poll());
            });
        }
        run_paced(setup, interval(80), floor, [&](std::uint64_t now) {
            static_cast<void>(setup.source.admit(kBurst, now));
        });
    }
    for (std::size_t load = 0; load < kLoads.size(); ++load) {
        delays[load].print("load_" + std::to_string(kLoads[load]));
    }
    floor.print("noise_floor");
    measure_wake_up(setup);
}

}  // namespace weir::perf
