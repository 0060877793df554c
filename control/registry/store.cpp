// SPDX-License-Identifier: BSD-3-Clause
#include "control/registry/store.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <sys/stat.h>

#include <fcntl.h>
#include <unistd.h>

namespace weir::control {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kBundleSuffix = ".bundle";
constexpr std::string_view kTemporarySuffix = ".tmp";
constexpr std::size_t kMaxStateBytes = std::size_t{16} << 20;

class Fd {
  public:
    explicit Fd(int fd) : fd_(fd) {}
    ~Fd() {
        if (fd_ >= 0) {
            (void)::close(fd_);
        }
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool ok() const { return fd_ >= 0; }

  private:
    int fd_;
};

tl::unexpected<Error> failed(const std::string& path, const std::string& doing) {
    const int error = errno;
    std::string fix;
    if (error == EACCES || error == EPERM || error == EROFS) {
        fix = "make control.state_dir writable for the user that runs weir";
    } else if (error == ENOSPC || error == EDQUOT) {
        fix = "free space on its file system, or remove models";
    }
    return fail(path, "", "cannot " + doing + ": " + std::strerror(error), fix);
}

Result<void> sync_directory(const std::string& dir) {
    const Fd fd(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.ok() || ::fsync(fd.get()) != 0) {
        return failed(dir, "sync the directory");
    }
    return {};
}

bool write_all(int fd, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return false;
        }
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return true;
}

/// "slot@name@version.bundle" → key.
std::optional<ModelKey> key_of_file(std::string_view file) {
    if (!file.ends_with(kBundleSuffix)) {
        return std::nullopt;
    }
    file.remove_suffix(kBundleSuffix.size());
    const auto first = file.find('@');
    const auto last = file.rfind('@');
    if (first == std::string_view::npos || first == last) {
        return std::nullopt;
    }
    ModelKey key{
        std::string(file.substr(0, first)),
        std::string(file.substr(first + 1, last - first - 1)),
        0};
    const auto version = file.substr(last + 1);
    const auto end = version.data() + version.size();
    const auto parsed = std::from_chars(version.data(), end, key.version);
    if (parsed.ec != std::errc{} || parsed.ptr != end || !safe_name(key.slot) ||
        !safe_name(key.name)) {
        return std::nullopt;
    }
    return key;
}

}  // namespace

bool safe_name(const std::string& name) {
    return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    });
}

Result<kernels::Bytes> read_file(const std::string& path, std::size_t max_bytes) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat info {};
    if (!fd.ok() || ::fstat(fd.get(), &info) != 0) {
        return fail(path, "", std::string("cannot read: ") + std::strerror(errno), "");
    }
    if (!S_ISREG(info.st_mode)) {
        return fail(path, "", "is not a regular file", "");
    }
    if (static_cast<std::uint64_t>(info.st_size) > max_bytes) {
        return fail(
            path,
            "",
            "has " + std::to_string(info.st_size) + " bytes, more than the limit of " +
                std::to_string(max_bytes),
            "raise control.max_bundle_mb if the file is meant to be that large");
    }
    kernels::Bytes bytes(static_cast<std::size_t>(info.st_size));
    std::size_t have = 0;
    while (have < bytes.size()) {
        const ssize_t n = ::read(fd.get(), bytes.data() + have, bytes.size() - have);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return fail(path, "", n < 0 ? std::strerror(errno) : "shrank while it was read", "");
        }
        have += static_cast<std::size_t>(n);
    }
    return bytes;
}

Result<void> write_file_durably(
    const std::string& path,
    std::span<const std::byte> bytes,
    const std::function<void(std::string_view)>& step) {
    const auto done = [&step](std::string_view what) {
        if (step) {
            step(what);
        }
    };
    const std::string temporary = path + std::string(kTemporarySuffix);
    {
        const Fd fd(
            ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
        if (!fd.ok()) {
            return failed(temporary, "create");
        }
        const bool written = write_all(fd.get(), bytes);
        done("written");
        if (!written || ::fsync(fd.get()) != 0) {
            auto error = failed(temporary, "write");
            (void)::unlink(temporary.c_str());
            return error;
        }
    }
    done("synced");
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        auto error = failed(path, "replace");
        (void)::unlink(temporary.c_str());
        return error;
    }
    done("renamed");
    auto synced = sync_directory(fs::path(path).parent_path().string());
    done("durable");
    return synced;
}

BootTime BootTime::now() {
    BootTime out;
    std::ifstream("/proc/sys/kernel/random/boot_id") >> out.id;
    timespec time{};
    if (::clock_gettime(CLOCK_BOOTTIME, &time) == 0) {
        out.seconds = static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
    }
    return out;
}

double BootTime::since(const BootTime& then) const {
    if (then.id.empty()) {
        return 0.0;
    }
    return then.id == id ? std::max(0.0, seconds - then.seconds) : seconds;
}

Result<ModelStore> ModelStore::open(const std::string& dir) {
    ModelStore store(dir);
    for (const auto& path : {dir, store.models_dir()}) {
        std::error_code error;
        fs::create_directories(path, error);
        if (error || !fs::is_directory(path, error)) {
            return fail(
                path,
                "control.state_dir",
                "cannot create the directory: " + error.message(),
                "name a directory that the user who runs weir may write");
        }
        if (::access(path.c_str(), W_OK | X_OK) != 0) {
            return fail(
                path,
                "control.state_dir",
                "is not writable",
                "name a directory that the user who runs weir may write");
        }
    }
    return store;
}

std::function<void(std::string_view)> ModelStore::step_of(const std::string& prefix) const {
    if (!step_) {
        return {};
    }
    return [this, prefix](std::string_view what) { step_(prefix + std::string(what)); };
}

Result<void> ModelStore::save_state(const RegistryState& state) const {
    const std::string text = state_to_json(state);
    return write_file_durably(state_path(), std::as_bytes(std::span(text)), step_of("state."));
}

Result<RegistryState> ModelStore::load_state() const {
    std::error_code error;
    if (!fs::exists(state_path(), error)) {
        return RegistryState{};
    }
    const auto bytes = read_file(state_path(), kMaxStateBytes);
    if (!bytes) {
        return tl::unexpected(bytes.error());
    }
    return state_from_json(
        std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()), state_path());
}

std::string ModelStore::set_state_aside() const {
    const std::string aside = state_path() + ".unreadable";
    std::error_code error;
    fs::rename(state_path(), aside, error);
    return error ? std::string() : aside;
}

std::string ModelStore::bundle_path(const ModelKey& key) const {
    return models_dir() + "/" + key.slot + "@" + key.name + "@" + std::to_string(key.version) +
           std::string(kBundleSuffix);
}

Result<void> ModelStore::save_bundle(const ModelKey& key, std::span<const std::byte> bytes) const {
    if (!safe_name(key.slot) || !safe_name(key.name)) {
        return fail(key.label(), "name", "has characters that cannot stand in a file name", "");
    }
    return write_file_durably(bundle_path(key), bytes, step_of("bundle."));
}

Result<kernels::Bytes> ModelStore::load_bundle(const ModelKey& key, std::size_t max_bytes) const {
    return read_file(bundle_path(key), max_bytes);
}

Result<void> ModelStore::remove_bundle(const ModelKey& key) const {
    const std::string path = bundle_path(key);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        return failed(path, "delete");
    }
    return sync_directory(models_dir());
}

std::vector<ModelKey> ModelStore::bundles() const {
    std::vector<ModelKey> keys;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(models_dir(), error)) {
        const std::string file = entry.path().filename().string();
        if (file.ends_with(kTemporarySuffix)) {
            std::error_code ignored;
            fs::remove(entry.path(), ignored);
        } else if (auto key = key_of_file(file)) {
            keys.push_back(std::move(*key));
        }
    }
    std::sort(keys.begin(), keys.end(), [](const ModelKey& a, const ModelKey& b) {
        return std::tie(a.slot, a.name, a.version) < std::tie(b.slot, b.name, b.version);
    });
    return keys;
}

}  // namespace weir::control
