// SPDX-License-Identifier: BSD-3-Clause
#include "config/findings.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace weir::config {

namespace {

constexpr std::size_t kMaxFindings = 100;
constexpr std::size_t kMaxQuoted = 64;

/// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> above(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        above[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t differs = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + differs});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
        }
        std::swap(before, above);
        std::swap(above, row);
    }
    return above[b.size()];
}

}  // namespace

Findings::Findings(std::string name) : name_(std::move(name)) {}

void Findings::add(std::uint32_t line, std::string field, std::string what, std::string fix) {
    if (entries_.size() == kMaxFindings) {
        ++dropped_;
        return;
    }
    std::string where = line == 0 ? name_ : name_ + ":" + std::to_string(line);
    entries_.push_back(
        {line, Error{std::move(where), std::move(field), std::move(what), std::move(fix)}});
}

std::vector<Error> Findings::take() {
    std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
        return a.line < b.line;
    });
    std::vector<Error> out;
    out.reserve(entries_.size() + 1);
    for (auto& entry : entries_) {
        out.push_back(std::move(entry.error));
    }
    if (dropped_ != 0) {
        out.push_back(
            Error{name_, {}, "and " + std::to_string(dropped_) + " more", "mend these first"});
    }
    entries_.clear();
    return out;
}

std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, kMaxQuoted)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            std::array<char, 5> hex{};
            (void)std::snprintf(hex.data(), hex.size(), "\\x%02x", byte);
            out += hex.data();
        } else {
            out += c;
        }
    }
    if (text.size() > kMaxQuoted) {
        while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xc0) == 0x80) {
            out.pop_back();  // never half a UTF-8 character
        }
        if (!out.empty() && static_cast<unsigned char>(out.back()) >= 0xc0) {
            out.pop_back();
        }
        out += "...";
    }
    return out;
}

std::string quote(std::string_view text) {
    return "'" + printable(text) + "'";
}

std::string join_path(const std::string& parent, std::string_view name) {
    return parent.empty() ? printable(name) : parent + "." + printable(name);
}

std::string index_path(const std::string& parent, std::size_t index) {
    return parent + "[" + std::to_string(index) + "]";
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
    if (word.size() > kMaxQuoted) {
        return {};
    }
    std::string_view best;
    std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (const std::string_view candidate : candidates) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < best_distance && distance < candidate.size()) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

std::string list_words(const std::vector<std::string_view>& words) {
    std::string out;
    for (const std::string_view word : words) {
        out += out.empty() ? "" : ", ";
        out += word;
    }
    return out;
}

std::string suggest(std::string_view word, const std::vector<std::string_view>& candidates) {
    const std::string_view near = nearest(word, candidates);
    if (!near.empty()) {
        return "did you mean " + quote(near) + "?";
    }
    return "use one of: " + list_words(candidates);
}

}  // namespace weir::config
