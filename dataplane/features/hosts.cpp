// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/features/hosts.h"

#include "dataplane/features/features.h"
#include "dataplane/features/host_account.h"
#include "dataplane/flow/tags.h"
#include "dataplane/prefetch.h"
#include "dataplane/select.h"
#include "dataplane/zeroed.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

namespace weir::dataplane {

using namespace accounting;

namespace {

constexpr std::uint32_t kSketchShift = 32;  // hash bits that neither bucket nor tag use

// Age word of a way: activity in the upper two bits, last-seen time modulo 2^14 below.
constexpr std::uint32_t kAgeBits = 14;
constexpr std::uint32_t kAgeMask = (1U << kAgeBits) - 1;
constexpr std::uint32_t kAgeShift = 29;  // 2^29 ns: 0.54 s, so that 2^14 of them are 2.4 hours
constexpr std::uint32_t kActivityShift =
    2;  // a level of activity makes the time count for a quarter
constexpr std::uint32_t kBusy = 3;
constexpr std::uint32_t kBusyKeepAges = 128;  // a busy host seen within 69 s is never given up

constexpr Host kZeroHost{};

[[nodiscard]] std::uint32_t ages_at(std::uint64_t now_ns) noexcept {
    return static_cast<std::uint32_t>(now_ns >> kAgeShift) & kAgeMask;
}

}  // namespace

// Three words, made in registers: a copy of the key's fields would be read before it is written.
struct HostTable::Address {
    std::uint64_t head;
    std::uint64_t tail;
    std::uint64_t where;

    [[nodiscard]] static Address of(
        const std::array<std::uint8_t, 16>& bytes,
        std::uint32_t tunnel_id,
        std::uint16_t vlan,
        std::uint16_t pair) noexcept {
        constexpr std::uint32_t kVlanShift = 32;
        constexpr std::uint32_t kPairShift = 48;
        Address address;
        std::memcpy(&address.head, bytes.data(), sizeof(head));
        std::memcpy(&address.tail, bytes.data() + sizeof(head), sizeof(tail));
        address.where =
            tunnel_id | std::uint64_t{vlan} << kVlanShift | std::uint64_t{pair} << kPairShift;
        return address;
    }
    [[nodiscard]] static Address lo(const FlowKey& key) noexcept {
        return of(key.addr_lo, key.tunnel_id, key.vlan, key.pair);
    }
    [[nodiscard]] static Address hi(const FlowKey& key) noexcept {
        return of(key.addr_hi, key.tunnel_id, key.vlan, key.pair);
    }
    [[nodiscard]] bool is(const Host& host) const noexcept {
        const Address other = of(host.address, host.tunnel_id, host.vlan, host.pair);
        return ((head ^ other.head) | (tail ^ other.tail) | (where ^ other.where)) == 0;
    }
};

struct HostTable::Bucket : TagBucket {};

HostPair no_hosts() noexcept {
    return {&kZeroHost, &kZeroHost};
}

Result<std::unique_ptr<HostTable>> HostTable::create(
    std::uint32_t capacity, std::uint64_t seed, TablePages pages) {
    constexpr const char* kField = "workers.flow_table.host_capacity";
    if (capacity < kMinCapacity || capacity > kMaxCapacity) {
        return fail(
            {}, kField, std::to_string(capacity) + " hosts is out of range", "use 64 … 67108864");
    }
    std::unique_ptr<HostTable> table(new HostTable);
    const std::uint32_t buckets = std::bit_ceil(capacity) / kWays;
    table->bucket_mask_ = buckets - 1;
    for (std::uint64_t& secret : table->secret_) {
        secret = next_secret(seed) | 1;
    }
    const std::size_t host_bytes = std::size_t{buckets} * kWays * sizeof(Host);
    const std::size_t bytes = host_bytes + std::size_t{buckets} * sizeof(Bucket);
    auto map = HugeMap::create(bytes, pages, kField, "hosts", "lower the capacity");
    if (!map) {
        return tl::unexpected(map.error());
    }
    table->map_ = std::move(*map);
    std::byte* const base = table->map_.base();
    table->hosts_ = reinterpret_cast<Host*>(base);
    table->buckets_ = reinterpret_cast<Bucket*>(base + host_bytes);
    return table;
}

std::uint32_t HostTable::capacity() const noexcept {
    return (bucket_mask_ + 1) * kWays;
}

[[gnu::always_inline]] inline std::uint64_t HostTable::hash_address(
    const Address& address) const noexcept {
    const std::uint64_t first = fold_multiply(address.head ^ secret_[0], address.tail ^ secret_[1]);
    return fold_multiply(first ^ address.where ^ secret_[2], secret_[3]);
}

HostTable::Ends HostTable::hash(const FlowKey& key) const noexcept {
    return {hash_address(Address::lo(key)), hash_address(Address::hi(key))};
}

std::uint64_t HostTable::hash_of(const Host& host) const noexcept {
    return hash_address(Address::of(host.address, host.tunnel_id, host.vlan, host.pair));
}

void HostTable::active(std::uint32_t bucket, std::uint64_t now_ns, Active& out) const noexcept {
    const Bucket& line = buckets_[bucket];
    const std::uint32_t now_age = ages_at(now_ns);
    out.count = 0;
    for (std::uint32_t way = 0; way < kWays; ++way) {
        const std::uint32_t silent = (now_age - line.age[way]) & kAgeMask;
        if (line.tag[way] != 0 && silent < kBusyKeepAges) {
            out.host[out.count] = &hosts_[bucket * kWays + way];
            out.level[out.count] = static_cast<std::uint8_t>(line.age[way] >> kAgeBits);
            ++out.count;
        }
    }
}

inline std::uint32_t HostTable::place_of(std::uint64_t hash) const noexcept {
    const auto bucket = static_cast<std::uint32_t>(hash) & bucket_mask_;
    const std::uint32_t matches = buckets_[bucket].match(tag_of(hash));
    return matches == 0 ? kNowhere
                        : bucket * kWays + static_cast<std::uint32_t>(std::countr_zero(matches));
}

inline void HostTable::prefetch(std::uint32_t at, bool initiates) const noexcept {
    constexpr std::size_t kLine = 64;
    const auto* host = reinterpret_cast<const std::byte*>(&hosts_[at]);
    __builtin_prefetch(host, 1, kRecordHint);
    __builtin_prefetch(host + 2 * kLine, 1, kRecordHint);
    __builtin_prefetch(
        host + (initiates ? kLine : 0), 1, kRecordHint);  // which is as good as random
}

// Where a host will most likely stand: where its tag is, else where it would be put.
inline std::uint32_t HostTable::expected_at(
    std::uint64_t hash, std::uint32_t at, std::uint64_t now_ns) const noexcept {
    if (at != kNowhere) [[likely]] {
        return at;
    }
    const auto bucket = static_cast<std::uint32_t>(hash) & bucket_mask_;
    const std::uint32_t free = buckets_[bucket].match(0);
    at = free != 0 ? bucket * kWays + static_cast<std::uint32_t>(std::countr_zero(free))
                   : victim(bucket, kNowhere, ages_at(now_ns));
    return at == kNowhere ? 0 : at;
}

void HostTable::prepare(
    const Batch& batch, std::uint32_t begin, std::uint32_t end, Ends* ends) const noexcept {
    for (std::uint32_t i = begin; i < end; ++i) {
        if (batch.flow[i] != kNoFlow) {
            const std::uint64_t lo_hash = hash_address(Address::lo(batch.key[i]));
            const std::uint64_t hi_hash = hash_address(Address::hi(batch.key[i]));
            __builtin_prefetch(&buckets_[lo_hash & bucket_mask_], 1, kBucketHint);
            __builtin_prefetch(&buckets_[hi_hash & bucket_mask_], 1, kBucketHint);
            ends[i].lo_hash = lo_hash;
            ends[i].hi_hash = hi_hash;
        }
    }
    for (std::uint32_t i = begin; i < end; ++i) {
        if (batch.flow[i] == kNoFlow) {
            continue;
        }
        ends[i].lo_at = place_of(ends[i].lo_hash);
        ends[i].hi_at = place_of(ends[i].hi_hash);
        const std::uint64_t now_ns = batch.time_ns[i];
        const bool hi_initiates = batch.header[i].src_is_hi == (batch.forward[i] != 0);
        prefetch(expected_at(ends[i].lo_hash, ends[i].lo_at, now_ns), !hi_initiates);
        prefetch(expected_at(ends[i].hi_hash, ends[i].hi_at, now_ns), hi_initiates);
    }
}

inline void HostTable::prefetch_near(const Ends& ends) const noexcept {
    constexpr std::size_t kLine = 64;
    for (const std::uint32_t at : {ends.lo_at, ends.hi_at}) {
        const auto* host = reinterpret_cast<const std::byte*>(&hosts_[at == kNowhere ? 0 : at]);
        __builtin_prefetch(host, 1, kNearHint);
        __builtin_prefetch(host + kLine, 1, kNearHint);
        __builtin_prefetch(host + 2 * kLine, 1, kNearHint);
    }
}

std::uint32_t HostTable::find(const Address& address, std::uint64_t hash) const noexcept {
    const auto bucket = static_cast<std::uint32_t>(hash) & bucket_mask_;
    std::uint32_t matches = buckets_[bucket].match(tag_of(hash));
    for (; matches != 0; matches &= matches - 1) {
        const std::uint32_t index =
            bucket * kWays + static_cast<std::uint32_t>(std::countr_zero(matches));
        if (address.is(hosts_[index])) {
            return index;
        }
    }
    return kNowhere;
}

// The way to give up: the longest silence, where activity makes silence count less; of equals, the least active.
std::uint32_t HostTable::victim(
    std::uint32_t bucket, std::uint32_t keep, std::uint32_t now_age) const noexcept {
    const Bucket& line = buckets_[bucket];
    std::uint32_t best = kNowhere;
    std::uint32_t best_score = 0;
    for (std::uint32_t way = 0; way < kWays; ++way) {
        const std::uint32_t level = line.age[way] >> kAgeBits;
        const std::uint32_t circle = (now_age - line.age[way]) & kAgeMask;
        const std::uint32_t silent =
            circle > kAgeMask / 4 * 3 ? 0 : circle;  // the near future: time ran backwards
        if (bucket * kWays + way == keep || (level == kBusy && silent < kBusyKeepAges)) {
            continue;
        }
        const std::uint32_t score =
            ((silent >> (kActivityShift * level)) + 1) * 4 + (kBusy - level);
        if (score > best_score) {
            best_score = score;
            best = bucket * kWays + way;
        }
    }
    return best;
}

std::uint32_t HostTable::find_or_insert(
    const FlowKey& key,
    bool hi,
    std::uint64_t hash,
    std::uint32_t keep,
    std::uint64_t now_ns) noexcept {
    const Address address = hi ? Address::hi(key) : Address::lo(key);
    if (const std::uint32_t index = find(address, hash); index != kNowhere) {
        return index;
    }
    const auto bucket = static_cast<std::uint32_t>(hash) & bucket_mask_;
    std::uint32_t index = kNowhere;
    if (const std::uint32_t free = buckets_[bucket].match(0); free != 0) {
        index = bucket * kWays + static_cast<std::uint32_t>(std::countr_zero(free));
        ++live_;
    } else {
        index = victim(bucket, keep, ages_at(now_ns));
        if (index == kNowhere) {
            ++refused_;
            return kNowhere;
        }
        ++evicted_;
    }
    buckets_[bucket].tag[index % kWays] = tag_of(hash);
    Host& host = begin_zeroed<Host>(reinterpret_cast<std::byte*>(&hosts_[index]));
    host.address = hi ? key.addr_hi : key.addr_lo;
    host.tunnel_id = key.tunnel_id;
    host.vlan = key.vlan;
    host.pair = key.pair;
    host.tick = tick_at(now_ns);
    return index;
}

inline void HostTable::touch(std::uint32_t index, std::uint64_t now_ns) noexcept {
    const std::uint32_t age = activity(hosts_[index]) << kAgeBits | ages_at(now_ns);
    buckets_[index / kWays].age[index % kWays] = static_cast<std::uint16_t>(age);
}

[[gnu::always_inline]] inline HostPair HostTable::account(
    const FlowKey& key,
    const Ends& ends,
    const PacketHeader& header,
    bool initiator_is_hi,
    bool forward,
    FlowEvents events,
    std::uint64_t now_ns) noexcept {
    // No more than the hosts themselves is read where the hints are right.
    std::uint32_t lo_index = ends.lo_at;
    if (lo_index == kNowhere || !Address::lo(key).is(hosts_[lo_index])) [[unlikely]] {
        lo_index = find_or_insert(key, false, ends.lo_hash, kNowhere, now_ns);
    }
    std::uint32_t hi_index = ends.hi_at;
    if (hi_index == kNowhere || !Address::hi(key).is(hosts_[hi_index])) [[unlikely]] {
        hi_index = find_or_insert(key, true, ends.hi_hash, lo_index, now_ns);
    }
    const std::uint32_t init_index = select(initiator_is_hi, hi_index, lo_index);
    const std::uint32_t resp_index = select(initiator_is_hi, lo_index, hi_index);
    const std::uint64_t init_hash = select(initiator_is_hi, ends.hi_hash, ends.lo_hash);
    const std::uint64_t resp_hash = select(initiator_is_hi, ends.lo_hash, ends.hi_hash);
    const std::uint16_t port = select(initiator_is_hi, key.port_lo, key.port_hi);
    const std::uint64_t port_hash = fold_multiply(std::uint64_t{port} ^ secret_[4], secret_[3]);
    const std::uint32_t tick = tick_at(now_ns);
    if (init_index != kNowhere) {
        Host& host = hosts_[init_index];
        advance(host, tick);
        count_packet(host, header, forward);
        if (any(events)) {
            count_out(host, events);
        }
        host.out_peers.add(resp_hash >> kSketchShift);
        host.out_ports.add(port_hash >> kSketchShift);
        touch(init_index, now_ns);
    }
    if (resp_index != kNowhere) {
        Host& host = hosts_[resp_index];
        advance(host, tick);
        count_packet(host, header, !forward);
        if (any(events)) {
            count_in(host, events);
        }
        host.in_peers.add(init_hash >> kSketchShift);
        host.in_ports.add(port_hash >> kSketchShift);
        touch(resp_index, now_ns);
    }
    if (is_unreachable(header)) [[unlikely]] {
        const std::uint32_t receiver = forward ? resp_index : init_index;
        if (receiver != kNowhere) {
            hosts_[receiver].add(HostSum::out_refused, 1.0F);
        }
    }
    return {
        init_index != kNowhere ? &hosts_[init_index] : &kZeroHost,
        resp_index != kNowhere ? &hosts_[resp_index] : &kZeroHost};
}

HostPair HostTable::update(
    const FlowKey& key,
    const Ends& ends,
    const PacketHeader& header,
    bool initiator_is_hi,
    bool forward,
    FlowEvents events,
    std::uint64_t now_ns) noexcept {
    return account(key, ends, header, initiator_is_hi, forward, events, now_ns);
}

void HostTable::update_all(
    const Batch& batch,
    const FlowPackets& packets,
    const std::uint32_t* at,
    std::uint32_t end,
    const Ends* ends,
    Measures* measures) noexcept {
    constexpr std::uint32_t kAhead = 4;  // packets whose hosts are on their way to L1
    for (std::size_t r = 0; r < packets.count; ++r) {
        const std::uint32_t i = at[r];
        if (i + kAhead < end && batch.flow[i + kAhead] != kNoFlow) {
            prefetch_near(ends[i + kAhead]);
        }
        const HostPair pair = account(
            batch.key[i],
            ends[i],
            batch.header[i],
            packets.flow[r]->initiator_is_hi(),
            (packets.backward >> r & 1U) == 0,
            packets.events[r],
            packets.now_ns[r]);
        if (measures != nullptr) {
            take_down_hosts(pair, r, *measures);
        }
    }
}

}  // namespace weir::dataplane
