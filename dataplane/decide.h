// SPDX-License-Identifier: BSD-3-Clause
// Stage 6: verdicts into flows, policy into dispositions.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/flow/table.h"
#include "dataplane/rows.h"
#include "dataplane/snapshot.h"
#include "dataplane/worker_stats.h"

#include <cstdint>

namespace weir::dataplane {

/// What became of a flow's class.
enum class Merged : std::uint8_t {
    kept,
    decided,  ///< it had none before
    changed
};

/// Merges one row's verdict into the flow's cached one. The first decided class holds at once; a later, different class
/// takes over after `hysteresis` equal verdicts in a row. In a slot with a benign class, an alarm below its class's
/// threshold counts as benign; in any other, a verdict below its threshold decides nothing.
Merged merge_verdict(
    CachedVerdict& cached,
    const kernels::HeadVerdict& scored,
    const SlotModel& model,
    std::uint32_t hysteresis,
    std::uint32_t packet_number) noexcept;

/// True if the flow follows the slot's canary. A share that grows keeps the flows it had. Pure.
[[nodiscard]] bool follows_canary(const FlowKey& key, const CanaryShare& share) noexcept;

/// In packet order over [begin, end): merges the packets' verdicts, then sets disposition, drop_reason and dscp by
/// fail policy and rules. Of several slots' rules drop wins; of several marks the last slot's. A packet whose DSCP is
/// in never_remark is never marked. In a watched slot also: models on trial are counted against the active one, the
/// canary's share of flows follows the canary, and what a withdrawn model decided is forgotten. Overrides come last and
/// have the last word, but for what is only observed or never touched. Notes in `rows` whose rows set a verdict.
void decide(
    Batch& batch,
    std::uint32_t begin,
    std::uint32_t end,
    FlowTable& flows,
    const Snapshot& snapshot,
    Rows& rows,
    WorkerStats& stats) noexcept;

}  // namespace weir::dataplane
