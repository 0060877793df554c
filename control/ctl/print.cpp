// SPDX-License-Identifier: BSD-3-Clause
#include "control/ctl/print.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace weir::ctl {

namespace {

template <typename... Args>
std::string format(const char* text, Args... args) {
    std::array<char, 64> buffer{};
    const int n = std::snprintf(buffer.data(), buffer.size(), text, args...);
    return {buffer.data(), static_cast<std::size_t>(std::clamp(n, 0, 63))};
}

bool is_number(const std::string& cell) {
    return !cell.empty() && cell.front() >= '0' && cell.front() <= '9' &&
           cell.find_first_not_of("0123456789. kMGT%") == std::string::npos;
}

}  // namespace

std::string TextTable::text() const {
    std::vector<std::size_t> widths;
    std::vector<bool> right;
    for (std::size_t r = 0; r < rows_.size(); ++r) {
        widths.resize(std::max(widths.size(), rows_[r].size()));
        right.resize(widths.size(), true);
        for (std::size_t c = 0; c < rows_[r].size(); ++c) {
            widths[c] = std::max(widths[c], rows_[r][c].size());
            right[c] = right[c] && (r == 0 || is_number(rows_[r][c]));
        }
    }
    std::string out;
    for (const auto& row : rows_) {
        std::string line;
        for (std::size_t c = 0; c < row.size(); ++c) {
            const std::string pad(widths[c] - row[c].size(), ' ');
            line.append(c == 0 ? "" : "  ")
                .append(right[c] ? pad : "")
                .append(row[c])
                .append(right[c] ? "" : pad);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out.append(line).append("\n");
    }
    return out;
}

std::string screen(const std::string& text, std::size_t rows, std::size_t columns) {
    constexpr const char* kHome = "\033[H";
    constexpr const char* kEraseLine = "\033[K";
    constexpr const char* kEraseBelow = "\033[J";
    std::string out = kHome;
    std::size_t begin = 0;
    for (std::size_t row = 0; begin < text.size() && (rows == 0 || row < rows); ++row) {
        const auto end = std::min(text.find('\n', begin), text.size());
        const auto width = columns == 0 ? end - begin : std::min(columns, end - begin);
        // Before each line but the first: a newline after the last row would scroll.
        out.append(row == 0 ? "" : "\r\n").append(text, begin, width).append(kEraseLine);
        begin = end + 1;
    }
    return out + kEraseBelow;
}

std::string metric_prefix(double value) {
    constexpr std::array<const char*, 5> kPrefixes{"", " k", " M", " G", " T"};
    std::size_t i = 0;
    while (std::abs(value) >= 999.5 && i + 1 < kPrefixes.size()) {
        value /= 1000.0;
        ++i;
    }
    const int digits = i == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    return format("%.*f%s", digits, value, kPrefixes[i]);
}

std::string duration(double seconds) {
    const auto s = static_cast<long long>(seconds);
    if (s >= 86400) {
        return format("%lld d %lld h", s / 86400, s % 86400 / 3600);
    }
    if (s >= 3600) {
        return format("%lld h %lld min", s / 3600, s % 3600 / 60);
    }
    return s >= 60 ? format("%lld min %lld s", s / 60, s % 60) : format("%lld s", s);
}

std::string date(std::int64_t unix_seconds) {
    if (unix_seconds == 0) {
        return "never";
    }
    const std::time_t time = unix_seconds;
    std::tm tm{};
    std::array<char, 32> buffer{};
    if (gmtime_r(&time, &tm) == nullptr) {
        return "?";
    }
    return {buffer.data(), std::strftime(buffer.data(), buffer.size(), "%Y-%m-%d %H:%M UTC", &tm)};
}

}  // namespace weir::ctl
