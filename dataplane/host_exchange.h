// SPDX-License-Identifier: BSD-3-Clause
// Hosts' aggregates between workers: each tells of its busiest hosts, control adds them up and hands each worker the
// others' share.
#pragma once

#include "config/error.h"
#include "dataplane/features/shared_hosts.h"
#include "dataplane/publisher.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct rte_ring;

namespace weir::dataplane {

/// One worker's end. Control asks, the worker answers by a bounded ring, some buckets of its table between two batches;
/// it never waits. What it tells of is copied by itself, whole.
class HostReporter {
  public:
    /// Hosts that a round tells of at most.
    static constexpr std::uint32_t kMost = 4096;
    /// Buckets of the host table looked at between two batches: 256 hosts.
    static constexpr std::uint32_t kBucketsPerBatch = 16;

    /// Needs EAL. Thread: main.
    [[nodiscard]] static Result<std::unique_ptr<HostReporter>> create(const std::string& name);
    ~HostReporter();
    HostReporter(const HostReporter&) = delete;
    HostReporter& operator=(const HostReporter&) = delete;

    // ---- control
    /// Begins a round. Not while one is under way.
    void ask() noexcept { asked_.store(true, std::memory_order_release); }
    /// Adds what has come to `out`. True: the round is over, and all of it was taken.
    bool take(std::vector<HostReport>& out);
    /// What the other workers know, from its next batch on; null: nothing.
    void give(const SharedHosts* shared) noexcept {
        shared_.store(shared, std::memory_order_release);
    }

    // ---- the worker
    [[nodiscard]] bool asked() const noexcept { return asked_.load(std::memory_order_relaxed); }
    /// Goes on with a round. Between batches only.
    void tell(const HostTable& hosts, std::uint64_t now_ns) noexcept;
    /// Valid until the worker reports quiescence.
    [[nodiscard]] const SharedHosts* shared() const noexcept {
        return shared_.load(std::memory_order_acquire);
    }

  private:
    HostReporter() = default;
    void end_round() noexcept;

    std::atomic<bool> asked_{false};
    std::atomic<const SharedHosts*> shared_{nullptr};
    rte_ring* ring_ = nullptr;
    // the worker's
    std::uint32_t cursor_ = 0;       ///< next bucket
    std::uint32_t walked_ = 0;       ///< buckets of this round
    std::uint32_t told_ = 0;         ///< hosts of this round
    std::uint32_t least_level_ = 0;  ///< of activity, to be told of
    std::array<std::uint32_t, 4> by_level_{};
};

/// Control's end, of all workers. Thread: control only.
class HostExchange {
  public:
    HostExchange(std::vector<HostReporter*> reporters, Publisher& publisher);
    ~HostExchange();
    HostExchange(const HostExchange&) = delete;
    HostExchange& operator=(const HostExchange&) = delete;

    /// Takes what workers told; when all are through, gives each the others' share and asks anew. Call often; never waits.
    void step();
    /// Shares given so far. Tests wait for it.
    [[nodiscard]] std::uint64_t rounds() const noexcept { return rounds_; }
    /// Hosts that did not fit a share, since start.
    [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }
    /// Hosts in worker `worker`'s latest share.
    [[nodiscard]] std::uint32_t shared(std::uint32_t worker) const noexcept {
        return tables_[worker][turn_]->size();
    }

  private:
    void share();

    std::vector<HostReporter*> reporters_;
    Publisher* publisher_;
    std::vector<std::vector<HostReport>> told_;  ///< by worker
    std::vector<bool> through_;
    /// By worker, two: one that it reads, one to fill when no worker reads it any more.
    std::vector<std::array<std::unique_ptr<SharedHosts>, 2>> tables_;
    std::size_t turn_ = 0;     ///< which of the two they read
    std::uint64_t grace_ = 0;  ///< of the other
    std::uint64_t rounds_ = 0;
    std::uint64_t left_out_ = 0;
};

}  // namespace weir::dataplane
