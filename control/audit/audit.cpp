// SPDX-License-Identifier: BSD-3-Clause
#include "control/audit/audit.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace weir::control {

namespace {

constexpr std::size_t kMaxNameBytes = 256;
constexpr std::size_t kMaxReasonBytes = 8192;

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
    line["action"] = entry.action;
    line["slot"] = clipped(entry.slot, kMaxNameBytes);
    line["from"] = clipped(entry.from, kMaxNameBytes);
    line["to"] = clipped(entry.to, kMaxNameBytes);
    line["result"] = entry.result;
    line["reason"] = clipped(entry.reason, kMaxReasonBytes);
    // A hostile name or message may hold bytes that are no UTF-8: they are replaced, the line stays one JSON line.
    return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<std::unique_ptr<AuditLog>> AuditLog::open(const std::string& path) {
    auto log = std::unique_ptr<AuditLog>(new AuditLog);
    log->path_ = path;
    if (path.empty()) {
        return log;
    }
    log->fd_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (log->fd_ < 0) {
        return fail(
            path,
            "",
            std::string("cannot open the audit log: ") + std::strerror(errno),
            "make control.state_dir writable for the user that runs weir");
    }
    return log;
}

AuditLog::~AuditLog() {
    if (fd_ >= 0) {
        (void)::close(fd_);
    }
}

void AuditLog::append(const AuditEntry& entry) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const std::string line =
        audit_line(entry, std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
    spdlog::info("audit: {}", line);
    if (fd_ < 0) {
        return;
    }
    const std::string text = line + "\n";
    const ssize_t written = ::write(fd_, text.data(), text.size());
    if (written != static_cast<ssize_t>(text.size()) || ::fdatasync(fd_) != 0) {
        ++failures_;
        spdlog::error("{}: cannot write the audit line above: {}", path_, std::strerror(errno));
    }
}

}  // namespace weir::control
