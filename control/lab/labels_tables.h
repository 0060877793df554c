// SPDX-License-Identifier: BSD-3-Clause
// The label tables of a corpus in memory.
#pragma once

#include "config/error.h"
#include "control/lab/labels_flows.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace weir::lab {

/// One capture with its file-level label.
struct FileRow {
    std::string file;
    std::string family;
    std::string label;
    std::string repository;
};

/// What a per-flow table says of a flow.
struct DpiRow {
    std::string proto;
    std::string category;
    bool reviewed = false;  ///< from the reviewed table, not from a guess
};

/// A flow without its direction; ports only where the transport has them.
using TupleKey = std::tuple<Endpoint, Endpoint, std::uint8_t>;
[[nodiscard]] TupleKey tuple_key(Endpoint a, Endpoint b, std::uint8_t proto);

/// The tables of one corpus. Immutable once read.
class Corpus {
  public:
    /// Reads labels.csv, ndpi_expected_flows.csv, flows.csv and qos_map.csv of `dir`. Errors name file and line.
    [[nodiscard]] static Result<Corpus> read(const std::string& dir);

    /// Rows of the per-flow tables passed over, their addresses being none.
    [[nodiscard]] std::uint64_t unreadable_rows() const noexcept { return unreadable_rows_; }
    /// Benign and attack captures, in the table's order.
    [[nodiscard]] const std::vector<FileRow>& files() const noexcept { return files_; }
    [[nodiscard]] std::string path(const FileRow& file) const { return dir_ + "/" + file.file; }
    /// What is known of a flow of `file`; null: not listed. A reviewed row goes before a guess.
    [[nodiscard]] const DpiRow* find(const std::string& file, const TupleKey& key) const;
    /// The corpus's grouping of a row; empty where it has none.
    [[nodiscard]] std::string_view service_class(const DpiRow& row) const;
    /// Numbers of the packets labelled attack; nullopt where the capture has no packet labels.
    [[nodiscard]] Result<std::optional<std::set<std::uint32_t>>> packet_labels(
        const FileRow& file) const;

  private:
    struct Grouping {
        std::string category;
        std::string contains;
        std::string service_class;
    };
    [[nodiscard]] Result<void> read_files();
    [[nodiscard]] Result<void> read_groups();
    [[nodiscard]] Result<void> read_flows(
        const std::string& table,
        std::string_view proto_column,
        std::string_view category_column,
        bool reviewed);

    std::string dir_;
    std::vector<FileRow> files_;
    std::vector<Grouping> groups_;
    std::unordered_map<std::string, std::map<TupleKey, DpiRow>> flows_;
    std::uint64_t unreadable_rows_ = 0;
};

}  // namespace weir::lab
