// SPDX-License-Identifier: BSD-3-Clause
// Between parse and track: later fragments to the flow of their first one.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/flow/table.h"
#include "dataplane/worker_stats.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::dataplane {

/// What first fragments told: ports and transport, by addresses, identification and, of IPv4, protocol (RFC 791,
/// RFC 8200 §4.5), and by VLANs, tunnel and port pair. Fixed memory, four places a set: a new datagram takes a free or
/// outdated place of its set, else the oldest one. Sets are chosen by the flow table's keyed hash. Nothing is held back:
/// a later fragment that comes before its first one, or whose datagram was forgotten, stays a flow without ports.
/// Thread: the worker.
class Fragments {
  public:
    /// Datagrams that are remembered, of a worker; 64 bytes each.
    static constexpr std::size_t kPlaces = 4096;
    /// Packet time until a datagram is forgotten: what Linux gives IPv4 reassembly.
    static constexpr std::uint64_t kTimeoutNs = 30'000'000'000;

    Fragments() : places_(kPlaces) {}

    /// In packet order over the batch's fragments: notes first ones, and gives later ones the key and ports of theirs.
    /// Call between parse() and track_prepare(). `flows`: for its hash alone.
    void follow(Batch& batch, const FlowTable& flows, FragmentCounters& counts) noexcept;

  private:
    static constexpr std::size_t kWays = 4;

    /// A cache line.
    struct alignas(64) Place {
        FlowKey key;  ///< see datagram_key(); ip_version 0: free
        std::uint64_t seen_ns = 0;
        std::uint16_t port_lo = 0;  ///< as in FlowKey
        std::uint16_t port_hi = 0;
        std::uint8_t proto = 0;  ///< of the transport, behind extension headers
    };
    static_assert(sizeof(Place) == 64);

    [[nodiscard]] Place* set_of(const FlowKey& key, const FlowTable& flows) noexcept;
    void note(
        const FlowKey& datagram, const FlowKey& flow, std::uint64_t now_ns, Place* set) noexcept;
    [[nodiscard]] static const Place* find(
        const FlowKey& datagram, std::uint64_t now_ns, const Place* set) noexcept;

    std::vector<Place> places_;
};

}  // namespace weir::dataplane
