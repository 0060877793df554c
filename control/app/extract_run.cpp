// SPDX-License-Identifier: BSD-3-Clause
#include "control/app/extract_run.h"

#include "config/load.h"
#include "control/app/extract_columns.h"
#include "control/app/extract_csv.h"
#include "control/app/extract_parts.h"
#include "control/app/extract_progress.h"
#include "dataplane/features/catalog.h"
#include "dataplane/replay.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <numeric>
#include <optional>

#include <rte_lcore.h>

#include <fcntl.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <unistd.h>

namespace weir::app {

namespace {

// EAL knows this thread while it lives: mbuf pools then have a cache for it.
class EalThread {
  public:
    EalThread() : registered_(rte_lcore_id() == LCORE_ID_ANY && rte_thread_register() == 0) {}
    ~EalThread() {
        if (registered_) {
            rte_thread_unregister();
        }
    }
    EalThread(const EalThread&) = delete;
    EalThread& operator=(const EalThread&) = delete;

  private:
    bool registered_;
};

// One run: its inputs, and what each capture gave.
class Run {
  public:
    Run(const ExtractArguments& arguments, config::Config config, std::optional<FlowLabels> labels)
        : arguments_(arguments),
          config_(std::move(config)),
          labels_(std::move(labels)),
          keys_(arguments.in.size()),
          parts_(arguments.in.size()) {
        config_.features.payload = true;  // a table has all features
    }

    [[nodiscard]] Result<ExtractSummary> run(FILE* terminal);

  private:
    [[nodiscard]] const FlowLabels* labels() const { return labels_ ? &*labels_ : nullptr; }
    [[nodiscard]] bool to_stdout() const { return arguments_.out == "-"; }
    void make_keys();
    [[nodiscard]] Result<void> all_captures(ExtractProgress& progress);
    [[nodiscard]] Result<PartCounts> capture(std::size_t index, ExtractProgress& progress) const;
    [[nodiscard]] Result<void> join_csv() const;
    [[nodiscard]] Result<void> join_columns() const;

    const ExtractArguments& arguments_;
    config::Config config_;
    std::optional<FlowLabels> labels_;
    std::unique_ptr<PartsFolder> folder_;
    std::vector<std::string> keys_;  ///< by capture
    std::vector<Result<PartCounts>> parts_;
};

// Everything that a part's bytes depend on.
void Run::make_keys() {
    const config::FlowTable& table = config_.workers.flow_table;
    std::string common = file_identity("/proc/self/exe") + "\n" + file_identity(arguments_.labels) +
                         "\n" + file_identity(arguments_.config) + "\n" +
                         std::to_string(table.capacity) + "\n";
    for (const int value :
         {static_cast<int>(arguments_.format),
          static_cast<int>(arguments_.columns.raw),
          static_cast<int>(arguments_.columns.codes),
          static_cast<int>(arguments_.columns.decisions),
          static_cast<int>(arguments_.columns.ends)}) {
        common += std::to_string(value) + " ";
    }
    std::map<std::string, std::uint32_t> named;  // a capture may be given twice
    for (std::size_t i = 0; i < keys_.size(); ++i) {
        // Labels are found by the path as it was given.
        const std::string& path = arguments_.in[i];
        keys_[i] = part_key(
            common + "\n" + std::to_string(named[path]++) + "\n" + path + "\n" +
            file_identity(path));
    }
}

Result<PartCounts> Run::capture(std::size_t index, ExtractProgress& progress) const {
    const std::string& path = arguments_.in[index];
    const CaptureLabels* const flow_labels = labels_ ? labels_->of(path) : nullptr;
    PartWriter part(folder_->file(keys_[index]));
    const ExtractCsv csv(arguments_.columns, labels(), path);
    std::string text;
    ExtractRows rows(arguments_.columns, flow_labels, [&](const ExtractRow& row) {
        text.clear();
        if (arguments_.format == ExtractFormat::csv) {
            csv.append(row, text);
        } else {
            append_column_record(arguments_.columns, row, text);
        }
        part.write(text);
    });
    dataplane::ReplayOptions options;
    options.in = path;
    options.config = config_;
    options.tap = &rows;
    options.on_flow = [&rows](const dataplane::FlowRecord& record) { rows.on_flow_end(record); };
    options.on_progress = [&](std::uint64_t done, std::uint64_t total) {
        progress.report(index, done, total);
    };
    const auto result = dataplane::replay(options);
    if (!result) {
        return tl::unexpected(result.error());
    }
    if (result->records_lost != 0 || rows.open_flows() != 0) {
        return fail(
            path,
            {},
            std::to_string(result->records_lost) + " flow records lost",
            "this is a defect; please report it");
    }
    progress.report(index, 0, 0);
    return part.commit({rows.rows(), rows.labelled_rows(), result->capture_packets, 0});
}

// Large captures first, so that the last one to finish is a short one.
Result<void> Run::all_captures(ExtractProgress& progress) {
    std::vector<std::size_t> order(arguments_.in.size());
    std::iota(order.begin(), order.end(), 0);
    std::vector<std::uintmax_t> sizes;
    for (const std::string& path : arguments_.in) {
        std::error_code error;
        sizes.push_back(std::filesystem::file_size(path, error));
    }
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return sizes[a] > sizes[b];
    });
    std::atomic<std::size_t> next{0};
    std::atomic<bool> failed{false};
    const tbb::global_control threads(
        tbb::global_control::max_allowed_parallelism, std::max(1U, arguments_.jobs));
    tbb::parallel_for(0U, std::max(1U, arguments_.jobs), [&](unsigned) {
        const EalThread thread;
        for (std::size_t i = next++; i < order.size() && !failed; i = next++) {
            const std::size_t index = order[i];
            if (parts_[index]->bytes == 0) {
                parts_[index] = capture(index, progress);
                failed = failed || !parts_[index];
            }
        }
    });
    for (const auto& part : parts_) {
        if (!part) {
            return tl::unexpected(part.error());
        }
    }
    return {};
}

Result<void> Run::join_csv() const {
    const std::string temporary =
        to_stdout() ? "-" : arguments_.out + ".tmp." + std::to_string(getpid());
    const auto cannot = [&] {
        const int why = errno;
        std::remove(temporary.c_str());
        return fail(
            arguments_.out,
            {},
            std::string("cannot write: ") + std::strerror(why),
            "check the folder, its free space and permissions");
    };
    FILE* out = to_stdout() ? stdout : std::fopen(temporary.c_str(), "we");
    if (out == nullptr) {
        return cannot();
    }
    bool ok = std::fputs((extract_header(arguments_.columns) + "\n").c_str(), out) >= 0;
    std::vector<char> buffer(std::size_t{1} << 20);
    for (const std::string& key : keys_) {
        const std::unique_ptr<FILE, int (*)(FILE*)> in(
            std::fopen(folder_->file(key).c_str(), "re"), std::fclose);
        std::size_t got = 0;
        while (ok && in != nullptr &&
               (got = std::fread(buffer.data(), 1, buffer.size(), in.get())) != 0) {
            ok = std::fwrite(buffer.data(), 1, got, out) == got;
        }
        ok = ok && in != nullptr && std::ferror(in.get()) == 0;
    }
    ok = std::fflush(out) == 0 && ok;
    if (!to_stdout()) {
        ok = std::fclose(out) == 0 && ok &&
             std::rename(temporary.c_str(), arguments_.out.c_str()) == 0;
    }
    return ok ? Result<void>() : cannot();
}

Result<void> Run::join_columns() const {
    std::vector<ColumnPart> parts;
    for (std::size_t i = 0; i < keys_.size(); ++i) {
        const std::string& path = arguments_.in[i];
        parts.push_back(
            {folder_->file(keys_[i]), path.substr(path.rfind('/') + 1), parts_[i]->rows});
    }
    return write_columns(arguments_.out, arguments_.columns, labels(), parts);
}

Result<ExtractSummary> Run::run(FILE* terminal) {
    make_keys();
    auto folder = PartsFolder::open(to_stdout() ? std::string() : arguments_.out + ".parts");
    if (!folder) {
        return tl::unexpected(folder.error());
    }
    folder_ = std::move(*folder);
    ExtractSummary summary;
    std::vector<std::uint64_t> sizes;
    for (std::size_t i = 0; i < keys_.size(); ++i) {
        std::error_code error;
        sizes.push_back(std::filesystem::file_size(arguments_.in[i], error));
        if (const auto counts = folder_->finished(keys_[i]); counts && counts->bytes != 0) {
            parts_[i] = *counts;
            ++summary.kept;
        }
    }
    {
        ExtractProgress progress(std::move(sizes), terminal);
        for (std::size_t i = 0; i < keys_.size(); ++i) {
            if (parts_[i]->bytes != 0) {
                progress.report(i, 0, 0);
            }
        }
        if (auto ok = all_captures(progress); !ok) {
            return tl::unexpected(ok.error());
        }
    }
    auto joined = arguments_.format == ExtractFormat::csv ? join_csv() : join_columns();
    if (!joined) {
        return tl::unexpected(joined.error());
    }
    folder_->remove();
    for (const auto& part : parts_) {
        summary.rows += part->rows;
        summary.labelled += part->labelled;
        summary.packets += part->packets;
    }
    return summary;
}

}  // namespace

Result<ExtractSummary> extract_run(const ExtractArguments& arguments, FILE* terminal) {
    config::Config config = config::defaults();
    if (!arguments.config.empty()) {
        auto loaded = config::load_file(arguments.config);
        if (!loaded) {
            return tl::unexpected(loaded.error().front());
        }
        config = std::move(*loaded);
    }
    config.slots.clear();  // nothing is scored
    std::optional<FlowLabels> labels;
    if (!arguments.labels.empty()) {
        auto read = FlowLabels::read(arguments.labels);
        if (!read) {
            return tl::unexpected(read.error());
        }
        labels = std::move(*read);
    }
    if (arguments.format == ExtractFormat::columns) {
        if (auto ok = check_columns_target(arguments.out); !ok) {
            return tl::unexpected(ok.error());
        }
    }
    for (const std::string& path : arguments.in) {
        if (auto ok = dataplane::check_capture(path); !ok) {
            return tl::unexpected(ok.error());
        }
    }
    Run run(arguments, std::move(config), std::move(labels));
    return run.run(terminal);
}

}  // namespace weir::app
