// SPDX-License-Identifier: BSD-3-Clause
// What each action costs: nanoseconds a packet beyond the same traffic without a policy, of one worker between net_null
// ports. Before anything is timed, each case shows that it does what it says: counters and the frames that leave.
#include "config/load.h"
#include "dataplane/clock.h"
#include "dataplane/eal.h"
#include "dataplane/ports.h"
#include "dataplane/publisher.h"
#include "dataplane/rx_callback.h"
#include "dataplane/snapshot_build.h"
#include "dataplane/worker.h"
#include "perf/actions_cases.h"
#include "perf/path_models.h"
#include "perf/report.h"

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <rte_cycles.h>

#include <CLI/CLI.hpp>
#include <sched.h>
#include <unistd.h>

namespace weir::perf {
namespace {

using dataplane::DropReason;

constexpr std::uint32_t kChunkPackets = 1U << 15;
constexpr std::uint32_t kWarmPackets = 1U << 13;
constexpr double kNsPerS = 1e9;

/// One worker with its publisher. Two of them share the ports: one of them shapes.
struct Lane {
    std::unique_ptr<dataplane::Publisher> publisher;
    std::unique_ptr<dataplane::Worker> worker;
    std::uint64_t generation = 0;
};

class Bench {
  public:
    [[nodiscard]] Result<void> open(bool huge);
    [[nodiscard]] bool check(const Case& one);
    void measure(std::vector<Case>& cases, int rounds);
    [[nodiscard]] Result<void> prepare(const Case& one);

  private:
    [[nodiscard]] static Result<config::Config> config_of(const std::string& policy, bool shaped);
    [[nodiscard]] Result<void> open_lane(bool shaped);
    [[nodiscard]] double chunk(Lane& lane, std::uint32_t wanted);
    [[nodiscard]] Lane& lane_of(const Case& one) { return lanes_[one.shaped ? 1 : 0]; }

    ActionTraffic traffic_;
    dataplane::Ports ports_;
    dataplane::RxCallback callback_;
    dataplane::LinkStates links_{};
    std::unique_ptr<dataplane::TscClock> clock_;
    std::array<Lane, 2> lanes_;
    std::array<std::uint16_t, 3> ids_{};
    std::shared_ptr<const dataplane::SlotModel> model_;
    double ns_per_tick_ = 1;
};

Result<config::Config> Bench::config_of(const std::string& policy, bool shaped) {
    const std::string shaping =
        "shaping:\n"
        "  ports: [{port: out, rate_kbps: 40000000, burst_bytes: 100000}]\n"
        "  queues:\n"
        "    - {name: first, classes: [qos0, qos1], max_share: 0.4}\n"
        "    - {name: data, weight: 8, otherwise: true}\n"
        "    - {name: bulk, weight: 1, classes: [qos2]}\n"
        "  queue_packets: 4096\n"
        "  max_packets: 32768\n";
    auto config = config::load_text(
        "ports: [{name: in, device: net_null0}, {name: out, device: net_null1}, "
        "{name: mon, device: net_null2}]\n"
        "pairs: [[in, out]]\n"
        "taps: [mon]\n" +
            policy + (shaped ? shaping : ""),
        "actions.yaml");
    if (!config) {
        return tl::unexpected(config.error().front());
    }
    return std::move(*config);
}

Result<void> Bench::open(bool huge) {
    dataplane::EalOptions eal;
    eal.eal.hugepages = huge ? config::Hugepages::require : config::Hugepages::off;
    eal.eal.main_lcore = static_cast<std::uint32_t>(sched_getcpu());
    if (auto ok = dataplane::start_eal(eal); !ok) {
        return ok;
    }
    ns_per_tick_ = kNsPerS / static_cast<double>(rte_get_tsc_hz());
    std::vector<config::Port> ports(3);
    ports[0].device = "net_null_in,size=60";
    ports[1].device = "net_null_out,no-rx=1";
    ports[2].device = "net_null_mon,no-rx=1";
    for (config::Port& port : ports) {
        port.rx_descriptors = port.tx_descriptors = 512;
    }
    constexpr std::uint32_t kWaiting = 32768;
    if (auto ok = ports_.start(ports, 1, kWaiting); !ok) {
        return ok;
    }
    for (std::size_t p = 0; p < ids_.size(); ++p) {
        ids_[p] = ports_.handles()[p].port_id;
        links_[p].store(true);
    }
    if (!callback_.add(ids_[0], ActionTraffic::receive, &traffic_)) {
        return fail({}, "traffic", "no memory for a receive callback", "free some memory");
    }
    clock_ = std::make_unique<dataplane::TscClock>(
        rte_get_tsc_hz(), rte_rdtsc(), std::uint64_t{1700000000} * 1000000000);
    model_ = small_mlp("qos", spread_features(32, false), false);
    if (auto ok = open_lane(false); !ok) {
        return ok;
    }
    return open_lane(true);
}

Result<void> Bench::open_lane(bool shaped) {
    auto config = config_of("", shaped);
    if (!config) {
        return tl::unexpected(config.error());
    }
    Lane& lane = lanes_[shaped ? 1 : 0];
    dataplane::WorkerOptions options;
    options.ports = {{ids_[0], 0, 1, 0}, {ids_[1], 0, 0, 0}, {ids_[2], 0, dataplane::kNoPeer, 1}};
    options.links = &links_;
    options.flow_table = config->workers.flow_table;
    options.flow_table.capacity = kActionFlows * 16;
    options.slots = static_cast<std::uint32_t>(config->slots.size());
    options.seed = 1;
    options.pages = dataplane::TablePages::reserved;
    options.time.clock = clock_.get();
    auto shaper = dataplane::Shaper::create(*config);
    if (!shaper) {
        return tl::unexpected(shaper.error());
    }
    options.shaper = std::move(*shaper);
    auto publisher =
        dataplane::Publisher::create(1, dataplane::build_snapshot(*config, {}, lane.generation));
    if (!publisher) {
        return tl::unexpected(publisher.error());
    }
    lane.publisher = std::move(*publisher);
    auto worker = dataplane::Worker::create(std::move(options), *lane.publisher);
    if (!worker) {
        return tl::unexpected(worker.error());
    }
    lane.worker = std::move(*worker);
    return {};
}

// The case's traffic and snapshot from now on. New flows are not scored: that would be most of their cost.
Result<void> Bench::prepare(const Case& one) {
    auto config = config_of(one.policy, one.shaped);
    if (!config) {
        return tl::unexpected(config.error());
    }
    traffic_.select(one.traffic);
    Lane& lane = lane_of(one);
    lane.publisher->go_offline(0);
    lane.publisher->publish(dataplane::build_snapshot(
        *config, {nullptr, one.traffic == Traffic::fresh ? nullptr : model_}, ++lane.generation));
    return {};
}

double Bench::chunk(Lane& lane, std::uint32_t wanted) {
    const std::uint64_t start = rte_rdtsc();
    std::uint32_t packets = 0;
    while (packets < wanted) {
        packets += lane.worker->poll();
    }
    return static_cast<double>(rte_rdtsc() - start) * ns_per_tick_ / packets;
}

[[nodiscard]] std::array<std::uint64_t, 9> counts(const dataplane::WorkerStats& stats) {
    const auto drops = [&](DropReason reason) {
        return stats.drops[static_cast<std::size_t>(reason)].get();
    };
    return {
        stats.ports[0].rx_packets.get(),
        stats.ports[1].tx_packets.get() + stats.ports[0].tx_packets.get() + stats.shaper_held.get(),
        stats.marked.get(),
        stats.pcp_written.get(),
        stats.metered[0].get(),
        stats.mirrored.get(),
        stats.redirected.get(),
        drops(DropReason::policy),
        stats.resets_sent.get()};
}

// Each counter moves by what the case says for each packet, and what leaves looks as it says.
bool Bench::check(const Case& one) {
    constexpr std::array<const char*, 8> kNames{
        "sent", "marked", "tagged", "green", "mirrored", "redirected", "dropped", "resets"};
    if (auto ok = prepare(one); !ok) {
        std::fprintf(
            stderr, "bench actions: %s: %s\n", one.name.c_str(), ok.error().line().c_str());
        return false;
    }
    Lane& lane = lane_of(one);
    static_cast<void>(chunk(lane, kActionFlows * 4));  // every flow has a class
    SentWitness witness(ids_[1]);
    if (!witness.start(one.look)) {
        std::fprintf(stderr, "bench actions: ethdev takes no transmit callback\n");
        return false;
    }
    const auto before = counts(lane.worker->stats());
    static_cast<void>(chunk(lane, kChunkPackets));
    const auto after = counts(lane.worker->stats());
    witness.stop();
    const std::uint64_t packets = after[0] - before[0];
    const Effect& effect = one.effect;
    const std::array<std::uint32_t, 8> want{
        effect.sent,
        effect.marked,
        effect.tagged,
        effect.metered,
        effect.mirrored,
        effect.redirected,
        effect.dropped,
        effect.resets};
    bool good = packets >= kChunkPackets && witness.wrong() == 0 &&
                (witness.right() > 0) == (effect.sent + effect.resets > 0);
    for (std::size_t i = 0; i < want.size(); ++i) {
        const std::uint64_t got = after[i + 1] - before[i + 1];
        const bool sampled = one.name == "v4.mirror_1_in_100" && i == 4;
        const bool as_told =
            sampled ? got >= packets / 100 && got <= packets / 100 + 1 : got == want[i] * packets;
        if (!as_told) {
            std::fprintf(
                stderr,
                "bench actions: %s: %s %ju for %ju packets\n",
                one.name.c_str(),
                kNames[i],
                std::uintmax_t{got},
                std::uintmax_t{packets});
        }
        good = good && as_told;
    }
    if (!good) {
        std::fprintf(
            stderr,
            "bench actions: %s does not do what it says: %ju frames right, %ju wrong\n",
            one.name.c_str(),
            std::uintmax_t{witness.right()},
            std::uintmax_t{witness.wrong()});
    }
    return good;
}

void Bench::measure(std::vector<Case>& cases, int rounds) {
    for (int round = 0; round < rounds; ++round) {
        for (Case& one : cases) {
            if (!prepare(one)) {
                continue;  // check() has said so
            }
            Lane& lane = lane_of(one);
            static_cast<void>(chunk(lane, kWarmPackets));
            one.ns.push_back(chunk(lane, kChunkPackets));
        }
    }
}

// Differences and ratios are of the same round: what else the machine does then is common to both.
void report(const std::vector<Case>& cases, Report& out) {
    const Case* none = nullptr;
    for (const Case& one : cases) {
        const std::string name = "actions." + one.name;
        out.add({name + ".ns", median(one.ns), "ns", {}, false});
        if (one.name.ends_with(".none")) {
            none = &one;
            continue;
        }
        std::vector<double> more;
        std::vector<double> ratio;
        for (std::size_t r = 0; r < one.ns.size(); ++r) {
            more.push_back(one.ns[r] - none->ns[r]);
            ratio.push_back(one.ns[r] / none->ns[r]);
        }
        out.add({name + ".more_ns", median(more), "ns", {}, false});
        out.add({name + ".ratio", median(ratio), "x", {}, false});
    }
}

[[nodiscard]] int run_main(int argc, char** argv) {
    std::string json;
    std::string markdown;
    int rounds = 31;
    CLI::App app{"What each action costs a packet, beyond the same traffic without a policy"};
    app.add_option("--json", json, "Write the results to this file");
    app.add_option("--markdown", markdown, "Write the results as a table to this file");
    app.add_option("--rounds", rounds, "Chunks a case")->check(CLI::Range(1, 10000));
    CLI11_PARSE(app, argc, argv);
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(1, &set);
        sched_setaffinity(0, sizeof(set), &set);
    }
    const bool huge = dataplane::free_hugepages();
    std::printf("One worker, bursts of 64; mbufs on %s\n", huge ? "hugepages" : "small pages");
    Bench bench;
    if (auto ok = bench.open(huge); !ok) {
        std::fprintf(stderr, "bench actions: %s\n", ok.error().line().c_str());
        return 1;
    }
    std::vector<Case> all = action_cases();
    for (const Case& one : all) {
        if (!bench.check(one)) {
            return 1;
        }
    }
    bench.measure(all, rounds);
    Report out;
    report(all, out);
    out.print();
    const bool written = (json.empty() || out.write_json(json)) &&
                         (markdown.empty() || out.write_markdown(markdown));
    if (!written) {
        std::fprintf(stderr, "bench actions: cannot write the results\n");
    }
    return written ? 0 : 1;
}

}  // namespace
}  // namespace weir::perf

int main(int argc, char** argv) {
    return weir::perf::run_main(argc, argv);
}
