// SPDX-License-Identifier: BSD-3-Clause
// Models trained elsewhere: XGBoost's JSON into a bundle.
#pragma once

#include "config/error.h"
#include "control/lab/train_table.h"
#include "kernels/model/bundle.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::lab {

struct ImportOptions {
    std::string slot;
    std::string name;
    std::string description;
    std::uint32_t version = 1;
    std::int64_t created_unix = 0;
    std::vector<std::string> classes;   ///< in the order of the model's class numbers
    std::vector<std::string> features;  ///< by column; empty: the names that the model holds
};

struct Imported {
    kernels::Bundle bundle;      ///< without golden vectors, thresholds 0, uncalibrated
    double logit_per_raw = 0.0;  ///< float logit of one raw unit of the network's outputs
    double logit_error = 0.0;  ///< |quantized − float| logit of any row and class is at most this
};

/// The catalog names of the model's inputs: `options.features`, or what the file calls its columns, with or without the
/// ending _code that `weir extract` gives to codes. Errors name the column.
[[nodiscard]] Result<std::vector<std::string>> import_features(
    const std::string& json, const ImportOptions& options);

/// A gbtree of class `multi:softprob`, trained on u8 codes (the NAME_code columns of `weir extract`): thresholds are exact,
/// leaves are quantized. What the gateway has no network for is refused by name. Thread: any.
[[nodiscard]] Result<Imported> import_xgboost(
    const std::string& json, const ImportOptions& options);

}  // namespace weir::lab
