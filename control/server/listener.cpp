// SPDX-License-Identifier: BSD-3-Clause
#include "control/server/listener.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace weir::control {

namespace {

// A Unix socket's connect() fails at once (EAGAIN) when the backlog is full, and gRPC's clients take that for connected:
// room for more than we would take.
constexpr int kBacklog = 2 * static_cast<int>(Listener::kMaxConnections);
constexpr int kFirstNumber = 256;  // descriptors of connections are numbered from here …
constexpr int kNumbers =
    4096;  // … in turn, so that a number comes back late (fewer if the limit is lower)

std::string why() {
    return std::strerror(errno);
}

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(address.sun_path)) {
        return fail(
            path,
            "control.socket",
            "has " + std::to_string(path.size()) + " characters; a socket's path has 1 to " +
                std::to_string(sizeof(address.sun_path) - 1),
            "choose a shorter path");
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

/// Removes a socket file that nobody listens on.
Result<void> clear_stale(const std::string& path, const sockaddr_un& address) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
        return {};
    }
    if (!S_ISSOCK(info.st_mode)) {
        return fail(
            path, "control.socket", "exists and is no socket", "remove it, or choose another path");
    }
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const bool answered =
        ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ||
        errno == EAGAIN;
    const int error = errno;
    (void)::close(probe);
    if (answered) {
        return fail(
            path,
            "control.socket",
            "another weir answers there",
            "stop it, or choose another path");
    }
    if (error != ECONNREFUSED) {
        return fail(
            path,
            "control.socket",
            std::string("cannot tell whether it is in use: ") + std::strerror(error),
            "remove it if no weir runs");
    }
    (void)::unlink(path.c_str());
    return {};
}

/// The group's id; "" is any; none: there is no such group.
std::optional<gid_t> gid_of(const std::string& name) {
    if (name.empty()) {
        return gid_t{0};
    }
    std::vector<char> buffer(std::size_t{1} << 14);
    group entry{};
    group* found = nullptr;
    const bool ok = ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0;
    return ok && found ? std::optional(found->gr_gid) : std::nullopt;
}

int numbers() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kFirstNumber + kNumbers) {
        return kNumbers;
    }
    return std::max(1, static_cast<int>(limit.rlim_cur) - kFirstNumber - 1);
}

ino_t inode_of(int fd) {
    struct stat info {};
    return ::fstat(fd, &info) == 0 ? info.st_ino : 0;
}

}  // namespace

Result<std::unique_ptr<Listener>> Listener::bind(
    const std::string& path, const std::string& group) {
    const auto gid = gid_of(group);
    if (!gid) {
        return fail(
            path,
            "control.group",
            "there is no group '" + group + "'",
            "create it: groupadd --system " + group);
    }
    const auto address = address_of(path);
    if (!address) {
        return tl::unexpected(address.error());
    }
    if (auto cleared = clear_stale(path, *address); !cleared) {
        return tl::unexpected(std::move(cleared.error()));
    }
    auto listener = std::unique_ptr<Listener>(new Listener);
    listener->fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    listener->wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    // bind() makes the file: with this mask nobody but the owner can connect before chmod. The mask is the process's,
    // so no other thread may make files now: control starts before the others do.
    const mode_t mask = ::umask(0177);
    const int bound =
        ::bind(listener->fd_, reinterpret_cast<const sockaddr*>(&*address), sizeof(*address));
    const int error = errno;
    (void)::umask(mask);
    errno = error;
    if (bound != 0) {
        return fail(
            path,
            "control.socket",
            "cannot be made: " + why(),
            "make its directory, writable for the user that runs weir");
    }
    listener->path_ = path;
    struct stat info {};
    (void)::lstat(path.c_str(), &info);
    listener->inode_ = info.st_ino;
    // chown first: until the mode is set nobody but the owner can connect.
    if (!group.empty() && ::chown(path.c_str(), static_cast<uid_t>(-1), *gid) != 0) {
        return fail(
            path,
            "control.group",
            "cannot be given to group '" + group + "': " + why(),
            "make the user that runs weir a member of it");
    }
    if (::chmod(path.c_str(), 0660) != 0 || ::listen(listener->fd_, kBacklog) != 0) {
        return fail(path, "control.socket", "cannot listen: " + why());
    }
    return listener;
}

Listener::~Listener() {
    stop();
    for (const int fd : {fd_, wake_}) {
        if (fd >= 0) {
            (void)::close(fd);
        }
    }
}

void Listener::start(std::function<void(int fd)> adopt) {
    thread_ = std::thread([this, adopt = std::move(adopt)] { run(adopt); });
}

void Listener::stop() {
    if (thread_.joinable()) {
        const std::uint64_t one = 1;
        (void)!::write(wake_, &one, sizeof(one));
        thread_.join();
    }
    struct stat info {};
    // Only the file we made: another weir may have taken the path since.
    if (!path_.empty() && ::lstat(path_.c_str(), &info) == 0 && info.st_ino == inode_) {
        (void)::unlink(path_.c_str());
    }
    path_.clear();
}

void Listener::run(const std::function<void(int fd)>& adopt) {
    pthread_setname_np(pthread_self(), "weir-accept");
    std::vector<Silent> silent;  // the oldest first
    std::vector<pollfd> polled;
    for (;;) {
        polled.assign({{fd_, POLLIN, 0}, {wake_, POLLIN, 0}});
        int look_ms = silent.empty() ? -1 : 1000;
        for (const auto& one : silent) {
            // A greeting that began would wake us until it is whole: looked at now and then instead.
            polled.push_back({one.fd, one.began ? short{0} : short{POLLIN}, 0});
            look_ms = one.began ? 50 : look_ms;
        }
        if (::poll(polled.data(), polled.size(), look_ms) < 0 && errno != EINTR) {
            spdlog::error("control socket: poll: {}", why());
            break;
        }
        if (polled[1].revents != 0) {
            break;
        }
        const auto now = std::chrono::steady_clock::now();
        std::vector<Silent> still;
        for (std::size_t i = 0; i < silent.size(); ++i) {
            auto& one = silent[i];
            const int told = polled[i + 2].revents;
            const bool over = (told != 0 || one.began) && hear(one, adopt);
            const bool gone = one.began && (told & (POLLHUP | POLLERR)) != 0;
            if (!over && (gone || now >= one.until)) {
                (void)::close(one.fd);
            } else if (!over) {
                still.push_back(one);
            }
        }
        silent = std::move(still);
        if (polled[0].revents != 0) {
            accept_one(silent);
        }
    }
    for (const auto& one : silent) {
        (void)::close(one.fd);
    }
}

void Listener::accept_one(std::vector<Silent>& silent) {
    const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
        // The connection stays in the backlog: wait a little for descriptors instead of spinning.
        pollfd wake{wake_, POLLIN, 0};
        (void)::poll(&wake, 1, 100);
    }
    if (fd < 0) {
        return;
    }
    if (silent.size() >= kMaxSilent) {
        (void)::close(silent.front().fd);
        silent.erase(silent.begin());
    }
    silent.push_back({fd, std::chrono::steady_clock::now() + kSilence});
}

bool Listener::hear(Silent& one, const std::function<void(int fd)>& adopt) {
    const int fd = one.fd;
    constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    std::array<char, kPreface.size()> said{};
    const ssize_t n = ::recv(fd, said.data(), said.size(), MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    const auto heard =
        std::string_view(said.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    one.began = !heard.empty() && heard.size() < kPreface.size() && kPreface.starts_with(heard);
    if (one.began) {
        return false;  // takes no connection's place until it is whole
    }
    ucred credentials{};
    socklen_t size = sizeof(credentials);
    if (heard != kPreface || ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        (void)::close(fd);
        return true;
    }
    if (const auto numbered = enroll(
            fd,
            Actor{
                .via = "socket",
                .uid = credentials.uid,
                .gid = credentials.gid,
                .pid = credentials.pid,
                .sans = {}})) {
        adopt(*numbered);
    }
    return true;
}

bool Listener::too_many(const Actor& actor) const {
    const bool root = actor.uid && *actor.uid == 0;
    const auto of_one = std::count_if(peers_.begin(), peers_.end(), [&](const auto& entry) {
        return entry.second.actor.uid == actor.uid && entry.second.actor.sans == actor.sans;
    });
    return peers_.size() >= kMaxConnections - (root ? 0 : kForRoot) ||
           (!root && static_cast<std::size_t>(of_one) >= kMaxOfOne);
}

/// Gives the connection a number that no recent one had, and notes who it is. Closes it if there are too many.
std::optional<int> Listener::enroll(int fd, Actor actor) {
    const std::lock_guard lock(mutex_);
    std::erase_if(
        peers_, [](const auto& entry) { return inode_of(entry.first) != entry.second.inode; });
    if (too_many(actor)) {
        spdlog::warn(
            "control: too many connections, one by {} (uid {}) refused",
            actor.via,
            actor.uid ? static_cast<long>(*actor.uid) : -1L);
        (void)::close(fd);
        return std::nullopt;
    }
    // A call is answered for the connection it came on, even if that is closed meanwhile: were its number given to the
    // next connection at once, the call could pass for another's.
    int number = ::fcntl(fd, F_DUPFD_CLOEXEC, kFirstNumber + next_number_);
    if (number < 0) {
        number = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    }
    next_number_ = std::max(0, number + 1 - kFirstNumber) % numbers();
    (void)::close(fd);
    if (number < 0) {
        return std::nullopt;
    }
    peers_[number] = Peer{inode_of(number), std::move(actor)};
    return number;
}

Actor Listener::actor(const std::string& peer) const {
    constexpr std::string_view kPrefix = "fd:";
    int number = -1;
    if (std::string_view(peer).starts_with(kPrefix)) {
        (void)std::from_chars(peer.data() + kPrefix.size(), peer.data() + peer.size(), number);
    }
    const std::lock_guard lock(mutex_);
    const auto known = peers_.find(number);
    return known == peers_.end() ? Actor{.via = "socket"} : known->second.actor;
}

}  // namespace weir::control
