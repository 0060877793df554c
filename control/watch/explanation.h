// SPDX-License-Identifier: BSD-3-Clause
// Why a packet's flow has the class it has: which features moved the model there, and by how much.
#pragma once

#include "dataplane/sample.h"
#include "dataplane/snapshot.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::control {

/// One feature's part. In bits of odds: +1 doubles the odds of the class against the other.
struct FeaturePart {
    std::uint16_t feature = 0;  ///< catalog id
    float raw = 0.0F;
    std::uint8_t code = 0;
    double bits = 0.0;
};

struct Explanation {
    std::string cls;           ///< explained
    std::string against;       ///< the class that it is compared with
    std::string packet_class;  ///< what the model makes of the packet alone
    double packet_confidence = 0.0;
    double score_bits = 0.0;
    double bias_bits = 0.0;
    double rest_bits =
        0.0;  ///< of the score, what neither bias nor features say; 0 where these add up
    std::string method;
    std::vector<FeaturePart> parts;  ///< all of the model's inputs, the strongest first
};

/// Explains `cls` (of the model's classes; none: the packet's own) against benign, or where it is benign or there is no
/// such class, against the strongest of the others. None: the model came without its basis. Thread: any but a worker's;
/// takes as long as scoring twice as many rows as the model has inputs.
[[nodiscard]] std::optional<Explanation> explain(
    const dataplane::SlotModel& model,
    const dataplane::FeatureRow& row,
    const std::optional<std::string>& cls);

}  // namespace weir::control
