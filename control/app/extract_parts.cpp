// SPDX-License-Identifier: BSD-3-Clause
#include "control/app/extract_parts.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include <sys/file.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

namespace weir::app {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBuffer = std::size_t{1} << 20;
constexpr const char* kUnfinished = ".tmp";
constexpr const char* kCounts = ".counts";

[[nodiscard]] tl::unexpected<Error> cannot_write(const std::string& path, int why) {
    return fail(
        path,
        {},
        std::string("cannot write: ") + std::strerror(why),
        "check the folder, its free space and permissions");
}

// Small, whole or not at all.
[[nodiscard]] bool write_counts(const std::string& path, const PartCounts& counts) {
    const std::string temporary = path + kUnfinished;
    {
        std::ofstream out(temporary);
        out << counts.rows << ' ' << counts.labelled << ' ' << counts.packets << ' ' << counts.bytes
            << '\n';
        out.close();
        if (!out) {
            return false;
        }
    }
    return std::rename(temporary.c_str(), path.c_str()) == 0;
}

}  // namespace

PartWriter::PartWriter(std::string path)
    : path_(std::move(path)), temporary_(path_ + kUnfinished), buffer_(new char[kBuffer]) {
    file_ = std::fopen(temporary_.c_str(), "we");
    if (file_ == nullptr) {
        why_ = errno;
        return;
    }
    std::setvbuf(file_, buffer_.get(), _IOFBF, kBuffer);
}

PartWriter::~PartWriter() {
    if (file_ != nullptr) {
        std::fclose(file_);
        std::remove(temporary_.c_str());
    }
}

void PartWriter::write(std::string_view bytes) noexcept {
    if (why_ == 0 && std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) {
        why_ = errno;
    }
    bytes_ += bytes.size();
}

Result<PartCounts> PartWriter::commit(PartCounts counts) {
    counts.bytes = bytes_;
    if (why_ == 0 && std::fflush(file_) != 0) {
        why_ = errno;
    }
    if (why_ != 0) {
        return cannot_write(temporary_, why_);
    }
    const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
    if (!closed || std::rename(temporary_.c_str(), path_.c_str()) != 0 ||
        !write_counts(path_ + kCounts, counts)) {
        return cannot_write(path_, errno);
    }
    return counts;
}

Result<std::unique_ptr<PartsFolder>> PartsFolder::open(std::string path) {
    std::unique_ptr<PartsFolder> folder(new PartsFolder);
    std::error_code error;
    if (path.empty()) {
        path = (fs::temp_directory_path(error) / "weir-extract-XXXXXX").string();
        if (error || mkdtemp(path.data()) == nullptr) {
            return cannot_write(path, error ? error.value() : errno);
        }
        folder->own_ = true;
    } else if (mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) {
        return cannot_write(path, errno);
    }
    folder->path_ = std::move(path);
    folder->lock_ = ::open(folder->path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->lock_ < 0) {
        return cannot_write(folder->path_, errno);
    }
    if (flock(folder->lock_, LOCK_EX | LOCK_NB) != 0) {
        return fail(
            folder->path_,
            {},
            "another extraction to this output is running",
            "wait for it, or give --out another name");
    }
    for (const auto& entry : fs::directory_iterator(folder->path_, error)) {
        if (entry.path().extension() == kUnfinished) {
            fs::remove(entry.path(), error);
        }
    }
    return folder;
}

PartsFolder::~PartsFolder() {
    if (own_) {
        remove();
    }
    if (lock_ >= 0) {
        close(lock_);
    }
}

std::optional<PartCounts> PartsFolder::finished(const std::string& key) const {
    std::ifstream in(file(key) + kCounts);
    PartCounts counts;
    in >> counts.rows >> counts.labelled >> counts.packets >> counts.bytes;
    std::error_code error;
    const auto size = fs::file_size(file(key), error);
    return in && !error && size == counts.bytes ? std::optional(counts) : std::nullopt;
}

void PartsFolder::remove() noexcept {
    std::error_code error;
    fs::remove_all(path_, error);
}

std::string part_key(std::string_view text) {
    std::array<unsigned char, 16> digest{};
    crypto_generichash(
        digest.data(),
        digest.size(),
        reinterpret_cast<const unsigned char*>(text.data()),
        text.size(),
        nullptr,
        0);
    std::array<char, 2 * digest.size() + 1> hex{};
    sodium_bin2hex(hex.data(), hex.size(), digest.data(), digest.size());
    return hex.data();
}

std::string file_identity(const std::string& path) {
    struct stat status {};
    if (path.empty() || stat(path.c_str(), &status) != 0) {
        return path;
    }
    std::error_code error;
    return fs::absolute(path, error).string() + "|" + std::to_string(status.st_dev) + "|" +
           std::to_string(status.st_ino) + "|" + std::to_string(status.st_size) + "|" +
           std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec);
}

}  // namespace weir::app
