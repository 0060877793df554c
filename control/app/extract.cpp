// SPDX-License-Identifier: BSD-3-Clause
// weir extract: the features of captures as CSV, computed by the very worker that runs live.
#include "control/app/extract.h"

#include "config/load.h"
#include "control/app/commands.h"
#include "control/app/extract_rows.h"
#include "dataplane/replay.h"

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <unistd.h>

namespace weir::app {

namespace {

// A text file written beside its name and renamed once complete; "-" is stdout.
class CsvFile {
  public:
    explicit CsvFile(std::string path)
        : path_(std::move(path)), temporary_(path_ + ".tmp." + std::to_string(getpid())) {
        file_ = path_ == "-" ? stdout : std::fopen(temporary_.c_str(), "we");
    }
    ~CsvFile() {
        if (file_ != nullptr && file_ != stdout) {
            std::fclose(file_);
            std::remove(temporary_.c_str());
        }
    }
    CsvFile(const CsvFile&) = delete;
    CsvFile& operator=(const CsvFile&) = delete;

    [[nodiscard]] bool open() const noexcept { return file_ != nullptr; }
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    void line(const std::string& text) {
        failed_ = failed_ || std::fwrite(text.data(), 1, text.size(), file_) != text.size() ||
                  std::fputc('\n', file_) == EOF;
    }
    [[nodiscard]] bool commit() {
        failed_ = std::fflush(file_) != 0 || failed_;
        if (file_ == stdout || failed_) {
            return !failed_;
        }
        const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
        if (closed && std::rename(temporary_.c_str(), path_.c_str()) == 0) {
            return true;
        }
        const int why = errno;
        std::remove(temporary_.c_str());
        errno = why;
        return false;
    }

  private:
    std::string path_;
    std::string temporary_;
    FILE* file_ = nullptr;
    bool failed_ = false;
};

[[nodiscard]] Exit extract_capture(
    const std::string& path, const config::Config& config, ExtractRows& rows) {
    rows.begin_capture(path);
    dataplane::ReplayOptions options;
    options.in = path;
    options.config = config;
    options.tap = &rows;
    options.on_flow = [&rows](const dataplane::FlowRecord& record) { rows.on_flow_end(record); };
    const auto result = dataplane::replay(options);
    if (!result) {
        return report(result.error());
    }
    if (result->records_lost != 0 || rows.open_flows() != 0) {
        return report(
            Error{
                path,
                {},
                std::to_string(result->records_lost) + " flow records lost",
                "this is a defect; please report it"},
            Exit::failed);
    }
    return Exit::ok;
}

[[nodiscard]] Exit extract_all(
    const ExtractArguments& arguments, const config::Config& config, const FlowLabels* labels) {
    CsvFile file(arguments.out);
    if (!file.open()) {
        return report(Error{
            arguments.out,
            {},
            std::string("cannot write: ") + std::strerror(errno),
            "check the folder and its permissions"});
    }
    if (auto ok = dataplane::start_replay_eal(); !ok) {
        return report(ok.error(), Exit::failed);
    }
    ExtractRows rows(
        arguments.columns, labels, [&file](const std::string& line) { file.line(line); });
    file.line(extract_header(arguments.columns));
    for (const std::string& path : arguments.in) {
        if (const Exit exit = extract_capture(path, config, rows); exit != Exit::ok) {
            return exit;
        }
        if (file.failed()) {
            break;
        }
    }
    if (!file.commit()) {
        return report(
            Error{
                arguments.out,
                {},
                std::string("cannot write: ") + std::strerror(errno),
                "check free space and permissions"},
            Exit::failed);
    }
    std::fprintf(
        stderr,
        "captures %zu, rows %" PRIu64 ", of them labelled %" PRIu64 "\n",
        arguments.in.size(),
        rows.rows(),
        rows.labelled_rows());
    return Exit::ok;
}

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

}  // namespace

Exit extract_main(const ExtractArguments& arguments) {
    config::Config config = config::defaults();
    if (!arguments.config.empty()) {
        auto loaded = config::load_file(arguments.config);
        if (!loaded) {
            return report(loaded.error());
        }
        config = std::move(*loaded);
    }
    config.slots.clear();  // nothing is scored
    std::optional<FlowLabels> labels;
    if (!arguments.labels.empty()) {
        auto read = FlowLabels::read(arguments.labels);
        if (!read) {
            return report(read.error());
        }
        labels = std::move(*read);
    }
    for (const std::string& path : arguments.in) {
        if (auto scanned = dataplane::scan_capture(path); !scanned) {
            return report(scanned.error());
        }
    }
    return extract_all(arguments, config, labels ? &*labels : nullptr);
}

void add_extract(CLI::App& app, Exit& exit) {
    struct Options {
        ExtractArguments arguments;
        bool raw = false;
        bool codes = false;
        std::string points = "all";
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand(
        "extract", "Write the features of captures as CSV, as the worker computes them");
    command->add_option("--in", options->arguments.in, "Captures to read: pcap or pcapng, Ethernet")
        ->required();
    command->add_option("--out", options->arguments.out, "CSV to write (- for stdout)")->required();
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
        exit = extract_main(options->arguments);
    });
}

}  // namespace weir::app
