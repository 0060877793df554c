// SPDX-License-Identifier: BSD-3-Clause
// Explanations put into words: which rule, what it says, and what held it back.
#pragma once

#include "control/proto/control.pb.h"
#include "control/registry/registry.h"
#include "control/watch/explanation.h"
#include "dataplane/runtime.h"
#include "dataplane/trace.h"

#include <cstddef>
#include <cstdint>

namespace weir::control {

/// What became of the sampled packet, and why. Of a sample of another generation than `snapshot` only what became of it:
/// the rules that it met are gone. Thread: control.
void fill_decision(
    const ModelRegistry& registry,
    const dataplane::Snapshot& snapshot,
    std::span<const dataplane::WorkerInfo> workers,
    const dataplane::FlowSample& sample,
    v1::Decision& out);

/// The `top` strongest features and what they add up to.
void fill(const Explanation& explanation, std::size_t top, v1::SlotExplanation& out);

}  // namespace weir::control
