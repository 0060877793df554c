// SPDX-License-Identifier: BSD-3-Clause
// weirlab generate: synthetic traffic with labels.
#include "control/lab/commands.h"
#include "control/lab/generate.h"
#include "control/lab/generate_scenarios.h"
#include "control/lab/generate_send.h"

#include <array>
#include <csignal>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace weir::lab {
namespace {

using synth::GenerateOptions;
using synth::GenerateSummary;

struct Options {
    GenerateOptions generate;
    std::string send_to;  ///< an interface; empty: to nobody
    double speed = 1.0;
    bool list = false;
    bool json = false;
    bool progress = false;
};

// Else "-5" would wrap round to a huge number.
const CLI::Validator kNoMinus(
    [](std::string& text) {
        return text.starts_with('-') ? text + " is negative; fix: use a whole number from 0"
                                     : std::string();
    },
    "");

volatile std::sig_atomic_t stop_asked = 0;

// SIGINT and SIGTERM end the run in order, so that no half file stays.
class StopOnSignal {
  public:
    StopOnSignal() {
        stop_asked = 0;
        struct sigaction action {};
        action.sa_handler = [](int) { stop_asked = 1; };
        for (std::size_t i = 0; i < kSignals.size(); ++i) {
            sigaction(kSignals[i], &action, &before_[i]);
        }
    }
    StopOnSignal(const StopOnSignal&) = delete;
    StopOnSignal& operator=(const StopOnSignal&) = delete;
    ~StopOnSignal() {
        for (std::size_t i = 0; i < kSignals.size(); ++i) {
            sigaction(kSignals[i], &before_[i], nullptr);
        }
    }

  private:
    static constexpr std::array<int, 2> kSignals{SIGINT, SIGTERM};
    std::array<struct sigaction, 2> before_{};
};

void list(bool json) {
    if (json) {
        auto out = nlohmann::ordered_json::array();
        for (const auto& s : synth::scenarios()) {
            out.push_back(
                {{"scenario", s.name}, {"anomaly", s.anomaly}, {"qos", s.qos}, {"about", s.about}});
        }
        std::cout << out.dump(2) << '\n';
        return;
    }
    std::cout << std::left << std::setw(21) << "scenario" << std::setw(15) << "anomaly"
              << std::setw(25) << "qos"
              << "what\n";
    for (const auto& s : synth::scenarios()) {
        std::cout << std::left << std::setw(21) << s.name << std::setw(15) << s.anomaly
                  << std::setw(25) << (s.qos.empty() ? "-" : s.qos) << s.about << '\n';
    }
}

void print(const Options& options, const GenerateSummary& summary) {
    const bool anomaly = options.generate.slot == "anomaly";
    std::cout << std::left << std::setw(21) << "scenario" << std::setw(25) << "label" << std::right
              << std::setw(9) << "sessions" << std::setw(9) << "flows" << std::setw(11) << "packets"
              << std::setw(14) << "bytes" << '\n';
    for (const auto& s : summary.scenarios) {
        const std::string& label = anomaly ? s.anomaly : s.qos;
        std::cout << std::left << std::setw(21) << s.name << std::setw(25)
                  << (label.empty() ? "-" : label) << std::right << std::setw(9) << s.sessions
                  << std::setw(9) << s.flows << std::setw(11) << s.packets << std::setw(14)
                  << s.bytes << '\n';
    }
    std::cout << options.generate.out << ": " << summary.packets << " packets, " << summary.bytes
              << " bytes, " << summary.flows << " flows, of them labelled "
              << summary.labelled_flows << '\n';
    if (summary.held_back != 0) {
        std::cout << summary.held_back << " flows were not begun: " << synth::kMaxLiveSources
                  << " were at work\n";
    }
}

void print_json(const Options& options, const GenerateSummary& summary) {
    std::map<std::string, std::uint64_t> flows_of;
    nlohmann::ordered_json out{
        {"ok", true},
        {"out", options.generate.out},
        {"seed", options.generate.seed},
        {"packets", summary.packets},
        {"bytes", summary.bytes},
        {"flows", summary.flows},
        {"labelled_flows", summary.labelled_flows},
        {"held_back", summary.held_back},
        {"most_live_sources", summary.most_live_sources}};
    auto scenarios = nlohmann::ordered_json::array();
    for (const auto& s : summary.scenarios) {
        const bool anomaly = options.generate.slot == "anomaly";
        flows_of[anomaly ? s.anomaly : s.qos] += s.flows;
        scenarios.push_back(
            {{"scenario", s.name},
             {"anomaly", s.anomaly},
             {"qos", s.qos},
             {"sessions", s.sessions},
             {"flows", s.flows},
             {"packets", s.packets},
             {"bytes", s.bytes}});
    }
    flows_of.erase("");  // an attack has no service class
    out["flows_by_label"] = flows_of;
    out["scenarios"] = std::move(scenarios);
    std::cout << out.dump(2) << '\n';
}

/// The capture onto the network; what it says goes to stderr, as the summary has stdout.
Exit send(const Options& options) {
    const auto sent =
        synth::send({options.generate.out, options.send_to, options.speed, options.generate.stop});
    if (!sent) {
        return report(sent.error(), Exit::failed);
    }
    std::cerr << options.send_to << ": " << sent->packets << " packets, " << sent->bytes
              << " bytes in " << sent->seconds << " s, at most " << sent->latest_s
              << " s late; too long for the interface: " << sent->too_long << '\n';
    return stop_asked == 0 ? Exit::ok : Exit::failed;
}

Exit generate(Options options) {
    if (options.list) {
        list(options.json);
        return Exit::ok;
    }
    if (const auto ok = validate(options.generate); !ok) {
        return report_json(ok.error(), options.json);
    }
    if (!options.send_to.empty()) {
        if (const auto may = synth::may_send(options.send_to); !may) {
            return report_json(may.error(), options.json);
        }
    }
    if (options.progress) {
        options.generate.progress = [&](std::uint64_t seconds, std::uint64_t packets) {
            std::cerr << "weirlab: " << seconds << " of " << options.generate.seconds << " s, "
                      << packets << " packets\n";
        };
    }
    const StopOnSignal stop;
    options.generate.stop = &stop_asked;
    const auto summary = synth::generate(options.generate);
    if (!summary) {
        return report_json(summary.error(), options.json, Exit::failed);
    }
    options.json ? print_json(options, *summary) : print(options, *summary);
    return options.send_to.empty() ? Exit::ok : send(options);
}

void add_knobs(CLI::App& cmd, GenerateOptions& o) {
    cmd.add_option(
           "--benign-flows-per-second",
           o.benign_flows_per_second,
           "Benign sessions begun each second, 0 to 5000; most are one flow")
        ->capture_default_str();
    cmd.add_option(
           "--attack-share", o.attack_share, "Share of sessions that are attacks, 0 to 0.95")
        ->capture_default_str();
    cmd.add_option("--ipv6-share", o.ipv6_share, "Share of sessions over IPv6, 0 to 1")
        ->capture_default_str();
    cmd.add_option("--intensity", o.intensity, "Factor on the rates of attacks, 0.001 to 100")
        ->capture_default_str();
    cmd.add_option("--jitter", o.jitter, "Evasion: attacks' gaps vary by this share, 0 to 1")
        ->capture_default_str();
    cmd.add_option(
           "--padding",
           o.padding,
           "Evasion: up to so many bytes more in attacks' messages, 0 to 1000")
        ->check(kNoMinus)
        ->capture_default_str();
    cmd.add_option(
           "--slow", o.slow, "Evasion: attacks but floods are so many times slower, 1 to 10000")
        ->capture_default_str();
    cmd.add_flag(
        "--lying-ports", o.lying_ports, "Evasion: services on ports that stand for something else");
}

}  // namespace

void add_generate(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<Options>();
    GenerateOptions& o = options->generate;
    CLI::App* cmd = app.add_subcommand(
        "generate", "Writes synthetic traffic, benign and hostile, with the label of each flow");
    cmd->add_option("--out", o.out, "Capture to write (pcap)");
    cmd->add_option("--labels", o.labels, "CSV of flow labels to write, for weir extract --labels");
    cmd->add_option("--slot", o.slot, "Whose classes the labels are: anomaly or qos")
        ->capture_default_str();
    cmd->add_option("--group", o.group, "Group of all flows; without it generated/SCENARIO");
    cmd->add_option("--seed", o.seed, "Equal seeds and options give equal bytes")
        ->check(kNoMinus)
        ->capture_default_str();
    cmd->add_option("--seconds", o.seconds, "Length of the capture, 1 to 604800")
        ->check(kNoMinus)
        ->capture_default_str();
    cmd->add_option("--start", o.start_unix_s, "Time of its beginning, Unix seconds")
        ->check(kNoMinus)
        ->capture_default_str();
    cmd->add_option("--packets", o.packets, "End after so many packets; 0: no limit")
        ->check(kNoMinus)
        ->capture_default_str();
    cmd->add_option("--scenario", o.scenarios, "Only this one (repeatable); without it all of them")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    cmd->add_option(
        "--send-to",
        options->send_to,
        "Then send it live, at its times, out of this network interface (as root)");
    cmd->add_option("--speed", options->speed, "Of --send-to: so many times as fast")
        ->check(CLI::Range(0.01, 1000.0))
        ->capture_default_str();
    add_knobs(*cmd, o);
    cmd->add_flag("--list", options->list, "Print the scenarios and their labels, and end");
    cmd->add_flag("--progress", options->progress, "Tell on stderr how far it is");
    cmd->add_flag("--json", options->json, "Print the summary, or the list, as JSON");
    cmd->footer(
        "Addresses are those set aside for documentation and benchmarks. One session of each "
        "scenario begins "
        "early;\nthe others at random, by weight. A file appears whole or not at all.");
    cmd->callback([options, &exit] { exit = generate(*options); });
}

}  // namespace weir::lab
