// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/features/hosts.h"

#include "dataplane/features/host.h"
#include "dataplane/flow/tags.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string>

#include <sys/mman.h>

namespace weir::dataplane {

namespace {

constexpr std::size_t kHugeBytes = std::size_t{2} << 20;
constexpr std::uint32_t kNone = 0xffffffffU;
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

// 2^(-t / 64) for t in 0…63, by exact-rounded products only.
constexpr std::array<float, kHalfLifeTicks> kDecay = [] {
    constexpr double kTickFactor = 0.98922801319397548413;  // 2^(-1/64)
    std::array<float, kHalfLifeTicks> out{};
    double factor = 1.0;
    for (float& entry : out) {
        entry = static_cast<float>(factor);
        factor *= kTickFactor;
    }
    return out;
}();

[[nodiscard]] float decay_factor(std::uint32_t ticks) noexcept {
    constexpr std::uint32_t kGoneHalves = 64;  // 2^-64 of anything countable is nothing
    const std::uint32_t halves = ticks / kHalfLifeTicks;
    if (halves >= kGoneHalves) {
        return 0.0F;
    }
    constexpr std::uint32_t kExponentShift = 23;
    constexpr std::uint32_t kExponentBias = 127;
    return kDecay[ticks % kHalfLifeTicks] *
           std::bit_cast<float>((kExponentBias - halves) << kExponentShift);
}

// Brings a host to the packet's time. Time that runs backwards is no time.
void advance(Host& host, std::uint64_t now_ns) noexcept {
    const auto tick = static_cast<std::uint32_t>(now_ns >> kTickShift);
    const auto ticks = static_cast<std::int32_t>(tick - host.tick);
    if (ticks <= 0) {
        return;
    }
    host.tick = tick;
    const float factor = decay_factor(static_cast<std::uint32_t>(ticks));
    for (float& sum : host.sums) {
        sum *= factor;
    }
    const auto window = static_cast<std::uint32_t>(now_ns >> kWindowShift);
    if (const std::uint32_t windows = window - host.window; windows != 0) {
        host.window = window;
        host.out_peers.turn(windows);
        host.out_ports.turn(windows);
        host.in_peers.turn(windows);
        host.in_ports.turn(windows);
    }
}

[[nodiscard]] std::uint32_t activity(const Host& host) noexcept {
    constexpr float kLevel1 = 8.0F;
    constexpr float kLevel2 = 64.0F;
    constexpr float kLevel3 = 512.0F;
    const float packets = host.sum(HostSum::sent_packets) + host.sum(HostSum::received_packets);
    return (packets >= kLevel1 ? 1U : 0U) + (packets >= kLevel2 ? 1U : 0U) +
           (packets >= kLevel3 ? 1U : 0U);
}

[[nodiscard]] std::uint32_t ages_at(std::uint64_t now_ns) noexcept {
    return static_cast<std::uint32_t>(now_ns >> kAgeShift) & kAgeMask;
}

// ICMP destination unreachable, either family.
[[nodiscard]] bool is_unreachable(const PacketHeader& header) noexcept {
    constexpr std::uint8_t kIcmp = 1;
    constexpr std::uint8_t kIcmp6 = 58;
    constexpr std::uint8_t kUnreachable4 = 3;
    constexpr std::uint8_t kUnreachable6 = 1;
    return !header.later_fragment &&
           ((header.proto == kIcmp && header.icmp_type == kUnreachable4) ||
            (header.proto == kIcmp6 && header.icmp_type == kUnreachable6));
}

void count_sent(Host& host, const PacketHeader& header) noexcept {
    host.add(HostSum::sent_packets, 1.0F);
    host.add(HostSum::sent_bytes, static_cast<float>(static_cast<std::int64_t>(header.ip_bytes)));
}

void count_received(Host& host, const PacketHeader& header) noexcept {
    host.add(HostSum::received_packets, 1.0F);
    host.add(
        HostSum::received_bytes, static_cast<float>(static_cast<std::int64_t>(header.ip_bytes)));
    if (is_unreachable(header)) {
        host.add(HostSum::out_refused, 1.0F);
    }
}

[[nodiscard]] float one_if(bool happened) noexcept {
    return happened ? 1.0F : 0.0F;
}

void account_initiator(
    Host& host, const PacketHeader& header, bool forward, FlowEvents events) noexcept {
    forward ? count_sent(host, header) : count_received(host, header);
    host.add(HostSum::out_flows, one_if(events.opened));
    host.add(HostSum::out_replied, one_if(events.replied));
    host.add(HostSum::out_syn, one_if(events.opened_by_syn));
    host.add(HostSum::out_syn_answered, one_if(events.syn_answered));
    host.add(HostSum::out_refused, one_if(events.refused));
}

void account_responder(
    Host& host, const PacketHeader& header, bool forward, FlowEvents events) noexcept {
    forward ? count_received(host, header) : count_sent(host, header);
    host.add(HostSum::in_flows, one_if(events.opened));
    host.add(HostSum::in_replied, one_if(events.replied));
    host.add(HostSum::in_confirmed, one_if(events.confirmed));
}

}  // namespace

struct HostTable::Address {
    std::array<std::uint8_t, 16> bytes;
    std::uint32_t tunnel_id;
    std::uint16_t vlan;
    std::uint16_t pair;

    [[nodiscard]] bool is(const Host& host) const noexcept {
        return host.address == bytes && host.tunnel_id == tunnel_id && host.vlan == vlan &&
               host.pair == pair;
    }
};

struct HostTable::Bucket : TagBucket {};

HostPair no_hosts() noexcept {
    return {&kZeroHost, &kZeroHost};
}

Result<std::unique_ptr<HostTable>> HostTable::create(
    std::uint32_t capacity, std::uint64_t seed, bool populate) {
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
    table->map_bytes_ = (bytes + 2 * kHugeBytes - 1) / kHugeBytes * kHugeBytes;
    void* map = mmap(
        nullptr,
        table->map_bytes_,
        PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
        -1,
        0);
    const std::string size = std::to_string(bytes >> 20) + " MiB of hosts";
    if (map == MAP_FAILED) {
        return fail(
            {},
            kField,
            "no memory for " + size + ": " + std::strerror(errno),
            "lower the capacity");
    }
    table->map_ = map;
    const auto start =
        (reinterpret_cast<std::uintptr_t>(map) + kHugeBytes - 1) / kHugeBytes * kHugeBytes;
    auto* base = reinterpret_cast<std::byte*>(start);
    madvise(base, bytes, MADV_HUGEPAGE);  // a hint: without it the table is slower, not wrong
    if (populate && madvise(base, bytes, MADV_POPULATE_WRITE) != 0 && errno != EINVAL) {
        return fail(
            {},
            kField,
            "cannot fault in " + size + ": " + std::strerror(errno),
            "lower the capacity");
    }
    table->hosts_ = reinterpret_cast<Host*>(base);
    table->buckets_ = reinterpret_cast<Bucket*>(base + host_bytes);
    return table;
}

HostTable::~HostTable() {
    if (map_ != nullptr) {
        munmap(map_, map_bytes_);
    }
}

std::uint32_t HostTable::capacity() const noexcept {
    return (bucket_mask_ + 1) * kWays;
}

std::uint64_t HostTable::hash_address(const Address& address) const noexcept {
    std::array<std::uint64_t, 3> words{};
    static_assert(sizeof(Address) == sizeof(words));
    std::memcpy(words.data(), &address, sizeof(words));
    const std::uint64_t first = fold_multiply(words[0] ^ secret_[0], words[1] ^ secret_[1]);
    return fold_multiply(first ^ words[2] ^ secret_[2], secret_[3]);
}

HostTable::Hashes HostTable::hash(const FlowKey& key) const noexcept {
    return {
        hash_address({key.addr_lo, key.tunnel_id, key.vlan, key.pair}),
        hash_address({key.addr_hi, key.tunnel_id, key.vlan, key.pair})};
}

void HostTable::prefetch_buckets(const Hashes& hashes) const noexcept {
    __builtin_prefetch(&buckets_[hashes.lo & bucket_mask_], 1);
    __builtin_prefetch(&buckets_[hashes.hi & bucket_mask_], 1);
}

void HostTable::prefetch_hosts(const Hashes& hashes) const noexcept {
    for (const std::uint64_t hash : {hashes.lo, hashes.hi}) {
        const auto bucket = static_cast<std::uint32_t>(hash) & bucket_mask_;
        if (const std::uint32_t matches = buckets_[bucket].match(tag_of(hash)); matches != 0) {
            const auto* host = reinterpret_cast<const std::byte*>(
                &hosts_[bucket * kWays + static_cast<std::uint32_t>(std::countr_zero(matches))]);
            for (std::size_t line = 0; line < sizeof(Host); line += 64) {
                __builtin_prefetch(host + line, 1);
            }
        }
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
    return kNone;
}

// The way to give up: the longest silence, where activity makes silence count less; of equals, the least active.
std::uint32_t HostTable::victim(
    std::uint32_t bucket, std::uint32_t keep, std::uint32_t now_age) const noexcept {
    const Bucket& line = buckets_[bucket];
    std::uint32_t best = kNone;
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
    const Address& address, std::uint64_t hash, std::uint32_t keep, std::uint64_t now_ns) noexcept {
    if (const std::uint32_t index = find(address, hash); index != kNone) {
        return index;
    }
    const auto bucket = static_cast<std::uint32_t>(hash) & bucket_mask_;
    std::uint32_t index = kNone;
    if (const std::uint32_t free = buckets_[bucket].match(0); free != 0) {
        index = bucket * kWays + static_cast<std::uint32_t>(std::countr_zero(free));
        ++live_;
    } else {
        index = victim(bucket, keep, ages_at(now_ns));
        if (index == kNone) {
            ++refused_;
            return kNone;
        }
        ++evicted_;
    }
    buckets_[bucket].tag[index % kWays] = tag_of(hash);
    Host& host = hosts_[index];
    host = Host{};
    host.address = address.bytes;
    host.tunnel_id = address.tunnel_id;
    host.vlan = address.vlan;
    host.pair = address.pair;
    host.tick = static_cast<std::uint32_t>(now_ns >> kTickShift);
    host.window = static_cast<std::uint32_t>(now_ns >> kWindowShift);
    return index;
}

void HostTable::touch(std::uint32_t index, std::uint64_t now_ns) noexcept {
    const std::uint32_t age = activity(hosts_[index]) << kAgeBits | ages_at(now_ns);
    buckets_[index / kWays].age[index % kWays] = static_cast<std::uint16_t>(age);
}

HostPair HostTable::update(
    const FlowKey& key,
    const Hashes& hashes,
    const PacketHeader& header,
    bool initiator_is_hi,
    bool forward,
    FlowEvents events,
    std::uint64_t now_ns) noexcept {
    const Address lo{key.addr_lo, key.tunnel_id, key.vlan, key.pair};
    const Address hi{key.addr_hi, key.tunnel_id, key.vlan, key.pair};
    const std::uint32_t lo_index = find_or_insert(lo, hashes.lo, kNone, now_ns);
    const std::uint32_t hi_index = find_or_insert(hi, hashes.hi, lo_index, now_ns);
    const std::uint32_t init_index = initiator_is_hi ? hi_index : lo_index;
    const std::uint32_t resp_index = initiator_is_hi ? lo_index : hi_index;
    const std::uint64_t init_hash = initiator_is_hi ? hashes.hi : hashes.lo;
    const std::uint64_t resp_hash = initiator_is_hi ? hashes.lo : hashes.hi;
    const std::uint16_t port = initiator_is_hi ? key.port_lo : key.port_hi;
    const std::uint64_t port_hash = fold_multiply(std::uint64_t{port} ^ secret_[4], secret_[3]);
    if (init_index != kNone) {
        Host& host = hosts_[init_index];
        advance(host, now_ns);
        account_initiator(host, header, forward, events);
        host.out_peers.add(resp_hash >> kSketchShift);
        host.out_ports.add(port_hash >> kSketchShift);
        touch(init_index, now_ns);
    }
    if (resp_index != kNone) {
        Host& host = hosts_[resp_index];
        advance(host, now_ns);
        account_responder(host, header, forward, events);
        host.in_peers.add(init_hash >> kSketchShift);
        host.in_ports.add(port_hash >> kSketchShift);
        touch(resp_index, now_ns);
    }
    return {
        init_index != kNone ? &hosts_[init_index] : &kZeroHost,
        resp_index != kNone ? &hosts_[resp_index] : &kZeroHost};
}

}  // namespace weir::dataplane
