// SPDX-License-Identifier: BSD-3-Clause
// Stage 5: the tiles through the models.
#pragma once

#include "dataplane/rows.h"
#include "dataplane/snapshot.h"
#include "dataplane/worker_stats.h"

#include <cstddef>
#include <cstdint>

namespace weir::dataplane {

/// Scratch that a worker sets aside for any model; make_slot_model() refuses models that need more.
inline constexpr std::size_t kScoreScratchBytes = std::size_t{16} << 20;

/// A worker's working memory for scoring, 64-byte aligned.
struct ScoreScratch {
    alignas(64) std::array<std::int32_t, std::size_t{Batch::kCapacity} * kernels::kMaxOutputs> raw;
    alignas(64) std::array<std::byte, kScoreScratchBytes> bytes;  ///< as far as the models need
};

/// Scores each slot's tile with the snapshot's active model; verdicts by row into the tile.
void score(
    const Snapshot& snapshot, Rows& rows, ScoreScratch& scratch, WorkerStats& stats) noexcept;

}  // namespace weir::dataplane
