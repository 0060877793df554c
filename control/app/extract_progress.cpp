// SPDX-License-Identifier: BSD-3-Clause
#include "control/app/extract_progress.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace weir::app {

namespace {

constexpr int kBar = 30;
constexpr auto kRedraw = std::chrono::milliseconds(100);

}  // namespace

ExtractProgress::ExtractProgress(std::vector<std::uint64_t> sizes, FILE* terminal)
    : sizes_(std::move(sizes)),
      read_(sizes_.size()),
      total_(std::accumulate(sizes_.begin(), sizes_.end(), std::uint64_t{0})),
      terminal_(terminal) {}

ExtractProgress::~ExtractProgress() {
    if (terminal_ != nullptr) {
        std::fputs("\r\x1b[K", terminal_);
        std::fflush(terminal_);
    }
}

void ExtractProgress::report(std::size_t index, std::uint64_t done, std::uint64_t total) {
    const double share =
        total == 0 ? 1.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
    read_[index] = static_cast<std::uint64_t>(share * static_cast<double>(sizes_[index]));
    finished_ += total == 0 ? 1 : 0;
    if (terminal_ != nullptr && drawing_.try_lock()) {
        const std::lock_guard lock(drawing_, std::adopt_lock);
        draw();
    }
}

void ExtractProgress::draw() {
    const auto now = std::chrono::steady_clock::now();
    if (now - drawn_ < kRedraw) {
        return;
    }
    drawn_ = now;
    std::fprintf(
        terminal_, "\r%s\x1b[K", line(std::chrono::duration<double>(now - start_).count()).c_str());
    std::fflush(terminal_);
}

std::string ExtractProgress::line(double seconds) const {
    constexpr double kMega = 1e6;
    double read = 0;
    for (const auto& bytes : read_) {
        read += static_cast<double>(bytes.load());
    }
    const auto total = static_cast<double>(total_);
    const double share = total_ == 0 ? 1.0 : read / total;
    const int full = static_cast<int>(share * kBar);
    std::string text = fmt::format(
        "[{:#>{}}{:->{}}] {:3.0f} % {}/{} captures, {:.1f} of {:.1f} MB",
        "",
        full,
        "",
        kBar - full,
        100 * share,
        finished_.load(),
        sizes_.size(),
        read / kMega,
        total / kMega);
    if (read > 0 && seconds > 0) {
        text += fmt::format(", {:.0f} s left", seconds * (total - read) / read);
    }
    return text;
}

}  // namespace weir::app
