// SPDX-License-Identifier: BSD-3-Clause
// Who changed what: one JSON object a line, appended before the change is answered.
#pragma once

#include "config/error.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <sys/types.h>

namespace weir::control {

/// Who asked. For the control socket the kernel's word (SO_PEERCRED), never the client's.
struct Actor {
    std::string via = "internal";  ///< "socket", "signal", "startup", "internal"
    std::optional<uid_t> uid;
    std::optional<gid_t> gid;
    std::optional<pid_t> pid;
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

/// Thread: any, one at a time (control).
class AuditLog {
  public:
    /// Opens (creates 0640) for appending. An empty path: entries go nowhere.
    [[nodiscard]] static Result<std::unique_ptr<AuditLog>> open(const std::string& path);
    ~AuditLog();
    AuditLog(const AuditLog&) = delete;
    AuditLog& operator=(const AuditLog&) = delete;

    /// Appends one line in one write and waits until it is on disk. A failure is counted and logged, and does not
    /// keep the change back: a full disk must not stop a rollback.
    void append(const AuditEntry& entry);

    [[nodiscard]] std::uint64_t failures() const noexcept { return failures_.load(); }

  private:
    AuditLog() = default;
    std::string path_;
    int fd_ = -1;
    std::atomic<std::uint64_t> failures_{0};
};

/// The line of an entry, without newline; `time_ns` since the Unix epoch. Long texts are cut: a line has
/// at most about 10 KiB before escapes.
[[nodiscard]] std::string audit_line(const AuditEntry& entry, std::int64_t time_ns);

}  // namespace weir::control
