// SPDX-License-Identifier: BSD-3-Clause
// What being idle and being governed cost. How late a frame is received that finds the worker waiting, by way of waiting:
// polling, a sleep, a receive interrupt; through a tap in a network namespace of this process's own (root). And what the
// governor's look at a poll costs.
#include "config/config.h"
#include "dataplane/backlog.h"
#include "dataplane/eal.h"
#include "dataplane/governor.h"
#include "dataplane/idle_wait.h"
#include "dataplane/ports.h"
#include "dataplane/worker_port.h"
#include "perf/report.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include <sys/socket.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <CLI/CLI.hpp>
#include <net/if.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <unistd.h>

namespace weir::perf {
namespace {

using dataplane::IdleWait;
using dataplane::WorkerPort;

constexpr std::uint64_t kNsPerUs = 1000;
constexpr std::uint64_t kNsPerS = 1'000'000'000;
constexpr std::uint16_t kBurst = 64;

[[nodiscard]] double ns_per_tick() {
    return 1e9 / static_cast<double>(rte_get_tsc_hz());
}

// ---- waking up ------------------------------------------------------------------------------------------------------

enum class Way { poll, sleep, interrupt };

// Sends frames into the tap, each after a silence, and says when. Its own thread.
class Sender {
  public:
    [[nodiscard]] bool open(const char* interface) {
        fd_ = socket(AF_PACKET, SOCK_RAW, 0);
        to_.sll_family = AF_PACKET;
        to_.sll_ifindex = static_cast<int>(if_nametoindex(interface));
        return fd_ >= 0 && to_.sll_ifindex != 0;
    }
    Sender() = default;
    Sender(const Sender&) = delete;
    Sender& operator=(const Sender&) = delete;
    ~Sender() {
        if (fd_ >= 0) {
            close(fd_);
        }
    }

    /// On one of `cpus`. The next only after `received` has counted the one before.
    void run(int frames, std::uint64_t silence_ns, const cpu_set_t& cpus) {
        sched_setaffinity(0, sizeof(cpus), &cpus);
        const std::array<std::uint8_t, 60> frame{
            0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x88, 0xb5};
        for (int n = 0; n < frames; ++n) {
            const timespec pause{
                static_cast<time_t>(silence_ns / kNsPerS), static_cast<long>(silence_ns % kNsPerS)};
            nanosleep(&pause, nullptr);
            while (received.load() < n) {
                nanosleep(&pause, nullptr);
            }
            sent_at.store(rte_rdtsc());
            const auto* const to = reinterpret_cast<const sockaddr*>(&to_);
            if (sendto(fd_, frame.data(), frame.size(), 0, to, sizeof(to_)) < 0) {
                break;
            }
        }
    }

    std::atomic<std::uint64_t> sent_at{0};
    std::atomic<int> received{0};

  private:
    int fd_ = -1;
    sockaddr_ll to_{};
};

[[nodiscard]] int receive(std::uint16_t port) {
    std::array<rte_mbuf*, kBurst> burst;
    const std::uint16_t n = rte_eth_rx_burst(port, 0, burst.data(), kBurst);
    rte_pktmbuf_free_bulk(burst.data(), n);
    return n;
}

// Microseconds from before a frame is sent until it is received, frame by frame. Empty: this way is not to be had.
[[nodiscard]] std::vector<double> lateness(
    Way way,
    const std::vector<WorkerPort>& ports,
    Sender& sender,
    const cpu_set_t& cpus,
    int frames,
    std::uint32_t sleep_us) {
    constexpr std::uint64_t kSilenceNs = 2'000'000;
    constexpr std::uint64_t kMostSeconds = 60;
    IdleWait wait(
        way == Way::interrupt ? config::IdleWait::interrupt : config::IdleWait::sleep, ports);
    wait.begin();
    if (way == Way::interrupt && wait.kind() != dataplane::WaitKind::interrupt) {
        return {};
    }
    const std::uint16_t port = ports[0].rx_id;
    while (receive(port) != 0) {  // what the kernel itself says on a new interface
    }
    sender.received.store(0);
    sender.sent_at.store(0);
    std::thread thread([&] { sender.run(frames, kSilenceNs, cpus); });
    std::vector<double> late;
    const std::uint64_t deadline = rte_rdtsc() + kMostSeconds * rte_get_tsc_hz();
    std::uint64_t last_sent = 0;
    while (static_cast<int>(late.size()) < frames && rte_rdtsc() < deadline) {
        if (receive(port) != 0) {
            const std::uint64_t now = rte_rdtsc();
            const std::uint64_t sent = sender.sent_at.load();
            if (sent != last_sent) {  // else the kernel's own
                last_sent = sent;
                late.push_back(static_cast<double>(now - sent) * ns_per_tick() / kNsPerUs);
                sender.received.store(static_cast<int>(late.size()));
            }
        } else if (way != Way::poll) {
            wait.wait(sleep_us);
        }
    }
    sender.received.store(frames);
    thread.join();
    return late;
}

[[nodiscard]] double percentile(std::vector<double> values, double share) {
    std::sort(values.begin(), values.end());
    const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size()));
    return values[std::min(at, values.size() - 1)];
}

void measure_waking(Report& report, int frames, const cpu_set_t& cpus) {
    struct Try {
        Way way;
        const char* name;
        std::uint32_t sleep_us;
    };
    const config::Idle idle;
    const std::array<Try, 4> tries{
        {{Way::poll, "poll", 0},
         {Way::sleep, "first_sleep", idle.first_us},
         {Way::sleep, "longest_sleep", idle.longest_us},
         {Way::interrupt, "interrupt", 0}}};
    dataplane::Ports ports;
    ports.want_interrupts();
    const auto started = ports.start({{.name = "t", .device = "net_tap_idle,iface=weiridle"}}, 1);
    Sender sender;
    if (!started || !sender.open("weiridle")) {
        std::fprintf(
            stderr,
            "skipped: waking up: no tap: %s\n",
            started ? "" : started.error().line().c_str());
        return;
    }
    std::vector<WorkerPort> worker(1);
    worker[0].rx_id = ports.handles()[0].port_id;
    for (const Try& one : tries) {
        const std::vector<double> late =
            lateness(one.way, worker, sender, cpus, frames, one.sleep_us);
        if (static_cast<int>(late.size()) < frames) {
            std::fprintf(stderr, "skipped: waking up by %s\n", one.name);
            continue;
        }
        const std::string area = std::string("idle.wake_up.") + one.name;
        report.add({area + ".p50", percentile(late, 0.5), "us", {}, false});
        report.add({area + ".p99", percentile(late, 0.99), "us", {}, false});
        report.add({area + ".max", percentile(late, 1.0), "us", {}, false});
    }
}

// ---- the governor ---------------------------------------------------------------------------------------------------

// A chunk of polls, each a full burst, as a worker under load tells them: nanoseconds a poll.
[[nodiscard]] double governed_chunk(dataplane::Governor& governor, dataplane::Backlog& backlog) {
    constexpr std::uint32_t kPolls = 1U << 16;
    std::uint64_t changes = 0;
    const std::uint64_t start = rte_rdtsc();
    for (std::uint32_t n = 0; n < kPolls; ++n) {
        const std::uint32_t fill = backlog.permille(n % 8 == 0 ? 0 : 1, kBurst);
        changes += static_cast<std::uint64_t>(governor.note(rte_rdtsc(), fill, 20'000 + n % 64));
    }
    const double ns = static_cast<double>(rte_rdtsc() - start) * ns_per_tick() / kPolls;
    return changes > kPolls ? 0 : ns;
}

[[nodiscard]] bool measure_governor(Report& report, int rounds) {
    dataplane::Ports ports;
    if (const auto started = ports.start({{.name = "n", .device = "net_null_idle"}}, 1); !started) {
        std::fprintf(stderr, "%s\n", started.error().line().c_str());
        return false;
    }
    std::vector<WorkerPort> worker(1);
    worker[0].rx_id = ports.handles()[0].port_id;
    config::Overload overload;
    overload.enabled = true;
    dataplane::Governor governor(
        dataplane::governor_limits(overload, static_cast<double>(rte_get_tsc_hz())));
    dataplane::Backlog backlog(worker);
    std::vector<double> ns;
    for (int round = 0; round < rounds; ++round) {
        ns.push_back(governed_chunk(governor, backlog));
    }
    report.add({"idle.governor.poll", median(ns), "ns", {}, false});
    report.add({"idle.governor.packet", median(ns) / kBurst, "ns", {}, false});
    return true;
}

[[nodiscard]] int run_main(int argc, char** argv) {
    std::string json;
    int frames = 1000;
    int rounds = 101;
    CLI::App app{"What waiting for packets and being governed cost"};
    app.add_option("--json", json, "Write the results to this file");
    app.add_option("--frames", frames, "Frames a way of waiting")->check(CLI::Range(10, 10000));
    app.add_option("--rounds", rounds, "Chunks of the governor's polls")
        ->check(CLI::Range(1, 10000));
    CLI11_PARSE(app, argc, argv);
    // Before EAL has threads: the tap is this process's alone.
    const bool own_namespace = geteuid() == 0 && unshare(CLONE_NEWNET) == 0;
    // The worker's CPU is its own, if there is another one.
    const int own_cpu = sched_getcpu();
    cpu_set_t others;
    sched_getaffinity(0, sizeof(others), &others);
    if (CPU_COUNT(&others) > 1) {
        CPU_CLR(own_cpu, &others);
    }
    dataplane::EalOptions eal;
    eal.eal.hugepages = config::Hugepages::off;
    eal.eal.main_lcore = static_cast<std::uint32_t>(own_cpu);
    if (auto ok = dataplane::start_eal(eal); !ok) {
        std::fprintf(stderr, "%s\n", ok.error().line().c_str());
        return 1;
    }
    Report report;
    if (own_namespace) {
        measure_waking(report, frames, others);
    } else {
        std::fprintf(stderr, "skipped: waking up: a tap needs root\n");
    }
    if (!measure_governor(report, rounds)) {
        return 1;
    }
    return report.finish(json);
}

}  // namespace
}  // namespace weir::perf

int main(int argc, char** argv) {
    return weir::perf::run_main(argc, argv);
}
