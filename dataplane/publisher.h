// SPDX-License-Identifier: BSD-3-Clause
// One writer, many worker readers: the atomic snapshot pointer and its grace period (rte_rcu_qsbr).
#pragma once

#include "config/error.h"
#include "dataplane/snapshot.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

struct rte_rcu_qsbr;

namespace weir::dataplane {

/// Owner: control. Publishing waits until no worker can still hold the old snapshot, then frees it.
class Publisher {
  public:
    /// `readers`: number of worker ids, 0 … readers−1. `first` is what workers start with.
    [[nodiscard]] static Result<std::unique_ptr<Publisher>> create(
        std::uint32_t readers, std::unique_ptr<const Snapshot> first);
    ~Publisher();
    Publisher(const Publisher&) = delete;
    Publisher& operator=(const Publisher&) = delete;

    // Worker side. A worker is online between go_online and go_offline; while online it must call quiescent() often.
    void go_online(std::uint32_t reader) noexcept;
    void go_offline(std::uint32_t reader) noexcept;
    /// The snapshot to use until the next quiescent().
    [[nodiscard]] const Snapshot* acquire() const noexcept {
        return current_.load(std::memory_order_acquire);
    }
    /// "I hold no snapshot."
    void quiescent(std::uint32_t reader) noexcept;

    // Control side, one thread.
    /// Swaps, waits for the grace period (bounded by worker burst times), frees the old one.
    void publish(std::unique_ptr<const Snapshot> next);
    /// For what else workers read between two quiescent states: grace_over() tells, without waiting, whether each worker
    /// has passed one since.
    [[nodiscard]] std::uint64_t begin_grace() noexcept;
    [[nodiscard]] bool grace_over(std::uint64_t grace) noexcept;
    [[nodiscard]] const Snapshot& current() const noexcept {
        return *current_.load(std::memory_order_acquire);
    }
    [[nodiscard]] std::uint64_t swaps() const noexcept {
        return swaps_.load(std::memory_order_relaxed);
    }

  private:
    Publisher() = default;
    std::atomic<const Snapshot*> current_{nullptr};
    std::atomic<std::uint64_t> swaps_{0};
    rte_rcu_qsbr* qsbr_ = nullptr;
};

}  // namespace weir::dataplane
