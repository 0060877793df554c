// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow/table.h"

#include "dataplane/zeroed.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <type_traits>

#if defined(__SSE4_1__)
#include <smmintrin.h>
#endif

namespace weir::dataplane {

namespace {

// The upper two bits of a rank: idle beyond any timeout > closed > opening. None: the way is not given up.
constexpr std::uint16_t kOpening = 1U << kAgeBits;
constexpr std::uint16_t kClosed = 2U << kAgeBits;
constexpr std::uint16_t kIdle = 3U << kAgeBits;
// Seconds from here on are the recent past's future, see age_seconds().
constexpr std::uint16_t kFuture = kAgeMask / 2 + kAgeMask / 4;

// How willingly the bucket gives up a way, and which: the most willing, of equals the lowest.
struct Victim {
    std::uint32_t rank = 0;  // 0: none; among equals of the upper two bits the longest idle
    std::uint32_t way = 0;
};

#if defined(__SSE4_1__)

// Eight ways at once: what depends on a phase is looked up by it.
[[nodiscard]] Victim victim_of_eight(
    const std::uint16_t* ages, __m128i now_s, __m128i longest_s) noexcept {
    const __m128i groups =
        _mm_setr_epi16(0, static_cast<short>(kOpening), 0, static_cast<short>(kClosed), 0, 0, 0, 0);
    const __m128i age = _mm_loadu_si128(reinterpret_cast<const __m128i*>(ages));
    const __m128i past = _mm_and_si128(_mm_sub_epi16(now_s, age), _mm_set1_epi16(kAgeMask));
    const __m128i seconds = _mm_andnot_si128(_mm_cmpgt_epi16(past, _mm_set1_epi16(kFuture)), past);
    const __m128i phase = _mm_srli_epi16(age, kAgeBits);
    const __m128i entry =
        _mm_add_epi16(_mm_mullo_epi16(phase, _mm_set1_epi16(0x0202)), _mm_set1_epi16(0x0100));
    const __m128i idle = _mm_cmpgt_epi16(seconds, _mm_shuffle_epi8(longest_s, entry));
    const __m128i group = _mm_or_si128(
        _mm_shuffle_epi8(groups, entry),
        _mm_and_si128(idle, _mm_set1_epi16(static_cast<short>(kIdle))));
    const __m128i rank =
        _mm_andnot_si128(_mm_cmpeq_epi16(group, _mm_setzero_si128()), _mm_or_si128(group, seconds));
    const auto least = static_cast<std::uint32_t>(
        _mm_cvtsi128_si32(_mm_minpos_epu16(_mm_xor_si128(rank, _mm_set1_epi16(-1)))));
    return {~least & 0xffffU, least >> 16U};
}

[[nodiscard]] Victim victim_of(
    const TagBucket& bucket,
    std::uint16_t now_s,
    const std::array<std::uint32_t, 4>& longest_s) noexcept {
    const __m128i now = _mm_set1_epi16(static_cast<short>(now_s));
    const __m128i longest = _mm_setr_epi16(
        static_cast<short>(longest_s[0]),
        static_cast<short>(longest_s[1]),
        static_cast<short>(longest_s[2]),
        static_cast<short>(longest_s[3]),
        0,
        0,
        0,
        0);
    const Victim low = victim_of_eight(bucket.age.data(), now, longest);
    const Victim high = victim_of_eight(bucket.age.data() + 8, now, longest);
    return high.rank > low.rank ? Victim{high.rank, high.way + 8} : low;
}

#else

[[nodiscard]] Victim victim_of(
    const TagBucket& bucket,
    std::uint16_t now_s,
    const std::array<std::uint32_t, 4>& longest_s) noexcept {
    constexpr std::array<std::uint16_t, 4> kGroups{0, kOpening, 0, kClosed};
    Victim out;
    for (std::uint32_t way = 0; way < TagBucket::kWays; ++way) {
        const std::uint16_t age = bucket.age[way];
        const auto past = static_cast<std::uint16_t>((now_s - age) & kAgeMask);
        const std::uint16_t seconds = past > kFuture ? 0 : past;
        const std::size_t phase = age >> kAgeBits;
        const std::uint16_t group = seconds > longest_s[phase] ? kIdle : kGroups[phase];
        const std::uint32_t rank = group != 0 ? group | seconds : 0U;
        out = rank > out.rank ? Victim{rank, way} : out;
    }
    return out;
}

#endif

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
    auto map = HugeMap::create(
        bytes, options.pages, "workers.flow_table.capacity", "flows", "lower the capacity");
    if (!map) {
        return tl::unexpected(map.error());
    }
    table->map_ = std::move(*map);
    std::byte* const base = table->map_.base();
    table->buckets_ = reinterpret_cast<Bucket*>(base);
    table->records_ = base + bucket_bytes;
    return table;
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
    const Victim first = victim_of(buckets_[candidates[0]], now_s, longest_timeout_s_);
    const Victim second = victim_of(buckets_[candidates[1]], now_s, longest_timeout_s_);
    if ((first.rank | second.rank) == 0) {
        return kNoFlow;
    }
    return second.rank > first.rank ? candidates[1] * kWays + second.way
                                    : candidates[0] * kWays + first.way;
}

Flow& FlowTable::occupy(std::uint32_t flow, const FlowKey& key, std::uint64_t hash) noexcept {
    Flow& slot = begin_zeroed<Flow>(record(flow));
    slot.set_key(key);
    record(flow)[kOutcomeAt] = std::byte{0};
    for (std::uint32_t s = 0; s < slots_; ++s) {
        new (record(flow) + kVerdictsAt + s * sizeof(CachedVerdict)) CachedVerdict{};
    }
    Bucket& bucket = buckets_[flow / kWays];
    live_ += static_cast<std::uint32_t>(bucket.tag[flow % kWays] == 0);
    bucket.tag[flow % kWays] = tag_of(hash);
    bucket.age[flow % kWays] = pack_age(FlowPhase::opening, 0);
    changed_.add(flow / kWays);
    return slot;
}

void FlowTable::release(std::uint32_t flow) noexcept {
    Bucket& bucket = buckets_[flow / kWays];
    live_ -= static_cast<std::uint32_t>(bucket.tag[flow % kWays] != 0);
    bucket.tag[flow % kWays] = 0;
    changed_.add(flow / kWays);
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
