// SPDX-License-Identifier: BSD-3-Clause
// What control publishes and workers follow: immutable once published, swapped by one atomic pointer.
#pragma once

#include "config/config.h"
#include "dataplane/flow/flow.h"
#include "dataplane/policy.h"
#include "kernels/classifier.h"
#include "kernels/head/head.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace weir::kernels {
struct ModelBasis;
}

namespace weir::dataplane {

class OverrideSet;

inline constexpr std::uint32_t kMaxSlots = 4;
inline constexpr std::uint32_t kMaxClasses = 64;
/// Blocks of verdict counters a slot, so that models in use at the same time never share one (see SlotStats).
inline constexpr std::uint32_t kVerdictBlocks = 8;
/// Models a slot may try beside its active one: shadows, and at most one canary.
inline constexpr std::uint32_t kMaxTrials = 3;
/// Blocks of class-pair counters a slot: a trial's, and one for a trial that takes its place.
inline constexpr std::uint32_t kPairBlocks = kMaxTrials + 1;
/// Withdrawn models a slot remembers, so that what they decided for flows acts no more.
inline constexpr std::uint32_t kMaxWithdrawn = 16;

/// What a class leads to.
struct ClassAction {
    config::ActionKind kind = config::ActionKind::pass;
    std::uint8_t dscp = 0;
    std::uint16_t min_score = 0;  ///< u16 confidence below which the rule does not act
};

/// One model ready for the workers. Shared by snapshots; owned through shared_ptr by control.
struct SlotModel {
    std::string name;
    std::uint32_t version = 0;
    std::uint16_t ref = 0;  ///< ≥ 1, unique among the last 65,535 loads; stamped into verdicts
    std::unique_ptr<kernels::Classifier> classifier;
    kernels::HeadSpec head;
    std::vector<std::string> classes;
    std::vector<std::uint8_t>
        class_ids;          ///< slot-wide id of each class (see ClassNames), stamped into verdicts
    int benign_class = -1;  ///< index into classes
    std::vector<std::uint16_t> features;                 ///< catalog id of each input
    std::array<std::uint16_t, kMaxClasses> min_score{};  ///< per class threshold of the bundle, u16
    std::shared_ptr<const kernels::ModelBasis>
        basis;  ///< for explanations; workers do not read it. Null: of a test's model
};

/// A model on trial: it scores every row that the active one does.
struct Trial {
    std::shared_ptr<const SlotModel> model;
    std::uint8_t verdict_block = 0;  ///< where workers count its verdicts, < kVerdictBlocks
    std::uint8_t pair_block = 0;  ///< where they count (active's class, its class), < kPairBlocks
};

/// Which flows follow a canary instead of the active model: those whose key, hashed with `salt`, falls below `below`.
/// The same for both directions, for every worker and over restarts.
struct CanaryShare {
    std::uint64_t salt = 0;
    std::uint64_t below = 0;  ///< of 2^32: 0 none, 2^32 all
};

struct SnapshotSlot {
    std::string name;
    std::shared_ptr<const SlotModel> active;  ///< null: no model
    std::uint8_t verdict_block = 0;  ///< where workers count active's verdicts, < kVerdictBlocks
    /// Anything of the following is in use; else workers never look at it.
    bool watched = false;
    bool judged = false;        ///< count ModelOutcomes even without a trial
    std::vector<Trial> trials;  ///< ≤ kMaxTrials
    std::int32_t canary = -1;   ///< index into trials of the one that acts; −1: none
    CanaryShare share;          ///< of the canary
    std::uint32_t withdrawn_count = 0;
    std::array<std::uint16_t, kMaxWithdrawn>
        withdrawn{};  ///< refs whose cached verdicts act no more
    config::Cadence cadence;
    std::uint32_t hysteresis = 1;
    config::FailAction model_missing = config::FailAction::pass;
    /// By slot-wide class id, so a cached verdict outlives its model. The last, of no class, is none.
    std::array<ClassAction, kMaxClasses + 1> actions{};
};

/// One consistent state of everything that steers workers. A batch is processed whole by one snapshot.
struct Snapshot {
    std::uint64_t generation = 0;     ///< strictly rising
    std::vector<SnapshotSlot> slots;  ///< ≤ kMaxSlots, same order for the process's life
    std::uint64_t never_remark = 0;   ///< bit d: DSCP d is never rewritten
    config::Fail fail;
    std::shared_ptr<const PolicySet> policy;  ///< null: the slots' class rules are all there is
    std::shared_ptr<const OverrideSet> overrides;  ///< null: there are none
    std::uint32_t feature_groups = 0;              ///< bit g: some model reads FeatureGroup g
};

}  // namespace weir::dataplane
