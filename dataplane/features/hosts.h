// SPDX-License-Identifier: BSD-3-Clause
// Decayed aggregates of each host seen, for the `host` feature group: fixed memory, bounded probes.
#pragma once

#include "config/error.h"
#include "dataplane/batch.h"
#include "dataplane/features/measures.h"
#include "dataplane/flow/huge_map.h"
#include "dataplane/flow/key.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace weir::dataplane {

struct Host;         // one host's sketches, host.h
struct FlowPackets;  // features.h

/// What one packet meant for its flow, as update_flow() saw it.
struct FlowEvents {
    bool opened : 1 = false;         ///< the flow's first packet
    bool opened_by_syn : 1 = false;  ///< … which is a TCP SYN without ACK
    bool replied : 1 = false;        ///< the responder's first packet
    bool syn_answered : 1 = false;   ///< … which is a SYN-ACK to that SYN
    bool refused : 1 = false;        ///< … which has TCP RST
    bool confirmed : 1 = false;      ///< the initiator's first packet after a reply
    std::uint8_t gap_code = 0;       ///< of the gap to the flow's packet before
};

/// The aggregates of the two ends of a flow at one packet. Never null: a host without room shares a zero host.
/// Valid until the next update().
struct HostPair {
    const Host* initiator = nullptr;
    const Host* responder = nullptr;
};

/// A pair that knows nothing, for rows without the host group.
[[nodiscard]] HostPair no_hosts() noexcept;

/// A worker's hosts. Owner and only toucher: its worker. Nothing is allocated after create().
/// A host is an address within its tunnel, VLAN and port pair. 16-way set-associative with one candidate bucket;
/// a full bucket gives up the host that was silent for longest, where the time of a host that has sent or received
/// much counts for less, so that floods of new addresses push out each other and not the busy ones.
class HostTable {
  public:
    static constexpr std::uint32_t kWays = 16;
    static constexpr std::uint32_t kMinCapacity = 64;
    static constexpr std::uint32_t kMaxCapacity = 1U << 26;

    static constexpr std::uint32_t kNowhere = 0xffffffffU;

    /// Both ends of one packet, computed once: hashes, and where prepare() found their tags. A place is a hint, which
    /// update() checks; kNowhere is always right.
    struct Ends {
        std::uint64_t lo_hash;
        std::uint64_t hi_hash;
        std::uint32_t lo_at = kNowhere;
        std::uint32_t hi_at = kNowhere;
    };

    /// `capacity` hosts, rounded up to a power of two. `seed` keys the hash and the sketches: random live, fixed in
    /// replay.
    [[nodiscard]] static Result<std::unique_ptr<HostTable>> create(
        std::uint32_t capacity, std::uint64_t seed, TablePages pages = TablePages::when_touched);
    ~HostTable() = default;
    HostTable(const HostTable&) = delete;
    HostTable& operator=(const HostTable&) = delete;

    [[nodiscard]] Ends hash(const FlowKey& key) const noexcept;
    /// The ends of packets [begin, end) that have a flow; prefetches what update() will touch of them, all packets'
    /// buckets first, then all packets' hosts, so that misses overlap.
    void prepare(
        const Batch& batch, std::uint32_t begin, std::uint32_t end, Ends* ends) const noexcept;

    /// Nearer, shortly before update().
    void prefetch_near(const Ends& ends) const noexcept;
    /// Accounts one packet to both of its flow's hosts and returns them. `events`: update_flow()'s for this packet.
    HostPair update(
        const FlowKey& key,
        const Ends& ends,
        const PacketHeader& header,
        bool initiator_is_hi,
        bool forward,
        FlowEvents events,
        std::uint64_t now_ns) noexcept;

    /// Hosts of one bucket that were seen within the last minute, and how much each sent and received: 0 … 3.
    struct Active {
        std::uint32_t count = 0;
        std::array<const Host*, kWays> host;
        std::array<std::uint8_t, kWays> level;
    };
    void active(std::uint32_t bucket, std::uint64_t now_ns, Active& out) const noexcept;
    /// The hash that Ends have of this host.
    [[nodiscard]] std::uint64_t hash_of(const Host& host) const noexcept;

    /// update() of each of `packets` in turn, whose places in `batch` are `at` and ends `ends[at]`, and, if `measures` is
    /// not null, take_down_hosts() into their rows. Packets before `end` that follow are asked for.
    void update_all(
        const Batch& batch,
        const FlowPackets& packets,
        const std::uint32_t* at,
        std::uint32_t end,
        const Ends* ends,
        Measures* measures) noexcept;

    [[nodiscard]] std::uint32_t capacity() const noexcept;
    /// As HugeMap's.
    [[nodiscard]] std::size_t ordinary_bytes() const noexcept { return map_.ordinary_bytes(); }
    [[nodiscard]] std::uint32_t live() const noexcept { return live_; }
    [[nodiscard]] std::uint64_t evicted() const noexcept { return evicted_; }
    /// Lookups that found neither the host nor room for it.
    [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }

  private:
    struct Bucket;
    struct Address;

    HostTable() = default;
    [[nodiscard]] HostPair account(
        const FlowKey& key,
        const Ends& ends,
        const PacketHeader& header,
        bool initiator_is_hi,
        bool forward,
        FlowEvents events,
        std::uint64_t now_ns) noexcept;
    [[nodiscard]] std::uint64_t hash_address(const Address& address) const noexcept;
    [[nodiscard]] std::uint32_t find(const Address& address, std::uint64_t hash) const noexcept;
    [[nodiscard]] std::uint32_t place_of(std::uint64_t hash) const noexcept;
    void prefetch(std::uint32_t at, bool initiates) const noexcept;
    [[nodiscard]] std::uint32_t expected_at(
        std::uint64_t hash, std::uint32_t at, std::uint64_t now_ns) const noexcept;
    [[nodiscard]] std::uint32_t find_or_insert(
        const FlowKey& key,
        bool hi,
        std::uint64_t hash,
        std::uint32_t keep,
        std::uint64_t now_ns) noexcept;
    void touch(std::uint32_t index, std::uint64_t now_ns) noexcept;
    [[nodiscard]] std::uint32_t victim(
        std::uint32_t bucket, std::uint32_t keep, std::uint32_t now_age) const noexcept;

    std::uint32_t bucket_mask_ = 0;
    std::uint32_t live_ = 0;
    std::uint64_t evicted_ = 0;
    std::uint64_t refused_ = 0;
    std::array<std::uint64_t, 5> secret_{};
    Bucket* buckets_ = nullptr;
    Host* hosts_ = nullptr;
    HugeMap map_;
};

}  // namespace weir::dataplane
