// SPDX-License-Identifier: BSD-3-Clause
// Everything a worker counts. Written by its worker alone, read by anyone.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/counter.h"
#include "dataplane/drop_reason.h"
#include "dataplane/governor.h"
#include "dataplane/latency.h"
#include "dataplane/snapshot.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::dataplane {

/// Upper bounds, in cycles, of the burst-cost histogram's buckets; the last bucket is unbounded.
inline constexpr std::array<std::uint64_t, 12> kBurstCycleBounds{
    500, 1000, 2000, 4000, 8000, 16000, 32000, 64000, 128000, 256000, 512000, 1024000};

inline constexpr std::uint32_t kMaxPorts = 32;

struct PortStats {
    Counter rx_packets;
    Counter rx_bytes;
    Counter tx_packets;
    Counter tx_bytes;
};

/// Queues of a shaped port, and of each of its subscribers: 0…11 strict, in that order; 12…15 weighted.
inline constexpr std::uint32_t kShaperQueues = 16;

/// One queue of the shaped ports, over all ports and subscribers.
struct ShaperQueueStats {
    Counter packets;  ///< that left it
    Counter bytes;
    Counter full;   ///< dropped: no room
    Counter early;  ///< dropped by early detection
    Counter congestion_marked;
};

/// Rows by winning class, index = slot-wide class id. Never reset, by anyone.
using VerdictBlock = std::array<Counter, kMaxClasses>;

/// What a model under watch leads to. Counted only while SnapshotSlot::watched. Never reset.
struct ModelOutcomes {
    Counter rows;
    Counter alarms;     ///< rows whose class, its threshold applied, is not benign
    Counter drops;      ///< rows whose class and confidence the rules drop, were the model to act
    Counter saturated;  ///< rows of confidence kSaturated or more
    Counter packets;    ///< of flows that follow this model's verdict
    Counter packets_dropped;  ///< those of them that the slot's rules drop
};

/// Confidence, of 65535, from which a verdict counts as saturated (99.9 %).
inline constexpr std::uint16_t kSaturated = 65470;

/// Rows by class of the active model and class of the trial, thresholds applied; index kMaxClasses: undecided.
using PairBlock = std::array<std::array<Counter, kMaxClasses + 1>, kMaxClasses + 1>;

/// Verdicts are counted per model without a reset, a lock, or a table of models at the worker: it adds to
/// `verdicts[snapshot.slots[s].verdict_block][class id]` and knows no more. Control gives a model a block that no
/// snapshot in use names, notes the block's counts at that moment, and after the swap that retires the model (its
/// grace period passed, so no worker adds to the block any more) reads its final counts and may give the block away.
struct SlotStats {
    Counter scored;                                      ///< rows scored
    std::array<VerdictBlock, kVerdictBlocks> verdicts;   ///< by SnapshotSlot::verdict_block
    Counter changes;                                     ///< decided classes that changed in a flow
    std::array<ModelOutcomes, kVerdictBlocks> outcomes;  ///< by verdict block
    std::array<PairBlock, kPairBlocks> pairs;            ///< by Trial::pair_block
};

/// What became of a fragment.
enum class FragmentKind : std::uint8_t {
    first,     ///< classified by its own headers
    followed,  ///< a later one, in the flow of its first
    alone,     ///< a later one whose first is not known: a flow without ports
    count_
};
inline constexpr std::array<const char*, static_cast<std::size_t>(FragmentKind::count_)>
    kFragmentKindNames{"first", "followed", "alone"};

using FragmentCounters = std::array<Counter, kFragmentKindNames.size()>;

/// Conservation: Σ ports.rx_packets = Σ ports.tx_packets + Σ drops + shaper_held, whenever the worker is between bursts.
struct WorkerStats {
    std::array<PortStats, kMaxPorts> ports;
    std::array<Counter, kDropReasons> drops;
    std::array<Counter, static_cast<std::size_t>(ParseResult::count_)> parsed;
    FragmentCounters fragments;  ///< by FragmentKind
    std::array<SlotStats, kMaxSlots> slots;
    Counter bursts;  ///< non-empty
    Counter idle_polls;
    std::array<Counter, kBurstCycleBounds.size() + 1> burst_cycles;
    Counter burst_cycles_sum;
    Counter marked;                  ///< packets whose DSCP was rewritten
    std::array<Counter, 3> metered;  ///< packets that met a meter: green, yellow, red
    Counter pcp_written;             ///< packets whose VLAN tag's PCP was changed
    Counter inner_marked;            ///< packets of which a tunnel's inner DSCP was rewritten
    Counter mirrored;                ///< copies sent, or queued for the file; in no other count
    Counter mirror_lost;             ///< copies that could not be made, sent or queued
    Counter resets_sent;             ///< RSTs made for dropped packets; in no other count
    Counter resets_lost;             ///< those that could not be made or sent
    std::array<ShaperQueueStats, kShaperQueues> shaper;  ///< by PortScheduler's queue
    Counter shaper_held;                                 ///< packets that wait
    Counter redirected;         ///< packets that left by another port than the peer
    Counter softened;           ///< packets not dropped because the false-alarm budget was spent
    Counter enforcement_level;  ///< 0 drop, 1 police, 2 mark, 3 observe
    Counter enforcement_steps;  ///< times that the level went down
    Counter
        policy_observed;  ///< packets that a rule would have marked or dropped, but only observes
    Counter override_allowed;  ///< packets that were to be dropped, but for an operator's override
    Counter flows_live;
    Counter flows_created;
    Counter flows_expired;  ///< idle timeout
    Counter flows_evicted;  ///< pushed out by a new flow
    Counter flows_refused;  ///< not inserted: table full of flows worth keeping
    Counter hosts_live;
    Counter hosts_evicted;
    Counter events_lost;                       ///< flow records the event ring had no room for
    Counter shed_step;                         ///< the ShedStep in force
    Counter shed_changes;                      ///< steps taken, either way
    std::array<Counter, kShedSteps> unscored;  ///< packets due in a slot and not scored, by step
    LatencyHistogram latency;
    Counter sleeps;        ///< of an idle worker
    Counter wait_kind;     ///< the WaitKind that it sleeps by
    Counter shared_hosts;  ///< hosts of which it knows the other workers' share (SharedHosts)
    Counter snapshot_generation;  ///< the one in use
    Counter snapshot_swaps;
};

}  // namespace weir::dataplane
