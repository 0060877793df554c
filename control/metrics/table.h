// SPDX-License-Identifier: BSD-3-Clause
// Every metric Weir exports, once: the scrape, the docs page and the tests are made from this table.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::control {

enum class MetricType : std::uint8_t { counter, gauge, histogram };

enum class Metric : std::uint8_t {
    build_info,
    start_time,
    tsc_hertz,
    rx_packets,
    rx_bytes,
    tx_packets,
    tx_bytes,
    dropped_packets,
    parsed_packets,
    marked_packets,
    burst_cycles,
    idle_polls,
    flows,
    flow_table_capacity,
    flows_created,
    flows_expired,
    flow_evictions,
    flows_refused,
    hosts,
    host_evictions,
    scored_rows,
    verdicts,
    verdict_changes,
    events_lost,
    model_info,
    model_age,
    model_active,
    model_swaps,
    snapshots,
    snapshot_generation,
    worker_snapshot_generation,
    port_link_up,
    port_speed,
    port_rx_missed,
    port_rx_errors,
    port_rx_nombuf,
    reload_successful,
    reload_time,
    audit_failures,
    count_
};

inline constexpr std::size_t kMetrics = static_cast<std::size_t>(Metric::count_);
inline constexpr std::size_t kMaxLabels = 4;

struct MetricInfo {
    Metric id;
    std::string_view name;
    MetricType type;
    std::string_view unit;                               ///< of the value
    std::array<std::string_view, kMaxLabels> labels;     ///< empty ones at the end are none
    std::string_view help;
};

inline constexpr std::array<MetricInfo, kMetrics> kMetricTable{{
    {Metric::build_info, "weir_build_info", MetricType::gauge, "1", {"version"},
     "Always 1; the label tells the version of the program."},
    {Metric::start_time, "weir_start_time_seconds", MetricType::gauge, "seconds", {},
     "When control started, in seconds since the Unix epoch."},
    {Metric::tsc_hertz, "weir_tsc_hertz", MetricType::gauge, "hertz", {},
     "Cycles of the time-stamp counter in a second; turns cycles into time."},
    {Metric::rx_packets, "weir_rx_packets_total", MetricType::counter, "packets", {"port", "worker"},
     "Packets received."},
    {Metric::rx_bytes, "weir_rx_bytes_total", MetricType::counter, "bytes", {"port", "worker"},
     "Bytes of frames received, without FCS."},
    {Metric::tx_packets, "weir_tx_packets_total", MetricType::counter, "packets", {"port", "worker"},
     "Packets that the port accepted for sending."},
    {Metric::tx_bytes, "weir_tx_bytes_total", MetricType::counter, "bytes", {"port", "worker"},
     "Bytes of frames that the port accepted for sending."},
    {Metric::dropped_packets, "weir_dropped_packets_total", MetricType::counter, "packets", {"reason", "worker"},
     "Packets received and not sent, by reason. Received packets are sent packets plus these."},
    {Metric::parsed_packets, "weir_parsed_packets_total", MetricType::counter, "packets", {"result", "worker"},
     "Packets by what the parser made of them; only those of result flow are scored."},
    {Metric::marked_packets, "weir_marked_packets_total", MetricType::counter, "packets", {"worker"},
     "Packets whose DSCP was rewritten."},
    {Metric::burst_cycles, "weir_burst_cycles", MetricType::histogram, "cycles", {"worker"},
     "TSC cycles that a worker spent on one non-empty burst."},
    {Metric::idle_polls, "weir_idle_polls_total", MetricType::counter, "polls", {"worker"},
     "Polls that found no packet."},
    {Metric::flows, "weir_flows", MetricType::gauge, "flows", {"worker"},
     "Flows in the table now."},
    {Metric::flow_table_capacity, "weir_flow_table_capacity", MetricType::gauge, "flows", {"worker"},
     "Flows that the table has room for."},
    {Metric::flows_created, "weir_flows_created_total", MetricType::counter, "flows", {"worker"},
     "Flows put into the table."},
    {Metric::flows_expired, "weir_flows_expired_total", MetricType::counter, "flows", {"worker"},
     "Flows that ended by their idle timeout."},
    {Metric::flow_evictions, "weir_flow_evictions_total", MetricType::counter, "flows", {"worker"},
     "Flows pushed out by a new one before their timeout."},
    {Metric::flows_refused, "weir_flows_refused_total", MetricType::counter, "flows", {"worker"},
     "New flows not taken in, because the table was full of flows worth keeping."},
    {Metric::hosts, "weir_hosts", MetricType::gauge, "hosts", {"worker"},
     "Hosts with aggregates now."},
    {Metric::host_evictions, "weir_host_evictions_total", MetricType::counter, "hosts", {"worker"},
     "Hosts whose aggregates were given up for another's."},
    {Metric::scored_rows, "weir_scored_rows_total", MetricType::counter, "rows", {"slot", "worker"},
     "Feature rows scored."},
    {Metric::verdicts, "weir_verdicts_total", MetricType::counter, "rows", {"slot", "class", "model", "version"},
     "Scored rows by winning class and by the model that gave it. The oldest of many retired models of a slot are "
     "summed up under model retired."},
    {Metric::verdict_changes, "weir_verdict_changes_total", MetricType::counter, "changes", {"slot", "worker"},
     "Times that a flow's decided class changed."},
    {Metric::events_lost, "weir_events_lost_total", MetricType::counter, "records", {"worker"},
     "Flow records that the event ring had no room for."},
    {Metric::model_info, "weir_model_info", MetricType::gauge, "1", {"slot", "model", "version", "signer"},
     "Always 1; one series for each slot with an active model."},
    {Metric::model_age, "weir_model_age_seconds", MetricType::gauge, "seconds", {"slot"},
     "Time since the active model's bundle was made."},
    {Metric::model_active, "weir_model_active_seconds", MetricType::gauge, "seconds", {"slot"},
     "Time since the active model was activated."},
    {Metric::model_swaps, "weir_model_swaps_total", MetricType::counter, "swaps", {"slot"},
     "Changes of the active model since start."},
    {Metric::snapshots, "weir_snapshots_total", MetricType::counter, "snapshots", {},
     "Snapshots of models and policy published to the workers since start."},
    {Metric::snapshot_generation, "weir_snapshot_generation", MetricType::gauge, "1", {},
     "Generation of the snapshot published last."},
    {Metric::worker_snapshot_generation, "weir_worker_snapshot_generation", MetricType::gauge, "1", {"worker"},
     "Generation of the snapshot that the worker uses."},
    {Metric::port_link_up, "weir_port_link_up", MetricType::gauge, "1", {"port"},
     "1 if the port's link is up, else 0."},
    {Metric::port_speed, "weir_port_speed_bytes", MetricType::gauge, "bytes per second", {"port"},
     "Speed of the port's link; 0 if unknown."},
    {Metric::port_rx_missed, "weir_port_rx_missed_packets_total", MetricType::counter, "packets", {"port"},
     "Packets that the port dropped because no worker took them in time."},
    {Metric::port_rx_errors, "weir_port_rx_errors_total", MetricType::counter, "packets", {"port"},
     "Erroneous packets received by the port."},
    {Metric::port_rx_nombuf, "weir_port_rx_buffer_failures_total", MetricType::counter, "packets", {"port"},
     "Receives that failed for want of packet buffers."},
    {Metric::reload_successful, "weir_config_last_reload_successful", MetricType::gauge, "1", {},
     "1 if the configuration read last was taken over, else 0."},
    {Metric::reload_time, "weir_config_last_reload_success_timestamp_seconds", MetricType::gauge, "seconds", {},
     "When a configuration was last taken over, in seconds since the Unix epoch."},
    {Metric::audit_failures, "weir_audit_failures_total", MetricType::counter, "lines", {},
     "Audit lines that could not be written to disk."},
}};

[[nodiscard]] constexpr const MetricInfo& metric_info(Metric metric) noexcept {
    return kMetricTable[static_cast<std::size_t>(metric)];
}

[[nodiscard]] constexpr bool metric_table_in_order() noexcept {
    for (std::size_t i = 0; i < kMetrics; ++i) {
        if (static_cast<std::size_t>(kMetricTable[i].id) != i) {
            return false;
        }
    }
    return true;
}
static_assert(metric_table_in_order());

[[nodiscard]] std::string_view metric_type_name(MetricType type) noexcept;

/// docs/metrics.md, whole.
[[nodiscard]] std::string metrics_page();

}  // namespace weir::control
