// SPDX-License-Identifier: BSD-3-Clause
// What the other workers know of hosts, for the `host` feature group where there are several workers.
#pragma once

#include "dataplane/features/host.h"
#include "dataplane/features/hosts.h"

#include <array>
#include <cstdint>
#include <vector>

namespace weir::dataplane {

/// A host as one worker knows it. `hash` is that of HostTable::hash(), which all workers of a gateway share, as they do
/// the sketches' hashes: so equal peers and ports set equal bits, and a union of bitmaps counts them once.
struct HostReport {
    Host host;
    std::uint64_t hash = 0;
};

/// Hosts by address, each the sum of several workers' reports: sums decayed to one moment and added, bitmaps of the same
/// window united. Filled by control; read by one worker, once it is published, when nobody writes. Fixed memory: nothing
/// is allocated after the constructor.
class SharedHosts {
  public:
    static constexpr std::uint32_t kMost = 8192;
    /// Where a worker makes the sum of its own and the others' aggregates of one packet's hosts.
    using Sums = std::array<Host, 2>;

    SharedHosts();

    // ---- control -----------------------------------------------------------------------------------------------------

    void clear() noexcept;
    /// False: a new host, and no room.
    bool add(const HostReport& report) noexcept;
    [[nodiscard]] std::uint32_t size() const noexcept {
        return static_cast<std::uint32_t>(reports_.size());
    }

    // ---- the worker --------------------------------------------------------------------------------------------------

    /// The pair with the others' share: hosts nobody else knows are left as they are, of others the sum is in `sums`. The
    /// worker's own hosts must be of this packet's time.
    [[nodiscard]] HostPair with_others(
        const HostPair& own,
        std::uint64_t initiator_hash,
        std::uint64_t responder_hash,
        Sums& sums) const noexcept;

  private:
    static constexpr std::uint32_t kPlaces = 4 * kMost;

    [[nodiscard]] std::uint32_t place_of(std::uint64_t hash, const Host& host) const noexcept;
    [[nodiscard]] const Host* find(std::uint64_t hash, const Host& host) const noexcept;

    std::vector<std::uint16_t> places_;  ///< index into reports_ + 1; 0: free
    std::vector<HostReport> reports_;
};

/// `host` plus what `other`, another worker's view of the same host, adds to it, both brought to the later one's time.
void absorb(Host& host, const Host& other) noexcept;

}  // namespace weir::dataplane
