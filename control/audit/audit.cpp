// SPDX-License-Identifier: BSD-3-Clause
#include "control/audit/audit.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <fstream>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace weir::control {

namespace {

constexpr std::size_t kMaxNameBytes = 256;
constexpr std::size_t kMaxReasonBytes = 8192;
constexpr std::size_t kMaxLineBytes = std::size_t{64} << 10;  ///< escapes included

std::string utc_time(std::int64_t time_ns) {
    const std::time_t seconds = time_ns / 1'000'000'000;
    std::tm tm{};
    gmtime_r(&seconds, &tm);
    std::array<char, 32> date{};
    const std::size_t n = std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &tm);
    std::array<char, 8> millis{};
    (void)std::snprintf(
        millis.data(), millis.size(), ".%03dZ", static_cast<int>(time_ns / 1'000'000 % 1000));
    return std::string(date.data(), n) + millis.data();
}

/// A name of a request may be as long as a message: a line must not.
std::string clipped(const std::string& text, std::size_t limit) {
    return text.size() <= limit ? text : text.substr(0, limit) + "...";
}

std::string head_path(const std::string& path) {
    return path + ".head";
}

struct ChainEnd {
    std::uint64_t seq = 0;
    std::string hash;
};

/// The last line that can be read, of the log or else of the file rotated last.
ChainEnd chain_end(const std::string& path) {
    for (const auto& file : {path, path + ".1"}) {
        std::ifstream in(file);
        ChainEnd end;
        for (std::string line; std::getline(in, line);) {
            const auto json = nlohmann::json::parse(line, nullptr, false);
            if (json.is_object() && json.contains("seq") && json["seq"].is_number_unsigned() &&
                json.contains("hash") && json["hash"].is_string()) {
                end = {json["seq"].get<std::uint64_t>(), json["hash"].get<std::string>()};
            }
        }
        if (end.seq != 0) {
            return end;
        }
    }
    return {};
}

}  // namespace

std::string audit_line(const AuditEntry& entry, std::int64_t time_ns) {
    nlohmann::ordered_json line;
    line["time"] = utc_time(time_ns);
    line["via"] = entry.actor.via;
    if (entry.actor.uid) {
        line["uid"] = *entry.actor.uid;
    }
    if (entry.actor.gid) {
        line["gid"] = *entry.actor.gid;
    }
    if (entry.actor.pid) {
        line["pid"] = *entry.actor.pid;
    }
    if (!entry.actor.sans.empty()) {
        line["san"] = clipped(entry.actor.sans.front(), kMaxNameBytes);
    }
    line["action"] = entry.action;
    line["slot"] = clipped(entry.slot, kMaxNameBytes);
    line["from"] = clipped(entry.from, kMaxNameBytes);
    line["to"] = clipped(entry.to, kMaxNameBytes);
    line["result"] = entry.result;
    line["reason"] = clipped(entry.reason, kMaxReasonBytes);
    // A hostile name or message may hold bytes that are no UTF-8: they are replaced, the line stays one JSON line.
    return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<std::unique_ptr<AuditLog>> AuditLog::open(
    const std::string& path, const AuditLimits& limits) {
    auto log = std::unique_ptr<AuditLog>(new AuditLog);
    log->path_ = path;
    log->limits_ = limits;
    if (path.empty()) {
        return log;
    }
    if (auto opened = log->reopen(); !opened) {
        return tl::unexpected(std::move(opened.error()));
    }
    const ChainEnd end = chain_end(path);
    log->seq_ = end.seq;
    log->hash_ = end.hash;
    return log;
}

Result<void> AuditLog::reopen() {
    if (fd_ >= 0) {
        (void)::close(fd_);
    }
    fd_ = ::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd_ < 0) {
        return fail(
            path_,
            "",
            std::string("cannot open the audit log: ") + std::strerror(errno),
            "make control.state_dir writable for the user that runs weir");
    }
    const auto size = ::lseek(fd_, 0, SEEK_END);
    size_ = size < 0 ? 0 : static_cast<std::uint64_t>(size);
    // A line that a power cut left half-written was never answered for: it goes.
    std::array<char, kMaxLineBytes> tail{};
    const std::uint64_t from = size_ - std::min<std::uint64_t>(size_, tail.size());
    const ssize_t got = ::pread(fd_, tail.data(), tail.size(), static_cast<off_t>(from));
    const std::string_view text(tail.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    const auto end = text.rfind('\n');
    if (!text.empty() && end + 1 != text.size()) {
        size_ = end == std::string_view::npos ? from : from + end + 1;
        (void)!::ftruncate(fd_, static_cast<off_t>(size_));
    }
    return {};
}

AuditLog::~AuditLog() {
    if (fd_ >= 0) {
        (void)::close(fd_);
    }
}

void AuditLog::rotate() {
    for (std::uint32_t n = limits_.keep; n > 0; --n) {
        const std::string from = n == 1 ? path_ : path_ + "." + std::to_string(n - 1);
        (void)::rename(from.c_str(), (path_ + "." + std::to_string(n)).c_str());
    }
    if (auto opened = reopen(); !opened) {
        ++failures_;
        spdlog::error("{}", opened.error().line());
    }
}

void AuditLog::write_head() const {
    const std::string text = std::to_string(seq_) + " " + hash_ + "\n";
    const std::string temporary = head_path(path_) + ".tmp";
    const int fd =
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        return;
    }
    const bool ok = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    (void)::close(fd);
    if (ok) {
        (void)::rename(temporary.c_str(), head_path(path_).c_str());
    }
}

void AuditLog::append(const AuditEntry& entry) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const std::string plain =
        audit_line(entry, std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
    spdlog::info("audit: {}", plain);
    if (fd_ < 0) {
        return;
    }
    if (size_ >= limits_.max_bytes) {
        rotate();
    }
    std::string hash = hash_;
    const std::string text = chain_audit_line(plain, seq_ + 1, hash) + "\n";
    const ssize_t written = ::write(fd_, text.data(), text.size());
    if (written != static_cast<ssize_t>(text.size()) || ::fdatasync(fd_) != 0) {
        ++failures_;
        spdlog::error("{}: cannot write the audit line above: {}", path_, std::strerror(errno));
        return;
    }
    size_ += text.size();
    ++seq_;
    hash_ = hash;
    write_head();
}

}  // namespace weir::control
