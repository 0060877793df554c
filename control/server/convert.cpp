// SPDX-License-Identifier: BSD-3-Clause
#include "control/server/convert.h"

#include "dataplane/drop_reason.h"
#include "dataplane/idle_wait.h"
#include "dataplane/snapshot_build.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <utility>

#include <unistd.h>

namespace weir::control {

namespace {

v1::ModelStage wire(Stage stage) {
    switch (stage) {
        case Stage::verified:
            return v1::MODEL_STAGE_VERIFIED;
        case Stage::shadow:
            return v1::MODEL_STAGE_SHADOW;
        case Stage::canary:
            return v1::MODEL_STAGE_CANARY;
        case Stage::active:
            return v1::MODEL_STAGE_ACTIVE;
        case Stage::retired:
            return v1::MODEL_STAGE_RETIRED;
    }
    return v1::MODEL_STAGE_UNSPECIFIED;
}

v1::ModelSource wire(Source source) {
    switch (source) {
        case Source::builtin:
            return v1::MODEL_SOURCE_DEFAULT;
        case Source::config:
            return v1::MODEL_SOURCE_CONFIG;
        case Source::pushed:
            return v1::MODEL_SOURCE_PUSHED;
    }
    return v1::MODEL_SOURCE_UNSPECIFIED;
}

void copy(
    const std::vector<std::string>& from, google::protobuf::RepeatedPtrField<std::string>* to) {
    to->Assign(from.begin(), from.end());
}

std::uint64_t sum_drops(const dataplane::WorkerStats& stats) {
    std::uint64_t sum = 0;
    for (const auto& drop : stats.drops) {
        sum += drop.get();
    }
    return sum;
}

void fill_latency(const dataplane::LatencyHistogram& histogram, double tsc_hz, v1::Latency& out) {
    dataplane::LatencyCounts counts{};
    histogram.add_to(counts);
    const auto us = [tsc_hz](std::uint64_t ticks) {
        return static_cast<double>(ticks) / tsc_hz * 1e6;
    };
    const std::uint64_t longest = histogram.longest.get();
    // A bucket's upper end may lie beyond the longest that there was.
    const auto quantile = [&](double share) {
        return us(std::min(dataplane::latency_quantile(counts, share), longest));
    };
    out.set_p50_us(quantile(0.5));
    out.set_p99_us(quantile(0.99));
    out.set_p999_us(quantile(0.999));
    out.set_max_us(us(longest));
    for (std::size_t i = 0; i < counts.size(); ++i) {
        if (counts[i] != 0) {
            auto& bucket = *out.add_buckets();
            bucket.set_up_to_us(us(dataplane::LatencyBuckets::highest(i)));
            bucket.set_packets(counts[i]);
        }
    }
}

void fill_worker(const dataplane::WorkerInfo& info, double tsc_hz, v1::Worker& out) {
    const auto& stats = *info.stats;
    std::uint64_t rx = 0;
    std::uint64_t tx = 0;
    for (const auto& port : stats.ports) {
        rx += port.rx_packets.get();
        tx += port.tx_packets.get();
    }
    out.set_index(info.index);
    out.set_lcore(info.lcore);
    out.set_rx_packets(rx);
    out.set_tx_packets(tx);
    out.set_dropped_packets(sum_drops(stats));
    out.set_bursts(stats.bursts.get());
    out.set_idle_polls(stats.idle_polls.get());
    out.set_burst_cycles(stats.burst_cycles_sum.get());
    out.set_flows(stats.flows_live.get());
    out.set_flow_capacity(info.flow_capacity);
    out.set_flows_created(stats.flows_created.get());
    out.set_flows_expired(stats.flows_expired.get());
    out.set_flows_evicted(stats.flows_evicted.get());
    out.set_flows_refused(stats.flows_refused.get());
    out.set_snapshot_generation(stats.snapshot_generation.get());
    out.set_overload_step(dataplane::kShedStepNames.at(stats.shed_step.get()));
    std::uint64_t unscored = 0;
    for (const auto& step : stats.unscored) {
        unscored += step.get();
    }
    out.set_unscored_packets(unscored);
    out.set_sleeps(stats.sleeps.get());
    out.set_idle_wait(std::string(dataplane::kWaitKindNames.at(stats.wait_kind.get())));
    out.set_shared_hosts(stats.shared_hosts.get());
    out.set_busy_seconds(static_cast<double>(stats.burst_cycles_sum.get()) / tsc_hz);
    fill_latency(stats.latency, tsc_hz, *out.mutable_added_latency());
}

std::string class_or_none(const std::string& slot, std::size_t id) {
    return id == dataplane::kMaxClasses
               ? std::string()
               : dataplane::class_name(slot, static_cast<std::uint8_t>(id));
}

void fill_pairs(
    const std::string& slot, const PairCounts& now, const PairCounts& base, v1::Trial& out) {
    struct Pair {
        std::uint64_t rows;
        std::size_t was;
        std::size_t is;
    };
    std::vector<Pair> pairs;
    for (std::size_t was = 0; was < now.size(); ++was) {
        for (std::size_t is = 0; is < now.size(); ++is) {
            const auto rows = now[was][is] - base[was][is];
            if (rows != 0) {
                pairs.push_back({rows, was, is});
            }
            out.set_disagreements(out.disagreements() + (was == is ? 0 : rows));
        }
    }
    std::sort(
        pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) { return a.rows > b.rows; });
    constexpr std::size_t kMaxPairs = 256;
    pairs.resize(std::min(pairs.size(), kMaxPairs));
    for (const auto& pair : pairs) {
        auto& count = *out.add_pairs();
        count.set_active_class(class_or_none(slot, pair.was));
        count.set_trial_class(class_or_none(slot, pair.is));
        count.set_rows(pair.rows);
    }
}

void fill_use(const GatewayView& view, std::size_t slot, const SlotUse& use, v1::Slot& out) {
    const auto workers = view.fixed().workers;
    out.set_stale(use.stale);
    out.set_model_age_seconds(use.age_s);
    for (const auto& trial : use.trials) {
        auto& entry = *out.add_trials();
        fill(trial.info, *entry.mutable_model());
        const auto counts = read_outcomes(workers, slot, trial.block).since(trial.base->outcomes);
        entry.set_rows(counts.rows);
        entry.set_alarms(counts.alarms);
        entry.set_drops(counts.drops);
        entry.set_saturated(counts.saturated);
        entry.set_packets(counts.packets);
        entry.set_packets_dropped(counts.packets_dropped);
        fill_pairs(
            out.name(), read_pairs(workers, slot, trial.pair_block), trial.base->pairs, entry);
    }
}

void fill_slots(const GatewayView& view, const ViewState& state, v1::Status& out) {
    const auto totals = view.ledger().totals();
    for (std::size_t s = 0; s < state.slots.size(); ++s) {
        auto& slot = *out.add_slots();
        slot.set_name(state.slots[s]);
        if (state.active[s]) {
            fill(*state.active[s], *slot.mutable_active());
        }
        std::map<std::string, std::uint64_t> by_class;
        for (const auto& total : totals) {
            if (total.slot == state.slots[s]) {
                by_class[total.cls] += total.rows;
            }
        }
        for (const auto& [cls, rows] : by_class) {
            auto& count = *slot.add_verdicts();
            count.set_class_name(cls);
            count.set_rows(rows);
        }
        for (const auto& worker : view.fixed().workers) {
            slot.set_scored(slot.scored() + worker.stats->slots[s].scored.get());
            slot.set_changes(slot.changes() + worker.stats->slots[s].changes.get());
        }
        if (s < state.use.size()) {
            fill_use(view, s, state.use[s], slot);
        }
        if (s < state.breaches.size()) {
            slot.set_breaches(state.breaches[s].count);
            slot.set_last_breach(state.breaches[s].last);
        }
    }
}

}  // namespace

void fill(const ModelInfo& info, v1::Model& out) {
    out.set_slot(info.key.slot);
    out.set_name(info.key.name);
    out.set_version(info.key.version);
    out.set_stage(wire(info.stage));
    out.set_source(wire(info.source));
    out.set_signer(info.signer);
    out.set_digest(info.digest);
    out.set_size_bytes(info.size_bytes);
    out.set_created_unix(info.created_unix);
    out.set_added_unix(info.added_unix);
    out.set_activated_unix(info.activated_unix);
    copy(info.classes, out.mutable_classes());
    out.set_inputs(info.inputs);
    out.set_cycles_per_row(info.cycles_per_row);
    out.set_isa(info.isa);
    out.set_description(info.description);
    out.set_canary_permyriad(info.canary_permyriad);
    out.set_measured_cycles_per_row(info.measured_cycles);
    out.set_barred(info.barred);
    out.set_sealed(info.sealed);
}

void fill(const PushOutcome& outcome, v1::PushModelReply& out) {
    fill(outcome.model, *out.mutable_model());
    out.set_already_stored(outcome.already_stored);
    copy(outcome.warnings, out.mutable_warnings());
}

void fill(const Activation& activation, v1::ActivateModelReply& out) {
    if (activation.from) {
        fill(*activation.from, *out.mutable_from());
    }
    if (activation.to) {
        fill(*activation.to, *out.mutable_to());
    }
    out.set_generation(activation.generation);
    copy(activation.warnings, out.mutable_warnings());
}

void fill(const ReloadReport& report, v1::ReloadReply& out) {
    copy(report.applied, out.mutable_applied());
    copy(report.needs_restart, out.mutable_needs_restart());
    copy(report.warnings, out.mutable_warnings());
}

void fill(const Override& override, v1::Override& out) {
    out.set_target(override.target);
    out.set_kind(std::string(kind_name(override.rule.kind)));
    out.set_since_unix(override.since_unix);
    out.set_until_unix(override.until_unix());
    out.set_by(override.by);
    const std::chrono::duration<double> left = override.until - Override::Clock::now();
    out.set_seconds_left(std::max(left.count(), 0.0));
}

void fill_ports(const GatewayView& view, google::protobuf::RepeatedPtrField<v1::Port>& out) {
    const auto state = view.state();
    for (std::size_t p = 0; p < state->ports.size(); ++p) {
        const auto& info = state->ports[p];
        auto& port = *out.Add();
        port.set_name(info.name);
        port.set_device(info.device);
        port.set_link_up(info.link_up);
        port.set_link_mbps(info.link_mbps);
        port.set_mtu(info.mtu);
        port.set_promiscuous(info.promiscuous);
        port.set_peer(info.peer);
        port.set_rx_missed(info.rx_missed);
        port.set_rx_errors(info.rx_errors);
        port.set_rx_nombuf(info.rx_nombuf);
        for (const auto& worker : view.fixed().workers) {
            const auto& stats =
                worker.stats->ports[std::min<std::size_t>(p, dataplane::kMaxPorts - 1)];
            port.set_rx_packets(port.rx_packets() + stats.rx_packets.get());
            port.set_rx_bytes(port.rx_bytes() + stats.rx_bytes.get());
            port.set_tx_packets(port.tx_packets() + stats.tx_packets.get());
            port.set_tx_bytes(port.tx_bytes() + stats.tx_bytes.get());
        }
        if (state->distributor && p < state->distributor->ports.size()) {
            const auto& counts = state->distributor->ports[p];
            port.set_rx_packets(port.rx_packets() + counts.lost);
            port.set_rx_bytes(port.rx_bytes() + counts.lost_bytes);
        }
    }
}

void fill(const dataplane::DistributorInfo& info, v1::Distributor& out) {
    out.set_lcore(info.lcore);
    out.set_ring_packets(info.room);
    for (const auto& port : info.ports) {
        out.set_received_packets(out.received_packets() + port.received);
        out.set_lost_packets(out.lost_packets() + port.lost);
        out.set_sent_packets(out.sent_packets() + port.sent);
    }
    for (const auto& worker : info.workers) {
        auto& ring = *out.add_rings();
        ring.set_handed_packets(worker.handed);
        ring.set_waiting_packets(worker.waiting);
    }
}

void fill_status(const GatewayView& view, const std::string& metrics_url, v1::Status& out) {
    const auto state = view.state();
    out.set_version(view.fixed().version);
    out.set_pid(static_cast<std::uint64_t>(::getpid()));
    out.set_uptime_seconds(view.uptime_seconds());
    out.set_config_file(state->config_file);
    out.set_generation(state->generation);
    out.set_swaps(state->snapshots);
    out.set_metrics_url(metrics_url);
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    out.set_monotonic_seconds(std::chrono::duration<double>(now).count());
    fill_ports(view, *out.mutable_ports());
    for (const auto& port : out.ports()) {
        out.set_rx_bytes(out.rx_bytes() + port.rx_bytes());
        out.set_tx_bytes(out.tx_bytes() + port.tx_bytes());
    }
    if (state->distributor) {
        fill(*state->distributor, *out.mutable_distributor());
        out.set_rx_packets(out.distributor().lost_packets());
    }
    for (const auto& reason : dataplane::kDropReasonTable) {
        auto& drop = *out.add_drops();
        drop.set_reason(std::string(reason.name));
        drop.set_description(std::string(reason.description));
        for (const auto& worker : view.fixed().workers) {
            const auto& counter = worker.stats->drops[static_cast<std::size_t>(reason.reason)];
            drop.set_packets(drop.packets() + counter.get());
        }
        if (reason.reason == dataplane::DropReason::distributor_full) {
            drop.set_packets(out.distributor().lost_packets());
        }
        out.set_dropped_packets(out.dropped_packets() + drop.packets());
    }
    for (const auto& worker : view.fixed().workers) {
        auto& entry = *out.add_workers();
        fill_worker(worker, view.fixed().tsc_hz, entry);
        out.set_rx_packets(out.rx_packets() + entry.rx_packets());
        out.set_tx_packets(out.tx_packets() + entry.tx_packets());
        out.set_marked_packets(out.marked_packets() + worker.stats->marked.get());
        out.set_events_lost(out.events_lost() + worker.stats->events_lost.get());
    }
    fill_slots(view, *state, out);
    for (const auto& override : state->overrides) {
        fill(override, *out.add_overrides());
    }
}

}  // namespace weir::control
