// SPDX-License-Identifier: BSD-3-Clause
// Records and files for the tests of export.
#pragma once

#include "control/export/flow_event.h"
#include "dataplane/snapshot_build.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>

namespace weir::control::test {

/// A directory of its own, removed at the end.
class ExportDir {
  public:
    ExportDir() {
        std::string name = (std::filesystem::temp_directory_path() / "weir-export-XXXXXX").string();
        path_ = ::mkdtemp(name.data()) == nullptr ? "" : name;
    }
    ~ExportDir() {
        std::error_code error;
        std::filesystem::remove_all(path_, error);
    }
    ExportDir(const ExportDir&) = delete;
    ExportDir& operator=(const ExportDir&) = delete;
    [[nodiscard]] std::string operator/(const std::string& name) const {
        return path_ + "/" + name;
    }
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

inline std::vector<std::string> lines_of(const std::string& path) {
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
        lines.push_back(line);
    }
    return lines;
}

/// Polls until `done`, a minute at most.
template <typename Done>
[[nodiscard]] bool wait_until(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!done()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

struct Ends {
    std::string source = "192.0.2.1";
    std::uint16_t source_port = 40000;
    std::string destination = "198.51.100.2";
    std::uint16_t destination_port = 443;
    std::uint8_t proto = 6;
};

inline std::array<std::uint8_t, 16> mapped(const std::string& text, std::uint8_t version) {
    std::array<std::uint8_t, 16> out{};
    if (version == 4) {
        out[10] = out[11] = 0xff;
        EXPECT_EQ(::inet_pton(AF_INET, text.c_str(), out.data() + 12), 1) << text;
    } else {
        EXPECT_EQ(::inet_pton(AF_INET6, text.c_str(), out.data()), 1) << text;
    }
    return out;
}

inline const std::vector<std::string>& slots() {
    static const std::vector<std::string> names{"anomaly", "qos"};
    return names;
}

inline EventNames names() {
    return {slots(), {{7, {"weir-anomaly", 3}}, {9, {"weir-qos", 12}}}};
}

/// A flow of 10 packets there and 8 back over 2.5 s; undecided.
inline dataplane::FlowRecord make_record(const Ends& ends = {}) {
    dataplane::FlowRecord record;
    const std::uint8_t version = ends.source.find(':') == std::string::npos ? 4 : 6;
    const auto source = std::pair(mapped(ends.source, version), htons(ends.source_port));
    const auto target = std::pair(mapped(ends.destination, version), htons(ends.destination_port));
    record.initiator_is_hi = target < source;
    const auto& [lo, hi] = std::minmax(source, target);
    record.key.addr_lo = lo.first;
    record.key.port_lo = lo.second;
    record.key.addr_hi = hi.first;
    record.key.port_hi = hi.second;
    record.key.proto = ends.proto;
    record.key.ip_version = version;
    record.first_ns = 1'700'000'000'123'456'789;
    record.last_ns = record.first_ns + 2'500'000'000;
    record.packets = {10, 8};
    record.bytes = {1234, 5678};
    return record;
}

inline void decide(
    dataplane::FlowRecord& record,
    std::size_t slot,
    const std::string& cls,
    std::uint16_t score,
    std::uint16_t model) {
    record.verdicts.at(slot) = {
        .decided_at_packet = 4,
        .model_ref = model,
        .score = score,
        .cls = *dataplane::class_id(slots().at(slot), cls)};
}

}  // namespace weir::control::test
