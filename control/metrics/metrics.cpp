// SPDX-License-Identifier: BSD-3-Clause
#include "control/metrics/metrics.h"

#include "control/metrics/collect.h"

#include <chrono>
#include <exception>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include <sys/socket.h>

#include <netdb.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <unistd.h>

namespace weir::control {

namespace {

class Collector final : public prometheus::Collectable {
  public:
    Collector(const GatewayView& view, const ExportTotals* exports)
        : view_(view), exports_(exports) {}
    [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override {
        return collect_metrics(view_, exports_);
    }

  private:
    const GatewayView& view_;
    const ExportTotals* exports_;
};

/// Connects to a listener and leaves; whether that worked does not matter.
void knock(const std::string& host, const std::string& port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) {
        return;
    }
    const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        (void)::connect(fd, found->ai_addr, found->ai_addrlen);
        (void)::close(fd);
    }
    ::freeaddrinfo(found);
}

/// "[::1]" → "::1"
std::string without_brackets(const std::string& host) {
    return host.size() > 2 && host.front() == '[' ? host.substr(1, host.size() - 2) : host;
}

}  // namespace

struct MetricsServer::Impl {
    std::shared_ptr<Collector> collector;
    std::unique_ptr<prometheus::Exposer> exposer;
    std::string host;
    std::string port;
    std::string url;

    ~Impl() {
        if (!exposer) {
            return;
        }
        // The library's thread looks only every two seconds whether it is to stop, or when a connection comes: time
        // that a restart of the gateway would wait.
        std::promise<void> gone;
        std::thread waker([this, over = gone.get_future()] {
            do {
                knock(host, port);
            } while (over.wait_for(std::chrono::milliseconds(10)) == std::future_status::timeout);
        });
        exposer.reset();
        gone.set_value();
        waker.join();
    }
};

MetricsServer::MetricsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MetricsServer::~MetricsServer() = default;
const std::string& MetricsServer::url() const noexcept {
    return impl_->url;
}

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(
    const std::string& listen, const GatewayView& view, const ExportTotals* exports) {
    const auto colon = listen.rfind(':');
    if (colon == std::string::npos || colon == 0) {
        return fail(
            "metrics",
            "metrics.listen",
            "'" + listen + "' is no address:port",
            "for example 127.0.0.1:9464");
    }
    auto impl = std::make_unique<Impl>();
    impl->collector = std::make_shared<Collector>(view, exports);
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
    impl->host = without_brackets(listen.substr(0, colon));
    impl->port = ports.empty() ? listen.substr(colon + 1) : std::to_string(ports.front());
    impl->url = "http://" + listen.substr(0, colon) + ":" + impl->port + "/metrics";
    return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(impl)));
}

}  // namespace weir::control
