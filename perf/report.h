// SPDX-License-Identifier: BSD-3-Clause
// The common result form of every benchmark: a row a figure, with its goal beside it.
#pragma once

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/utsname.h>

namespace weir::perf {

struct Row {
    std::string name;  ///< area.case.metric
    double value = 0;
    std::string unit;  ///< x, ns, Mpps, …
    std::optional<double> goal;
    bool higher_is_better = true;
};

[[nodiscard]] inline double median(std::vector<double> values) {
    if (values.empty()) {
        return 0;
    }
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// Rows in order; prints a table and writes the JSON form.
class Report {
  public:
    void add(Row row) { rows_.push_back(std::move(row)); }

    void print() const {
        for (const Row& row : rows_) {
            std::printf("%-52s %12.3f %-5s", row.name.c_str(), row.value, row.unit.c_str());
            if (row.goal) {
                std::printf(" goal %.4g: %s", *row.goal, met(row) ? "met" : "not met");
            }
            std::printf("\n");
        }
    }

    [[nodiscard]] bool write_markdown(const std::string& path) const {
        std::ofstream out(path);
        out << "| result | value | unit | goal |\n|---|---:|---|---|\n";
        for (const Row& row : rows_) {
            char value[32];
            std::snprintf(value, sizeof(value), "%.3f", row.value);
            out << "| " << row.name << " | " << value << " | " << row.unit << " | ";
            if (row.goal) {
                out << *row.goal << ": " << (met(row) ? "met" : "not met");
            }
            out << " |\n";
        }
        out << "\n" << cpu_model() << ", revision " << WEIR_REVISION << "\n";
        return static_cast<bool>(out);
    }

    [[nodiscard]] bool write_json(const std::string& path) const {
        std::ofstream out(path);
        utsname host{};
        uname(&host);
        out << "{\"results\":[";
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            const Row& row = rows_[i];
            out << (i == 0 ? "\n" : ",\n") << " {\"name\":\"" << row.name
                << "\",\"value\":" << row.value << ",\"unit\":\"" << row.unit << "\",\"goal\":";
            if (row.goal) {
                out << *row.goal;
            } else {
                out << "null";
            }
            out << ",\"higher_is_better\":" << (row.higher_is_better ? "true" : "false") << "}";
        }
        out << "\n],\"machine\":{\"cpu\":\"" << cpu_model() << "\",\"kernel\":\"" << host.release
            << "\"},\"revision\":\"" << WEIR_REVISION << "\"}\n";
        return static_cast<bool>(out);
    }

    /// How a benchmark ends: the table, the JSON form where `json` names a file, and the exit code.
    [[nodiscard]] int finish(const std::string& json) const {
        print();
        return json.empty() || write_json(json) ? 0 : 1;
    }

  private:
    [[nodiscard]] static bool met(const Row& row) {
        return row.higher_is_better ? row.value >= *row.goal : row.value <= *row.goal;
    }
    [[nodiscard]] static std::string cpu_model() {
        std::ifstream info("/proc/cpuinfo");
        for (std::string line; std::getline(info, line);) {
            if (line.rfind("model name", 0) == 0) {
                return line.substr(line.find(':') + 2);
            }
        }
        return "unknown";
    }
    std::vector<Row> rows_;
};

}  // namespace weir::perf
