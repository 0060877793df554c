// SPDX-License-Identifier: BSD-3-Clause
// weirlab generate: synthetic traffic with labels, the same bytes for the same options.
#pragma once

#include "config/error.h"

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace weir::lab::synth {

/// The bound on memory: so many flows and campaigns are at work at once, at most.
inline constexpr std::size_t kMaxLiveSources = 50'000;

/// What to generate. validate() knows the ranges.
struct GenerateOptions {
    std::string out;     ///< capture to write: pcap, microseconds, Ethernet, little endian
    std::string labels;  ///< flow labels to write; empty: none
    std::string slot = "anomaly";
    std::string group;  ///< of all flows in the labels; empty: "generated/SCENARIO"
    std::uint64_t seed = 1;
    std::uint64_t seconds = 10;
    std::uint64_t start_unix_s = 1'700'000'000;
    std::uint64_t packets = 0;           ///< most packets to write; 0: no limit
    std::vector<std::string> scenarios;  ///< empty: all of them

    double benign_flows_per_second =
        20.0;                   ///< benign sessions begun each second; a few have several flows
    double attack_share = 0.1;  ///< share of the sessions begun that are attacks
    double ipv6_share = 0.25;   ///< share of the sessions over IPv6
    double intensity = 1.0;     ///< factor on the rates of attacks
    double jitter = 0.0;        ///< evasion: attacks' gaps vary by this share of themselves
    std::uint64_t padding = 0;  ///< evasion: at most so many bytes more in attacks' messages
    double slow = 1.0;          ///< evasion: divides the rates of all attacks but floods
    std::size_t most_live_sources = kMaxLiveSources;
    bool lying_ports = false;  ///< services on ports that stand for others

    /// Called now and then with seconds generated and packets written; empty: never.
    std::function<void(std::uint64_t, std::uint64_t)> progress;
    /// Not zero: stop, fail, and leave nothing behind. Null: never.
    const volatile std::sig_atomic_t* stop = nullptr;
};

struct ScenarioCount {
    std::string name;
    std::string anomaly;  ///< class in slot anomaly
    std::string qos;      ///< service class; empty: has none
    std::uint64_t sessions = 0;
    std::uint64_t flows = 0;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;  ///< of frames
};
struct GenerateSummary {
    std::vector<ScenarioCount> scenarios;  ///< those chosen, in the table's order
    std::uint64_t flows = 0;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    std::uint64_t labelled_flows = 0;
    std::uint64_t held_back = 0;  ///< flows and campaigns not begun: as many as may be were at work
    std::uint64_t most_live_sources = 0;
};

/// Refuses, naming the option, what is out of range.
[[nodiscard]] Result<void> validate(const GenerateOptions& options);

/// Writes the capture and the labels: both appear whole, or neither. Errors: of validate(), and of writing
/// (then `field` is empty). Thread: any; blocks.
[[nodiscard]] Result<GenerateSummary> generate(const GenerateOptions& options);

}  // namespace weir::lab::synth
