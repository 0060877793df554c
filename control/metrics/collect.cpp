// SPDX-License-Identifier: BSD-3-Clause
#include "control/metrics/collect.h"

#include "control/metrics/table.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>

namespace weir::control {

namespace {

using dataplane::WorkerStats;
using Families = std::vector<prometheus::MetricFamily>;

prometheus::MetricType library_type(MetricType type) {
    switch (type) {
        case MetricType::counter:
            return prometheus::MetricType::Counter;
        case MetricType::gauge:
            return prometheus::MetricType::Gauge;
        case MetricType::histogram:
            return prometheus::MetricType::Histogram;
    }
    return prometheus::MetricType::Untyped;
}

/// Fills families by the table: label names come from there, in its order.
class Scrape {
  public:
    Scrape() {
        families_.reserve(kMetrics);
        for (const auto& info : kMetricTable) {
            families_.push_back(
                {std::string(info.name), std::string(info.help), library_type(info.type), {}});
        }
    }

    void add(Metric metric, std::initializer_list<std::string> labels, double value) {
        auto& sample = sample_of(metric, labels);
        sample.counter.value = value;
        sample.gauge.value = value;
    }
    void add(Metric metric, std::initializer_list<std::string> labels, std::uint64_t value) {
        add(metric, labels, static_cast<double>(value));
    }
    void add(
        Metric metric, std::initializer_list<std::string> labels, const dataplane::Counter& value) {
        add(metric, labels, value.get());
    }
    [[nodiscard]] prometheus::ClientMetric& sample_of(
        Metric metric, std::initializer_list<std::string> labels) {
        auto& sample = families_[static_cast<std::size_t>(metric)].metric.emplace_back();
        auto name = metric_info(metric).labels.begin();
        for (const auto& value : labels) {
            sample.label.push_back({std::string(*name++), value});
        }
        return sample;
    }
    [[nodiscard]] Families take() { return std::move(families_); }

  private:
    Families families_;
};

constexpr std::array<std::string_view, static_cast<std::size_t>(dataplane::ParseResult::count_)>
    kParseResults{"flow", "other", "truncated", "malformed", "unsupported"};

void add_burst_cycles(Scrape& out, const std::string& worker, const WorkerStats& stats) {
    auto& histogram = out.sample_of(Metric::burst_cycles, {worker}).histogram;
    // The count is the buckets' sum, so the two agree whatever the worker does meanwhile.
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < stats.burst_cycles.size(); ++i) {
        sum += stats.burst_cycles[i].get();
        const bool last = i >= dataplane::kBurstCycleBounds.size();
        const double bound = last ? std::numeric_limits<double>::infinity()
                                  : static_cast<double>(dataplane::kBurstCycleBounds[i]);
        histogram.bucket.push_back({sum, bound});
    }
    histogram.sample_count = sum;
    histogram.sample_sum = static_cast<double>(stats.burst_cycles_sum.get());
}

/// Bounds of weir_added_latency_seconds.
constexpr std::array kLatencyBounds{
    1e-6, 2e-6, 5e-6, 10e-6, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3};

void add_latency(Scrape& out, const std::string& worker, const WorkerStats& stats, double tsc_hz) {
    dataplane::LatencyCounts counts{};
    stats.latency.add_to(counts);
    auto& histogram = out.sample_of(Metric::added_latency, {worker}).histogram;
    std::uint64_t sum = 0;
    std::size_t i = 0;
    for (const double bound : kLatencyBounds) {
        const double ticks = bound * tsc_hz;
        for (; i < counts.size() &&
               static_cast<double>(dataplane::LatencyBuckets::highest(i)) <= ticks;
             ++i) {
            sum += counts[i];
        }
        histogram.bucket.push_back({sum, bound});
    }
    for (; i < counts.size(); ++i) {
        sum += counts[i];
    }
    histogram.bucket.push_back({sum, std::numeric_limits<double>::infinity()});
    histogram.sample_count = sum;
    histogram.sample_sum = static_cast<double>(stats.latency.ticks.get()) / tsc_hz;
}

void add_overload(Scrape& out, const std::string& worker, const WorkerStats& stats) {
    out.add(Metric::overload_step, {worker}, stats.shed_step);
    out.add(Metric::overload_changes, {worker}, stats.shed_changes);
    for (std::size_t step = 1; step < dataplane::kShedSteps; ++step) {
        out.add(
            Metric::unscored_packets,
            {dataplane::kShedStepNames[step], worker},
            stats.unscored[step]);
    }
}

void add_enforcement(Scrape& out, const std::string& worker, const WorkerStats& stats) {
    constexpr std::array<const char*, 3> kColours{"green", "yellow", "red"};
    for (std::size_t c = 0; c < kColours.size(); ++c) {
        out.add(Metric::metered_packets, {kColours[c], worker}, stats.metered[c]);
    }
    out.add(Metric::policy_observed, {worker}, stats.policy_observed);
    out.add(Metric::override_allowed, {worker}, stats.override_allowed);
    out.add(Metric::pcp_packets, {worker}, stats.pcp_written);
    out.add(Metric::inner_marked_packets, {worker}, stats.inner_marked);
    out.add(Metric::mirrored_packets, {worker}, stats.mirrored);
    out.add(Metric::mirror_lost, {worker}, stats.mirror_lost);
    out.add(Metric::resets_sent, {worker}, stats.resets_sent);
    out.add(Metric::resets_lost, {worker}, stats.resets_lost);
    out.add(Metric::redirected_packets, {worker}, stats.redirected);
    out.add(Metric::softened_packets, {worker}, stats.softened);
    out.add(Metric::enforcement_level, {worker}, stats.enforcement_level);
    out.add(Metric::enforcement_steps, {worker}, stats.enforcement_steps);
}

void add_shaper(Scrape& out, const std::string& worker, const dataplane::WorkerInfo& info) {
    bool shaped = false;
    for (std::size_t q = 0; q < info.shaper_queues.size(); ++q) {
        const std::string& queue = info.shaper_queues[q];
        if (queue.empty()) {
            continue;
        }
        shaped = true;
        const dataplane::ShaperQueueStats& counts = info.stats->shaper[q];
        out.add(Metric::shaper_packets, {queue, worker}, counts.packets);
        out.add(Metric::shaper_bytes, {queue, worker}, counts.bytes);
        out.add(Metric::shaper_dropped, {queue, "full", worker}, counts.full);
        out.add(Metric::shaper_dropped, {queue, "early", worker}, counts.early);
        out.add(Metric::shaper_congestion, {queue, worker}, counts.congestion_marked);
    }
    if (shaped) {
        out.add(Metric::shaper_held, {worker}, info.stats->shaper_held);
    }
}

void add_worker(
    Scrape& out, const dataplane::WorkerInfo& info, const ViewState& state, double tsc_hz) {
    const std::string worker = std::to_string(info.index);
    const WorkerStats& stats = *info.stats;
    for (std::size_t p = 0; p < state.ports.size() && p < stats.ports.size(); ++p) {
        const auto& port = state.ports[p].name;
        out.add(Metric::rx_packets, {port, worker}, stats.ports[p].rx_packets);
        out.add(Metric::rx_bytes, {port, worker}, stats.ports[p].rx_bytes);
        out.add(Metric::tx_packets, {port, worker}, stats.ports[p].tx_packets);
        out.add(Metric::tx_bytes, {port, worker}, stats.ports[p].tx_bytes);
    }
    for (const auto& reason : dataplane::kDropReasonTable) {
        out.add(
            Metric::dropped_packets,
            {std::string(reason.name), worker},
            stats.drops[static_cast<std::size_t>(reason.reason)]);
    }
    for (std::size_t r = 0; r < kParseResults.size(); ++r) {
        out.add(Metric::parsed_packets, {std::string(kParseResults[r]), worker}, stats.parsed[r]);
    }
    for (std::size_t k = 0; k < stats.fragments.size(); ++k) {
        out.add(Metric::fragments, {dataplane::kFragmentKindNames[k], worker}, stats.fragments[k]);
    }
    for (std::size_t s = 0; s < state.slots.size() && s < stats.slots.size(); ++s) {
        out.add(Metric::scored_rows, {state.slots[s], worker}, stats.slots[s].scored);
        out.add(Metric::verdict_changes, {state.slots[s], worker}, stats.slots[s].changes);
    }
    add_burst_cycles(out, worker, stats);
    add_latency(out, worker, stats, tsc_hz);
    add_overload(out, worker, stats);
    out.add(Metric::marked_packets, {worker}, stats.marked);
    add_enforcement(out, worker, stats);
    add_shaper(out, worker, info);
    out.add(Metric::idle_polls, {worker}, stats.idle_polls);
    out.add(Metric::sleeps, {worker}, stats.sleeps);
    out.add(Metric::flows, {worker}, stats.flows_live);
    out.add(Metric::flow_table_capacity, {worker}, static_cast<double>(info.flow_capacity));
    out.add(Metric::flows_created, {worker}, stats.flows_created);
    out.add(Metric::flows_expired, {worker}, stats.flows_expired);
    out.add(Metric::flow_evictions, {worker}, stats.flows_evicted);
    out.add(Metric::flows_refused, {worker}, stats.flows_refused);
    out.add(Metric::hosts, {worker}, stats.hosts_live);
    out.add(Metric::host_evictions, {worker}, stats.hosts_evicted);
    out.add(Metric::events_lost, {worker}, stats.events_lost);
    out.add(Metric::worker_snapshot_generation, {worker}, stats.snapshot_generation);
}

void add_trial(Scrape& out, const GatewayView& view, std::size_t slot, const TrialView& trial) {
    const auto& key = trial.info.key;
    const auto workers = view.fixed().workers;
    const auto pairs = read_pairs(workers, slot, trial.pair_block);
    const auto rows = read_outcomes(workers, slot, trial.block).since(trial.base->outcomes).rows;
    const std::string version = std::to_string(key.version);
    const std::string stage(stage_name(trial.info.stage));
    out.add(Metric::trial_rows, {key.slot, key.name, version, stage}, rows);
    out.add(
        Metric::trial_disagreements,
        {key.slot, key.name, version, stage},
        disagreements(pairs) - disagreements(trial.base->pairs));
    out.add(
        Metric::trial_share,
        {key.slot, key.name, version, stage},
        static_cast<double>(trial.info.canary_permyriad) / kWholeShare);
}

void add_models(Scrape& out, const GatewayView& view, const ViewState& state) {
    const auto now = unix_now();
    for (std::size_t s = 0; s < state.slots.size(); ++s) {
        const auto& slot = state.slots[s];
        out.add(Metric::model_swaps, {slot}, state.swaps[s]);
        if (const auto& model = state.active[s]) {
            out.add(
                Metric::model_info,
                {slot, model->key.name, std::to_string(model->key.version), model->signer},
                1.0);
            out.add(Metric::model_age, {slot}, static_cast<double>(now - model->created_unix));
            out.add(Metric::model_active, {slot}, static_cast<double>(now - model->activated_unix));
        }
    }
    for (std::size_t s = 0; s < state.use.size() && s < state.slots.size(); ++s) {
        out.add(Metric::model_stale, {state.slots[s]}, state.use[s].stale ? 1.0 : 0.0);
        for (const auto& trial : state.use[s].trials) {
            add_trial(out, view, s, trial);
        }
    }
    for (std::size_t s = 0; s < state.breaches.size(); ++s) {
        out.add(Metric::guardrail_breaches, {state.slots[s]}, state.breaches[s].count);
    }
    for (const auto& total : view.ledger().totals()) {
        out.add(
            Metric::verdicts,
            {total.slot, total.cls, total.model, std::to_string(total.version)},
            total.rows);
    }
}

void add_ports(Scrape& out, const ViewState& state) {
    for (const auto& port : state.ports) {
        out.add(Metric::port_link_up, {port.name}, port.link_up ? 1.0 : 0.0);
        out.add(Metric::port_speed, {port.name}, static_cast<double>(port.link_mbps) * 125'000.0);
        out.add(Metric::port_rx_missed, {port.name}, port.rx_missed);
        out.add(Metric::port_rx_errors, {port.name}, port.rx_errors);
        out.add(Metric::port_rx_nombuf, {port.name}, port.rx_nombuf);
    }
}

// What it lost is in no worker's counts: with these rows, received is sent and dropped again.
void add_distributor(Scrape& out, const ViewState& state) {
    constexpr const char* kName = "distributor";
    const dataplane::DistributorInfo& info = *state.distributor;
    std::uint64_t lost = 0;
    for (std::size_t p = 0; p < state.ports.size() && p < info.ports.size(); ++p) {
        const auto& port = state.ports[p].name;
        out.add(Metric::rx_packets, {port, kName}, info.ports[p].lost);
        out.add(Metric::rx_bytes, {port, kName}, info.ports[p].lost_bytes);
        out.add(Metric::distributor_received, {port}, info.ports[p].received);
        out.add(Metric::distributor_sent, {port}, info.ports[p].sent);
        lost += info.ports[p].lost;
    }
    const auto reason = dataplane::drop_reason_name(dataplane::DropReason::distributor_full);
    out.add(Metric::dropped_packets, {std::string(reason), kName}, lost);
    out.add(Metric::sleeps, {kName}, info.sleeps);
    out.add(Metric::distributor_room, {}, static_cast<double>(info.room));
    for (std::size_t w = 0; w < info.workers.size(); ++w) {
        const std::string worker = std::to_string(w);
        out.add(Metric::distributor_handed, {worker}, info.workers[w].handed);
        out.add(
            Metric::distributor_waiting, {worker}, static_cast<double>(info.workers[w].waiting));
    }
}

void add_exports(Scrape& out, const ExportTotals* exports) {
    constexpr auto kRelaxed = std::memory_order_relaxed;
    for (std::size_t e = 0; exports != nullptr && e < exports->size(); ++e) {
        const std::string name(kExportTargets[e]);
        const ExportCounters& counters = (*exports)[e];
        out.add(Metric::export_records, {name}, counters.exported.load(kRelaxed));
        out.add(Metric::export_dropped, {name}, counters.dropped.load(kRelaxed));
        out.add(Metric::export_failed, {name}, counters.failed.load(kRelaxed));
        out.add(Metric::export_rotations, {name}, counters.rotations.load(kRelaxed));
    }
}

}  // namespace

std::vector<prometheus::MetricFamily> collect_metrics(
    const GatewayView& view, const ExportTotals* exports) {
    const auto state = view.state();
    const auto& fixed = view.fixed();
    Scrape out;
    out.add(Metric::build_info, {fixed.version}, 1.0);
    out.add(Metric::start_time, {}, static_cast<double>(view.start_unix()));
    out.add(Metric::tsc_hertz, {}, fixed.tsc_hz);
    for (const auto& worker : fixed.workers) {
        add_worker(out, worker, *state, fixed.tsc_hz);
    }
    add_models(out, view, *state);
    add_ports(out, *state);
    if (state->distributor) {
        add_distributor(out, *state);
    }
    out.add(Metric::snapshots, {}, state->snapshots);
    out.add(Metric::snapshot_generation, {}, state->generation);
    out.add(Metric::reload_successful, {}, state->reload_ok ? 1.0 : 0.0);
    out.add(Metric::reload_time, {}, static_cast<double>(state->reload_ok_unix));
    out.add(Metric::audit_failures, {}, state->audit_failures);
    add_exports(out, exports);
    for (const auto kind : {dataplane::OverrideKind::block, dataplane::OverrideKind::allow}) {
        const auto count = std::count_if(
            state->overrides.begin(), state->overrides.end(), [&](const Override& override) {
                return override.rule.kind == kind;
            });
        out.add(Metric::overrides, {std::string(kind_name(kind))}, static_cast<double>(count));
    }
    out.add(Metric::tail_lost, {"ring"}, state->tail_losses.ring);
    out.add(Metric::tail_lost, {"reader"}, state->tail_losses.reader);
    return out.take();
}

}  // namespace weir::control
