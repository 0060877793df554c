// SPDX-License-Identifier: BSD-3-Clause
// Text for people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::ctl {

/// Columns padded to their widest cell; cells that look like numbers stand right. The first row is the heading.
class TextTable {
  public:
    void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    [[nodiscard]] bool empty() const { return rows_.size() <= 1; }
    [[nodiscard]] std::string text() const;

  private:
    std::vector<std::vector<std::string>> rows_;
};

/// `text` as terminal output that overwrites the screen in place, without flicker: lines beyond `rows` and columns
/// beyond `columns` are left out, so that it never scrolls. 0: no limit.
[[nodiscard]] std::string screen(const std::string& text, std::size_t rows, std::size_t columns);

/// "1.23 M", "456 k", "789"
[[nodiscard]] std::string metric_prefix(double value);
/// "2 d 3 h", "4 min 5 s"
[[nodiscard]] std::string duration(double seconds);
/// "2026-05-31 12:00 UTC"; "never" for 0
[[nodiscard]] std::string date(std::int64_t unix_seconds);

}  // namespace weir::ctl
