// SPDX-License-Identifier: BSD-3-Clause
// From verified bundles and configuration to what workers follow.
#pragma once

#include "config/config.h"
#include "config/error.h"
#include "dataplane/snapshot.h"
#include "kernels/model/verify.h"

#include <memory>
#include <optional>
#include <vector>

namespace weir::dataplane {

/// A slot's class names by slot-wide id. Ids are given once, by name, and hold for the process's life, so that a
/// verdict cached in a flow keeps its meaning when the model changes. Thread: any (locked; never on a worker).
[[nodiscard]] Result<std::uint8_t> class_id(const std::string& slot, const std::string& name);
/// Name of a slot-wide class id; "unknown" if none.
[[nodiscard]] std::string class_name(const std::string& slot, std::uint8_t id);

/// Turns a verified bundle into a model for workers, with a fresh process-wide `ref`. Takes the bundle's classifier.
/// Fails if the slot has seen more than kMaxClasses class names.
[[nodiscard]] Result<std::shared_ptr<const SlotModel>> make_slot_model(
    kernels::VerifiedBundle verified);

/// Refuses a bundle that reads features which this gateway is configured not to have. `where`: the bundle, for messages.
[[nodiscard]] Result<void> check_features(
    const kernels::VerifiedBundle& verified,
    const std::string& where,
    const config::Features& features);

/// What control adds to a slot beside its active model.
struct SlotTrials {
    std::vector<Trial> trials;
    std::int32_t canary = -1;
    CanaryShare share;
    std::vector<std::uint16_t>
        withdrawn;  ///< refs, the latest last; of more than kMaxWithdrawn the latest count
    bool judged = false;
    /// The model is past its time to live: what happens then (nothing given: verdicts go on).
    std::optional<config::FailAction> stale;
};

/// Builds a snapshot: slot i of `config.slots` gets `active[i]` (may be null). Rules for classes that the model does
/// not have, and rules of policies for classes that no model of their slot has, are reported in `warnings`. Slot i counts its verdicts into block `verdict_blocks[i]` (0 where the vector
/// is shorter), and tries `trials[i]`. Thread: control.
[[nodiscard]] std::unique_ptr<Snapshot> build_snapshot(
    const config::Config& config,
    const std::vector<std::shared_ptr<const SlotModel>>& active,
    std::uint64_t generation,
    std::vector<std::string>* warnings = nullptr,
    const std::vector<std::uint8_t>& verdict_blocks = {},
    const std::vector<SlotTrials>& trials = {});

}  // namespace weir::dataplane
