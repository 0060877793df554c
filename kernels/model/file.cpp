// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/model/file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <sys/stat.h>

#include <fcntl.h>
#include <unistd.h>

namespace weir::kernels {
namespace {

class Fd {
  public:
    explicit Fd(int fd) noexcept : fd_(fd) {}
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { static_cast<void>(close()); }

    [[nodiscard]] bool open() const noexcept { return fd_ >= 0; }
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] bool close() noexcept {
        const int fd = std::exchange(fd_, -1);
        return fd < 0 || ::close(fd) == 0;
    }

  private:
    int fd_;
};

std::string reason() {
    return std::generic_category().message(errno);
}

// Fills as much of `to` as the file has; −1 on error.
ssize_t read_all(int fd, std::span<std::byte> to) {
    std::size_t have = 0;
    while (have < to.size()) {
        const ssize_t n = ::read(fd, to.data() + have, to.size() - have);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        have += static_cast<std::size_t>(n);
    }
    return static_cast<ssize_t>(have);
}

bool write_all(int fd, std::span<const std::byte> from) {
    while (!from.empty()) {
        const ssize_t n = ::write(fd, from.data(), from.size());
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return false;
        }
        from = from.subspan(static_cast<std::size_t>(n));
    }
    return true;
}

// What is wrong with the file before a byte of it is read; "" if nothing.
std::string unfit(const struct stat& st, const ReadRequest& request) {
    if (!S_ISREG(st.st_mode)) {
        return "not a regular file";
    }
    if (st.st_size == 0) {
        return "empty";
    }
    if (static_cast<std::uint64_t>(st.st_size) > request.max_bytes) {
        return std::to_string(st.st_size) + " bytes long, at most " +
               std::to_string(request.max_bytes) + " may be";
    }
    return {};
}

}  // namespace

Result<std::size_t> read_regular_file(
    const ReadRequest& request, const std::function<std::byte*(std::size_t)>& allocate) {
    // O_NONBLOCK: opening a FIFO must not wait for its writer.
    const Fd fd(::open(request.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat st {};
    if (!fd.open() || ::fstat(fd.get(), &st) != 0) {
        return fail(
            request.path, {}, "cannot open: " + reason(), "give the path of a " + request.what);
    }
    if (std::string what = unfit(st, request); !what.empty()) {
        return fail(request.path, {}, std::move(what), "give the path of a " + request.what);
    }
    if ((st.st_mode & request.forbidden_mode) != 0) {
        return fail(
            request.path,
            {},
            "group or others may read or write this secret",
            "chmod 600 " + request.path);
    }
    const auto size = static_cast<std::size_t>(st.st_size);
    std::byte* to = allocate(size);
    if (to == nullptr) {
        return fail(request.path, {}, "no memory for " + std::to_string(size) + " bytes");
    }
    const ssize_t n = read_all(fd.get(), {to, size});
    if (n < 0) {
        return fail(request.path, {}, "cannot read: " + reason());
    }
    if (static_cast<std::size_t>(n) != size) {
        return fail(request.path, {}, "shrank while it was read", "try again");
    }
    return size;
}

Result<Bytes> load_bundle_file(const std::string& path, std::size_t max_bytes) {
    try {
        Bytes bytes;
        return read_regular_file(
                   {.path = path, .what = "bundle file", .max_bytes = max_bytes},
                   [&](std::size_t size) {
                       bytes.resize(size);
                       return bytes.data();
                   })
            .map([&](std::size_t) { return std::move(bytes); });
    } catch (const std::bad_alloc&) {
        return fail(path, {}, "no memory to read it");
    }
}

Result<void> write_new_file(
    const std::string& path, std::span<const std::byte> bytes, unsigned mode) {
    Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!fd.open()) {
        const bool exists = errno == EEXIST;
        return fail(
            path,
            {},
            "cannot create: " + reason(),
            exists ? "choose another name, or remove it" : "");
    }
    // The mode asked for, whatever the umask says.
    const bool ok = ::fchmod(fd.get(), mode) == 0 && write_all(fd.get(), bytes) &&
                    ::fsync(fd.get()) == 0 && fd.close();
    if (!ok) {
        auto error = fail(path, {}, "cannot write: " + reason());
        static_cast<void>(::unlink(path.c_str()));
        return error;
    }
    return {};
}

Result<void> save_bundle_file(const std::string& path, std::span<const std::byte> bytes) {
    const std::string temporary = path + ".new." + std::to_string(::getpid());
    static_cast<void>(::unlink(temporary.c_str()));  // left by a process of the same id that died
    if (auto ok = write_new_file(temporary, bytes, 0644); !ok) {
        return ok;
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        auto error = fail(path, {}, "cannot write: " + reason());
        static_cast<void>(::unlink(temporary.c_str()));
        return error;
    }
    const std::string dir = std::filesystem::path(path).parent_path().string();
    const Fd fd(::open(dir.empty() ? "." : dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.open() || ::fsync(fd.get()) != 0) {
        return fail(path, {}, "written, but its directory cannot be synced: " + reason());
    }
    return {};
}

}  // namespace weir::kernels
