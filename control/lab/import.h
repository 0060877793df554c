// SPDX-License-Identifier: BSD-3-Clause
// Models trained elsewhere into a bundle: XGBoost's JSON and UBJSON, ONNX.
#pragma once

#include "config/error.h"
#include "control/lab/onnx_model.h"
#include "control/lab/train_convert.h"
#include "kernels/model/bundle.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
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

/// A model as the file has it, on the catalog's codes.
struct ParsedModel {
    std::vector<std::string> features;  ///< catalog names of its inputs, in order
    std::variant<FloatMlp, FloatForest> network;
    std::optional<InputNorm> norm;  ///< in front of the network
    bool probabilities = false;     ///< outputs are shares of votes rather than logits
};

/// Logits of one row in double.
void float_logits(const ParsedModel& model, const std::uint8_t* codes, double* logits);

struct Imported {
    kernels::Bundle bundle;      ///< without golden vectors, thresholds 0, uncalibrated
    double logit_per_raw = 0.0;  ///< float logit of one raw unit of the network's outputs
    double logit_error =
        0.0;  ///< |quantized − float| logit is at most this for any row and class; of an MLP while no
    ///< hidden value exceeds the largest of the calibration rows and, behind a Normalizer, no
    ///< quotient lies beyond theirs. Trees behind one may send a quotient next to a split the
    ///< other way: then the bound is what all trees can differ by
};

/// Reads a model on u8 codes (the NAME_code columns of `weir extract`), the format by its first bytes: XGBoost's JSON or
/// UBJSON of a gbtree of class `multi:softprob`, or what parse_onnx() takes. Its inputs are `options.features`, or what
/// the file calls its columns, with or without the ending _code. What the gateway has no network for is refused by name.
/// Thread: any; bounded by the number of bytes.
[[nodiscard]] Result<ParsedModel> parse_model(std::string_view bytes, const ImportOptions& options);

/// Quantizes. Thresholds of trees are exact, leaves are rounded. An MLP needs `calibration`: rows of codes, the model's
/// inputs each. Thread: any.
[[nodiscard]] Result<Imported> import_model(
    const ParsedModel& model,
    const ImportOptions& options,
    std::span<const std::uint8_t> calibration = {});

}  // namespace weir::lab
