// SPDX-License-Identifier: BSD-3-Clause
#include "perf/path_lane.h"

#include "config/load.h"
#include "control/app/models.h"
#include "dataplane/clock.h"
#include "dataplane/eal.h"
#include "dataplane/gateway.h"
#include "dataplane/ports.h"
#include "dataplane/publisher.h"
#include "dataplane/rx_callback.h"
#include "dataplane/snapshot_build.h"
#include "dataplane/stage_cycles.h"
#include "dataplane/worker.h"
#include "perf/path_latency.h"
#include "perf/path_models.h"
#include "perf/path_traffic.h"
#include "perf/report.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <sched.h>

namespace weir::perf {
namespace {

using dataplane::SlotModel;
using Models = std::vector<std::shared_ptr<const SlotModel>>;

constexpr double kNsPerS = 1e9;
constexpr std::uint32_t kChunkPackets = 1U << 16;  // the steady state, not the switch to it
constexpr std::uint32_t kWarmPackets = 1U << 14;   // fills the caches with what the case uses
constexpr std::uint16_t kBurst = 64;
constexpr std::uint32_t kMostEmptyPolls = 1U << 24;  // in a row: the source is broken

struct Case {
    std::string name;
    Models models;
    std::vector<double> ns;  ///< a packet, by chunk
    std::vector<dataplane::SlotTrials> trials{};
};

std::uint16_t write_trace(
    std::uint16_t,
    std::uint16_t,
    rte_mbuf* packets[],
    std::uint16_t count,
    std::uint16_t,
    void* trace) {
    static_cast<Trace*>(trace)->fill(packets, count);
    return count;
}

// The tenth of the chunks that were disturbed least.
[[nodiscard]] double quiet(std::vector<double> ns) {
    std::sort(ns.begin(), ns.end());
    return ns.empty() ? 0 : ns[ns.size() / 10];
}

class Lane {
  public:
    [[nodiscard]] Result<void> open(const LaneOptions& options);
    void measure(const LaneOptions& options);
    void measure_paced(const LaneOptions& options);

  private:
    [[nodiscard]] Result<void> open_worker(const LaneOptions& options);
    [[nodiscard]] Result<void> add_cases();
    void add_trial_cases();
    void publish(const Models& models, const std::vector<dataplane::SlotTrials>& trials = {});
    [[nodiscard]] double chunk(std::uint32_t wanted = kChunkPackets);
    [[nodiscard]] double forward_chunk(std::uint32_t wanted = kChunkPackets);
    [[nodiscard]] double bare_chunk();
    void warm(const LaneOptions& options);
    void report_case(const Case& one, const LaneOptions& options) const;
    void report_stages(const LaneOptions& options);

    dataplane::Ports ports_;
    dataplane::LinkStates links_{};
    config::Config config_ = config::defaults();
    std::unique_ptr<Trace> trace_;
    std::unique_ptr<PacedSource> paced_;  // with options.latency
    dataplane::RxCallback callback_;      // after the ports it is for and the trace it reads
    std::unique_ptr<dataplane::TscClock> clock_;
    std::unique_ptr<dataplane::Publisher> publisher_;
    std::unique_ptr<dataplane::Worker> worker_;
    dataplane::StageCycles stages_{};
    std::vector<Case> cases_;
    std::uint64_t generation_ = 1;
    std::uint16_t in_ = 0;
    std::uint16_t out_ = 0;
    double ns_per_tick_ = 1;
};

Result<void> Lane::open(const LaneOptions& options) {
    dataplane::EalOptions eal;
    eal.eal.hugepages = options.huge ? config::Hugepages::require : config::Hugepages::off;
    eal.eal.main_lcore = static_cast<std::uint32_t>(sched_getcpu());
    if (auto ok = dataplane::start_eal(eal); !ok) {
        return ok;
    }
    ns_per_tick_ = kNsPerS / static_cast<double>(rte_get_tsc_hz());
    std::vector<config::Port> ports(2);
    const std::string size = "size=" + std::to_string(Trace::kFrameBytes);
    ports[0].device = options.pcap.empty()
                          ? "net_null_in," + size
                          : "net_pcap_in,rx_pcap=" + options.pcap + ",infinite_rx=1";
    ports[1].device = "net_null_out,no-rx=1";
    for (config::Port& port : ports) {
        port.rx_descriptors = 512;
        port.tx_descriptors = 512;
    }
    // With infinite_rx the driver keeps a copy of the whole capture.
    constexpr std::uint32_t kCaptureMbufs = 16384;
    if (auto ok = ports_.start(ports, 1, options.pcap.empty() ? 0 : kCaptureMbufs); !ok) {
        return ok;
    }
    in_ = ports_.handles()[0].port_id;
    out_ = ports_.handles()[1].port_id;
    if (options.pcap.empty()) {
        TraceOptions trace{options.flows, options.hosts, options.hosts / 16, options.zipf};
        trace.flood = options.flood;
        trace_ = std::make_unique<Trace>(trace);
        paced_ = options.latency ? std::make_unique<PacedSource>(*trace_) : nullptr;
        if (!(paced_ != nullptr ? callback_.add(in_, PacedSource::receive, paced_.get())
                                : callback_.add(in_, write_trace, trace_.get()))) {
            return fail({}, "trace", "no memory for a receive callback", "free some memory");
        }
    }
    if (auto ok = open_worker(options); !ok) {
        return ok;
    }
    if (options.trials) {
        add_trial_cases();
    } else if (auto ok = add_cases(); !ok) {
        return ok;
    }
    if (!options.only_case.empty()) {
        std::erase_if(cases_, [&](const Case& one) { return one.name != options.only_case; });
    }
    if (cases_.empty()) {
        return fail(
            {}, "case", "'" + options.only_case + "' is none", "use no_models … default_both");
    }
    return {};
}

Result<void> Lane::open_worker(const LaneOptions& options) {
    clock_ = std::make_unique<dataplane::TscClock>(
        rte_get_tsc_hz(), rte_rdtsc(), std::uint64_t{1700000000} * 1000000000);
    links_[0].store(true);
    links_[1].store(true);
    dataplane::WorkerOptions worker;
    worker.burst = kBurst;
    worker.gather_us = options.gather_us;
    worker.ports = {{in_, 0, 1, 0}, {out_, 0, 0, 0}};
    worker.links = &links_;
    worker.flow_table = config_.workers.flow_table;
    worker.flow_table.capacity = options.capacity != 0 ? options.capacity : options.flows * 2;
    // Hosts of both sides at half load, as the flows.
    const std::uint32_t hosts =
        options.hosts != 0 ? options.hosts + options.hosts / 16 : options.flows * 2;
    worker.flow_table.host_capacity = std::bit_ceil(hosts) * 2;
    worker.slots = static_cast<std::uint32_t>(config_.slots.size());
    worker.seed = 1;
    worker.pages = dataplane::TablePages::reserved;
    worker.time.clock = clock_.get();
    worker.stages = options.latency ? nullptr : &stages_;
    worker.idle =
        dataplane::idle_limits(config_.workers.idle, static_cast<double>(rte_get_tsc_hz()));
    for (config::Slot& slot : config_.slots) {
        slot.cadence.kind = config::CadenceKind::every_packet;
        slot.model = "default";
    }
    auto publisher =
        dataplane::Publisher::create(1, dataplane::build_snapshot(config_, {}, generation_));
    if (!publisher) {
        return tl::unexpected(publisher.error());
    }
    publisher_ = std::move(*publisher);
    auto created = dataplane::Worker::create(std::move(worker), *publisher_);
    if (!created) {
        return tl::unexpected(created.error());
    }
    worker_ = std::move(*created);
    return {};
}

// The slots' order is the configuration's: anomaly, then qos.
Result<void> Lane::add_cases() {
    constexpr std::uint32_t kInputs = 32;
    const auto flow_features = spread_features(kInputs, false);
    const auto all_features = spread_features(kInputs, true);
    auto defaults = app::load_models(config_, {}, {}, {});
    if (!defaults) {
        return tl::unexpected(defaults.error());
    }
    const std::string& anomaly = config_.slots[0].name;
    const std::string& qos = config_.slots[1].name;
    cases_.push_back({"no_models", {nullptr, nullptr}, {}});
    cases_.push_back({"mlp", {nullptr, small_mlp(qos, flow_features, false)}, {}});
    cases_.push_back({"mlp_hosts", {small_mlp(anomaly, all_features, true), nullptr}, {}});
    cases_.push_back(
        {"small_both",
         {small_forest(anomaly, all_features), small_mlp(qos, flow_features, false)},
         {}});
    cases_.push_back({"default_both", *defaults, {}});
    return {};
}

// The same two models in each; what changes is who is on trial beside the first.
void Lane::add_trial_cases() {
    constexpr std::uint32_t kInputs = 32;
    const auto features = spread_features(kInputs, false);
    const std::string& anomaly = config_.slots[0].name;
    const Models both{
        small_mlp(anomaly, features, true), small_mlp(config_.slots[1].name, features, false)};
    const dataplane::Trial trial{small_mlp(anomaly, features, true), 1, 0};
    dataplane::SlotTrials judged;
    judged.judged = true;
    dataplane::SlotTrials shadow;
    shadow.trials = {trial};
    dataplane::SlotTrials canary = shadow;
    canary.canary = 0;
    canary.share = {1, (std::uint64_t{1} << 32) / 20};
    cases_.push_back({"never", both, {}});
    cases_.push_back({"shadow", both, {}, {shadow}});
    cases_.push_back({"after", both, {}});  // what was on trial is gone
    cases_.push_back({"canary", both, {}, {canary}});
    cases_.push_back({"probation", both, {}, {judged}});
}

void Lane::publish(const Models& models, const std::vector<dataplane::SlotTrials>& trials) {
    publisher_->go_offline(0);  // the worker is between polls: nobody holds the old one
    publisher_->publish(
        dataplane::build_snapshot(config_, models, ++generation_, nullptr, {}, trials));
}

// Nanoseconds a packet of a chunk of the worker's polls.
double Lane::chunk(std::uint32_t wanted) {
    const std::uint64_t start = rte_rdtsc();
    std::uint32_t packets = 0;
    for (std::uint32_t empty = 0; packets < wanted && empty < kMostEmptyPolls; ++empty) {
        const std::uint32_t got = worker_->poll();
        packets += got;
        empty = got != 0 ? 0 : empty;
    }
    if (packets < wanted) {
        std::fprintf(stderr, "the source gives no packets: too few buffers for the capture?\n");
        std::exit(1);
    }
    return static_cast<double>(rte_rdtsc() - start) * ns_per_tick_ / packets;
}

// The same of forwarding alone: the source, and what io forwarding costs.
double Lane::forward_chunk(std::uint32_t wanted) {
    const std::uint64_t start = rte_rdtsc();
    std::uint32_t packets = 0;
    std::array<rte_mbuf*, kBurst> burst{};
    while (packets < wanted) {
        const std::uint16_t got = rte_eth_rx_burst(in_, 0, burst.data(), kBurst);
        const std::uint16_t sent = rte_eth_tx_burst(out_, 0, burst.data(), got);
        if (sent < got) {
            rte_pktmbuf_free_bulk(burst.data() + sent, got - sent);
        }
        packets += got;
    }
    return static_cast<double>(rte_rdtsc() - start) * ns_per_tick_ / packets;
}

// The same without headers written: what io costs beside the source.
double Lane::bare_chunk() {
    trace_->pause(true);
    static_cast<void>(forward_chunk(kWarmPackets));
    const double ns = forward_chunk();
    trace_->pause(false);
    return ns;
}

// Until most flows have been seen: two packets a flow leave out 14 % of a uniform choice.
void Lane::warm(const LaneOptions& options) {
    constexpr std::uint64_t kPerFlow = 2;
    const std::uint64_t wanted =
        options.flood ? worker_->flows().capacity() * 2 : options.flows * kPerFlow;
    publish({nullptr, nullptr});
    for (std::uint64_t seen = 0; seen < wanted; seen += kChunkPackets) {
        static_cast<void>(chunk());
    }
}

void Lane::measure(const LaneOptions& options) {
    warm(options);
    Case io{"io", {}, {}};
    Case bare{"io_without_source", {}, {}};
    for (int round = 0; round < options.rounds; ++round) {
        static_cast<void>(forward_chunk(kWarmPackets));
        io.ns.push_back(forward_chunk());
        if (trace_ != nullptr) {
            bare.ns.push_back(bare_chunk());
        }
        for (Case& one : cases_) {
            publish(one.models, one.trials);
            static_cast<void>(chunk(kWarmPackets));
            one.ns.push_back(chunk());
        }
    }
    print_row("flows_live", static_cast<double>(worker_->flows().live()), "flows");
    if (trace_ != nullptr) {
        print_row("source.ns", median(io.ns) - median(bare.ns), "ns");
    }
    report_case(io, options);
    for (const Case& one : cases_) {
        report_case(one, options);
    }
    report_stages(options);
}

void Lane::report_case(const Case& one, const LaneOptions& options) const {
    const double ns = median(one.ns);
    print_row(one.name + ".ns", ns, "ns");
    print_row(one.name + ".ns_quiet", quiet(one.ns), "ns");
    print_row(one.name, 1000 / ns, "Mpps");
    if (!options.pcap.empty()) {
        const auto& in = worker_->stats().ports[0];
        const double mean_bytes =
            static_cast<double>(in.rx_bytes.get()) / static_cast<double>(in.rx_packets.get());
        print_row(one.name + ".bits", mean_bytes * 8 / ns, "Gb/s");
    }
}

// Time by stage of each case, in nanoseconds a packet.
void Lane::report_stages(const LaneOptions& options) {
    for (const Case& one : cases_) {
        publish(one.models, one.trials);
        std::array<std::vector<double>, dataplane::kStages> ns;
        for (int n = 0; n < options.rounds; ++n) {
            static_cast<void>(chunk(kWarmPackets));
            stages_.fill(0);
            static_cast<void>(chunk());
            for (std::size_t s = 0; s < dataplane::kStages; ++s) {
                ns[s].push_back(static_cast<double>(stages_[s]) * ns_per_tick_ / kChunkPackets);
            }
        }
        for (std::size_t s = 0; s < dataplane::kStages; ++s) {
            print_row(one.name + ".stage_" + dataplane::kStageNames[s], median(ns[s]), "ns");
        }
    }
}

// Until the flows are known, at full speed, then paced.
void Lane::measure_paced(const LaneOptions& options) {
    warm(options);
    publish(cases_.back().models);
    std::vector<double> free_ns;
    for (int round = 0; round < options.rounds; ++round) {
        static_cast<void>(chunk(kWarmPackets));
        free_ns.push_back(chunk());
    }
    measure_delays(
        {*worker_, *paced_, callback_, in_, ns_per_tick_, options.rounds}, median(free_ns));
}

}  // namespace

void print_row(const std::string& name, double value, const char* unit) {
    std::printf("row %s %.4f %s\n", name.c_str(), value, unit);
    std::fflush(stdout);
}

int run_lane(const LaneOptions& options) {
    Lane lane;
    if (auto ok = lane.open(options); !ok) {
        std::fprintf(stderr, "%s\n", ok.error().line().c_str());
        return 1;
    }
    options.latency ? lane.measure_paced(options) : lane.measure(options);
    return 0;
}

}  // namespace weir::perf
