// SPDX-License-Identifier: BSD-3-Clause
// One worker on a real capture, net_pcap (infinite_rx) to net_null, both slots scoring every packet, against
// dpdk-testpmd's io forwarding on the same two devices: runs taken in turn, medians and the ratio.
#include "config/load.h"
#include "control/app/models.h"
#include "dataplane/eal.h"
#include "dataplane/gateway.h"
#include "dataplane/snapshot_build.h"
#include "perf/report.h"

#include <array>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <regex>
#include <thread>

#include <sys/wait.h>

#include <CLI/CLI.hpp>
#include <unistd.h>

namespace weir::perf {
namespace {

struct Arguments {
    std::string pcap;
    std::string json;
    int rounds = 5;
    int seconds = 2;
    bool huge = false;
    bool child = false;
    std::string score = "both";
};

constexpr double kPerMega = 1e6;

[[nodiscard]] std::array<std::string, 2> devices(const std::string& pcap) {
    return {"net_pcap0,rx_pcap=" + pcap + ",infinite_rx=1", "net_null0,no-rx=1"};
}

[[nodiscard]] config::Config bench_config(const Arguments& arguments) {
    config::Config config = config::defaults();
    config.eal.hugepages = arguments.huge ? config::Hugepages::require : config::Hugepages::off;
    config.workers.lcores = {1};
    const auto pair = devices(arguments.pcap);
    for (std::size_t i = 0; i < pair.size(); ++i) {
        config::Port port;
        port.name = i == 0 ? "in" : "out";
        port.device = pair[i];
        config.ports.push_back(port);
    }
    config.pairs = {{0, 1}};
    for (config::Slot& slot : config.slots) {
        slot.cadence.kind = config::CadenceKind::every_packet;
        slot.model = arguments.score == "none" ? "none" : "default";
    }
    return config;
}

// One measurement in a process of its own: EAL starts once a process. Prints packets a second.
[[nodiscard]] int measure_weir(const Arguments& arguments) {
    const config::Config config = bench_config(arguments);
    auto models = app::load_models(config, {}, {}, {});
    if (!models) {
        std::fprintf(stderr, "%s\n", models.error().line().c_str());
        return 1;
    }
    dataplane::EalOptions eal;
    eal.eal = config.eal;
    eal.worker_lcores = config.workers.lcores;
    if (auto ok = dataplane::start_eal(eal); !ok) {
        std::fprintf(stderr, "%s\n", ok.error().line().c_str());
        return 1;
    }
    auto gateway = dataplane::Gateway::create(config);
    if (!gateway) {
        std::fprintf(stderr, "%s\n", gateway.error().line().c_str());
        return 1;
    }
    (*gateway)->publisher().publish(dataplane::build_snapshot(config, *models, 1));
    if (auto ok = (*gateway)->start(); !ok) {
        std::fprintf(stderr, "%s\n", ok.error().line().c_str());
        return 1;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    const auto begin = std::chrono::steady_clock::now();
    const dataplane::Totals before = (*gateway)->totals();
    std::this_thread::sleep_for(std::chrono::seconds(arguments.seconds));
    const dataplane::Totals after = (*gateway)->totals();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    (*gateway)->stop_workers();
    const dataplane::Totals end = (*gateway)->totals();
    if (!end.conserved()) {
        std::fprintf(
            stderr,
            "not conserved: in %" PRIu64 " out %" PRIu64 "\n",
            end.rx_packets,
            end.tx_packets);
        return 1;
    }
    std::printf(
        "pps %.0f bps %.0f\n",
        static_cast<double>(after.tx_packets - before.tx_packets) / elapsed.count(),
        static_cast<double>(after.tx_bytes - before.tx_bytes) * 8 / elapsed.count());
    return 0;
}

[[nodiscard]] std::string output_of(const std::string& command) {
    std::string text;
    FILE* pipe = popen(command.c_str(), "r");
    char buffer[4096];
    std::size_t got = 0;
    while (pipe != nullptr && (got = fread(buffer, 1, sizeof(buffer), pipe)) > 0) {
        text.append(buffer, got);
    }
    if (pipe != nullptr) {
        pclose(pipe);
    }
    return text;
}

struct Rate {
    double pps = 0;
    double bps = 0;
};

[[nodiscard]] Rate weir_rate(
    const Arguments& arguments, const std::string& self, const std::string& score) {
    const std::string text = output_of(
        self + " --child --pcap " + arguments.pcap + " --seconds " +
        std::to_string(arguments.seconds) + " --score " + score +
        (arguments.huge ? " --huge" : ""));
    Rate rate;
    std::sscanf(text.c_str(), "pps %lf bps %lf", &rate.pps, &rate.bps);
    return rate;
}

// The median of the rates that testpmd prints each second, the first left out.
[[nodiscard]] double testpmd_rate(const Arguments& arguments) {
    const auto pair = devices(arguments.pcap);
    const std::string memory = arguments.huge ? "--in-memory" : "--no-huge -m 512 --no-shconf";
    const std::string text = output_of(
        "timeout -s INT " + std::to_string(arguments.seconds + 3) +
        " dpdk-testpmd -l 0,1 --no-pci --no-telemetry " + memory +
        " --file-prefix=weirbench --vdev '" + pair[0] + "' --vdev '" + pair[1] +
        "' -- --forward-mode=io --stats-period 1 --no-mlockall --burst=64 --total-num-mbufs=16384 "
        "2>&1");
    std::vector<double> rates;
    const std::regex pattern("Tx-pps:\\s+(\\d+)");
    for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
        if (const double rate = std::stod((*it)[1]); rate > 0) {
            rates.push_back(rate);
        }
    }
    if (rates.size() > 1) {
        rates.erase(rates.begin());
    }
    if (rates.empty()) {
        std::fprintf(stderr, "dpdk-testpmd gave no rate:\n%s\n", text.c_str());
    }
    return median(rates);
}

[[nodiscard]] int compare(const Arguments& arguments, const std::string& self) {
    std::vector<double> weir;
    std::vector<double> bits;
    std::vector<double> unscored;
    std::vector<double> testpmd;
    std::vector<double> ratios;
    for (int round = 0; round < arguments.rounds; ++round) {
        const Rate rate = weir_rate(arguments, self, "both");
        const Rate plain = weir_rate(arguments, self, "none");
        const double peer = testpmd_rate(arguments);
        if (rate.pps <= 0 || plain.pps <= 0 || peer <= 0) {
            return 1;
        }
        weir.push_back(rate.pps / kPerMega);
        bits.push_back(rate.bps / (kPerMega * 1000));
        unscored.push_back(plain.pps / kPerMega);
        testpmd.push_back(peer / kPerMega);
        ratios.push_back(rate.pps / peer);
    }
    const std::string area = std::string("path.pcap_null.") + (arguments.huge ? "huge" : "nohuge");
    Report report;
    report.add({area + ".weir_both_slots", median(weir), "Mpps", {}, true});
    report.add({area + ".weir_both_slots_bits", median(bits), "Gb/s", {}, true});
    report.add({area + ".weir_no_models", median(unscored), "Mpps", {}, true});
    report.add({area + ".testpmd_io", median(testpmd), "Mpps", {}, true});
    report.add({area + ".share_of_testpmd", median(ratios), "x", {}, true});
    std::printf(
        "%s: one worker on lcore 1, bursts of 64, %d rounds of %d s in turn\n",
        arguments.pcap.c_str(),
        arguments.rounds,
        arguments.seconds);
    report.print();
    return arguments.json.empty() || report.write_json(arguments.json) ? 0 : 1;
}

[[nodiscard]] int run_main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{"One worker on a capture against dpdk-testpmd io forwarding"};
    app.add_option("--pcap", arguments.pcap, "Capture, frames of one mbuf each")
        ->required()
        ->check(CLI::ExistingFile);
    app.add_option("--json", arguments.json, "Write the results to this file");
    app.add_option("--rounds", arguments.rounds)->check(CLI::Range(1, 100));
    app.add_option("--seconds", arguments.seconds, "A measurement's length")
        ->check(CLI::Range(1, 60));
    app.add_flag("--huge", arguments.huge, "With hugepages (needs free ones)");
    app.add_flag("--child", arguments.child)->group("");
    app.add_option("--score", arguments.score)->group("");
    CLI11_PARSE(app, argc, argv);
    return arguments.child ? measure_weir(arguments)
                           : compare(arguments, std::filesystem::read_symlink("/proc/self/exe"));
}

}  // namespace
}  // namespace weir::perf

int main(int argc, char** argv) {
    return weir::perf::run_main(argc, argv);
}
