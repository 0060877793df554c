// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/labels_csv.h"

#include <algorithm>
#include <cstring>

namespace weir::lab {

Result<CsvReader> CsvReader::open(const std::string& path) {
    CsvReader reader;
    reader.path_ = path;
    reader.in_.open(path);
    if (!reader.in_) {
        return fail(
            path,
            "",
            std::string("cannot be read: ") + std::strerror(errno),
            "give a readable CSV file");
    }
    if (!std::getline(reader.in_, reader.text_)) {
        return fail(path, "", "is empty", "give a CSV file with a header line");
    }
    reader.line_ = 1;
    if (!reader.split()) {
        return fail(path + ":1", "", "unbalanced quotes in the header");
    }
    for (const auto field : reader.fields_) {
        reader.header_.emplace_back(field);
    }
    return reader;
}

std::optional<std::size_t> CsvReader::find(std::string_view name) const noexcept {
    const auto it = std::find(header_.begin(), header_.end(), name);
    if (it == header_.end()) {
        return std::nullopt;
    }
    return static_cast<std::size_t>(it - header_.begin());
}

Result<std::size_t> CsvReader::column(std::string_view name) const {
    if (const auto index = find(name)) {
        return *index;
    }
    return fail(path_ + ":1", std::string(name), "column is missing", "add it to the header");
}

std::string CsvReader::where() const {
    return path_ + ":" + std::to_string(line_);
}

Result<bool> CsvReader::next() {
    do {
        if (!std::getline(in_, text_)) {
            return false;
        }
        ++line_;
    } while (text_.empty() || text_ == "\r");
    if (!split()) {
        return fail(where(), "", "unbalanced quotes");
    }
    if (fields_.size() != header_.size()) {
        return fail(
            where(),
            "",
            std::to_string(fields_.size()) + " fields where the header has " +
                std::to_string(header_.size()),
            "write the file again; it may have been cut");
    }
    return true;
}

bool CsvReader::split() {
    fields_.clear();
    unquoted_.clear();
    unquoted_.reserve(text_.size());  // no reallocation below: views into it stay valid
    if (!text_.empty() && text_.back() == '\r') {
        text_.pop_back();
    }
    const std::string_view line = text_;
    std::size_t at = 0;
    while (true) {
        if (at < line.size() && line[at] == '"') {
            const std::size_t begin = unquoted_.size();
            for (++at;; ++at) {
                if (at >= line.size()) {
                    return false;
                }
                if (line[at] != '"') {
                    unquoted_ += line[at];
                } else if (at + 1 < line.size() && line[at + 1] == '"') {
                    unquoted_ += '"';
                    ++at;
                } else {
                    break;
                }
            }
            ++at;
            fields_.push_back(std::string_view(unquoted_).substr(begin));
            if (at < line.size() && line[at] != ',') {
                return false;
            }
        } else {
            const std::size_t end = std::min(line.find(',', at), line.size());
            fields_.push_back(line.substr(at, end - at));
            at = end;
        }
        if (at >= line.size()) {
            return true;
        }
        ++at;
    }
}

std::string in_quotes(std::string_view text) {
    std::string out(1, '\'');
    out.append(text);
    out.push_back('\'');
    return out;
}

std::string csv_field(std::string_view text) {
    if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
        return std::string(text);
    }
    std::string out = "\"";
    for (const char c : text) {
        out += c;
        if (c == '"') {
            out += c;
        }
    }
    return out + '"';
}

}  // namespace weir::lab
