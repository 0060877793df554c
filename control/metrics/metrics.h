// SPDX-License-Identifier: BSD-3-Clause
// The Prometheus endpoint.
#pragma once

#include "config/error.h"
#include "control/export/counters.h"
#include "control/gateway_view.h"

#include <memory>
#include <string>

namespace weir::control {

/// Serves /metrics while it lives. Its threads are started here and inherit the caller's CPU affinity. A scrape reads
/// worker counters without locks. Thread: control or main.
class MetricsServer {
  public:
    /// `listen`: "address:port", port 0 for any free one. `view` and `exports` (null: no exporter)
    /// must outlive the server.
    [[nodiscard]] static Result<std::unique_ptr<MetricsServer>> start(
        const std::string& listen, const GatewayView& view, const ExportTotals* exports = nullptr);
    ~MetricsServer();
    MetricsServer(const MetricsServer&) = delete;
    MetricsServer& operator=(const MetricsServer&) = delete;

    /// "http://127.0.0.1:9464/metrics", with the port in use.
    [[nodiscard]] const std::string& url() const noexcept;

  private:
    struct Impl;
    explicit MetricsServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::control
