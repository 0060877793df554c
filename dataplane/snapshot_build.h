// SPDX-License-Identifier: BSD-3-Clause
// From verified bundles and configuration to what workers follow.
#pragma once

#include <memory>
#include <vector>

#include "config/config.h"
#include "config/error.h"
#include "dataplane/snapshot.h"
#include "kernels/model/verify.h"

namespace weir::dataplane {

/// Turns a verified bundle into a model for workers, with a fresh process-wide `ref`. Takes the bundle's classifier.
[[nodiscard]] std::shared_ptr<const SlotModel> make_slot_model(kernels::VerifiedBundle verified);

/// Builds a snapshot: slot i of `config.slots` gets `active[i]` (may be null). Rules for classes that the model does
/// not have are reported in `warnings`. Thread: control.
[[nodiscard]] std::unique_ptr<const Snapshot> build_snapshot(
    const config::Config& config,
    const std::vector<std::shared_ptr<const SlotModel>>& active,
    std::uint64_t generation,
    std::vector<std::string>* warnings = nullptr);

}  // namespace weir::dataplane
