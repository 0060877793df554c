// SPDX-License-Identifier: BSD-3-Clause
// From a flow's state to raw feature values and u8 codes. The only code that does so: live, replay and extract.
#pragma once

#include <cstdint>

#include "dataplane/batch.h"
#include "dataplane/features/catalog.h"
#include "dataplane/features/hosts.h"
#include "dataplane/flow/flow.h"

namespace weir::dataplane {

/// Upper bound of feature_count(), a multiple of 64: rows of raw values and codes are this long.
inline constexpr std::uint32_t kMaxFeatures = 128;

struct FeatureRow {
    alignas(64) std::array<float, kMaxFeatures> raw;
    alignas(64) std::array<std::uint8_t, kMaxFeatures> codes;
};

/// Accounts one packet to its flow's running state. `new_flow`: the flow was occupied for this packet.
/// Does not touch key, phase and fin_seen, which are track's. Thread: the flow's worker.
void update_flow(
    Flow& flow, const PacketHeader& header, bool forward, bool new_flow, std::uint64_t now_ns) noexcept;

/// Computes raw values and codes of all features of the groups in `groups` (bit g = FeatureGroup g) as they stand
/// at this packet, after update_flow(). Other groups' entries are left as they are.
void compute_features(
    std::uint32_t groups,
    const Flow& flow,
    const PacketHeader& header,
    bool forward,
    const HostPair& hosts,
    std::uint64_t now_ns,
    FeatureRow& row) noexcept;

}  // namespace weir::dataplane
