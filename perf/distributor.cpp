// SPDX-License-Identifier: BSD-3-Clause
// What the software distributor costs a packet: receiving, parsing, hashing, handing over, to 1, 2 and 4 workers whose
// rings are emptied outside the measurement. It bounds how many workers one distributor can feed.
#include "dataplane/distributor.h"

#include "config/config.h"
#include "dataplane/clock.h"
#include "dataplane/eal.h"
#include "dataplane/ports.h"
#include "dataplane/rx_callback.h"
#include "perf/path_traffic.h"
#include "perf/report.h"

#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <CLI/CLI.hpp>
#include <sched.h>

namespace weir::perf {
namespace {

constexpr std::uint32_t kPollsAChunk = 8;  // 64 packets each: a ring holds them all
constexpr std::uint32_t kChunksAMedian = 64;
constexpr std::array<std::uint32_t, 3> kWorkers{1, 2, 4};

std::uint16_t write_trace(
    std::uint16_t,
    std::uint16_t,
    rte_mbuf** packets,
    std::uint16_t count,
    std::uint16_t,
    void* trace) {
    static_cast<Trace*>(trace)->fill(packets, count);
    return count;
}

// One distributor, and the rings of its workers as ports.
struct Bench {
    std::unique_ptr<dataplane::Distributor> distributor;
    std::vector<std::vector<dataplane::WorkerPort>> workers;
    std::uint64_t emptied = 0;

    [[nodiscard]] bool create(
        std::uint16_t port, std::uint32_t count, const dataplane::TscClock& clock) {
        dataplane::DistributorOptions options;
        options.ports = {{port, 1, false}};
        options.workers = count;
        options.seed = 1;
        options.clock = &clock;
        auto created = dataplane::Distributor::create(options);
        if (!created) {
            std::fprintf(stderr, "%s\n", created.error().line().c_str());
            return false;
        }
        distributor = std::move(*created);
        for (std::uint32_t w = 0; w < count; ++w) {
            std::vector<dataplane::WorkerPort>& ports = workers.emplace_back(1);
            distributor->wire(w, ports);
        }
        return true;
    }

    // Nanoseconds a packet of one chunk.
    [[nodiscard]] double chunk() {
        std::uint64_t moved = 0;
        const std::uint64_t start = rte_rdtsc();
        for (std::uint32_t n = 0; n < kPollsAChunk; ++n) {
            moved += distributor->poll();
        }
        const auto ticks = static_cast<double>(rte_rdtsc() - start);
        for (const auto& ports : workers) {
            std::array<rte_mbuf*, 64> packets;
            while (const std::uint16_t got = rte_eth_rx_burst(
                       ports[0].rx_id, ports[0].rx_queue, packets.data(), packets.size())) {
                rte_pktmbuf_free_bulk(packets.data(), got);
                emptied += got;
            }
        }
        return ticks * 1e9 / static_cast<double>(rte_get_tsc_hz()) / static_cast<double>(moved);
    }

    [[nodiscard]] bool nothing_lost() const {
        const auto& port = distributor->stats().ports[0];
        return port.lost.get() == 0 && port.received.get() == emptied;
    }
};

[[nodiscard]] int run_main(int argc, char** argv) {
    std::string json;
    int rounds = 101;
    std::uint32_t flows = 1U << 16;
    CLI::App app{"The software distributor"};
    app.add_option("--json", json, "Write the results to this file");
    app.add_option("--rounds", rounds, "Medians a case")->check(CLI::Range(1, 100000));
    app.add_option("--flows", flows, "Flows of the traffic");
    CLI11_PARSE(app, argc, argv);
    dataplane::EalOptions eal;
    eal.eal.hugepages = config::Hugepages::automatic;
    eal.eal.main_lcore = static_cast<std::uint32_t>(sched_getcpu());
    if (auto ok = dataplane::start_eal(eal); !ok) {
        std::fprintf(stderr, "%s\n", ok.error().line().c_str());
        return 1;
    }
    dataplane::Ports ports;
    std::vector<config::Port> devices(1);
    devices[0].device = "net_null_in,size=" + std::to_string(Trace::kFrameBytes);
    if (auto ok = ports.start(devices, 1); !ok) {
        std::fprintf(stderr, "%s\n", ok.error().line().c_str());
        return 1;
    }
    const std::uint16_t port = ports.handles()[0].port_id;
    Trace trace({flows, flows, flows / 16, false});
    dataplane::RxCallback callback;
    if (!callback.add(port, write_trace, &trace)) {
        std::fprintf(stderr, "no memory for a receive callback\n");
        return 1;
    }
    const dataplane::TscClock clock(rte_get_tsc_hz(), rte_rdtsc(), 0);
    std::array<Bench, kWorkers.size()> benches;
    for (std::size_t n = 0; n < kWorkers.size(); ++n) {
        if (!benches[n].create(port, kWorkers[n], clock)) {
            return 1;
        }
    }
    std::array<std::vector<double>, kWorkers.size()> ns;
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t n = 0; n < kWorkers.size(); ++n) {
            std::vector<double> chunks;
            for (std::uint32_t c = 0; c < kChunksAMedian; ++c) {
                chunks.push_back(benches[n].chunk());
            }
            ns[n].push_back(median(chunks));
        }
    }
    Report report;
    for (std::size_t n = 0; n < kWorkers.size(); ++n) {
        if (!benches[n].nothing_lost()) {
            std::fprintf(stderr, "packets were lost: nothing was measured\n");
            return 1;
        }
        const std::string area = "distributor.workers_" + std::to_string(kWorkers[n]);
        report.add({area + ".ns", median(ns[n]), "ns", {}, false});
        report.add({area, 1000 / median(ns[n]), "Mpps", {}, true});
    }
    return report.finish(json);
}

}  // namespace
}  // namespace weir::perf

int main(int argc, char** argv) {
    return weir::perf::run_main(argc, argv);
}
