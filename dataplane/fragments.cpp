// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/fragments.h"

#include <cstring>

namespace weir::dataplane {

namespace {

// The flow key with the identification for ports; IPv6 fragments of one datagram need not name the same protocol.
[[nodiscard]] FlowKey datagram_key(const FlowKey& flow, const PacketHeader& header) noexcept {
    FlowKey key = flow;
    std::memcpy(&key.port_lo, &header.fragment_id, sizeof(key.port_lo));
    key.port_hi = static_cast<std::uint16_t>(header.fragment_id >> 16);
    if (header.ip_version != 4) {
        key.proto = 0;
    }
    key.zero[0] = header.src_is_hi ? 1 : 0;  // the two directions count identifications apart
    return key;
}

[[nodiscard]] constexpr std::uint16_t host_order(std::uint16_t port) noexcept {
    return static_cast<std::uint16_t>(port << 8 | port >> 8);
}

}  // namespace

Fragments::Place* Fragments::set_of(const FlowKey& key, const FlowTable& flows) noexcept {
    constexpr std::size_t kSets = kPlaces / kWays;
    static_assert((kSets & (kSets - 1)) == 0);
    return &places_[(flows.hash(key) & (kSets - 1)) * kWays];
}

const Fragments::Place* Fragments::find(
    const FlowKey& datagram, std::uint64_t now_ns, const Place* set) noexcept {
    for (std::size_t way = 0; way < kWays; ++way) {
        if (set[way].key == datagram) {
            return now_ns > set[way].seen_ns + kTimeoutNs ? nullptr : &set[way];
        }
    }
    return nullptr;
}

void Fragments::note(
    const FlowKey& datagram, const FlowKey& flow, std::uint64_t now_ns, Place* set) noexcept {
    Place* chosen = set;  // the oldest: a free one's time is 0
    for (std::size_t way = 0; way < kWays; ++way) {
        if (set[way].key == datagram) {
            chosen = &set[way];
            break;
        }
        if (set[way].seen_ns < chosen->seen_ns) {
            chosen = &set[way];
        }
    }
    *chosen = {datagram, now_ns, flow.port_lo, flow.port_hi, flow.proto};
}

void Fragments::follow(Batch& batch, const FlowTable& flows, FragmentCounters& counts) noexcept {
    for (std::uint32_t i = 0; i < batch.size; ++i) {
        PacketHeader& header = batch.header[i];
        if (!header.fragment || batch.parsed[i] != ParseResult::flow) {
            continue;
        }
        FlowKey& key = batch.key[i];
        const FlowKey datagram = datagram_key(key, header);
        Place* const set = set_of(datagram, flows);
        if (!header.later_fragment) {
            note(datagram, key, batch.time_ns[i], set);
            counts[static_cast<std::size_t>(FragmentKind::first)].add(1);
            continue;
        }
        const Place* const place = find(datagram, batch.time_ns[i], set);
        if (place == nullptr) {
            counts[static_cast<std::size_t>(FragmentKind::alone)].add(1);
            continue;
        }
        key.port_lo = place->port_lo;
        key.port_hi = place->port_hi;
        key.proto = header.proto = place->proto;
        header.src_port = host_order(header.src_is_hi ? key.port_hi : key.port_lo);
        header.dst_port = host_order(header.src_is_hi ? key.port_lo : key.port_hi);
        counts[static_cast<std::size_t>(FragmentKind::followed)].add(1);
    }
}

}  // namespace weir::dataplane
