// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow/table.h"

#include "dataplane/flow/huge_map.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <type_traits>

#include <sys/mman.h>

namespace weir::dataplane {

namespace {

// How willingly each way is given up: idle beyond any timeout > closed > opening, in the upper two bits; among equals the
// longest idle, in the others. 0: not at all. Masks instead of branches, so that it becomes vector code.
void rank_victims(
    const std::array<std::uint16_t, TagBucket::kWays>& ages,
    std::uint16_t now_s,
    const std::array<std::uint32_t, 4>& longest_s,
    std::array<std::uint16_t, TagBucket::kWays>& ranks) noexcept {
    constexpr std::uint16_t kOpening = 1U << kAgeBits;
    constexpr std::uint16_t kClosed = 2U << kAgeBits;
    constexpr std::uint16_t kIdle = 3U << kAgeBits;
    const auto all_if = [](bool yes) { return static_cast<std::uint16_t>(-static_cast<int>(yes)); };
    std::array<std::uint16_t, 4> longest;
    for (std::size_t phase = 0; phase < longest.size(); ++phase) {
        longest[phase] = static_cast<std::uint16_t>(longest_s[phase]);
    }
    for (std::uint32_t way = 0; way < TagBucket::kWays; ++way) {
        const auto phase = static_cast<std::uint16_t>(ages[way] >> kAgeBits);
        auto seconds = static_cast<std::uint16_t>((now_s - ages[way]) & kAgeMask);
        seconds &= all_if(seconds <= kAgeMask / 2 + kAgeMask / 4);  // as age_seconds()
        const std::uint16_t opening = all_if(phase == 1);
        const std::uint16_t established = all_if(phase == 2);
        const std::uint16_t closed = all_if(phase == 3);
        const std::uint16_t limit = static_cast<std::uint16_t>(
            (all_if(phase == 0) & longest[0]) | (opening & longest[1]) |
            (established & longest[2]) | (closed & longest[3]));
        const auto group = static_cast<std::uint16_t>(
            (all_if(seconds > limit) & kIdle) | (opening & kOpening) | (closed & kClosed));
        ranks[way] = static_cast<std::uint16_t>((group | seconds) & all_if(group != 0));
    }
}

}  // namespace

static_assert(std::is_trivially_copyable_v<Flow> && std::is_trivially_copyable_v<CachedVerdict>);

Result<std::unique_ptr<FlowTable>> FlowTable::create(const Options& options) {
    static_assert(sizeof(Bucket) == 64);
    const std::uint32_t wanted = options.config.capacity;
    if (wanted < kMinCapacity || wanted > kMaxCapacity) {
        return fail(
            {},
            "workers.flow_table.capacity",
            std::to_string(wanted) + " flows is out of range",
            "use 64 … 67108864");
    }
    std::unique_ptr<FlowTable> table(new FlowTable);
    table->capacity_ = std::bit_ceil(wanted);
    table->slots_ = std::max(options.slots, 1u);
    const std::size_t used = kVerdictsAt + sizeof(CachedVerdict) * table->slots_;
    table->stride_ =
        static_cast<std::uint32_t>((used + alignof(Flow) - 1) / alignof(Flow) * alignof(Flow));
    table->bucket_mask_ = table->capacity_ / kWays - 1;
    table->set_timeouts(options.config);
    std::uint64_t state = options.seed;
    for (auto& secret : table->secret_) {
        secret = next_secret(state) | 1;
    }

    const std::size_t record_bytes = std::size_t{table->capacity_} * table->stride_;
    const std::size_t bucket_bytes = std::size_t{table->capacity_} / kWays * sizeof(Bucket);
    const std::size_t bytes = bucket_bytes + record_bytes;
    auto map = map_huge(
        bytes, options.populate, "workers.flow_table.capacity", "flows", "lower the capacity");
    if (!map) {
        return tl::unexpected(map.error());
    }
    table->map_ = map->map;
    table->map_bytes_ = map->map_bytes;
    std::byte* const base = map->base;
    table->buckets_ = reinterpret_cast<Bucket*>(base);
    table->records_ = base + bucket_bytes;
    return table;
}

FlowTable::~FlowTable() {
    if (map_ != nullptr) {
        munmap(map_, map_bytes_);
    }
}

void FlowTable::set_timeouts(const config::FlowTable& config) noexcept {
    const auto ns = [](std::uint32_t seconds) { return std::uint64_t{seconds} * kAgeUnitNs; };
    // phases: empty, opening, established, closed
    timeout_ns_[0] = {
        0, ns(config.tcp_opening_s), ns(config.tcp_established_s), ns(config.tcp_closed_s)};
    timeout_ns_[1] = {0, ns(config.udp_s), ns(config.udp_s), ns(config.udp_s)};
    timeout_ns_[2] = {0, ns(config.other_s), ns(config.other_s), ns(config.other_s)};
    for (std::size_t phase = 0; phase < 4; ++phase) {
        std::uint64_t longest = 0;
        std::uint64_t shortest = UINT64_MAX;
        for (const auto& of_protocol : timeout_ns_) {
            longest = std::max(longest, of_protocol[phase]);
            shortest = std::min(shortest, of_protocol[phase]);
        }
        // Ages tell no more than their circle: beyond half of it, any flow that is not fresh is looked at.
        shortest_timeout_s_[phase] = shortest / kAgeUnitNs > kAgeMask / 2
                                         ? 2
                                         : static_cast<std::uint32_t>(shortest / kAgeUnitNs);
        longest_timeout_s_[phase] = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(longest / kAgeUnitNs + 1, kAgeMask / 2));
    }
}

std::uint32_t FlowTable::expect_second(std::uint64_t hash, std::uint64_t now_ns) const noexcept {
    const std::uint32_t bucket = second_bucket(hash);
    const std::uint32_t ways = buckets_[bucket].match(tag_of(hash));
    return ways != 0 ? bucket * kWays + static_cast<std::uint32_t>(std::countr_zero(ways))
                     : choose_slot(hash, now_ns);
}

std::uint32_t FlowTable::find_in(
    std::uint32_t bucket, std::uint16_t tag, const FlowKey& key) const noexcept {
    std::uint32_t ways = buckets_[bucket].match(tag);
    while (ways != 0) {
        const std::uint32_t flow =
            bucket * kWays + static_cast<std::uint32_t>(std::countr_zero(ways));
        if ((*this)[flow].has_key(key)) {
            return flow;
        }
        ways &= ways - 1;
    }
    return kNoFlow;
}

std::uint32_t FlowTable::find(const FlowKey& key, std::uint64_t hash) const noexcept {
    const std::uint16_t tag = tag_of(hash);
    const std::uint32_t flow = find_in(first_bucket(hash), tag, key);
    return flow != kNoFlow ? flow : find_in(second_bucket(hash), tag, key);
}

std::uint32_t FlowTable::choose_slot(std::uint64_t hash, std::uint64_t now_ns) const noexcept {
    const std::array<std::uint32_t, 2> candidates{first_bucket(hash), second_bucket(hash)};
    for (const std::uint32_t bucket : candidates) {
        const std::uint32_t free_ways = buckets_[bucket].match(0);
        if (free_ways != 0) {
            return bucket * kWays + static_cast<std::uint32_t>(std::countr_zero(free_ways));
        }
    }
    const auto now_s = static_cast<std::uint16_t>(now_ns / kAgeUnitNs);
    std::uint32_t best = kNoFlow;
    std::uint16_t best_rank = 0;
    for (const std::uint32_t bucket : candidates) {
        TagBucket ranks;
        rank_victims(buckets_[bucket].age, now_s, longest_timeout_s_, ranks.tag);
        std::uint16_t most = 0;
        for (const std::uint16_t rank : ranks.tag) {
            most = std::max(most, rank);
        }
        if (most > best_rank) {
            best_rank = most;
            best = bucket * kWays + static_cast<std::uint32_t>(std::countr_zero(ranks.match(most)));
        }
    }
    return best;
}

Flow& FlowTable::occupy(std::uint32_t flow, const FlowKey& key, std::uint64_t hash) noexcept {
    Flow& slot = *new (record(flow)) Flow{};
    slot.set_key(key);
    record(flow)[kOutcomeAt] = std::byte{0};
    for (std::uint32_t s = 0; s < slots_; ++s) {
        new (record(flow) + kVerdictsAt + s * sizeof(CachedVerdict)) CachedVerdict{};
    }
    Bucket& bucket = buckets_[flow / kWays];
    bucket.tag[flow % kWays] = tag_of(hash);
    bucket.age[flow % kWays] = pack_age(FlowPhase::opening, 0);
    ++live_;
    return slot;
}

void FlowTable::release(std::uint32_t flow) noexcept {
    Bucket& bucket = buckets_[flow / kWays];
    live_ -= static_cast<std::uint32_t>(bucket.tag[flow % kWays] != 0);
    bucket.tag[flow % kWays] = 0;
    (*this)[flow].set_key(FlowKey{});  // nobody's: find_at() looks at keys alone
}

std::uint32_t FlowTable::first_idle_in_bucket(
    std::uint32_t from, std::uint64_t now_ns) const noexcept {
    const Bucket& bucket = buckets_[from / kWays];
    const auto now_s = static_cast<std::uint32_t>(now_ns / kAgeUnitNs);
    for (std::uint32_t way = 0; way < kWays; ++way) {
        const std::uint16_t age = bucket.age[way];
        // Only a flow that may be idle is worth its cache lines.
        if (bucket.tag[way] != 0 &&
            age_seconds(age, now_s) >=
                shortest_timeout_s_[static_cast<std::size_t>(age_phase(age))] &&
            idle(from + way, now_ns)) {
            return from + way;
        }
    }
    return kNoFlow;
}

double FlowTable::bytes_per_flow() const noexcept {
    static_assert(sizeof(Bucket) % kWays == 0);
    const std::size_t bytes = stride_ + sizeof(Bucket) / kWays;
    return static_cast<double>(bytes);
}

}  // namespace weir::dataplane
