// SPDX-License-Identifier: BSD-3-Clause
// One line on a terminal that says how far an extraction is.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <vector>

namespace weir::app {

/// Counts bytes of captures read. Thread: any.
class ExtractProgress {
  public:
    /// `sizes`: bytes of each capture. `terminal`: where to draw; null: nowhere.
    ExtractProgress(std::vector<std::uint64_t> sizes, FILE* terminal);
    ~ExtractProgress();
    ExtractProgress(const ExtractProgress&) = delete;
    ExtractProgress& operator=(const ExtractProgress&) = delete;

    /// Capture `index` is `done` of `total` packets far; total 0: finished.
    void report(std::size_t index, std::uint64_t done, std::uint64_t total);
    /// "[#####-----]  52 % 3/7 captures 1.2 of 2.3 GB, 12 s left".
    [[nodiscard]] std::string line(double seconds) const;

  private:
    void draw();

    std::vector<std::uint64_t> sizes_;
    std::vector<std::atomic<std::uint64_t>> read_;
    std::atomic<std::size_t> finished_{0};
    std::uint64_t total_ = 0;
    FILE* terminal_;
    std::mutex drawing_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    std::chrono::steady_clock::time_point drawn_{};
};

}  // namespace weir::app
