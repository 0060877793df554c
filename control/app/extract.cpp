// SPDX-License-Identifier: BSD-3-Clause
// weir extract: the features of captures as a table, computed by the very worker that runs live.
#include "control/app/commands.h"
#include "control/app/extract_run.h"
#include "dataplane/replay.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <thread>

#include <CLI/CLI.hpp>
#include <unistd.h>

namespace weir::app {

namespace {

constexpr std::uint32_t kMaxJobs = 16;

[[nodiscard]] Result<ExtractColumns> columns_of(bool raw, bool codes, const std::string& points) {
    ExtractColumns columns;
    columns.raw = raw || !codes;
    columns.codes = codes || !raw;
    columns.decisions = points != "end";
    columns.ends = points != "decisions";
    if (points != "all" && points != "end" && points != "decisions") {
        return fail(
            "extract", "--points", "'" + points + "' is unknown", "use all, decisions or end");
    }
    return columns;
}

[[nodiscard]] Exit extract_main(const ExtractArguments& arguments) {
    if (auto ok = dataplane::start_replay_eal(arguments.jobs); !ok) {
        return report(ok.error(), Exit::failed);
    }
    const auto summary = extract_run(arguments, isatty(STDERR_FILENO) == 1 ? stderr : nullptr);
    if (!summary) {
        return report(summary.error());
    }
    std::fprintf(
        stderr,
        "captures %zu (of them %zu from an earlier run), packets %" PRIu64 ", rows %" PRIu64
        ", of them labelled %" PRIu64 "\n",
        arguments.in.size(),
        summary->kept,
        summary->packets,
        summary->rows,
        summary->labelled);
    return Exit::ok;
}

}  // namespace

void add_extract(CLI::App& app, Exit& exit) {
    struct Options {
        ExtractArguments arguments;
        bool raw = false;
        bool codes = false;
        std::string points = "all";
        std::string format = "csv";
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand(
        "extract", "Write the features of captures as a table, as the worker computes them");
    command->add_option("--in", options->arguments.in, "Captures to read: pcap or pcapng, Ethernet")
        ->required();
    command
        ->add_option(
            "--out",
            options->arguments.out,
            "CSV to write (- for stdout), or the folder of --format npy. Finished captures wait in "
            "OUT.parts: the same command goes on after an interruption")
        ->required();
    command
        ->add_option("--format", options->format, "csv, or npy: a folder of arrays that numpy maps")
        ->check(CLI::IsMember({"csv", "npy"}))
        ->capture_default_str();
    options->arguments.jobs = std::clamp(std::thread::hardware_concurrency(), 1U, kMaxJobs);
    command->add_option("-j,--jobs", options->arguments.jobs, "Captures to read at once")
        ->check(CLI::Range(1U, kMaxJobs))
        ->capture_default_str();
    command->add_option(
        "--labels",
        options->arguments.labels,
        "CSV of flow labels: file,proto,src,sport,dst,dport,label[,group]");
    command->add_option(
        "-c,--config",
        options->arguments.config,
        "weir.yaml for the flow table (ports and slots are not used)");
    command->add_flag("--raw", options->raw, "Raw values only, columns NAME");
    command->add_flag("--codes", options->codes, "Codes only, columns NAME_code");
    command
        ->add_option(
            "--points",
            options->points,
            "Rows: decisions (each flow's packets 1, 2, 4, 8, ...), end (each flow's last packet), "
            "all")
        ->capture_default_str();
    command->callback([options, &exit] {
        const auto columns = columns_of(options->raw, options->codes, options->points);
        if (!columns) {
            exit = report(columns.error());
            return;
        }
        options->arguments.columns = *columns;
        std::string& out = options->arguments.out;
        if (options->format == "npy") {
            options->arguments.format = ExtractFormat::columns;
            while (out.size() > 1 && out.back() == '/') {
                out.pop_back();
            }
            if (out == "-") {
                exit = report(Error{"extract", "--out", "npy is a folder", "name one"});
                return;
            }
        }
        exit = extract_main(options->arguments);
    });
}

}  // namespace weir::app
