// SPDX-License-Identifier: BSD-3-Clause
// Values of a scrape, over real HTTP, as promtool and a real Prometheus read them.
#include "control/metrics/collect.h"
#include "control/metrics/table.h"
#include "control_fixture.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <sstream>

#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace weir::control::test {
namespace {

using namespace std::chrono_literals;

std::uint16_t port_of(const std::string& url) {
    return static_cast<std::uint16_t>(std::stoul(url.substr(url.rfind(':') + 1)));
}

/// A body by HTTP/1.0 from loopback; empty if nobody answers with 200.
std::string http_get(std::uint16_t port, const std::string& target) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string all;
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
        const std::string request = "GET " + target + " HTTP/1.0\r\nHost: localhost\r\n\r\n";
        (void)!::write(fd, request.data(), request.size());
        std::array<char, 65536> buffer{};
        for (ssize_t n = 0; (n = ::read(fd, buffer.data(), buffer.size())) > 0;) {
            all.append(buffer.data(), static_cast<std::size_t>(n));
        }
    }
    ::close(fd);
    const auto body = all.find("\r\n\r\n");
    return all.find(" 200 ") < all.find('\r') && body != std::string::npos ? all.substr(body + 4)
                                                                           : "";
}

/// A free TCP port of loopback, for a program that cannot choose one itself.
std::uint16_t free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
    ::close(fd);
    return ntohs(address.sin_port);
}

bool have(const std::string& program) {
    return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
}

class MetricsTest : public ControlFixture {
  protected:
    std::string scrape() { return http_get(port_of(plane_->metrics_url()), "/metrics"); }

    /// The value of one series as the text has it; "" if it is not there.
    static std::string value(const std::string& text, const std::string& series) {
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            if (line.starts_with(series + " ")) {
                return line.substr(series.size() + 1);
            }
        }
        return {};
    }
};

TEST_F(MetricsTest, TheDistributorCountsWhatNoWorkerSaw) {
    runtime_.set_distributor(
        {.lcore = 5,
         .room = 2046,
         .sleeps = 3,
         .ports = {{100, 7, 700, 0}, {50, 0, 0, 40}},
         .workers = {{80, 4}, {63, 0}}});
    start();
    runtime_.stats(0).ports[0].rx_packets.add(80);
    const std::string text = scrape();
    EXPECT_EQ(value(text, R"(weir_rx_packets_total{port="left",worker="distributor"})"), "7");
    EXPECT_EQ(value(text, R"(weir_rx_bytes_total{port="left",worker="distributor"})"), "700");
    EXPECT_EQ(
        value(
            text, R"(weir_dropped_packets_total{reason="distributor_full",worker="distributor"})"),
        "7");
    EXPECT_EQ(value(text, R"(weir_distributor_received_packets_total{port="right"})"), "50");
    EXPECT_EQ(value(text, R"(weir_distributor_sent_packets_total{port="right"})"), "40");
    EXPECT_EQ(value(text, R"(weir_distributor_handed_packets_total{worker="1"})"), "63");
    EXPECT_EQ(value(text, R"(weir_distributor_waiting_packets{worker="0"})"), "4");
    EXPECT_EQ(value(text, "weir_distributor_ring_packets"), "2046");
    EXPECT_EQ(value(text, R"(weir_sleeps_total{worker="distributor"})"), "3");
}

TEST_F(MetricsTest, ValuesAreTheWorkersCounters) {
    start();
    auto& stats = runtime_.stats(1);
    stats.ports[0].rx_packets.add(41);
    stats.ports[0].rx_bytes.add(4100);
    stats.ports[1].tx_packets.add(40);
    stats.drops[static_cast<std::size_t>(dataplane::DropReason::policy)].add(1);
    stats.burst_cycles[0].add(2);
    stats.burst_cycles[12].add(1);
    stats.burst_cycles_sum.add(5'000'000);
    stats.latency.add(8'000, 2);  // 4 us of a 2 GHz clock
    stats.latency.add(30'000, 10);
    stats.latency.add(1'000'000'000, 1);
    stats.shed_step.set(2);
    stats.shed_changes.add(4);
    stats.sleeps.add(5);
    stats.unscored[2].add(9);
    stats.flows_live.set(17);
    runtime_.count_verdict(1, 0, *dataplane::class_id("anomaly", "scan"), 3);
    const std::string text = scrape();
    EXPECT_EQ(value(text, R"(weir_build_info{version="1.2.3-test"})"), "1");
    EXPECT_EQ(value(text, R"(weir_rx_packets_total{port="left",worker="1"})"), "41");
    EXPECT_EQ(value(text, R"(weir_rx_bytes_total{port="left",worker="1"})"), "4100");
    EXPECT_EQ(value(text, R"(weir_tx_packets_total{port="right",worker="1"})"), "40");
    EXPECT_EQ(value(text, R"(weir_dropped_packets_total{reason="policy",worker="1"})"), "1");
    EXPECT_EQ(value(text, R"(weir_burst_cycles_bucket{worker="1",le="500"})"), "2");
    EXPECT_EQ(value(text, R"(weir_burst_cycles_bucket{worker="1",le="+Inf"})"), "3");
    EXPECT_EQ(value(text, R"(weir_burst_cycles_count{worker="1"})"), "3");
    EXPECT_EQ(value(text, R"(weir_added_latency_seconds_bucket{worker="1",le="5e-06"})"), "2");
    EXPECT_EQ(value(text, R"(weir_added_latency_seconds_bucket{worker="1",le="2e-05"})"), "12");
    EXPECT_EQ(value(text, R"(weir_added_latency_seconds_bucket{worker="1",le="+Inf"})"), "13");
    EXPECT_EQ(value(text, R"(weir_added_latency_seconds_count{worker="1"})"), "13");
    EXPECT_EQ(value(text, R"(weir_sleeps_total{worker="1"})"), "5");
    EXPECT_EQ(value(text, R"(weir_overload_step{worker="1"})"), "2");
    EXPECT_EQ(value(text, R"(weir_overload_changes_total{worker="1"})"), "4");
    EXPECT_EQ(value(text, R"(weir_unscored_packets_total{step="early",worker="1"})"), "9");
    EXPECT_EQ(value(text, R"(weir_unscored_packets_total{step="forward",worker="1"})"), "0");
    EXPECT_EQ(value(text, R"(weir_flows{worker="1"})"), "17");
    EXPECT_EQ(
        value(
            text,
            R"(weir_verdicts_total{slot="anomaly",class="scan",model="weir-anomaly",version="1"})"),
        "3");
    EXPECT_EQ(value(text, R"(weir_port_link_up{port="left"})"), "1");
    EXPECT_EQ(value(text, R"(weir_port_link_up{port="right"})"), "0");
    EXPECT_EQ(value(text, R"(weir_port_speed_bytes{port="left"})"), "1250000000");
    EXPECT_EQ(value(text, R"(weir_model_swaps_total{slot="anomaly"})"), "0");
    EXPECT_EQ(value(text, "weir_config_last_reload_successful"), "1");
    EXPECT_EQ(value(text, R"(weir_model_active_seconds{slot="qos"})"), "") << "no model, no series";
}

TEST_F(MetricsTest, EveryRowOfTheTableIsExportedWithItsLabels) {
    runtime_.set_distributor({.ports = {{}, {}}, .workers = {{}, {}}});
    start();
    runtime_.count_verdict(0, 0, *dataplane::class_id("anomaly", "scan"), 1);
    const std::string text = scrape();
    std::set<std::string_view> names;
    for (const auto& info : kMetricTable) {
        const std::string name(info.name);
        EXPECT_TRUE(names.insert(info.name).second) << name << " is there twice";
        EXPECT_NE(
            text.find("# TYPE " + name + " " + std::string(metric_type_name(info.type))),
            std::string::npos)
            << name;
        EXPECT_EQ(name.ends_with("_total"), info.type == MetricType::counter) << name;
        const std::string sample = info.type == MetricType::histogram ? name + "_count" : name;
        const auto at = text.find("\n" + sample + (info.labels[0].empty() ? " " : "{"));
        if (name.starts_with("weir_trial_")) {
            EXPECT_EQ(at, std::string::npos) << name << ": no model is on trial";
            continue;
        }
        ASSERT_NE(at, std::string::npos) << name << " has no sample";
        const std::string line = text.substr(at + 1, text.find('\n', at + 1) - at - 1);
        for (const auto& label : info.labels) {
            EXPECT_TRUE(label.empty() || line.find(std::string(label) + "=\"") != std::string::npos)
                << line;
        }
    }
}

TEST_F(MetricsTest, ADeadEndIs404NotMetrics) {
    start();
    EXPECT_EQ(http_get(port_of(plane_->metrics_url()), "/nothing"), "");
    EXPECT_NE(scrape(), "");
}

TEST(MetricsPage, CommittedPageIsTheGeneratedOne) {
    EXPECT_EQ(read_text(std::string(WEIR_SOURCE_DIR) + "/docs/metrics.md"), metrics_page())
        << "run: ninja -C <build> control/weir_metrics_page && <build>/control/weir_metrics_page > "
           "docs/metrics.md";
}

TEST_F(MetricsTest, PromtoolFindsNothingToSay) {
    if (!have("promtool")) {
        GTEST_SKIP() << "skipped: no promtool";
    }
    start();
    runtime_.count_verdict(0, 0, *dataplane::class_id("anomaly", "scan"), 1);
    write_text(dir_ / "scrape.txt", scrape());
    const std::string command = "promtool check metrics < " + (dir_ / "scrape.txt") + " > " +
                                (dir_ / "promtool.txt") + " 2>&1";
    const int exit = std::system(command.c_str());
    EXPECT_EQ(exit, 0) << read_text(dir_ / "promtool.txt");
}

TEST(AlertRules, PromtoolAcceptsThemAndTheyNameOurMetrics) {
    const std::string rules = std::string(WEIR_SOURCE_DIR) + "/config/prometheus/weir.rules.yml";
    const std::string text = read_text(rules);
    ASSERT_NE(text, "");
    for (std::size_t at = 0; (at = text.find("weir_", at)) != std::string::npos;) {
        const auto end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", at);
        std::string name = text.substr(at, end - at);
        at = end;
        for (const std::string suffix : {"_bucket", "_count", "_sum"}) {
            name = name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : name;
        }
        const bool known =
            std::any_of(kMetricTable.begin(), kMetricTable.end(), [&](const MetricInfo& m) {
                return m.name == name;
            });
        EXPECT_TRUE(known) << name;
    }
    if (!have("promtool")) {
        GTEST_SKIP() << "skipped: no promtool";
    }
    EXPECT_EQ(std::system(("promtool check rules " + rules + " >/dev/null").c_str()), 0);
    EXPECT_EQ(
        std::system(("promtool test rules " + std::string(WEIR_SOURCE_DIR) +
                     "/config/prometheus/weir.rules.test.yml >/dev/null")
                        .c_str()),
        0);
}

/// A child process, ended with the object.
class Child {
  public:
    explicit Child(std::vector<std::string> command, const std::string& log) : pid_(::fork()) {
        if (pid_ == 0) {
            (void)!std::freopen(log.c_str(), "w", stdout);
            (void)!std::freopen(log.c_str(), "a", stderr);
            std::vector<char*> arguments;
            for (auto& word : command) {
                arguments.push_back(word.data());
            }
            arguments.push_back(nullptr);
            ::execvp(arguments[0], arguments.data());
            ::_exit(127);
        }
    }
    ~Child() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    [[nodiscard]] bool alive() const { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }

  private:
    pid_t pid_;
};

TEST_F(MetricsTest, ARealPrometheusScrapesIt) {
    if (!have("prometheus")) {
        GTEST_SKIP() << "skipped: no prometheus";
    }
    start();
    runtime_.stats(0).ports[0].rx_packets.add(12345);
    const auto target = port_of(plane_->metrics_url());
    const auto port = free_port();
    const std::string listen = "127.0.0.1:" + std::to_string(port);
    write_text(
        dir_ / "prometheus.yml",
        "global: {scrape_interval: 1s}\nrule_files: [" + std::string(WEIR_SOURCE_DIR) +
            "/config/prometheus/weir.rules.yml]\nscrape_configs:\n  - job_name: weir\n    "
            "static_configs: [{targets: "
            "['127.0.0.1:" +
            std::to_string(target) + "']}]\n");
    const Child prometheus(
        {"prometheus",
         "--config.file=" + (dir_ / "prometheus.yml"),
         "--storage.tsdb.path=" + (dir_ / "tsdb"),
         "--web.listen-address=" + listen,
         "--log.level=warn"},
        dir_ / "prometheus.log");
    std::string found;
    const auto deadline = std::chrono::steady_clock::now() + 120s;
    while (found.empty() && std::chrono::steady_clock::now() < deadline) {
        ASSERT_TRUE(prometheus.alive()) << read_text(dir_ / "prometheus.log");
        const auto body = http_get(port, "/api/v1/query?query=sum(weir_rx_packets_total)");
        const auto json = nlohmann::json::parse(body.empty() ? "{}" : body);
        const auto result = json.value("/data/result"_json_pointer, nlohmann::json::array());
        if (!result.empty()) {
            found = result[0]["value"][1];
        } else {
            // Polling another program: there is nothing to wait on. A short, bounded turn.
            ::usleep(50'000);
        }
    }
    EXPECT_EQ(found, "12345");
    const auto metadata =
        nlohmann::json::parse(http_get(port, "/api/v1/targets/metadata?metric=weir_burst_cycles"));
    EXPECT_EQ(metadata["data"][0]["type"], "histogram");
}

}  // namespace
}  // namespace weir::control::test
