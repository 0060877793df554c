// SPDX-License-Identifier: BSD-3-Clause
// Feature rows as columns that numpy maps: docs/features-table.md is the format.
#pragma once

#include "config/error.h"
#include "control/app/extract_labels.h"
#include "control/app/extract_rows.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::app {

/// Bytes of one row in a part: the flow's fields, then raw values (f32), then codes (u8).
[[nodiscard]] std::size_t column_record_bytes(const ExtractColumns& columns) noexcept;

/// Appends `row` as one record.
void append_column_record(const ExtractColumns& columns, const ExtractRow& row, std::string& out);

/// A capture's records on disk.
struct ColumnPart {
    std::string file;
    std::string capture;  ///< its name without folders
    std::uint64_t rows = 0;
};

/// Writes the folder `out`: one .npy a column, raw.npy and codes.npy (rows × features, Fortran order), and table.json.
/// The folder appears whole, in place of an earlier table; anything else of that name is an error. Memory: a few
/// megabytes whatever the number of rows. `labels` may be null. Thread: any.
[[nodiscard]] Result<void> write_columns(
    const std::string& out,
    const ExtractColumns& columns,
    const FlowLabels* labels,
    const std::vector<ColumnPart>& parts);

/// Fails, naming `out`, if there is something there that write_columns() would not replace.
[[nodiscard]] Result<void> check_columns_target(const std::string& out);

}  // namespace weir::app
