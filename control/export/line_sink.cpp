// SPDX-License-Identifier: BSD-3-Clause
#include "control/export/line_sink.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace weir::control {

Result<std::unique_ptr<LineSink>> LineSink::open(config::Eve eve) {
    std::unique_ptr<LineSink> sink(new LineSink(std::move(eve)));
    sink->opened_ = Clock::now();
    if (sink->eve_.filetype == config::EveTarget::regular) {
        sink->fd_ = sink->open_file();
        if (sink->fd_ < 0) {
            const int error = errno;
            return fail(
                sink->eve_.file,
                "export.eve.file",
                "cannot be written: " + std::generic_category().message(error),
                "make its directory, and let the user that runs weir write there");
        }
    }
    return sink;
}

LineSink::~LineSink() {
    close();
}

void LineSink::close() {
    if (fd_ >= 0) {
        ::close(fd_);
    }
    fd_ = -1;
}

int LineSink::open_file() {
    constexpr mode_t kMode = 0640;
    const int fd = ::open(
        eve_.file.c_str(),
        O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
        kMode);
    struct stat status {};
    if (fd >= 0 && (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))) {
        ::close(fd);
        errno = EINVAL;
        return -1;
    }
    size_ = fd >= 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
    return fd;
}

int LineSink::connect_socket() const {
    const int type = eve_.filetype == config::EveTarget::unix_stream ? SOCK_STREAM : SOCK_DGRAM;
    const int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (void)std::snprintf(address.sun_path, sizeof(address.sun_path), "%s", eve_.file.c_str());
    if (fd >= 0 &&
        ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        ::close(fd);
        return -1;
    }
    return fd;
}

bool LineSink::ready(Clock::time_point now) {
    if (fd_ < 0 && now >= retry_) {
        fd_ = eve_.filetype == config::EveTarget::regular ? open_file() : connect_socket();
        retry_ = now + kRetry;
    }
    return fd_ >= 0;
}

bool LineSink::write(std::string_view line, Clock::time_point now) {
    const bool regular = eve_.filetype == config::EveTarget::regular;
    if (regular && fd_ >= 0) {
        rotate(now);
    }
    if (!ready(now)) {
        return false;
    }
    text_.assign(line);
    text_ += '\n';
    return regular ? write_file(text_) : write_socket(text_, now);
}

bool LineSink::write_file(std::string_view text) {
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t n = ::write(fd_, text.data() + done, text.size() - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {  // no space: what was begun is taken back, so that every line is whole
            if (done > 0) {
                (void)!::ftruncate(fd_, static_cast<off_t>(size_));
            }
            return false;
        }
        done += static_cast<std::size_t>(n);
    }
    size_ += text.size();
    return true;
}

bool LineSink::write_socket(std::string_view text, Clock::time_point now) {
    std::size_t done = 0;
    // A reader that was slow a moment ago is not waited for again: lines are many, and the queue behind is bounded.
    const auto give_up = now < slow_until_ ? Clock::now() : Clock::now() + kPatience;
    while (done < text.size()) {
        const ssize_t n = ::send(fd_, text.data() + done, text.size() - done, MSG_NOSIGNAL);
        if (n > 0) {
            done += static_cast<std::size_t>(n);
            continue;
        }
        const auto left = give_up - Clock::now();
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == ENOBUFS) && left > Clock::duration::zero()) {
            pollfd wait{fd_, POLLOUT, 0};
            const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
            (void)::poll(&wait, 1, static_cast<int>(ms) + 1);
            continue;
        }
        // A stream with half a line in it cannot be gone on with; a reader that is gone may come back.
        const bool slow = n < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == EMSGSIZE);
        slow_until_ = now + kRetry;
        if (!slow || done > 0) {
            close();
        }
        return false;
    }
    return true;
}

void LineSink::reopen() {
    close();
    retry_ = {};
}

void LineSink::rotate(Clock::time_point now) {
    const bool by_size = eve_.rotate_mb != 0 && size_ >= std::uint64_t{eve_.rotate_mb} << 20;
    const bool by_time =
        eve_.rotate_s != 0 && size_ != 0 && now - opened_ >= std::chrono::seconds(eve_.rotate_s);
    if ((!by_size && !by_time) || now < rotate_retry_) {
        return;
    }
    rotate_retry_ = now + kRetry;  // a directory that may not be written is not asked for each line
    const auto name = [this](std::uint32_t n) { return eve_.file + "." + std::to_string(n); };
    for (std::uint32_t n = eve_.keep; n > 1; --n) {
        (void)std::rename(name(n - 1).c_str(), name(n).c_str());
    }
    if (std::rename(eve_.file.c_str(), name(1).c_str()) == 0) {
        ++rotations_;
    }
    opened_ = now;
    reopen();
}

}  // namespace weir::control
