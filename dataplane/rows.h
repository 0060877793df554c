// SPDX-License-Identifier: BSD-3-Clause
// The tiles between observe, score and decide: rows of input codes a slot, and their verdicts.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/features/features.h"
#include "dataplane/snapshot.h"
#include "kernels/classifier.h"
#include "kernels/head/head.h"

#include <array>
#include <bitset>
#include <cstdint>

namespace weir::dataplane {

inline constexpr std::uint16_t kNoRow = 0xffff;

/// A model on trial's codes for the rows of its slot's tile, in the same order.
struct TrialRows {
    std::uint32_t stride = 0;  ///< bytes a row: the model's inputs
    alignas(64) std::array<std::uint8_t, std::size_t{Batch::kCapacity} * kernels::kMaxInputs> codes;
    std::array<kernels::HeadVerdict, Batch::kCapacity> verdicts;  ///< by row, filled by score
};

/// One slot's tile.
struct SlotRows {
    std::uint32_t count = 0;
    std::uint32_t stride = 0;  ///< bytes a row: the model's inputs
    alignas(64) std::array<std::uint8_t, std::size_t{Batch::kCapacity} * kernels::kMaxInputs> codes;
    Batch::Column<std::uint16_t> row_of_packet;  ///< kNoRow if the packet is not due
    std::array<std::uint32_t, Batch::kCapacity>
        packet_number;  ///< by row: the packet's number in its flow, 1-based
    std::array<kernels::HeadVerdict, Batch::kCapacity> verdicts;  ///< by row, filled by score
    std::array<TrialRows, kMaxTrials> trials;                     ///< by SnapshotSlot::trials
    std::bitset<Batch::kCapacity> decided;  ///< by packet: its row set its flow's verdict
};

using Rows = std::array<SlotRows, kMaxSlots>;

/// Sees every feature row a worker computes. For extraction and explanation; null in the plain path.
/// Called on the worker's thread: no blocking there when live.
class RowTap {
  public:
    static constexpr std::uint32_t kAll = 0xffffffffU;
    static constexpr std::uint32_t kNone = kAll - 1;

    RowTap() = default;
    RowTap(const RowTap&) = delete;
    RowTap& operator=(const RowTap&) = delete;
    virtual ~RowTap() = default;
    /// After packet `i` of `batch` was accounted to flow number `flow_index`.
    virtual void on_row(
        const Batch& batch,
        std::uint32_t i,
        std::uint32_t flow_index,
        const Flow& flow,
        const FeatureRow& row) noexcept = 0;

    /// One packet of the batch, which gets the features that the snapshot's models read; or each, and all features; or none.
    std::uint32_t only = kAll;
};

}  // namespace weir::dataplane
