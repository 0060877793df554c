// SPDX-License-Identifier: BSD-3-Clause
// Rules of policies against the classes that there are.
#pragma once

#include "config/config.h"
#include "dataplane/snapshot.h"

#include <memory>
#include <string>
#include <vector>

namespace weir::dataplane {

/// What the models of one slot decide: the active one's classes, then those of models on trial, each once.
[[nodiscard]] std::vector<std::string> slot_classes(
    const SlotModel* active, const std::vector<Trial>& trials);

/// A line for each class that a rule of a policy names and that no model of its slot has: such a rule never acts for it.
/// It names the configuration's file, the rule's field, the class and the classes there are. `classes`: by slot, as
/// slot_classes() gives them; a slot without any has no model yet, of which nothing can be said. Thread: any.
[[nodiscard]] std::vector<std::string> rules_without_class(
    const config::Config& config, const std::vector<std::vector<std::string>>& classes);

}  // namespace weir::dataplane
