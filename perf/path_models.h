// SPDX-License-Identifier: BSD-3-Clause
// Models made in code, of the shapes whose cost is measured: the speed of a row does not depend on what was learned.
#pragma once

#include "dataplane/snapshot.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace weir::perf {

/// An int8 network inputs-32-16-8 over `features`, softmax over 8 classes, the first of them benign if `benign`.
[[nodiscard]] std::shared_ptr<const dataplane::SlotModel> small_mlp(
    const std::string& slot, const std::vector<std::uint16_t>& features, bool benign);

/// 64 trees of depth 5 over `features`, 32 bins each, two classes, the first of them benign.
[[nodiscard]] std::shared_ptr<const dataplane::SlotModel> small_forest(
    const std::string& slot, const std::vector<std::uint16_t>& features);

/// `count` features of the catalog, evenly spread over all groups, or over all but the hosts' aggregates.
[[nodiscard]] std::vector<std::uint16_t> spread_features(std::uint32_t count, bool with_hosts);

}  // namespace weir::perf
