// SPDX-License-Identifier: BSD-3-Clause
// From a flow's state to raw feature values and u8 codes. The only code that does so: live, replay and extract.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/features/catalog.h"
#include "dataplane/features/hosts.h"
#include "dataplane/features/measures.h"
#include "dataplane/flow/flow.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::dataplane {

/// Upper bound of feature_count(), a multiple of 64: rows of raw values and codes are this long.
inline constexpr std::uint32_t kMaxFeatures = 192;

struct FeatureRow {
    alignas(64) std::array<float, kMaxFeatures> raw;
    alignas(64) std::array<std::uint8_t, kMaxFeatures> codes;
};

/// Accounts one packet to its flow's running state and says what happened. The flow's first packet is the one that
/// finds no packets counted. Does not touch the key and what is track's.
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
    FlowEvents events,
    const HostPair& hosts,
    FeatureRow& row) noexcept;

/// Notes in row `row` what the features of `groups` are made of, as it stands at this packet: for compute_block().
void take_down(
    std::uint32_t groups,
    const Flow& flow,
    const PacketHeader& header,
    bool forward,
    FlowEvents events,
    const HostPair& hosts,
    std::size_t row,
    Measures& measures) noexcept;

/// A few packets' codes, made at once: the packet path's way to what compute_features() says, packet by packet.
// NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): only rows that were taken down are read
struct FeatureBlock {
    static constexpr std::uint32_t kRows = Measures::kRows;
    std::uint32_t rows = 0;
    Measures measures;
    /// Codes of feature f: codes[f][row].
    alignas(64) std::array<std::array<std::uint8_t, kRows>, kMaxFeatures> codes;
};

/// Codes of all features of `groups`, of the block's rows; all must have been taken down for the same groups. The best
/// instruction set of this machine does it; `scalar`: the plain one, whose answer is the same.
void compute_block(std::uint32_t groups, FeatureBlock& block, bool scalar = false) noexcept;

/// Up to 16 packets of as many different flows, in packet order.
struct FlowPackets {
    static constexpr std::uint32_t kLanes = Measures::kRows;
    std::uint32_t count = 0;
    std::uint32_t backward = 0;  ///< bit r: sent by the flow's responder
    std::array<Flow*, kLanes> flow{};
    std::array<const PacketHeader*, kLanes> header{};
    std::array<std::uint64_t, kLanes> now_ns{};
    // what update_flows() says
    std::array<std::uint64_t, kLanes> previous_us{};  ///< the flow's last_us() before its packet
    std::array<FlowEvents, kLanes> events{};
    // lanes that have no packet
    Flow spare_flow;
    PacketHeader spare_header;
};

/// update_flow() of each packet, and take_down() of its flow into row r for `groups`, but for what hosts have. The best
/// instruction set of this machine does it; `scalar`: the plain one, whose answer is the same.
void update_flows(
    std::uint32_t groups, FlowPackets& packets, Measures& measures, bool scalar = false) noexcept;
/// take_down()'s part of the host group.
void take_down_hosts(const HostPair& hosts, std::size_t row, Measures& measures) noexcept;

/// Copies the codes of the features named, row after row `stride` = features.size() bytes apart, of the block's rows
/// 0 … rows−1.
void gather_rows(
    const FeatureBlock& block, std::span<const std::uint16_t> features, std::uint8_t* out) noexcept;

}  // namespace weir::dataplane
