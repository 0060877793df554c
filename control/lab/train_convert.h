// SPDX-License-Identifier: BSD-3-Clause
// From a float ensemble to the gateway's forest: exact thresholds, quantized leaves.
#pragma once

#include "config/error.h"
#include "kernels/forest/forest.h"

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace weir::lab {

/// A tree with float leaves. Thresholds are exact: XGBoost sends a sample left if x < t, and for whole x in 0…255
/// that is x ≤ ceil(t) − 1, so code > ceil(t) − 1 goes right. Splits that no code can take are folded away.
struct FloatTree {
    std::uint32_t output = 0;
    std::vector<kernels::ForestNode> nodes;  ///< as in kernels::ForestTree
    std::vector<float> leaves;
    std::vector<float>
        cuts;  ///< behind a Normalizer, one a node: values up to it go left; else empty
};

struct FloatForest {
    std::uint32_t inputs = 0;
    std::uint32_t outputs = 0;
    std::vector<double> base;  ///< logit offset per output
    std::vector<FloatTree> trees;
};

/// Reads the JSON that XGBoost saves for a gbtree of numerical splits; the first `rounds` rounds (0 = all).
/// Refuses what it does not know by name.
[[nodiscard]] Result<FloatForest> parse_xgboost_json(
    const std::string& json, std::uint32_t rounds = 0);
[[nodiscard]] Result<FloatForest> parse_xgboost(
    const nlohmann::json& document, std::uint32_t rounds = 0);

/// Float logits of one row, in double: the yardstick of quantization.
void float_logits(const FloatForest& forest, const std::uint8_t* codes, double* logits) noexcept;

/// A quantized forest with the head's scale.
struct QuantizedForest {
    kernels::ForestSpec spec;
    std::int32_t scale_q16 = 0;  ///< HeadSpec::scale_q16: softmax(logit / temperature)
    double logit_per_raw = 0.0;  ///< float logit of one raw unit, before the temperature
    double logit_error =
        0.0;  ///< |logit_per_raw · raw − float logit| of any row and output is at most this
};

/// Leaves become i16 multiples of one step, the smallest whole scale_q16 that keeps the largest leaf in range, so the
/// scale itself is exact. The bound: half a step for the base and for each tree of an output, the worst output's.
[[nodiscard]] Result<QuantizedForest> quantize(const FloatForest& forest, double temperature);

}  // namespace weir::lab
