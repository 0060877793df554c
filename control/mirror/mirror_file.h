// SPDX-License-Identifier: BSD-3-Clause
// A pcapng file of mirrored packets, rotated by size and time.
#pragma once

#include "config/error.h"
#include "config/policy.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

struct rte_mbuf;
struct rte_pcapng;

namespace weir::control {

/// Thread: one at a time. EAL's ports must be open: each is an interface of every file.
class MirrorFile {
  public:
    using Clock = std::chrono::steady_clock;
    /// Between two attempts to open or to rotate that failed.
    static constexpr std::chrono::seconds kRetry{1};

    /// Creates the file, mode 0600. One that is there already, and not empty, is rotated away first.
    [[nodiscard]] static Result<std::unique_ptr<MirrorFile>> open(
        config::Mirror mirror, Clock::time_point now);
    ~MirrorFile();
    MirrorFile(const MirrorFile&) = delete;
    MirrorFile& operator=(const MirrorFile&) = delete;

    /// Writes copies of MirrorRing's, at most kMost, whole or not at all; they remain the caller's. False: they are lost.
    [[nodiscard]] bool write(std::span<rte_mbuf*> copies, Clock::time_point now);
    static constexpr std::size_t kMost = 64;
    /// Opens the file by its name anew, as after somebody else has moved it.
    void reopen();
    [[nodiscard]] std::uint64_t rotations() const noexcept { return rotations_; }

  private:
    explicit MirrorFile(config::Mirror mirror) : mirror_(std::move(mirror)) {}
    [[nodiscard]] bool open_file();
    [[nodiscard]] bool ready(Clock::time_point now);
    void rotate_if_due(Clock::time_point now);
    [[nodiscard]] bool rotate();
    void close();

    config::Mirror mirror_;
    rte_pcapng* pcapng_ = nullptr;
    int fd_ = -1;              ///< pcapng_'s
    std::uint64_t size_ = 0;   ///< of whole blocks
    std::uint64_t empty_ = 0;  ///< size with no packet in it
    Clock::time_point opened_{};
    Clock::time_point retry_{};  ///< not before
    std::uint64_t rotations_ = 0;
};

}  // namespace weir::control
