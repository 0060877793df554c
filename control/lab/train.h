// SPDX-License-Identifier: BSD-3-Clause
// From a feature table to a calibrated, quantized bundle.
#pragma once

#include "config/error.h"
#include "control/lab/evaluate.h"
#include "control/lab/train_fit.h"
#include "control/lab/train_table.h"
#include "kernels/model/bundle.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::lab {

struct TrainOptions {
    std::string slot;
    std::string name;  ///< of the bundle; empty = "<slot>-default"
    std::string description;
    std::uint32_t version = 1;
    std::int64_t created_unix = 0;
    std::uint32_t folds = 5;
    double alarm_budget = 1e-3;  ///< share of benign flows that may alarm, per class
    FitOptions fit;
};

struct TrainOutcome {
    kernels::Bundle bundle;  ///< without golden vectors
    Evaluation held_out;     ///< every flow judged by a model that saw nothing of its source
    CrossValidation validation;
    double temperature = 1.0;
    double logit_error = 0.0;       ///< stated bound of quantization
    double logit_error_seen = 0.0;  ///< largest on the table's rows; never above the bound
    double agreement = 0.0;         ///< share of rows whose class quantization leaves as it was
    Figures in_float;     ///< held-out flows, uncalibrated: the folds' models with nothing rounded
    Figures in_integers;  ///< and by the gateway's kernels
};

/// Cross-validates by source, takes rounds, temperature, calibration and thresholds from the held-out predictions,
/// trains on everything, quantizes, and checks the quantized forest on every row. Rows of `extra` (generated traffic,
/// say) are trained on always, and are part of no figure, threshold or histogram. Deterministic for equal tables,
/// options and library. Thread: any; uses oneTBB.
[[nodiscard]] Result<TrainOutcome> train(
    const FeatureTable& table, const TrainOptions& options, const FeatureTable* extra = nullptr);

}  // namespace weir::lab
