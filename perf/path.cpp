// SPDX-License-Identifier: BSD-3-Clause
// The whole path of one worker: nanoseconds a packet and packets a second, without a NIC, root, or arguments.
// Traffic comes from net_null with headers written into its mbufs, and from a capture through net_pcap; the yardstick
// is dpdk-testpmd's io forwarding on the same devices. A process a measurement, as EAL starts once in each; what is
// compared runs in turns within one.
#include "dataplane/eal.h"
#include "perf/path_lane.h"
#include "perf/path_traffic.h"
#include "perf/report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <sched.h>
#include <unistd.h>

namespace weir::perf {
namespace {

struct Arguments {
    std::string pcap;
    std::string json;
    std::string markdown;
    int rounds = 11;
    std::uint32_t most_flows = 1U << 24;
    std::vector<std::string> only;
    bool latency = false;
    bool child = false;
    LaneOptions lane;
};

struct Goal {
    const char* name;
    double value;
};

// What the project promises of one worker.
constexpr Goal kGoals[] = {
    {"path.1m.uniform.small_both", 14.88},
    {"path.1m.zipf.small_both", 14.88},
    {"path.1m.uniform.default_both", 14.88},
    {"path.1m.zipf.default_both", 14.88},
    {"path.1m.uniform.mlp", 18},
    {"path.1m.zipf.mlp", 18},
    {"path.16m.uniform.small_both", 9},
    {"path.16m.uniform.default_both", 9},
    {"path.latency.load_80.p999", 20},
};

// The worker's core, where the machine has a second one to leave to everything else.
void pin_to_worker_core() {
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(1, &set);
        sched_setaffinity(0, sizeof(set), &set);
    }
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

class Runner {
  public:
    Runner(const Arguments& arguments, std::string self)
        : arguments_(arguments), self_(std::move(self)) {}

    /// True if the area is asked for: it, or one that begins with what was named.
    [[nodiscard]] bool wants(const std::string& area) const {
        return arguments_.only.empty() ||
               std::any_of(
                   arguments_.only.begin(), arguments_.only.end(), [&](const std::string& name) {
                       return area.rfind(name, 0) == 0 || area.rfind("path." + name, 0) == 0;
                   });
    }

    /// Runs one lane in a process of its own. False if it gave no rows.
    [[nodiscard]] bool lane(const std::string& area, const std::string& options) {
        if (!wants(area)) {
            return true;
        }
        std::fprintf(stderr, "bench path: %s\n", area.c_str());
        const std::string text = output_of(
            self_ + " --child --rounds " + std::to_string(arguments_.rounds) + " " + options +
            (huge_ ? " --huge" : ""));
        std::istringstream lines(text);
        std::string word;
        Row row;
        bool any = false;
        while (lines >> word >> row.name >> row.value >> row.unit) {
            row.name = area + "." + row.name;
            row.goal.reset();
            row.higher_is_better = row.unit != "ns" && row.unit != "us";
            for (const Goal& goal : kGoals) {
                if (row.name == goal.name) {
                    row.goal = goal.value;
                }
            }
            // A run takes minutes: what is known so far is seen.
            std::fprintf(stderr, "  %s %.3f %s\n", row.name.c_str(), row.value, row.unit.c_str());
            values_[row.name] = row.value;
            report_.add(row);
            any = true;
        }
        return any;
    }

    /// The median of the rates that testpmd prints each second, the first left out.
    [[nodiscard]] bool testpmd(
        const std::string& area, const std::string& in, const std::string& out) {
        if (!wants(area)) {
            return true;
        }
        std::fprintf(stderr, "bench path: %s.testpmd_io\n", area.c_str());
        constexpr int kSeconds = 6;
        const std::string memory = huge_ ? "--in-memory" : "--no-huge -m 512 --no-shconf";
        const std::string text = output_of(
            "timeout -s INT " + std::to_string(kSeconds) +
            " dpdk-testpmd -l 0,1 --no-pci --no-telemetry " + memory +
            " --file-prefix=weirbench --vdev '" + in + "' --vdev '" + out +
            "' -- --forward-mode=io --stats-period 1 --no-mlockall --burst=64 "
            "--total-num-mbufs=16384 2>&1");
        std::vector<double> rates;
        const std::regex pattern("Tx-pps:\\s+(\\d+)");
        for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
            if (const double rate = std::stod((*it)[1]); rate > 0) {
                rates.push_back(rate / 1e6);
            }
        }
        if (rates.size() < 2) {
            std::fprintf(stderr, "dpdk-testpmd gave no rate:\n%s\n", text.c_str());
            return false;
        }
        rates.erase(rates.begin());
        values_[area + ".testpmd_io"] = median(rates);
        report_.add({area + ".testpmd_io", median(rates), "Mpps", {}, true});
        return true;
    }

    /// What ndpiReader makes of a capture: parsing, flows and its own classification, on a core of its own. Left out, and
    /// said so, where it is not installed.
    void ndpi(const std::string& area, const std::string& capture) {
        if (!wants(area)) {
            return;
        }
        std::fprintf(stderr, "bench path: %s.ndpireader\n", area.c_str());
        const std::string text = output_of("ndpiReader -i '" + capture + "' 2>/dev/null");
        const std::regex pattern("nDPI throughput:\\s+([0-9.]+) ([MK]?) ?pps");
        std::smatch match;
        if (!std::regex_search(text, match, pattern)) {
            std::fprintf(stderr, "ndpiReader gave no rate: not installed? (libndpi-bin)\n");
            return;
        }
        const std::string unit = match[2].str();
        const double scale = unit == "M" ? 1 : unit == "K" ? 1e-3 : 1e-6;
        values_[area + ".ndpireader"] = std::stod(match[1].str()) * scale;
        report_.add({area + ".ndpireader", values_[area + ".ndpireader"], "Mpps", {}, true});
    }

    /// The row a/b, if both were measured.
    void ratio(
        const std::string& name,
        const std::string& a,
        const std::string& b,
        std::optional<double> goal) {
        if (values_.count(a) != 0 && values_.count(b) != 0) {
            report_.add({name, values_[a] / values_[b], "x", goal, true});
        }
    }

    /// The row a + b, if both were measured.
    void sum(const std::string& name, const std::array<std::string, 2>& parts) {
        if (values_.count(parts[0]) != 0 && values_.count(parts[1]) != 0) {
            values_[name] = values_[parts[0]] + values_[parts[1]];
            report_.add({name, values_[name], "ns", {}, false});
        }
    }

    [[nodiscard]] Report& report() { return report_; }

  private:
    const Arguments& arguments_;
    std::string self_;
    bool huge_ = dataplane::free_hugepages();
    std::map<std::string, double> values_;
    Report report_;
};

[[nodiscard]] bool run_null(Runner& runner, const Arguments& arguments) {
    const std::vector<std::pair<std::string, std::uint32_t>> sizes{
        {"64k", 1U << 16}, {"1m", 1U << 20}, {"16m", 1U << 24}};
    for (const auto& [name, flows] : sizes) {
        if (flows > arguments.most_flows) {
            continue;
        }
        for (const std::string popularity : {"uniform", "zipf"}) {
            if (popularity == "zipf" && flows != 1U << 20) {
                continue;
            }
            const std::string options =
                "--flows " + std::to_string(flows) + (popularity == "zipf" ? " --zipf" : "");
            if (!runner.lane("path." + name + "." + popularity, options)) {
                return false;
            }
        }
    }
    return runner.lane("path.1m.random_hosts", "--flows 1048576 --hosts 0") &&
           runner.lane("path.latency", "--flows 1048576 --paced") &&
           runner.lane("path.half", "--flows 524288 --capacity 1048576") &&
           runner.lane("path.flood", "--flows 10000 --capacity 1048576 --flood") &&
           runner.lane("path.trials", "--flows 65536 --trials") &&
           runner.testpmd("path.null", "net_null0,size=60", "net_null1,no-rx=1");
}

[[nodiscard]] bool run_pcap(Runner& runner, const Arguments& arguments) {
    namespace fs = std::filesystem;
    const bool own = arguments.pcap.empty();
    const std::string file =
        own ? (fs::temp_directory_path() / ("weir-imix-" + std::to_string(getpid()) + ".pcap"))
                  .string()
            : arguments.pcap;
    if (own && !write_imix(file, 4096)) {
        return false;
    }
    const std::string area = own ? "path.imix" : "path.pcap";
    const bool ok =
        runner.lane(area, "--flows 65536 --pcap " + file) &&
        runner.testpmd(area, "net_pcap0,rx_pcap=" + file + ",infinite_rx=1", "net_null0,no-rx=1");
    // It reads each capture once, by milliseconds: of our own it gets one that lasts.
    constexpr std::uint32_t kLongFrames = 1U << 18;
    if (ok && (!own || write_imix(file, kLongFrames))) {
        runner.ndpi(area, file);
    }
    if (own) {
        fs::remove(file);
    }
    return ok;
}

[[nodiscard]] int run_all(const Arguments& arguments, const std::string& self) {
    std::printf(
        "One worker, bursts of 64, every packet scored; %s\n",
        dataplane::free_hugepages() ? "mbufs on hugepages"
                                    : "no free hugepages: mbufs on small pages");
    Runner runner(arguments, self);
    if (!run_null(runner, arguments) || !run_pcap(runner, arguments)) {
        return 1;
    }
    runner.ratio(
        "path.1m.share_of_testpmd", "path.1m.uniform.default_both", "path.null.testpmd_io", {});
    runner.ratio(
        "path.imix.share_of_testpmd", "path.imix.default_both", "path.imix.testpmd_io", {});
    runner.ratio(
        "path.imix.times_ndpireader", "path.imix.default_both", "path.imix.ndpireader", {});
    runner.ratio(
        "path.pcap.times_ndpireader", "path.pcap.default_both", "path.pcap.ndpireader", {});
    runner.ratio("path.flood_share", "path.flood.default_both", "path.half.default_both", 0.7);
    runner.ratio("path.flood_share_bare", "path.flood.no_models", "path.half.no_models", 0.7);
    for (const char* with : {"after", "probation", "shadow", "canary"}) {
        const std::string one = std::string("path.trials.") + with;
        runner.ratio(one + "_share", one, "path.trials.never", {});
    }
    runner.sum(
        "path.16m.flow_stage_ns",
        {"path.16m.uniform.no_models.stage_prepare", "path.16m.uniform.no_models.stage_track"});
    runner.sum(
        "path.64k.flow_stage_ns",
        {"path.64k.uniform.no_models.stage_prepare", "path.64k.uniform.no_models.stage_track"});
    runner.ratio("path.16m_share", "path.64k.flow_stage_ns", "path.16m.flow_stage_ns", 0.5);
    runner.report().print();
    if (!arguments.markdown.empty() && !runner.report().write_markdown(arguments.markdown)) {
        std::fprintf(stderr, "cannot write %s\n", arguments.markdown.c_str());
        return 1;
    }
    return arguments.json.empty() || runner.report().write_json(arguments.json) ? 0 : 1;
}

[[nodiscard]] int run_main(int argc, char** argv) {
    Arguments arguments;
    LaneOptions& lane = arguments.lane;
    CLI::App app{"The whole packet path of one worker"};
    app.add_option(
           "--pcap", arguments.pcap, "Capture instead of a generated one; frames of one mbuf each")
        ->check(CLI::ExistingFile);
    app.add_option("--json", arguments.json, "Write the results to this file");
    app.add_option("--markdown", arguments.markdown, "Write the results as a table to this file");
    app.add_option("--rounds", arguments.rounds, "Chunks a case")->check(CLI::Range(1, 10000));
    app.add_option("--most-flows", arguments.most_flows, "Leave out cases of more flows");
    app.add_option("--only", arguments.only, "Only areas that begin so, such as 1m or 64k.uniform");
    app.add_flag(
        "--latency", arguments.latency, "Only the added latency at shares of the no-loss rate");
    app.add_flag("--child", arguments.child, "One lane alone, its rows as they are");
    app.add_option("--flows", lane.flows, "Lane: flows");
    app.add_option("--capacity", lane.capacity, "Lane: flow table; default: twice the flows");
    app.add_option("--hosts", lane.hosts, "Lane: distinct clients; 0: one a flow");
    app.add_flag("--zipf", lane.zipf, "Lane: popularity 1/rank");
    app.add_flag("--flood", lane.flood, "Lane: seven of eight packets are a new flow's SYN");
    app.add_flag("--paced", lane.latency, "Lane: delays of paced packets instead of rates");
    app.add_option("--case", lane.only_case, "Lane: this set of models alone, such as mlp");
    app.add_flag("--trials", lane.trials, "Lane: two networks, without and with models on trial");
    app.add_option("--gather-us", lane.gather_us, "Lane: how long full bursts join a batch; 0: 64");
    app.add_flag("--huge", lane.huge, "Lane: mbufs on hugepages");
    CLI11_PARSE(app, argc, argv);
    if (arguments.latency) {
        arguments.only = {"latency"};
    }
    if (arguments.child) {
        lane.pcap = arguments.pcap;
        lane.rounds = arguments.rounds;
        pin_to_worker_core();
        return run_lane(lane);
    }
    return run_all(arguments, std::filesystem::read_symlink("/proc/self/exe"));
}

}  // namespace
}  // namespace weir::perf

int main(int argc, char** argv) {
    return weir::perf::run_main(argc, argv);
}
