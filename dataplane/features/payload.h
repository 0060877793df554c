// SPDX-License-Identifier: BSD-3-Clause
// What the first payloads of a flow tell: kept beside the flows, and only where the gateway is configured so.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/features/features.h"
#include "dataplane/features/payload_kind.h"
#include "dataplane/flow/flow.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::dataplane {

/// Of each way, so many packets with payload are looked at, all among the flow's first 255 packets.
inline constexpr std::uint32_t kPayloadPackets = 32;

/// One flow's. Zeroed: nothing seen. Written by update_payload() only.
struct alignas(64) PayloadState {
    /// Codes of the group's features, in the catalog's order; the state itself is all that they are made of.
    std::array<std::uint8_t, kPayloadFeatures> codes{};
    std::uint32_t stamp = 0;  ///< of the flow that it is of; 0: of none
    std::array<std::array<std::uint8_t, 8>, 2>
        previous{};                         ///< each way's latest payload: its first bytes
    std::array<std::uint16_t, 2> source{};  ///< … and its bytes 8 to 11, folded: RTP's source
};
static_assert(sizeof(PayloadState) == 64);

/// Is this packet's payload to be looked at? After update_flow().
[[nodiscard]] bool wants_payload(
    const Flow& flow, const PacketHeader& header, bool forward) noexcept;

/// Accounts one payload that is wanted. A flow's state begins with its first payload: one that began unobserved (while
/// the group was not in use, or in the last step of shedding) keeps reading as zeros. Thread: the flow's worker.
void update_payload(
    PayloadState& state,
    const Flow& flow,
    const PacketHeader& header,
    bool forward,
    const PayloadView& payload) noexcept;

/// `state` if it is that flow's, else one of zeros.
[[nodiscard]] const PayloadState& payload_of(const PayloadState& state, const Flow& flow) noexcept;

/// Raw values and codes of the group, as compute_features() gives the others'.
void compute_payload(const PayloadState& state, FeatureRow& row) noexcept;

/// Notes the state in row `row`, as take_down() does for the other groups.
inline void take_payload(const PayloadState& state, std::size_t row, Measures& m) noexcept {
    m.payload_codes[row] = state.codes;
}

}  // namespace weir::dataplane
