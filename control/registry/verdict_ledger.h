// SPDX-License-Identifier: BSD-3-Clause
// Which model a worker's verdict counters belong to, over all swaps.
#pragma once

#include "config/error.h"
#include "dataplane/runtime.h"
#include "dataplane/snapshot.h"

#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace weir::control {

/// Verdicts of one model and class since start, all workers.
struct VerdictTotal {
    std::string slot;
    std::string model;
    std::uint32_t version = 0;
    std::string cls;
    std::uint64_t rows = 0;
};

/// Gives models their blocks of verdict counters (dataplane::SlotStats) and keeps the counts of those that left.
/// Worker counters are never reset: a model's count is what its block gained while the model held it. Every total only
/// rises, but for the oldest of more than kMaxRetired models of a slot, whose counts move on to model "retired".
/// Thread: open and close control; totals any.
class VerdictLedger {
  public:
    static constexpr std::size_t kMaxRetired = 32;
    static constexpr const char* kOthers = "retired";

    /// `workers` and their stats must outlive this.
    VerdictLedger(std::span<const dataplane::WorkerInfo> workers, std::vector<std::string> slots);

    /// A block of slot `slot` for a model about to be published. An Error only if all blocks are taken.
    [[nodiscard]] Result<std::uint8_t> open(
        std::uint32_t slot, const std::string& model, std::uint32_t version);

    /// Takes the block back. To be called when the swap that retired its model has passed its grace period, or when
    /// the model was never published.
    void close(std::uint32_t slot, std::uint8_t block);

    /// Every model and class with a count, retired ones included; models in use with all zeros are left out.
    [[nodiscard]] std::vector<VerdictTotal> totals() const;

  private:
    using Counts = std::array<std::uint64_t, dataplane::kMaxClasses>;
    struct Holder {
        bool used = false;
        std::string model;
        std::uint32_t version = 0;
        Counts base{};  ///< the block's counts when the model got it
    };
    struct Retired {
        std::string model;
        std::uint32_t version = 0;
        Counts counts{};
    };
    struct Slot {
        std::string name;
        std::array<Holder, dataplane::kVerdictBlocks> blocks;
        std::vector<Retired> retired;  ///< the latest last; [0] may be kOthers
    };

    [[nodiscard]] Counts read(std::uint32_t slot, std::uint32_t block) const;
    static void retire(Slot& slot, Retired gone);

    std::span<const dataplane::WorkerInfo> workers_;
    mutable std::mutex mutex_;
    std::vector<Slot> slots_;
};

}  // namespace weir::control
