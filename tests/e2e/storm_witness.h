// SPDX-License-Identifier: BSD-3-Clause
// Which model each burst of a worker counted its verdicts for, seen from outside.
#pragma once

#include "dataplane/snapshot_build.h"
#include "dataplane/worker_stats.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace weir {

inline constexpr std::size_t kSlots = 2;

/// What one or more bursts in a row did: one generation, and per slot one block of verdicts.
struct Used {
    std::uint64_t generation = 0;
    std::array<int, kSlots> block{-1, -1};  ///< −1: none counted
    std::array<std::uint64_t, kSlots> rows{};
};

/// Looks at a worker's counters between bursts: which model each burst's verdicts were counted for.
class Witness {
  public:
    explicit Witness(const dataplane::WorkerStats& stats) : stats_(stats) {
        for (std::size_t s = 0; s < kSlots; ++s) {
            for (const char* cls : {"benign", "scan"}) {
                ids_[s].push_back(*dataplane::class_id(s == 0 ? "anomaly" : "qos", cls));
            }
        }
        (void)count();
    }

    /// After each burst. Thread: the worker's.
    void look() {
        Used now = count();
        now.generation = stats_.snapshot_generation.get();
        if (used_.empty() || used_.back().generation != now.generation) {
            used_.push_back(now);
            return;
        }
        for (std::size_t s = 0; s < kSlots; ++s) {
            auto& last = used_.back();
            mixed_ += last.block[s] >= 0 && now.block[s] >= 0 && last.block[s] != now.block[s];
            last.block[s] = std::max(last.block[s], now.block[s]);
            last.rows[s] += now.rows[s];
        }
    }
    [[nodiscard]] const std::vector<Used>& used() const { return used_; }
    /// Bursts whose verdicts were counted for more than one model of a slot.
    [[nodiscard]] std::uint64_t mixed() const { return mixed_; }

  private:
    Used count() {
        Used out;
        for (std::size_t s = 0; s < kSlots; ++s) {
            for (std::size_t b = 0; b < dataplane::kVerdictBlocks; ++b) {
                std::uint64_t rows = 0;
                for (const auto id : ids_[s]) {
                    rows += stats_.slots[s].verdicts[b][id].get();
                }
                const std::uint64_t more = rows - std::exchange(before_[s][b], rows);
                if (more != 0) {
                    mixed_ += out.block[s] >= 0;
                    out.block[s] = static_cast<int>(b);
                    out.rows[s] += more;
                }
            }
        }
        return out;
    }

    const dataplane::WorkerStats& stats_;
    std::array<std::vector<std::uint8_t>, kSlots> ids_;
    std::array<std::array<std::uint64_t, dataplane::kVerdictBlocks>, kSlots> before_{};
    std::vector<Used> used_;
    std::uint64_t mixed_ = 0;
};

}  // namespace weir
