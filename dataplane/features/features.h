// SPDX-License-Identifier: BSD-3-Clause
// From a flow's state to raw feature values and u8 codes. The only code that does so: live, replay and extract.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/features/catalog.h"
#include "dataplane/features/hosts.h"
#include "dataplane/flow/flow.h"

#include <array>
#include <cstdint>

namespace weir::dataplane {

/// Upper bound of feature_count(), a multiple of 64: rows of raw values and codes are this long.
inline constexpr std::uint32_t kMaxFeatures = 128;

struct FeatureRow {
    alignas(64) std::array<float, kMaxFeatures> raw;
    alignas(64) std::array<std::uint8_t, kMaxFeatures> codes;
};

/// Accounts one packet to its flow's running state and says what happened. The flow's first packet is the one that
/// finds no packets counted. Does not touch key, phase, track_bits, touched and what decide writes.
/// Thread: the flow's worker.
FlowEvents update_flow(
    Flow& flow, const PacketHeader& header, bool forward, std::uint64_t now_ns) noexcept;

/// Computes raw values and codes of all features of the groups in `groups` (bit g = FeatureGroup g) as they stand
/// at this packet, after update_flow() and HostTable::update(). Other groups' entries are left as they are.
void compute_features(
    std::uint32_t groups,
    const Flow& flow,
    const PacketHeader& header,
    bool forward,
    const HostPair& hosts,
    FeatureRow& row) noexcept;

/// The same but for raw values, which may be left unset: the packet path's.
void compute_codes(
    std::uint32_t groups,
    const Flow& flow,
    const PacketHeader& header,
    bool forward,
    const HostPair& hosts,
    FeatureRow& row) noexcept;

}  // namespace weir::dataplane
