// SPDX-License-Identifier: BSD-3-Clause
// The control socket itself: bound by us, so that the kernel's word on who connects is had.
#pragma once

#include "config/error.h"
#include "control/audit/audit.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <sys/types.h>

namespace weir::control {

/// Accepts on a Unix socket and hands each connection on. gRPC would listen itself, but it does not tell who the peer
/// is; given a connected descriptor it names the connection "fd:<number>", by which actor() finds the credentials.
/// Thread: listen and stop by one; actor() any.
class Listener {
  public:
    /// More connections at once are closed as they come; the last ones are kept for root.
    static constexpr std::size_t kMaxConnections = 256;
    static constexpr std::size_t kForRoot = 32;
    /// Of one user, root aside, or of one certificate.
    static constexpr std::size_t kMaxOfOne = 128;
    /// Connections that have not said a word of HTTP/2 yet. They count for nothing, wait so long, and the oldest goes
    /// where there are more: whoever speaks is served.
    static constexpr std::size_t kMaxSilent = 256;
    static constexpr std::chrono::seconds kSilence{5};

    /// Binds `path` with mode 0660, its group `group` (empty: the process's). A socket file that nobody answers on is
    /// replaced; one that is answered, and anything that is no socket, is an Error.
    [[nodiscard]] static Result<std::unique_ptr<Listener>> bind(
        const std::string& path, const std::string& group = {});
    ~Listener();  ///< stop()s
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    /// Starts accepting. `adopt` owns the descriptor it is given.
    void start(std::function<void(int fd)> adopt);
    /// Accepts no more and removes the socket file. Idempotent.
    void stop();

    /// Counts a connection of `actor` and gives its descriptor a number by which actor() finds it; none, and it is
    /// closed, if there are too many. Thread: any.
    [[nodiscard]] std::optional<int> enroll(int fd, Actor actor);

    /// Who is at the other end of the connection that gRPC calls `peer`.
    [[nodiscard]] Actor actor(const std::string& peer) const;

  private:
    struct Peer {
        ino_t inode = 0;  ///< of the connection: tells whether `fd` still is it
        Actor actor;
    };

    Listener() = default;
    struct Silent {
        int fd = -1;
        std::chrono::steady_clock::time_point until;
        bool began = false;  ///< a greeting that is not whole
    };
    void run(const std::function<void(int fd)>& adopt);
    void accept_one(std::vector<Silent>& silent);
    /// True: it spoke or is over, and is not silent any more.
    [[nodiscard]] bool hear(Silent& one, const std::function<void(int fd)>& adopt);
    [[nodiscard]] bool too_many(const Actor& actor) const;

    std::string path_;
    int fd_ = -1;
    int wake_ = -1;  ///< eventfd: stop
    ino_t inode_ = 0;
    int next_number_ = 0;
    std::thread thread_;
    mutable std::mutex mutex_;
    std::map<int, Peer> peers_;
};

}  // namespace weir::control
