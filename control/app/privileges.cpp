// SPDX-License-Identifier: BSD-3-Clause
#include "control/app/privileges.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>
#include <vector>

#include <sys/prctl.h>
#include <sys/resource.h>

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

namespace weir::app {

namespace {

namespace fs = std::filesystem;

constexpr const char* kField = "control.run_as";

tl::unexpected<Error> refused(const std::string& user, const std::string& why, const char* fix) {
    return fail("", kField, "'" + user + "': " + why, fix);
}

struct User {
    uid_t uid = 0;
    gid_t gid = 0;
};

std::optional<User> find_user(const std::string& name) {
    std::vector<char> buffer(std::size_t{1} << 14);
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found) {
        return std::nullopt;
    }
    return User{entry.pw_uid, entry.pw_gid};
}

/// Links are not followed: what they point to is not ours to give.
bool give(const std::string& dir, const User& user) {
    bool good = ::lchown(dir.c_str(), user.uid, user.gid) == 0;
    std::error_code error;
    for (fs::recursive_directory_iterator at(dir, error), end; !error && at != end;
         at.increment(error)) {
        good = ::lchown(at->path().c_str(), user.uid, user.gid) == 0 && good;
    }
    return good && !error;
}

/// A line of a thread's status that it must not have; empty: it gave everything up.
std::string kept(const fs::path& status, uid_t uid) {
    const std::string own = std::to_string(uid);
    std::ifstream file(status);
    std::string name;
    for (std::string line; std::getline(file, line);) {
        const auto colon = line.find(':');
        name = line.substr(0, colon);
        const bool capability =
            name == "CapInh" || name == "CapPrm" || name == "CapEff" || name == "CapAmb";
        const bool none = line.find_first_not_of("0\t ", colon + 1) == std::string::npos;
        const bool is_own = line == "Uid:\t" + own + "\t" + own + "\t" + own + "\t" + own;
        if ((capability && !none) || (name == "Uid" && !is_own)) {
            return line;
        }
    }
    return name.empty() ? "its status cannot be read" : "";
}

std::string kept_by_any(uid_t uid) {
    std::error_code error;
    for (const auto& task : fs::directory_iterator("/proc/self/task", error)) {
        const std::string line = kept(task.path() / "status", uid);
        if (!line.empty() && fs::exists(task.path(), error)) {  // else the thread has ended
            return "thread " + task.path().filename().string() + " kept: " + line;
        }
    }
    return error ? "/proc/self/task: " + error.message() : "";
}

}  // namespace

void forgo_more() {
    (void)::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const rlimit none{0, 0};
    (void)::setrlimit(RLIMIT_CORE, &none);
}

void hide_memory() {
    (void)::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

Result<bool> give_up_root(const std::string& user, const std::string& state_dir) {
    if (user.empty() || ::geteuid() != 0) {
        return false;
    }
    const auto found = find_user(user);
    if (!found) {
        return refused(user, "there is no such user", "create it: useradd --system USER");
    }
    if (found->uid == 0) {
        return refused(user, "is root", "name another user, or remove the key");
    }
    if (!give(state_dir, *found)) {
        return refused(
            user,
            "cannot be given " + state_dir + ": " + std::strerror(errno),
            "put control.state_dir on a file system whose files can change owners");
    }
    // The C library changes every thread; the kernel takes a thread's capabilities when its last uid 0 goes.
    if (::initgroups(user.c_str(), found->gid) != 0 ||
        ::setresgid(found->gid, found->gid, found->gid) != 0 ||
        ::setresuid(found->uid, found->uid, found->uid) != 0) {
        return refused(
            user,
            std::string("cannot be become: ") + std::strerror(errno),
            "let the process have CAP_SETUID and CAP_SETGID");
    }
    if (const std::string line = kept_by_any(found->uid); !line.empty()) {
        return refused(user, line, "remove the capability from the unit's AmbientCapabilities");
    }
    return true;
}

}  // namespace weir::app
