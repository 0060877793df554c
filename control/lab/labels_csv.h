// SPDX-License-Identifier: BSD-3-Clause
// Reading comma-separated tables (RFC 4180) a row at a time, in memory bounded by one row.
#pragma once

#include "config/error.h"

#include <array>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::lab {

/// Streams one file: the header at open(), then a row each next(). Fields may be quoted; a quoted field holds no
/// line break. Rows whose number of fields differs from the header's are an error. Thread: its owner's.
class CsvReader {
  public:
    /// Opens `path` and reads its header. Errors name the file.
    [[nodiscard]] static Result<CsvReader> open(const std::string& path);

    [[nodiscard]] const std::vector<std::string>& header() const noexcept { return header_; }
    /// Index of column `name`; nullopt if there is none.
    [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const noexcept;
    /// Index of column `name`, or an Error naming file and column.
    [[nodiscard]] Result<std::size_t> column(std::string_view name) const;
    /// Indices of `names`, in their order, or the Error of the first that is missing.
    template <std::size_t N>
    [[nodiscard]] Result<std::array<std::size_t, N>> columns(
        const std::array<std::string_view, N>& names) const {
        std::array<std::size_t, N> out{};
        for (std::size_t i = 0; i < N; ++i) {
            const auto index = column(names[i]);
            if (!index) {
                return tl::unexpected(index.error());
            }
            out[i] = *index;
        }
        return out;
    }
    /// Calls `row` with the fields of each row left; stops at the first Error, which `row` may give too.
    template <typename Row>
    [[nodiscard]] Result<void> each(Row&& row) {
        while (true) {
            const auto more = next();
            if (!more) {
                return tl::unexpected(more.error());
            }
            if (!*more) {
                return {};
            }
            if (Result<void> done = row(fields_); !done) {
                return done;
            }
        }
    }
    /// Reads the next row into fields(); false at the end of the file.
    [[nodiscard]] Result<bool> next();
    /// The current row; valid until the next call of next().
    [[nodiscard]] const std::vector<std::string_view>& fields() const noexcept { return fields_; }
    /// "file:line" of the current row, for messages.
    [[nodiscard]] std::string where() const;

  private:
    [[nodiscard]] bool split();

    std::string path_;
    std::ifstream in_;
    std::uint64_t line_ = 0;
    std::string text_;
    std::string unquoted_;  ///< backs the quoted fields of the current row
    std::vector<std::string> header_;
    std::vector<std::string_view> fields_;
};

/// `text` as one field: quoted where it holds a comma, a quote or a line break.
[[nodiscard]] std::string csv_field(std::string_view text);

/// 'text', for messages.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace weir::lab
