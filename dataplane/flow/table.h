// SPDX-License-Identifier: BSD-3-Clause
// A worker's flow table: fixed memory, bounded probes, exact keys, incremental ageing.
#pragma once

#include "config/config.h"
#include "config/error.h"
#include "dataplane/batch.h"
#include "dataplane/flow/age.h"
#include "dataplane/flow/flow.h"
#include "dataplane/flow/huge_map.h"
#include "dataplane/flow/index_filter.h"
#include "dataplane/flow/tags.h"
#include "dataplane/prefetch.h"
#include "dataplane/select.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

namespace weir::dataplane {

/// Set-associative: a bucket is one cache line of tags and ages for kWays flows, and each key has two candidate
/// buckets. A flow's index is bucket · kWays + way and never moves while it lives; a hit costs one bucket line and the
/// flow's own record: its state, what became of its packets, and its verdicts, packed, wherever lines begin. So all of a
/// flow lies in one page but for one record in 21. Choosing a victim and ageing read bucket lines only.
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
        TablePages pages = TablePages::when_touched;
    };
    [[nodiscard]] static Result<std::unique_ptr<FlowTable>> create(const Options& options);
    ~FlowTable() = default;
    FlowTable(const FlowTable&) = delete;
    FlowTable& operator=(const FlowTable&) = delete;

    /// Keyed 64-bit hash; not linear in the key, so collisions cannot be built without the seed.
    [[nodiscard]] std::uint64_t hash(const FlowKey& key) const noexcept {
        std::array<std::uint64_t, 6> word{};
        std::memcpy(word.data(), &key, sizeof(key));
        const std::uint64_t a = fold_multiply(word[0] ^ secret_[0], word[1] ^ secret_[1]);
        const std::uint64_t b = fold_multiply(word[2] ^ secret_[2], word[3] ^ secret_[3]);
        const std::uint64_t c = fold_multiply(word[4] ^ secret_[4], word[5] ^ secret_[5]);
        return fold_multiply(a ^ std::rotl(b, 21) ^ secret_[6], c ^ secret_[7]);
    }
    void prefetch_bucket(std::uint64_t hash) const noexcept {
        __builtin_prefetch(&buckets_[first_bucket(hash)], 0, kBucketHint);
    }
    void prefetch_second_bucket(std::uint64_t hash) const noexcept {
        __builtin_prefetch(&buckets_[second_bucket(hash)], 1, kBucketHint);
    }
    /// Where find() would most likely find the flow, judged by the tags of its first bucket, whose line it reads; kNoFlow
    /// if that has none such. Asks for nothing: a prefetch that needs another page holds up the work that follows it.
    [[nodiscard]] std::uint32_t expect_first(std::uint64_t hash) const noexcept {
        const std::uint32_t bucket = first_bucket(hash);
        const std::uint32_t ways = buckets_[bucket].match(tag_of(hash));
        const std::uint32_t way = static_cast<std::uint32_t>(std::countr_zero(ways));
        return ways != 0 ? bucket * kWays + way : kNoFlow;
    }
    /// The same of its second bucket.
    [[nodiscard]] std::uint32_t expect_second(std::uint64_t hash) const noexcept {
        const std::uint32_t bucket = second_bucket(hash);
        const std::uint32_t ways = buckets_[bucket].match(tag_of(hash));
        const std::uint32_t way = static_cast<std::uint32_t>(std::countr_zero(ways));
        return ways != 0 ? bucket * kWays + way : kNoFlow;
    }
    /// From now on buckets that change are noted: what was expected, or chosen, of those that do not still holds.
    void begin_expecting() noexcept { changed_.clear(); }
    /// Neither bucket of this hash has changed since begin_expecting(). May say false where none has.
    [[nodiscard]] bool unchanged(std::uint64_t hash) const noexcept {
        return (static_cast<unsigned>(changed_.may_have(first_bucket(hash))) |
                static_cast<unsigned>(changed_.may_have(second_bucket(hash)))) == 0;
    }
    /// Asks for a flow and its verdicts, long before they are touched.
    void prefetch_lines(std::uint32_t flow) const noexcept {
        const std::byte* const lines = record(flow);
        __builtin_prefetch(lines, 1, kRecordHint);
        __builtin_prefetch(lines + 64, 1, kRecordHint);
        __builtin_prefetch(lines + 128, 1, kRecordHint);
        __builtin_prefetch(lines + stride_ - 1, 1, kRecordHint);
    }
    /// Nearer, shortly before the flow is touched: what prefetch_lines() asked for may not have stayed.
    void prefetch_near(std::uint32_t flow) const noexcept {
        const std::byte* const lines = record(flow);
        __builtin_prefetch(lines, 1, kNearHint);
        __builtin_prefetch(lines + 64, 1, kNearHint);
        __builtin_prefetch(lines + 128, 1, kNearHint);
    }
    void prefetch_verdicts(std::uint32_t flow) const noexcept {
        __builtin_prefetch(record(flow) + stride_ - 1, 1, kNearHint);
    }

    /// Index of the flow with this key, idle or not, or kNoFlow.
    [[nodiscard]] std::uint32_t find(const FlowKey& key, std::uint64_t hash) const noexcept;
    /// The same; `hint`, where it was expected or kNoFlow, is looked at first.
    [[nodiscard]] std::uint32_t find_at(
        std::uint32_t hint, const FlowKey& key, std::uint64_t hash) const noexcept {
        return hint != kNoFlow && (*this)[hint].has_key(key) ? hint : find(key, hash);
    }
    /// A slot for a new flow in its candidate buckets: a free one, else one idle beyond any timeout at `now_ns`, else
    /// the longest-idle closed one, else the longest-idle opening one; kNoFlow if all are established.
    /// The slot may still hold the flow to be pushed out, which occupy() forgets.
    [[nodiscard]] std::uint32_t choose_slot(
        std::uint64_t hash, std::uint64_t now_ns) const noexcept;
    /// Puts a zeroed flow with `key` into a slot of one of the key's buckets, whoever was there.
    Flow& occupy(std::uint32_t flow, const FlowKey& key, std::uint64_t hash) noexcept;
    void release(std::uint32_t flow) noexcept;

    /// Notes phase and time of a packet in the bucket line.
    void touch(std::uint32_t flow, FlowPhase phase, std::uint64_t now_ns) noexcept {
        std::uint16_t& age = buckets_[flow / kWays].age[flow % kWays];
        const std::uint16_t now = pack_age(phase, now_ns);
        if (age != now) {
            age = now;
            changed_.add(flow / kWays);
        }
    }
    /// As touch() last noted it; opening for a flow just put in, empty for a free slot.
    [[nodiscard]] FlowPhase phase(std::uint32_t flow) const noexcept {
        return occupied(flow) ? age_phase(buckets_[flow / kWays].age[flow % kWays])
                              : FlowPhase::empty;
    }
    /// True if the flow has been silent for longer than its timeout (by protocol and phase) at `now_ns`.
    [[nodiscard]] bool idle(std::uint32_t flow, std::uint64_t now_ns) const noexcept {
        constexpr std::uint8_t kTcp = 6;
        constexpr std::uint8_t kUdp = 17;
        constexpr std::uint64_t kNsPerUs = 1000;
        const Flow& state = (*this)[flow];
        const std::uint8_t proto = state.proto();
        const unsigned other = 1U + static_cast<unsigned>(proto != kUdp);
        const std::uint64_t timeout =
            timeout_ns_[select(proto == kTcp, 0U, other)][static_cast<std::size_t>(phase(flow))];
        const std::uint64_t last_ns = state.last_us() * kNsPerUs;
        const std::uint64_t now = std::min(now_ns, Flow::kMostUs * kNsPerUs);
        return now > last_ns && now - last_ns > timeout;
    }
    /// First flow index in [from, from + kWays) (one bucket, `from` a multiple of kWays) that is idle; kNoFlow if none.
    [[nodiscard]] std::uint32_t first_idle_in_bucket(
        std::uint32_t from, std::uint64_t now_ns) const noexcept;

    [[nodiscard]] bool occupied(std::uint32_t flow) const noexcept {
        return buckets_[flow / kWays].tag[flow % kWays] != 0;
    }
    [[nodiscard]] Flow& operator[](std::uint32_t flow) noexcept {
        return *reinterpret_cast<Flow*>(record(flow));
    }
    [[nodiscard]] const Flow& operator[](std::uint32_t flow) const noexcept {
        return *reinterpret_cast<const Flow*>(record(flow));
    }
    /// The flow's cached verdicts, slots() of them.
    [[nodiscard]] const CachedVerdict* verdicts(std::uint32_t flow) const noexcept {
        return reinterpret_cast<const CachedVerdict*>(record(flow) + kVerdictsAt);
    }
    [[nodiscard]] CachedVerdict* verdicts(std::uint32_t flow) noexcept {
        return reinterpret_cast<CachedVerdict*>(record(flow) + kVerdictsAt);
    }
    /// Notes what became of the flow's latest packet; `dscp` kKeepDscp: nothing was written. Beside the verdicts, so that
    /// deciding needs no other line of a flow.
    void note_outcome(std::uint32_t flow, bool dropped, std::uint8_t dscp) noexcept {
        std::byte& outcome = record(flow)[kOutcomeAt];
        const unsigned before = std::to_integer<unsigned>(outcome) & kWrittenMask;
        const unsigned written = select(dscp != kKeepDscp, dscp + 1U, before);
        outcome = static_cast<std::byte>(written | select(dropped, unsigned{kDroppedBit}, 0U));
    }
    /// The latest packet was dropped.
    [[nodiscard]] bool dropped(std::uint32_t flow) const noexcept {
        return (outcome(flow) & kDroppedBit) != 0;
    }
    /// DSCP last written to a packet of the flow, kKeepDscp if none was.
    [[nodiscard]] std::uint8_t dscp_written(std::uint32_t flow) const noexcept {
        const auto written = static_cast<std::uint8_t>(outcome(flow) & kWrittenMask);
        return written != 0 ? static_cast<std::uint8_t>(written - 1) : kKeepDscp;
    }
    [[nodiscard]] std::uint32_t slots() const noexcept { return slots_; }
    [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] std::uint32_t live() const noexcept { return live_; }
    /// As HugeMap's.
    [[nodiscard]] std::size_t ordinary_bytes() const noexcept { return map_.ordinary_bytes(); }
    /// All memory of the table, divided by its capacity.
    [[nodiscard]] double bytes_per_flow() const noexcept;

  private:
    using Bucket = TagBucket;
    // A record: the flow, one byte of what became of its packets, its verdicts.
    static constexpr std::size_t kOutcomeAt = sizeof(Flow);
    static constexpr std::size_t kVerdictsAt = kOutcomeAt + 1;
    // That byte: one more than the DSCP written, 0 = none; and whether the latest packet was dropped.
    static constexpr std::uint8_t kWrittenMask = 0x7f;
    static constexpr std::uint8_t kDroppedBit = 0x80;

    FlowTable() = default;
    [[nodiscard]] std::uint32_t find_in(
        std::uint32_t bucket, std::uint16_t tag, const FlowKey& key) const noexcept;
    [[nodiscard]] std::uint32_t first_bucket(std::uint64_t hash) const noexcept {
        return static_cast<std::uint32_t>(hash) & bucket_mask_;
    }
    [[nodiscard]] std::uint32_t second_bucket(std::uint64_t hash) const noexcept {
        const std::uint32_t first = first_bucket(hash);
        const std::uint32_t second = static_cast<std::uint32_t>(hash >> 24) & bucket_mask_;
        return second == first ? first ^ (bucket_mask_ & 1) : second;
    }
    // Ways one after the other: buckets fill from their first way on, so a table that is not full lies in fewer pages.
    [[nodiscard]] std::size_t place(std::uint32_t flow) const noexcept {
        return std::size_t{flow % kWays} * (std::size_t{bucket_mask_} + 1) + flow / kWays;
    }
    [[nodiscard]] std::byte* record(std::uint32_t flow) noexcept {
        return records_ + place(flow) * stride_;
    }
    [[nodiscard]] const std::byte* record(std::uint32_t flow) const noexcept {
        return records_ + place(flow) * stride_;
    }
    [[nodiscard]] std::uint8_t outcome(std::uint32_t flow) const noexcept {
        return std::to_integer<std::uint8_t>(record(flow)[kOutcomeAt]);
    }
    void set_timeouts(const config::FlowTable& config) noexcept;

    std::uint32_t capacity_ = 0;
    std::uint32_t bucket_mask_ = 0;
    std::uint32_t slots_ = 0;
    std::uint32_t stride_ = 0;  ///< bytes from a flow's record to the next one's
    std::uint32_t live_ = 0;
    std::array<std::uint64_t, 8> secret_{};
    std::array<std::array<std::uint64_t, 4>, 3> timeout_ns_{};  ///< [tcp, udp, other][phase]
    std::array<std::uint32_t, 4> shortest_timeout_s_{};         ///< by phase, over protocols
    std::array<std::uint32_t, 4> longest_timeout_s_{};  ///< by phase, over protocols, plus rounding
    IndexFilter changed_;                               ///< buckets, since begin_expecting()
    Bucket* buckets_ = nullptr;
    std::byte* records_ = nullptr;
    HugeMap map_;
};

}  // namespace weir::dataplane
