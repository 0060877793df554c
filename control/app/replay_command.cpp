// SPDX-License-Identifier: BSD-3-Clause
// weir replay: a capture through the worker, verdicts and marked packets out.
#include "config/load.h"
#include "control/app/commands.h"
#include "control/app/models.h"
#include "control/app/verdicts.h"
#include "dataplane/replay.h"
#include "dataplane/snapshot_build.h"

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>

#include <CLI/CLI.hpp>

namespace weir::app {

namespace {

struct ReplayArguments {
    std::string in;
    std::string out;
    std::string config;
    std::string verdicts;
    std::string keyring;
    std::string isa;
    std::vector<std::string> models;
    std::uint32_t burst = 0;
    bool json = false;
};

// A text file written beside its name and renamed once complete.
class VerdictFile {
  public:
    explicit VerdictFile(std::string path) : path_(std::move(path)) {
        if (path_ == "-") {
            file_ = stdout;
        } else if (!path_.empty()) {
            file_ = std::fopen((path_ + ".tmp").c_str(), "w");
        }
    }
    ~VerdictFile() {
        if (file_ != nullptr && file_ != stdout) {
            std::fclose(file_);
            std::remove((path_ + ".tmp").c_str());
        }
    }
    VerdictFile(const VerdictFile&) = delete;
    VerdictFile& operator=(const VerdictFile&) = delete;

    [[nodiscard]] bool wanted() const noexcept { return !path_.empty(); }
    [[nodiscard]] bool open() const noexcept { return file_ != nullptr; }
    void line(const std::string& text) {
        failed_ = failed_ || std::fputs(text.c_str(), file_) < 0 || std::fputc('\n', file_) == EOF;
    }
    [[nodiscard]] bool commit() {
        if (file_ == nullptr || file_ == stdout) {
            return !failed_;
        }
        const bool flushed = std::fflush(file_) == 0 && !failed_;
        return flushed && std::rename((path_ + ".tmp").c_str(), path_.c_str()) == 0;
    }

  private:
    std::string path_;
    FILE* file_ = nullptr;
    bool failed_ = false;
};

// Flows by class of one slot, for the summary.
using ClassCounts = std::map<std::string, std::uint64_t>;

struct Summary {
    std::vector<std::string> slots;
    std::vector<ClassCounts> classes;

    void add(const dataplane::FlowRecord& record) {
        for (std::size_t s = 0; s < slots.size(); ++s) {
            const std::uint8_t cls = record.verdicts[s].cls;
            ++classes[s][cls == dataplane::kNoClass ? "-" : dataplane::class_name(slots[s], cls)];
        }
    }
};

void print_text(const dataplane::ReplayResult& result, const Summary& summary, FILE* to) {
    const dataplane::Totals& totals = result.totals;
    std::fprintf(
        to,
        "packets in %" PRIu64 " = out %" PRIu64 " + dropped %" PRIu64 "%s\n",
        totals.rx_packets,
        totals.tx_packets,
        totals.dropped(),
        totals.conserved() ? "" : "  NOT CONSERVED");
    for (std::size_t r = 0; r < dataplane::kDropReasons; ++r) {
        if (totals.drops[r] != 0) {
            std::fprintf(
                to,
                "  dropped %-18s %" PRIu64 "\n",
                std::string(dataplane::kDropReasonTable[r].name).c_str(),
                totals.drops[r]);
        }
    }
    std::fprintf(
        to,
        "parsed: flow %" PRIu64 ", other %" PRIu64 ", truncated %" PRIu64 ", malformed %" PRIu64
        ", unsupported %" PRIu64 "\n",
        result.parsed[0],
        result.parsed[1],
        result.parsed[2],
        result.parsed[3],
        result.parsed[4]);
    std::fprintf(
        to,
        "flows %" PRIu64 " (evicted %" PRIu64 ", refused %" PRIu64 "), packets marked %" PRIu64
        "\n",
        result.flows,
        result.flows_evicted,
        result.flows_refused,
        totals.marked);
    for (std::size_t s = 0; s < summary.slots.size(); ++s) {
        std::fprintf(to, "%s:", summary.slots[s].c_str());
        for (const auto& [name, flows] : summary.classes[s]) {
            std::fprintf(to, " %s %" PRIu64, name.c_str(), flows);
        }
        std::fprintf(to, "  (rows scored %" PRIu64 ")\n", result.scored[s]);
    }
    std::fprintf(
        to,
        "capture %.3f s, replayed in %.3f s\n",
        static_cast<double>(result.capture_span_ns) * 1e-9,
        result.seconds);
}

void print_json(const dataplane::ReplayResult& result, const Summary& summary, FILE* to) {
    const dataplane::Totals& totals = result.totals;
    std::fprintf(
        to,
        "{\"packets_in\":%" PRIu64 ",\"packets_out\":%" PRIu64 ",\"dropped\":{",
        totals.rx_packets,
        totals.tx_packets);
    for (std::size_t r = 0; r < dataplane::kDropReasons; ++r) {
        std::fprintf(
            to,
            "%s\"%s\":%" PRIu64,
            r == 0 ? "" : ",",
            std::string(dataplane::kDropReasonTable[r].name).c_str(),
            totals.drops[r]);
    }
    std::fprintf(
        to,
        "},\"conserved\":%s,\"marked\":%" PRIu64 ",\"flows\":%" PRIu64 ",\"evicted\":%" PRIu64
        ",\"refused\":%" PRIu64 ",\"seconds\":%.6f,\"slots\":{",
        totals.conserved() ? "true" : "false",
        totals.marked,
        result.flows,
        result.flows_evicted,
        result.flows_refused,
        result.seconds);
    for (std::size_t s = 0; s < summary.slots.size(); ++s) {
        std::fprintf(to, "%s\"%s\":{", s == 0 ? "" : ",", summary.slots[s].c_str());
        bool first = true;
        for (const auto& [name, flows] : summary.classes[s]) {
            std::fprintf(to, "%s\"%s\":%" PRIu64, first ? "" : ",", name.c_str(), flows);
            first = false;
        }
        std::fprintf(to, "}");
    }
    std::fprintf(to, "}}\n");
}

[[nodiscard]] Result<dataplane::ReplayOptions> options_of(
    const ReplayArguments& arguments, config::Config config) {
    dataplane::ReplayOptions options;
    options.in = arguments.in;
    options.out = arguments.out;
    if (arguments.burst != 0) {
        config.workers.burst = arguments.burst;
    }
    auto models = load_models(config, arguments.models, arguments.keyring, arguments.isa);
    if (!models) {
        return tl::unexpected(models.error());
    }
    options.models = std::move(*models);
    options.config = std::move(config);
    return options;
}

[[nodiscard]] Exit run_replay(const ReplayArguments& arguments) {
    config::Config config = config::defaults();
    config.features.payload = true;  // offline there is nothing to spare: a model has all it reads
    if (!arguments.config.empty()) {
        auto loaded = config::load_file(arguments.config);
        if (!loaded) {
            return report(loaded.error());
        }
        config = std::move(*loaded);
    }
    if (auto scanned = dataplane::scan_capture(arguments.in); !scanned) {
        return report(scanned.error());
    }
    auto options = options_of(arguments, std::move(config));
    if (!options) {
        return report(options.error());
    }
    VerdictFile verdicts(arguments.verdicts);
    if (verdicts.wanted() && !verdicts.open()) {
        return report(Error{
            arguments.verdicts,
            {},
            std::string("cannot write: ") + std::strerror(errno),
            "check the folder and its permissions"});
    }
    if (auto ok = dataplane::start_replay_eal(); !ok) {
        return report(ok.error(), Exit::failed);
    }
    Summary summary;
    for (const config::Slot& slot : options->config.slots) {
        summary.slots.push_back(slot.name);
    }
    summary.classes.resize(summary.slots.size());
    options->on_flow = [&](const dataplane::FlowRecord& record) {
        summary.add(record);
        if (verdicts.wanted()) {
            verdicts.line(verdict_json(record, summary.slots, options->models));
        }
    };
    const auto result = dataplane::replay(*options);
    if (!result) {
        return report(result.error());
    }
    if (!verdicts.commit()) {
        return report(
            Error{
                arguments.verdicts,
                {},
                std::string("cannot write: ") + std::strerror(errno),
                "check free space and permissions"},
            Exit::failed);
    }
    FILE* to = arguments.verdicts == "-" ? stderr : stdout;
    (arguments.json ? print_json : print_text)(*result, summary, to);
    return result->totals.conserved() && result->records_lost == 0 ? Exit::ok : Exit::failed;
}

}  // namespace

void add_replay(CLI::App& app, Exit& exit) {
    auto arguments = std::make_shared<ReplayArguments>();
    CLI::App* command =
        app.add_subcommand("replay", "Run a capture through the worker and write its verdicts");
    command->add_option("--in", arguments->in, "Capture to read: pcap or pcapng, Ethernet")
        ->required();
    command->add_option(
        "--out", arguments->out, "Write the forwarded, marked packets to this pcap");
    command->add_option(
        "--verdicts",
        arguments->verdicts,
        "Write one JSON object a flow to this file (- for stdout)");
    command->add_option(
        "-m,--model",
        arguments->models,
        "SLOT=BUNDLE or SLOT=none, instead of the configured model");
    command->add_option(
        "-c,--config",
        arguments->config,
        "weir.yaml for slots, rules, flow table (ports are not used)");
    command->add_option(
        "--keyring", arguments->keyring, "Directory of further trusted keys (*.pub)");
    command->add_option(
        "--isa",
        arguments->isa,
        "Force a kernel variant: scalar, avx2, avx512, avx512_vnni, avx512_gfni");
    command
        ->add_option(
            "--burst", arguments->burst, "Packets a receive call; results do not depend on it")
        ->check(CLI::Range(1, 64));
    command->add_flag("--json", arguments->json, "Print the summary as JSON");
    command->callback([arguments, &exit] { exit = run_replay(*arguments); });
}

}  // namespace weir::app
