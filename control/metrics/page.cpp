// SPDX-License-Identifier: BSD-3-Clause
#include "control/metrics/table.h"
#include "dataplane/drop_reason.h"
#include "dataplane/worker_stats.h"

#include <string>

namespace weir::control {

std::string_view metric_type_name(MetricType type) noexcept {
    constexpr std::array<std::string_view, 3> kNames{"counter", "gauge", "histogram"};
    return kNames[static_cast<std::size_t>(type)];
}

std::string metrics_page() {
    std::string page =
        "<!-- Generated from control/metrics/table.h by `weir_metrics_page`; a test keeps them "
        "equal. -->\n"
        "# Metrics\n\n"
        "Prometheus scrapes them from `http://<metrics.listen>/metrics` (default "
        "127.0.0.1:9464).\nCounters start at zero with the process. Workers count without locks; a "
        "scrape reads what stands.\n\n"
        "| metric | type | unit | labels | meaning |\n"
        "|---|---|---|---|---|\n";
    for (const auto& metric : kMetricTable) {
        std::string labels;
        for (const auto& label : metric.labels) {
            if (!label.empty()) {
                labels.append(labels.empty() ? "`" : ", `").append(label).append("`");
            }
        }
        page.append("| `").append(metric.name).append("` | ");
        page.append(metric_type_name(metric.type)).append(" | ").append(metric.unit);
        page.append(" | ").append(labels).append(" | ").append(metric.help).append(" |\n");
    }
    page += "\nBounds of `weir_burst_cycles`, in cycles:";
    for (const auto bound : dataplane::kBurstCycleBounds) {
        page.append(" ").append(std::to_string(bound));
    }
    page += ".\n\n## Reasons of `weir_dropped_packets_total`\n\n| reason | when |\n|---|---|\n";
    for (const auto& reason : dataplane::kDropReasonTable) {
        page.append("| `").append(reason.name).append("` | ");
        page.append(reason.description).append(" |\n");
    }
    page +=
        "\n## Useful queries\n\n"
        "| question | PromQL |\n|---|---|\n"
        "| packets per second in | `sum(rate(weir_rx_packets_total[1m]))` |\n"
        "| share dropped | `sum(rate(weir_dropped_packets_total[1m])) / "
        "sum(rate(weir_rx_packets_total[1m]))` |\n"
        "| attack verdicts per second | `sum by (class) "
        "(rate(weir_verdicts_total{slot=\"anomaly\",class!=\"benign\"}"
        "[1m]))` |\n"
        "| time of a burst, 99th percentile | `histogram_quantile(0.99, sum by (le) "
        "(rate(weir_burst_cycles_bucket"
        "[5m]))) / scalar(weir_tsc_hertz)` |\n"
        "| added latency, 99.9th percentile | `histogram_quantile(0.999, sum by (le) "
        "(rate(weir_added_latency_seconds_bucket[5m])))` |\n"
        "| share not scored for overload | `sum(rate(weir_unscored_packets_total[1m])) / "
        "sum(rate(weir_rx_packets_total[1m]))` |\n"
        "| flow table use | `weir_flows / weir_flow_table_capacity` |\n"
        "| conservation (0 while idle) | `sum(weir_rx_packets_total) - sum(weir_tx_packets_total) "
        "- "
        "sum(weir_dropped_packets_total)` |\n";
    return page;
}

}  // namespace weir::control
