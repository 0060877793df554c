// SPDX-License-Identifier: BSD-3-Clause
#include "control/mirror/mirror_file.h"

#define ALLOW_EXPERIMENTAL_API  // all of rte_pcapng, in DPDK 22.11
#include <cerrno>
#include <cstdio>
#include <system_error>

#include <sys/stat.h>

#include <rte_mbuf.h>
#include <rte_pcapng.h>

#include <fcntl.h>
#include <unistd.h>

namespace weir::control {

Result<std::unique_ptr<MirrorFile>> MirrorFile::open(config::Mirror mirror, Clock::time_point now) {
    std::unique_ptr<MirrorFile> file(new MirrorFile(std::move(mirror)));
    struct stat status {};
    const bool there = ::lstat(file->mirror_.file.c_str(), &status) == 0;
    const bool moved = there && S_ISREG(status.st_mode) && status.st_size != 0;
    if ((moved && !file->rotate()) || !file->open_file()) {
        const int error = errno;
        return fail(
            file->mirror_.file,
            "policy.mirror.file",
            "cannot be written: " + std::generic_category().message(error),
            "make its directory, and let the user that runs weir write there; it must be a "
            "regular file");
    }
    file->opened_ = now;
    file->rotations_ = 0;
    return file;
}

MirrorFile::~MirrorFile() {
    close();
}

void MirrorFile::close() {
    if (pcapng_ != nullptr) {
        rte_pcapng_close(pcapng_);  // and with it fd_
    } else if (fd_ >= 0) {
        ::close(fd_);
    }
    pcapng_ = nullptr;
    fd_ = -1;
}

// False with errno.
bool MirrorFile::open_file() {
    constexpr mode_t kMode = 0600;
    fd_ = ::open(
        mirror_.file.c_str(),
        O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK,
        kMode);
    struct stat status {};
    if (fd_ < 0 || ::fstat(fd_, &status) != 0) {
        return false;
    }
    if (!S_ISREG(status.st_mode)) {
        close();
        errno = EINVAL;
        return false;
    }
    const auto before = status.st_size;
    errno = ENOSPC;  // what is most likely, where it says nothing better
    if (::fchmod(fd_, kMode) != 0) {
        close();
        return false;
    }
    pcapng_ = rte_pcapng_fdopen(fd_, nullptr, nullptr, "weir", nullptr);
    if (pcapng_ == nullptr || ::fstat(fd_, &status) != 0) {
        const int error = errno;
        (void)!::ftruncate(fd_, before);
        close();
        errno = error;
        return false;
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
    empty_ = size_ - static_cast<std::uint64_t>(before);
    return true;
}

bool MirrorFile::ready(Clock::time_point now) {
    if (fd_ < 0 && now >= retry_) {
        retry_ = now + kRetry;
        opened_ = now;
        (void)open_file();
    }
    return fd_ >= 0;
}

bool MirrorFile::write(std::span<rte_mbuf*> copies, Clock::time_point now) {
    rotate_if_due(now);
    if (!ready(now) || copies.size() > kMost) {
        return false;
    }
    std::uint64_t bytes = 0;
    for (const rte_mbuf* const copy : copies) {
        bytes += copy->pkt_len;
    }
    const ssize_t written =
        rte_pcapng_write_packets(pcapng_, copies.data(), static_cast<std::uint16_t>(copies.size()));
    if (written == static_cast<ssize_t>(bytes)) {
        size_ += bytes;
        return true;
    }
    // No space, for instance: what was begun is taken back, so that every block is whole.
    (void)!::ftruncate(fd_, static_cast<off_t>(size_));
    return false;
}

void MirrorFile::reopen() {
    close();
    retry_ = {};
}

bool MirrorFile::rotate() {
    const auto name = [this](std::uint32_t n) { return mirror_.file + "." + std::to_string(n); };
    for (std::uint32_t n = mirror_.keep; n > 1; --n) {
        (void)std::rename(name(n - 1).c_str(), name(n).c_str());
    }
    if (std::rename(mirror_.file.c_str(), name(1).c_str()) != 0) {
        return false;
    }
    ++rotations_;
    return true;
}

void MirrorFile::rotate_if_due(Clock::time_point now) {
    const bool by_size = mirror_.rotate_mb != 0 && size_ >= std::uint64_t{mirror_.rotate_mb} << 20U;
    const bool by_time = mirror_.rotate_s != 0 && size_ > empty_ &&
                         now - opened_ >= std::chrono::seconds(mirror_.rotate_s);
    if (fd_ < 0 || (!by_size && !by_time) || now < retry_) {
        return;
    }
    retry_ = now + kRetry;  // a directory that may not be written is not asked for each packet
    if (rotate()) {
        reopen();
    }
}

}  // namespace weir::control
