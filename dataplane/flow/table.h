// SPDX-License-Identifier: BSD-3-Clause
// A worker's flow table: fixed memory, bounded probes, exact keys, incremental ageing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "config/config.h"
#include "config/error.h"
#include "dataplane/events.h"
#include "dataplane/flow/flow.h"

namespace weir::dataplane {

/// Set-associative: a bucket has kWays flow slots, and each key two candidate buckets. A slot's index never moves
/// while its flow lives. Tags (16 bits a flow) of a bucket share half a cache line; the flow itself is found at
/// bucket · kWays + way, so a hit costs one tag line and the flow's own lines.
/// Owner and only toucher: one worker. Nothing is allocated after create().
class FlowTable {
  public:
    static constexpr std::uint32_t kWays = 16;

    /// `slots`: verdict slots a flow. `seed` varies the hash (random live, fixed in replay).
    [[nodiscard]] static Result<std::unique_ptr<FlowTable>> create(
        const config::FlowTable& config, std::uint32_t slots, std::uint64_t seed);
    ~FlowTable();
    FlowTable(const FlowTable&) = delete;
    FlowTable& operator=(const FlowTable&) = delete;

    [[nodiscard]] std::uint32_t hash(const FlowKey& key) const noexcept;
    void prefetch_tags(std::uint32_t hash) const noexcept;

    /// Index of the live flow with this key, or kNoFlow.
    [[nodiscard]] std::uint32_t find(const FlowKey& key, std::uint32_t hash) const noexcept;
    /// Prefetches the flow that find() would likely return.
    void prefetch_flow(std::uint32_t hash) const noexcept;

    /// A slot for a new flow of `key` in one of its candidate buckets: a free one, else one whose flow is idle beyond
    /// its timeout at `now_ns`, else the cheapest of the opening or closed ones. kNoFlow if all are established.
    /// The slot may still hold the flow to be pushed out (phase != empty): the caller ends it, then calls occupy().
    [[nodiscard]] std::uint32_t choose_slot(std::uint32_t hash, std::uint64_t now_ns) const noexcept;
    /// Frees a slot.
    void release(std::uint32_t flow) noexcept;
    /// Puts a fresh, zeroed flow with `key` into a free slot.
    Flow& occupy(std::uint32_t flow, const FlowKey& key, std::uint32_t hash) noexcept;

    [[nodiscard]] bool idle(const Flow& flow, std::uint64_t now_ns) const noexcept;
    [[nodiscard]] Flow& operator[](std::uint32_t flow) noexcept { return flows_[flow]; }
    [[nodiscard]] const Flow& operator[](std::uint32_t flow) const noexcept { return flows_[flow]; }
    [[nodiscard]] Verdict* verdicts(std::uint32_t flow) noexcept { return verdicts_ + std::size_t{flow} * slots_; }
    [[nodiscard]] std::uint32_t slots() const noexcept { return slots_; }
    [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] std::uint32_t live() const noexcept { return live_; }
    /// All memory of the table, divided by its capacity.
    [[nodiscard]] double bytes_per_flow() const noexcept;

  private:
    FlowTable() = default;
    [[nodiscard]] std::uint32_t find_in_bucket(
        std::uint32_t bucket, std::uint16_t tag, const FlowKey& key) const noexcept;
    [[nodiscard]] std::uint32_t first_bucket(std::uint32_t hash) const noexcept;
    [[nodiscard]] std::uint32_t second_bucket(std::uint32_t hash) const noexcept;

    std::uint32_t capacity_ = 0;
    std::uint32_t bucket_mask_ = 0;
    std::uint32_t slots_ = 0;
    std::uint32_t live_ = 0;
    std::uint64_t seed_ = 0;
    std::array<std::uint64_t, 6> timeout_ns_{};
    std::uint16_t* tags_ = nullptr;
    Flow* flows_ = nullptr;
    Verdict* verdicts_ = nullptr;
    std::size_t map_bytes_ = 0;
    void* map_ = nullptr;
};

}  // namespace weir::dataplane
