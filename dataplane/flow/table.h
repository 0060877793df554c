// SPDX-License-Identifier: BSD-3-Clause
// A worker's flow table: fixed memory, bounded probes, exact keys, incremental ageing.
#pragma once

#include "config/config.h"
#include "config/error.h"
#include "dataplane/batch.h"
#include "dataplane/flow/flow.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace weir::dataplane {

/// Set-associative: a bucket is one cache line of tags and ages for kWays flows, and each key has two candidate
/// buckets. A flow's index is bucket · kWays + way and never moves while it lives; a hit costs one bucket line and the
/// flow's own lines. Choosing a victim and ageing read bucket lines only.
/// Owner and only toucher: one worker. Nothing is allocated after create().
class FlowTable {
  public:
    static constexpr std::uint32_t kWays = 16;
    static constexpr std::uint32_t kMinCapacity = 64;
    static constexpr std::uint32_t kMaxCapacity = 1u << 26;

    struct Options {
        config::FlowTable config;
        std::uint32_t slots = 1;  ///< verdict slots a flow
        std::uint64_t seed = 0;   ///< keys the hash: random live, fixed in replay
        bool populate = false;    ///< fault all pages in now (live)
    };
    [[nodiscard]] static Result<std::unique_ptr<FlowTable>> create(const Options& options);
    ~FlowTable();
    FlowTable(const FlowTable&) = delete;
    FlowTable& operator=(const FlowTable&) = delete;

    /// Keyed 64-bit hash; not linear in the key, so collisions cannot be built without the seed.
    [[nodiscard]] std::uint64_t hash(const FlowKey& key) const noexcept;
    void prefetch_bucket(std::uint64_t hash) const noexcept;
    /// Where find() would most likely find the flow, judged by tags: kNoFlow if its first bucket has none such, whose
    /// second bucket is prefetched then. Prefetches the flow and its verdicts; reads the first bucket line.
    [[nodiscard]] std::uint32_t prefetch_flow(std::uint64_t hash) const noexcept;
    /// The same by the second bucket; where that has no such tag either, prefetches what an insertion would touch.
    [[nodiscard]] std::uint32_t prefetch_second(
        std::uint64_t hash, std::uint64_t now_ns) const noexcept;
    /// Nearer, shortly before the flow is touched: what prefetch_flow() asked for may not have stayed.
    void prefetch_near(std::uint32_t flow) const noexcept {
        const auto* lines = reinterpret_cast<const std::byte*>(flows_ + flow);
        __builtin_prefetch(lines, 1, 3);
        __builtin_prefetch(lines + 64, 1, 3);
        __builtin_prefetch(lines + 128, 1, 3);
    }
    void prefetch_verdicts(std::uint32_t flow) const noexcept {
        __builtin_prefetch(verdicts_ + std::size_t{flow} * verdict_stride_, 1, 3);
    }

    /// Index of the flow with this key, idle or not, or kNoFlow.
    [[nodiscard]] std::uint32_t find(const FlowKey& key, std::uint64_t hash) const noexcept;
    /// The same; `hint`, where it was expected or kNoFlow, is looked at first.
    [[nodiscard]] std::uint32_t find_at(
        std::uint32_t hint, const FlowKey& key, std::uint64_t hash) const noexcept {
        const bool right =
            hint != kNoFlow && flows_[hint].key == key && flows_[hint].phase != FlowPhase::empty;
        return right ? hint : find(key, hash);
    }
    /// A slot for a new flow in its candidate buckets: a free one, else one idle beyond any timeout at `now_ns`, else
    /// the longest-idle closed one, else the longest-idle opening one; kNoFlow if all are established.
    /// The slot may still hold the flow to be pushed out: the caller ends it and calls release() first.
    [[nodiscard]] std::uint32_t choose_slot(
        std::uint64_t hash, std::uint64_t now_ns) const noexcept;
    /// Puts a zeroed flow with `key` into a free slot of one of the key's buckets.
    Flow& occupy(std::uint32_t flow, const FlowKey& key, std::uint64_t hash) noexcept;
    void release(std::uint32_t flow) noexcept;

    /// Notes phase and time of a packet in the bucket line. The flow's own phase is set too.
    void touch(std::uint32_t flow, FlowPhase phase, std::uint64_t now_ns) noexcept;
    /// True if `flow` has been silent for longer than its timeout (by protocol and phase) at `now_ns`.
    [[nodiscard]] bool idle(const Flow& flow, std::uint64_t now_ns) const noexcept;
    /// First flow index in [from, from + kWays) (one bucket, `from` a multiple of kWays) that is idle; kNoFlow if none.
    [[nodiscard]] std::uint32_t first_idle_in_bucket(
        std::uint32_t from, std::uint64_t now_ns) const noexcept;

    [[nodiscard]] bool occupied(std::uint32_t flow) const noexcept;
    [[nodiscard]] Flow& operator[](std::uint32_t flow) noexcept { return flows_[flow]; }
    [[nodiscard]] const Flow& operator[](std::uint32_t flow) const noexcept { return flows_[flow]; }
    /// The flow's cached verdicts, slots() of them.
    [[nodiscard]] const Verdict* verdicts(std::uint32_t flow) const noexcept {
        return reinterpret_cast<const Verdict*>(verdicts_ + std::size_t{flow} * verdict_stride_);
    }
    [[nodiscard]] Verdict* verdicts(std::uint32_t flow) noexcept {
        return reinterpret_cast<Verdict*>(verdicts_ + std::size_t{flow} * verdict_stride_);
    }
    [[nodiscard]] std::uint32_t slots() const noexcept { return slots_; }
    [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] std::uint32_t live() const noexcept { return live_; }
    /// All memory of the table, divided by its capacity.
    [[nodiscard]] double bytes_per_flow() const noexcept;

  private:
    struct Bucket;

    FlowTable() = default;
    [[nodiscard]] std::uint32_t find_in(
        std::uint32_t bucket, std::uint16_t tag, const FlowKey& key) const noexcept;
    [[nodiscard]] std::uint32_t first_bucket(std::uint64_t hash) const noexcept;
    [[nodiscard]] std::uint32_t second_bucket(std::uint64_t hash) const noexcept;
    void prefetch_lines(std::uint32_t flow) const noexcept;
    void set_timeouts(const config::FlowTable& config) noexcept;

    std::uint32_t capacity_ = 0;
    std::uint32_t bucket_mask_ = 0;
    std::uint32_t slots_ = 0;
    std::uint32_t verdict_stride_ = 0;  ///< bytes from a flow's verdicts to the next one's
    std::uint32_t live_ = 0;
    std::array<std::uint64_t, 8> secret_{};
    std::array<std::array<std::uint64_t, 4>, 3> timeout_ns_{};  ///< [tcp, udp, other][phase]
    std::array<std::uint32_t, 4> shortest_timeout_s_{};         ///< by phase, over protocols
    std::array<std::uint32_t, 4> longest_timeout_s_{};  ///< by phase, over protocols, plus rounding
    Bucket* buckets_ = nullptr;
    Flow* flows_ = nullptr;
    std::byte* verdicts_ = nullptr;
    void* map_ = nullptr;
    std::size_t map_bytes_ = 0;
};

}  // namespace weir::dataplane
