// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/generate.h"

#include "control/lab/generate_engine.h"
#include "control/lab/generate_files.h"
#include "control/lab/labels_csv.h"
#include "control/lab/labels_rules.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>

#include <unistd.h>

namespace weir::lab::synth {
namespace {

constexpr const char* kWhere = "generate";

struct Bound {
    const char* option;
    double value;
    double least;
    double most;
};

std::string number(double value) {
    std::string text = std::to_string(value);
    while (text.find('.') != std::string::npos && (text.back() == '0' || text.back() == '.')) {
        const bool point = text.back() == '.';
        text.pop_back();
        if (point) {
            break;
        }
    }
    return text;
}

Result<void> validate_numbers(const GenerateOptions& o) {
    constexpr double kLastSecond = std::numeric_limits<std::uint32_t>::max();
    constexpr double kWeek = 7.0 * 86400.0;
    const std::array<Bound, 9> bounds{{
        {"--seconds", static_cast<double>(o.seconds), 1, kWeek},
        {"--start",
         static_cast<double>(o.start_unix_s),
         0,
         kLastSecond - std::min(static_cast<double>(o.seconds), kWeek)},
        {"--benign-flows-per-second", o.benign_flows_per_second, 0, 5000},
        {"--attack-share", o.attack_share, 0, 0.95},
        {"--ipv6-share", o.ipv6_share, 0, 1},
        {"--intensity", o.intensity, 0.001, 100},
        {"--jitter", o.jitter, 0, 1},
        {"--padding", static_cast<double>(o.padding), 0, 1000},
        {"--slow", o.slow, 1, 10000},
    }};
    for (const auto& b : bounds) {
        if (!(b.value >= b.least && b.value <= b.most)) {  // a NaN is in no range
            return fail(
                kWhere,
                b.option,
                number(b.value) + " is out of range",
                "use " + number(b.least) + " to " + number(b.most));
        }
    }
    return {};
}

// Two names of one file would overwrite each other.
bool same_file(const std::string& a, const std::string& b) {
    std::error_code ignored;
    return a == b || std::filesystem::weakly_canonical(a, ignored) ==
                         std::filesystem::weakly_canonical(b, ignored);
}

// What becomes of each frame.
class Recorder {
  public:
    Recorder(const GenerateOptions& options, GenerateSummary& summary)
        : options_(options),
          summary_(summary),
          classes_(slot_classes(options.slot)),
          file_name_(csv_field(std::filesystem::path(options.out).filename().string())),
          index_(scenarios().size()) {
        const auto chosen = chosen_scenarios(options);
        summary.scenarios.resize(chosen.size());
        for (std::size_t i = 0; i < chosen.size(); ++i) {
            const Scenario& scenario = scenarios()[chosen[i]];
            index_[chosen[i]] = i;
            ScenarioCount& count = summary.scenarios[i];
            count.name = scenario.name;
            count.anomaly = scenario.anomaly;
            count.qos = scenario.qos;
        }
    }
    Result<void> open() {
        if (auto ok = capture_.open(options_.out); !ok) {
            return ok;
        }
        write_pcap_header(capture_);
        if (options_.labels.empty()) {
            return {};
        }
        if (auto ok = labels_.open(options_.labels); !ok) {
            return ok;
        }
        write_label_header(labels_);
        return {};
    }
    bool take(std::size_t scenario, Nanos at, const Packet& packet, Bytes frame, bool opens) {
        ScenarioCount& count = summary_.scenarios[index_[scenario]];
        ++count.packets;
        count.bytes += frame.size();
        ++summary_.packets;
        summary_.bytes += frame.size();
        write_pcap_packet(capture_, options_.start_unix_s * 1'000'000 + at / kMicro, frame);
        if (opens) {
            ++count.flows;
            ++summary_.flows;
            label(scenarios()[scenario], packet.tuple);
        }
        return !capture_.failed() && !labels_.failed();
    }
    Result<void> commit() {
        const bool labels = !options_.labels.empty();
        if (auto ok = capture_.complete(); !ok) {
            return ok;
        }
        if (labels) {
            if (auto ok = labels_.complete(); !ok) {
                return ok;
            }
            if (auto ok = labels_.rename_into_place(); !ok) {
                return ok;
            }
        }
        auto ok = capture_.rename_into_place();
        if (!ok && labels) {
            static_cast<void>(::unlink(options_.labels.c_str()));
        }
        return ok;
    }

  private:
    // A class that the slot's models do not have is left out, as in the labels of recorded traffic.
    void label(const Scenario& scenario, const Tuple& tuple) {
        const std::string_view name = options_.slot == "anomaly" ? scenario.anomaly : scenario.qos;
        if (std::find(classes_.begin(), classes_.end(), name) == classes_.end()) {
            return;
        }
        ++summary_.labelled_flows;
        if (!options_.labels.empty()) {
            const std::string group = options_.group.empty()
                                          ? "generated/" + std::string(scenario.name)
                                          : csv_field(options_.group);
            write_label(labels_, file_name_, tuple, name, group);
        }
    }

    const GenerateOptions& options_;
    GenerateSummary& summary_;
    std::span<const std::string_view> classes_;
    std::string file_name_;
    std::vector<std::size_t> index_;  // of a scenario in the summary
    NewFile capture_;
    NewFile labels_;
};

}  // namespace

Result<void> validate(const GenerateOptions& options) {
    if (options.out.empty()) {
        return fail(kWhere, "--out", "is missing", "name the capture to write");
    }
    if (!options.labels.empty() && same_file(options.out, options.labels)) {
        return fail(kWhere, "--labels", "is the file of --out", "name another file");
    }
    if (slot_classes(options.slot).empty()) {
        return fail(
            kWhere, "--slot", in_quotes(options.slot) + " is unknown", "use anomaly or qos");
    }
    if (options.group.find_first_of("\r\n") != std::string::npos) {
        return fail(kWhere, "--group", "has a line break", "use one line");
    }
    for (const auto& name : options.scenarios) {
        if (find_scenario(name) == nullptr) {
            return fail(
                kWhere,
                "--scenario",
                in_quotes(name) + " is unknown",
                "see weirlab generate --list");
        }
    }
    if (auto ok = validate_numbers(options); !ok) {
        return ok;
    }
    if (chosen_scenarios(options).empty()) {
        return fail(
            kWhere,
            "--benign-flows-per-second",
            "and --attack-share are both 0: nothing would be sent",
            "raise one, or choose scenarios with --scenario");
    }
    return {};
}

Result<GenerateSummary> generate(const GenerateOptions& options) {
    if (auto ok = validate(options); !ok) {
        return tl::unexpected(std::move(ok.error()));
    }
    GenerateSummary summary;
    Recorder recorder(options, summary);
    if (auto ok = recorder.open(); !ok) {
        return tl::unexpected(std::move(ok.error()));
    }
    Engine engine(
        options,
        [&recorder](std::size_t scenario, Nanos at, const Packet& packet, Bytes frame, bool opens) {
            return recorder.take(scenario, at, packet, frame, opens);
        });
    engine.run();
    if (options.stop != nullptr && *options.stop != 0) {
        return fail(options.out, {}, "interrupted; nothing was written");
    }
    if (auto ok = recorder.commit(); !ok) {
        return tl::unexpected(std::move(ok.error()));
    }
    const auto chosen = chosen_scenarios(options);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        summary.scenarios[i].sessions = engine.sessions(chosen[i]);
    }
    summary.held_back = engine.held_back();
    summary.most_live_sources = engine.most_live();
    return summary;
}

}  // namespace weir::lab::synth
