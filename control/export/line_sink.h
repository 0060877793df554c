// SPDX-License-Identifier: BSD-3-Clause
// Where EVE lines go: a file that is rotated, or a Unix socket.
#pragma once

#include "config/error.h"
#include "config/export.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace weir::control {

/// Thread: one at a time.
class LineSink {
  public:
    using Clock = std::chrono::steady_clock;
    /// A reader of a socket that takes nothing for so long loses what is written for kRetry.
    static constexpr std::chrono::milliseconds kPatience{200};
    /// Between two attempts to reach a socket or a file that failed.
    static constexpr std::chrono::seconds kRetry{1};

    /// A file must open; a socket's reader may come later.
    [[nodiscard]] static Result<std::unique_ptr<LineSink>> open(config::Eve eve);
    ~LineSink();
    LineSink(const LineSink&) = delete;
    LineSink& operator=(const LineSink&) = delete;

    /// Writes the line and its end. False: it is lost, whole.
    [[nodiscard]] bool write(std::string_view line, Clock::time_point now);
    /// Opens the file by its name anew, as after somebody else has moved it; closes a socket, to connect again.
    void reopen();
    [[nodiscard]] std::uint64_t rotations() const noexcept { return rotations_; }

  private:
    explicit LineSink(config::Eve eve) : eve_(std::move(eve)) {}
    [[nodiscard]] bool ready(Clock::time_point now);
    [[nodiscard]] int connect_socket() const;
    [[nodiscard]] int open_file();
    void close();
    [[nodiscard]] bool write_file(std::string_view text);
    [[nodiscard]] bool write_socket(std::string_view text, Clock::time_point now);
    void rotate(Clock::time_point now);

    config::Eve eve_;
    std::string text_;
    int fd_ = -1;
    std::uint64_t size_ = 0;  ///< of the file
    Clock::time_point opened_{};
    Clock::time_point retry_{};  ///< not before
    Clock::time_point slow_until_{};
    Clock::time_point rotate_retry_{};
    std::uint64_t rotations_ = 0;
};

}  // namespace weir::control
