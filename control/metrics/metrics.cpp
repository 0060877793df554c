// SPDX-License-Identifier: BSD-3-Clause
#include "control/metrics/metrics.h"

#include "control/metrics/collect.h"

#include <exception>
#include <utility>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

namespace weir::control {

namespace {

class Collector final : public prometheus::Collectable {
  public:
    explicit Collector(const GatewayView& view) : view_(view) {}
    [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override {
        return collect_metrics(view_);
    }

  private:
    const GatewayView& view_;
};

}  // namespace

struct MetricsServer::Impl {
    std::shared_ptr<Collector> collector;
    std::unique_ptr<prometheus::Exposer> exposer;  // goes first
    std::string url;
};

MetricsServer::MetricsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MetricsServer::~MetricsServer() = default;
const std::string& MetricsServer::url() const noexcept {
    return impl_->url;
}

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(
    const std::string& listen, const GatewayView& view) {
    const auto colon = listen.rfind(':');
    if (colon == std::string::npos || colon == 0) {
        return fail(
            "metrics",
            "metrics.listen",
            "'" + listen + "' is no address:port",
            "for example 127.0.0.1:9464");
    }
    auto impl = std::make_unique<Impl>();
    impl->collector = std::make_shared<Collector>(view);
    // The library reports a port that is taken by an exception.
    try {
        impl->exposer = std::make_unique<prometheus::Exposer>(listen, 2);
        impl->exposer->RegisterCollectable(impl->collector);
    } catch (const std::exception& e) {
        return fail(
            "metrics",
            "metrics.listen",
            "cannot listen on " + listen + ": " + e.what(),
            "is another weir running? choose a free port, or \"\" for no metrics");
    }
    const auto ports = impl->exposer->GetListeningPorts();
    const std::string port =
        ports.empty() ? listen.substr(colon + 1) : std::to_string(ports.front());
    impl->url = "http://" + listen.substr(0, colon) + ":" + port + "/metrics";
    return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(impl)));
}

}  // namespace weir::control
