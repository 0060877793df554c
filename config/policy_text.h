// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "config/policy.h"
#include "config/shaping.h"

#include <string>
#include <utility>
#include <vector>

namespace weir::config {

/// One row as it could stand in weir.yaml, in a fixed order of keys. Thread: any.
[[nodiscard]] std::string rule_text(const PolicyRule& rule);

/// All of `policy` and `policies` as dotted path and value, in a fixed order: what a change of them is told by.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> policy_fields(
    const PolicyUse& use, const std::map<std::string, Policy>& policies);

/// All of `shaping` in the same form.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> shaping_fields(
    const Shaping& shaping);

}  // namespace weir::config
