// SPDX-License-Identifier: BSD-3-Clause
// All that is wrong with one configuration, gathered so that a person mends it in one go.
#pragma once

#include "config/error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

/// Collects findings of one file. Thread: one.
class Findings {
  public:
    /// `name` stands for the file in messages.
    explicit Findings(std::string name);

    /// `line` counts from 1; 0: the finding is about the file as a whole. `field` is the dotted path.
    void add(std::uint32_t line, std::string field, std::string what, std::string fix);

    [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
    /// By line; after the first hundred, one entry that tells how many more there are.
    [[nodiscard]] std::vector<Error> take();

  private:
    struct Entry {
        std::uint32_t line = 0;
        Error error;
    };
    std::string name_;
    std::vector<Entry> entries_;
    std::uint64_t dropped_ = 0;
};

/// Text for a message: at most 64 characters, control characters as \xNN, so that a file cannot drive a terminal.
[[nodiscard]] std::string printable(std::string_view text);

/// The same between quotes.
[[nodiscard]] std::string quote(std::string_view text);

/// "ports" + "name" -> "ports.name"; an empty parent gives the name alone. The name is made safe as in quote().
[[nodiscard]] std::string join_path(const std::string& parent, std::string_view name);

/// "ports" + 1 -> "ports[1]".
[[nodiscard]] std::string index_path(const std::string& parent, std::size_t index);

/// The candidate that `word` most likely meant (edit distance at most a third of its length); empty: none is near.
[[nodiscard]] std::string_view nearest(
    std::string_view word, const std::vector<std::string_view>& candidates);

/// "did you mean 'x'?" if one candidate is near, else "use one of: a, b, c".
[[nodiscard]] std::string suggest(
    std::string_view word, const std::vector<std::string_view>& candidates);

/// "a, b, c".
[[nodiscard]] std::string list_words(const std::vector<std::string_view>& words);

}  // namespace weir::config
