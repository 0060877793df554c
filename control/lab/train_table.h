// SPDX-License-Identifier: BSD-3-Clause
// A feature table in memory: labelled rows of codes, with the flow and source each belongs to.
#pragma once

#include "config/error.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::lab {

/// One flow of the table.
struct TableFlow {
    std::uint32_t label = 0;      ///< index into FeatureTable::classes
    std::uint32_t group = 0;      ///< index into FeatureTable::groups
    std::uint32_t first_row = 0;  ///< its rows are consecutive, by packet number
    std::uint32_t rows = 0;
    std::uint32_t capture = 0;  ///< which of the table's captures it is of
    double begin = 0.0;         ///< of its first packet, s by the capture's clock
    double end = 0.0;           ///< of the last packet of its last row
};

/// Labelled rows of one extract. Rows without a label were left out.
struct FeatureTable {
    std::vector<std::string> features;  ///< catalog name of each column
    std::vector<std::string> classes;
    std::vector<std::string> groups;
    std::vector<TableFlow> flows;
    std::uint32_t captures = 0;          ///< files that have a labelled flow
    std::vector<std::uint8_t> codes;     ///< rows × features
    std::vector<std::uint32_t> packets;  ///< per row: packets of the flow seen so far
    std::vector<std::uint32_t> flow_of;  ///< per row
    std::string digest;                  ///< hex sha256 of the file

    [[nodiscard]] std::uint32_t rows() const noexcept {
        return static_cast<std::uint32_t>(packets.size());
    }
    [[nodiscard]] std::span<const std::uint8_t> row(std::uint32_t r) const noexcept {
        return std::span(codes).subspan(std::size_t{r} * features.size(), features.size());
    }
};

struct TableOptions {
    std::string path;
    std::vector<std::string> classes;  ///< in model order; rows with another label are an error
    std::vector<std::string> exclude;  ///< features to leave out; '*' stands for any text
    std::vector<std::string> only;     ///< if not empty: exactly these features, in this order
    bool others = false;  ///< rows with another label are no error but of the last class
};

/// Reads what `weir extract --labels` writes. Errors name file, line and column. Thread: any; reads files.
[[nodiscard]] Result<FeatureTable> load_table(const TableOptions& options);

/// Appends the flows of `more`, with groups of their own, to `table`; the digest becomes one of both. Fails if classes or
/// features differ.
[[nodiscard]] Result<void> append_table(FeatureTable& table, const FeatureTable& more);

/// True if `name` equals one of `patterns`, in which '*' stands for any text.
[[nodiscard]] bool matches_any(std::string_view name, std::span<const std::string> patterns);

}  // namespace weir::lab
