// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/features/shared_hosts.h"

#include "dataplane/features/host_account.h"

#include <algorithm>

namespace weir::dataplane {

using namespace accounting;

namespace {

[[nodiscard]] bool same(const Host& a, const Host& b) noexcept {
    return a.address == b.address && a.tunnel_id == b.tunnel_id && a.vlan == b.vlan &&
           a.pair == b.pair;
}

template <std::size_t Words>
void unite(WindowedBitmap<Words>& into, const WindowedBitmap<Words>& from) noexcept {
    for (std::size_t w = 0; w < Words; ++w) {
        into.present[w] |= from.present[w];
        into.previous[w] |= from.previous[w];
    }
}

}  // namespace

void absorb(Host& host, const Host& other) noexcept {
    Host theirs = other;
    advance(theirs, host.tick);
    advance(host, theirs.tick);
    for (std::size_t s = 0; s < host.sums.size(); ++s) {
        host.sums[s] += theirs.sums[s];
    }
    for (std::size_t s = 0; s < host.in_sums.size(); ++s) {
        host.in_sums[s] += theirs.in_sums[s];
    }
    unite(host.out_peers, theirs.out_peers);
    unite(host.out_ports, theirs.out_ports);
    unite(host.in_peers, theirs.in_peers);
    unite(host.in_ports, theirs.in_ports);
}

SharedHosts::SharedHosts() : places_(kPlaces) {
    static_assert((kPlaces & (kPlaces - 1)) == 0 && kMost < UINT16_MAX);
    reports_.reserve(kMost);
}

void SharedHosts::clear() noexcept {
    std::fill(places_.begin(), places_.end(), std::uint16_t{0});
    reports_.clear();
}

// Where the host stands, or where it would be put: a quarter of the places is used at most, so probes are few.
std::uint32_t SharedHosts::place_of(std::uint64_t hash, const Host& host) const noexcept {
    auto place = static_cast<std::uint32_t>(hash) & (kPlaces - 1);
    while (places_[place] != 0) {
        const HostReport& report = reports_[places_[place] - 1U];
        if (report.hash == hash && same(report.host, host)) {
            break;
        }
        place = (place + 1) & (kPlaces - 1);
    }
    return place;
}

bool SharedHosts::add(const HostReport& report) noexcept {
    const std::uint32_t place = place_of(report.hash, report.host);
    if (places_[place] != 0) {
        absorb(reports_[places_[place] - 1U].host, report.host);
        return true;
    }
    if (reports_.size() == kMost) {
        return false;
    }
    reports_.push_back(report);
    places_[place] = static_cast<std::uint16_t>(reports_.size());
    return true;
}

const Host* SharedHosts::find(std::uint64_t hash, const Host& host) const noexcept {
    const std::uint16_t at = places_[place_of(hash, host)];
    return at == 0 ? nullptr : &reports_[at - 1U].host;
}

HostPair SharedHosts::with_others(
    const HostPair& own,
    std::uint64_t initiator_hash,
    std::uint64_t responder_hash,
    Sums& sums) const noexcept {
    HostPair pair = own;
    if (const Host* const others = find(initiator_hash, *own.initiator); others != nullptr) {
        sums[0] = *own.initiator;
        absorb(sums[0], *others);
        pair.initiator = &sums[0];
    }
    if (const Host* const others = find(responder_hash, *own.responder); others != nullptr) {
        sums[1] = *own.responder;
        absorb(sums[1], *others);
        pair.responder = &sums[1];
    }
    return pair;
}

}  // namespace weir::dataplane
