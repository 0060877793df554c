// SPDX-License-Identifier: BSD-3-Clause
// Who changed what: one JSON object a line, appended before the change is answered.
#pragma once

#include "config/error.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace weir::control {

/// Who asked. For the control socket the kernel's word (SO_PEERCRED), never the client's.
struct Actor {
    std::string via =
        "internal";  ///< "socket", "tls", "signal", "startup", "guardrail", "internal"
    std::optional<uid_t> uid;
    std::optional<gid_t> gid;
    std::optional<pid_t> pid;
    std::vector<std::string> sans;  ///< of the client's certificate
};

struct AuditEntry {
    Actor actor;
    std::string action;  ///< "push", "activate", "rollback", "remove", "reload", "recover"
    std::string slot;
    std::string from;  ///< "name@version"; empty: none
    std::string to;
    std::string result;  ///< "ok" or "refused"
    std::string reason;  ///< why refused, or what is worth noting
};

struct AuditLimits {
    std::uint64_t max_bytes = std::uint64_t{16} << 20;  ///< rotated beyond
    std::uint32_t keep = 8;                             ///< rotated files kept
};

/// Each line carries its number (`seq`), the hash of the line before (`prev`) and, at its end, its own `hash`:
/// BLAKE2b-256, hex, of the line without it. So no line can be edited, cut out or moved without breaking the chain; rotated files
/// ("audit.log.1" is the latest) go on in it. `audit.head` beside the log holds the last number and hash, so that lines
/// cut off the end are missed, too. Thread: any, one at a time (control).
class AuditLog {
  public:
    /// Opens (creates 0640) for appending and takes up the chain. An empty path: entries go nowhere. A chain that is
    /// broken already is told (see verify_audit) and goes on from the last line that can be read.
    [[nodiscard]] static Result<std::unique_ptr<AuditLog>> open(
        const std::string& path, const AuditLimits& limits = {});
    ~AuditLog();
    AuditLog(const AuditLog&) = delete;
    AuditLog& operator=(const AuditLog&) = delete;

    /// Appends one line in one write and waits until it is on disk. A failure is counted and logged, and does not
    /// keep the change back: a full disk must not stop a rollback.
    void append(const AuditEntry& entry);

    [[nodiscard]] std::uint64_t failures() const noexcept { return failures_.load(); }

  private:
    AuditLog() = default;
    [[nodiscard]] Result<void> reopen();
    void rotate();
    void write_head() const;

    std::string path_;
    AuditLimits limits_;
    int fd_ = -1;
    std::uint64_t size_ = 0;
    std::uint64_t seq_ = 0;  ///< of the last line
    std::string hash_;       ///< of the last line
    std::atomic<std::uint64_t> failures_{0};
};

/// What the chain of a log is. Thread: any.
struct AuditReport {
    std::uint64_t lines = 0;
    std::uint64_t first = 0;  ///< numbers of the first and last line there are
    std::uint64_t last = 0;
    std::uint32_t files = 0;
};
/// Checks every line of `path` and of the rotated files beside it, oldest first, and the head file. The Error names
/// file and line. A chain that does not begin at line 1 is good: old files go with time.
[[nodiscard]] Result<AuditReport> verify_audit(const std::string& path);

/// `line` chained: with `seq` in front and `hash` at the end. `hash` becomes the line's.
[[nodiscard]] std::string chain_audit_line(
    const std::string& line, std::uint64_t seq, std::string& hash);

/// The line of an entry, without newline; `time_ns` since the Unix epoch. Long texts are cut: a line has
/// at most about 10 KiB before escapes.
[[nodiscard]] std::string audit_line(const AuditEntry& entry, std::int64_t time_ns);

}  // namespace weir::control
