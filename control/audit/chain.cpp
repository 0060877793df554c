// SPDX-License-Identifier: BSD-3-Clause
// The chain of audit lines: how a line joins it, and whether a log is whole.
#include "control/audit/audit.h"
#include "kernels/model/verify.h"

#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>
#include <vector>

#include <nlohmann/json.hpp>

namespace weir::control {

namespace {

constexpr std::string_view kHashField = ",\"hash\":\"";
constexpr std::size_t kHashDigits = 64;

std::string hash_of(const std::string& body) {
    return kernels::bundle_digest(std::as_bytes(std::span(body)));
}

/// A line taken apart: what is hashed, and what it says of itself.
struct Link {
    std::string body;
    std::string hash;
    std::string before;  ///< hash of the line before; empty: it is the first
    std::uint64_t seq = 0;
};

/// Nullopt: no line of ours.
std::optional<Link> take_apart(const std::string& line) {
    // {...,"hash":"<64 digits>"}
    const std::size_t tail = kHashField.size() + kHashDigits + 2;
    if (line.size() <= tail || line.compare(line.size() - 2, 2, "\"}") != 0 ||
        line.compare(line.size() - tail, kHashField.size(), kHashField) != 0) {
        return std::nullopt;
    }
    Link out;
    out.body = line.substr(0, line.size() - tail) + "}";
    out.hash = line.substr(line.size() - 2 - kHashDigits, kHashDigits);
    const auto json = nlohmann::json::parse(out.body, nullptr, false);
    if (!json.is_object() || !json.contains("seq") || !json["seq"].is_number_unsigned() ||
        !json.contains("prev") || !json["prev"].is_string()) {
        return std::nullopt;
    }
    out.before = json["prev"].get<std::string>();
    out.seq = json["seq"].get<std::uint64_t>();
    return out;
}

/// The log and its rotated files, oldest first.
std::vector<std::string> files_of(const std::string& path) {
    std::vector<std::string> files;
    constexpr std::uint32_t kMaxFiles = 1000;
    std::error_code error;
    std::uint32_t n = kMaxFiles;
    while (n > 0 && !std::filesystem::exists(path + "." + std::to_string(n), error)) {
        --n;
    }
    for (; n > 0; --n) {  // one that is missing in between cannot be read, and is told so
        files.push_back(path + "." + std::to_string(n));
    }
    files.push_back(path);
    return files;
}

tl::unexpected<Error> broken(const std::string& file, std::uint64_t line, const std::string& what) {
    return fail(
        file + ":" + std::to_string(line),
        "",
        what,
        "compare with a copy of the log that was shipped off the machine");
}

struct Walk {
    AuditReport report;
    std::string hash;  ///< of the line before
};

Result<void> walk_line(
    Walk& walk, const std::string& file, std::uint64_t number, const std::string& line) {
    const auto joined = take_apart(line);
    if (!joined) {
        return broken(file, number, "is no line of the audit log");
    }
    auto& report = walk.report;
    if (report.lines == 0) {  // older files go with time: the chain may begin anywhere
        report.first = joined->seq;
    } else if (joined->seq != report.last + 1) {
        return broken(
            file,
            number,
            "line " + std::to_string(joined->seq) + " follows line " + std::to_string(report.last) +
                ": lines were cut, added or moved");
    } else if (joined->before != walk.hash) {
        return broken(file, number, "does not follow the line before: one of them was edited");
    }
    if (hash_of(joined->body) != joined->hash) {
        return broken(file, number, "does not fit its hash: it was edited");
    }
    ++report.lines;
    report.last = joined->seq;
    walk.hash = joined->hash;
    return {};
}

Result<void> check_head(const std::string& path, const Walk& walk) {
    std::ifstream in(path + ".head");
    std::uint64_t seq = 0;
    std::string hash;
    if (!(in >> seq >> hash)) {
        return fail(path + ".head", "", "cannot be read: whether the end was cut is not known", "");
    }
    // A crash between line and head leaves the head one line behind.
    if (seq > walk.report.last || (seq == walk.report.last && hash != walk.hash)) {
        return fail(
            path,
            "",
            "ends at line " + std::to_string(walk.report.last) + ", the head file knows line " +
                std::to_string(seq) + ": the end was cut",
            "compare with a copy of the log that was shipped off the machine");
    }
    return {};
}

}  // namespace

std::string chain_audit_line(const std::string& line, std::uint64_t seq, std::string& hash) {
    const std::string body =
        "{\"seq\":" + std::to_string(seq) + ",\"prev\":\"" + hash + "\"," + line.substr(1);
    hash = hash_of(body);
    return body.substr(0, body.size() - 1) + std::string(kHashField) + hash + "\"}";
}

Result<AuditReport> verify_audit(const std::string& path) {
    Walk walk;
    for (const auto& file : files_of(path)) {
        std::ifstream in(file);
        if (!in) {
            return fail(file, "", "cannot be read", "name the audit log of control.state_dir");
        }
        ++walk.report.files;
        std::uint64_t number = 0;
        for (std::string line; std::getline(in, line);) {
            ++number;
            if (auto ok = walk_line(walk, file, number, line); !ok) {
                return tl::unexpected(std::move(ok.error()));
            }
        }
    }
    if (walk.report.lines == 0) {
        return walk.report;
    }
    if (auto ok = check_head(path, walk); !ok) {
        return tl::unexpected(std::move(ok.error()));
    }
    return walk.report;
}

}  // namespace weir::control
