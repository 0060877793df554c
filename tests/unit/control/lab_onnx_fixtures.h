// SPDX-License-Identifier: BSD-3-Clause
// An ONNX model against its operators' definition, and its bundle against both, on 10,000 rows.
#pragma once

#include "control/lab/import.h"
#include "control/lab/import_cost.h"
#include "kernels/model/build.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace weir::lab {

inline constexpr std::uint32_t kRows = 10000;

inline ImportOptions options_for(std::size_t inputs) {
    const std::vector<std::string> names{
        "fwd_packets_code",
        "bwd_packets",
        "fwd_bytes",
        "bwd_bytes",
        "turns",
        "duration_us",
        "protocol",
        "bwd_payload_bytes"};
    ImportOptions options;
    options.slot = "anomaly";
    options.name = "mine";
    options.created_unix = 1;
    options.classes = {"benign", "scan", "flood"};
    options.features.assign(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(inputs));
    return options;
}

inline std::vector<std::uint8_t> random_codes(std::uint64_t seed, std::uint32_t columns) {
    std::mt19937_64 random(seed);
    std::vector<std::uint8_t> codes(std::size_t{kRows} * columns);
    for (auto& code : codes) {
        code = static_cast<std::uint8_t>(random() % 256);
    }
    return codes;
}

// Rows as a table of one flow each, labelled by the model itself with some noise.
inline FeatureTable table_of(
    const std::vector<std::uint8_t>& codes, const ParsedModel& model, std::uint32_t classes) {
    FeatureTable table;
    table.features = model.features;
    table.classes.resize(classes);
    table.codes = codes;
    std::mt19937_64 random(1);
    std::vector<double> logits(classes);
    for (std::uint32_t r = 0; r < kRows; ++r) {
        float_logits(model, codes.data() + std::size_t{r} * model.features.size(), logits.data());
        TableFlow flow;
        flow.label = random() % 5 == 0
                         ? static_cast<std::uint32_t>(random() % classes)
                         : static_cast<std::uint32_t>(
                               std::max_element(logits.begin(), logits.end()) - logits.begin());
        flow.first_row = r;
        flow.rows = 1;
        table.flows.push_back(flow);
        table.packets.push_back(1);
        table.flow_of.push_back(r);
    }
    return table;
}

using Answer = std::function<std::vector<double>(const std::uint8_t*)>;

/// What a bundle may lose on random rows, whose classes lie as close together as they can.
struct Faith {
    double agreement = 0.98;
    double macro_f1 = 0.003;
    double auc = 0.001;
};

// The parsed model equals the definition; the bundle stays within its stated bound and loses next to nothing.
inline void expect_faithful(
    const std::string& bytes,
    const ImportOptions& options,
    const Answer& answer,
    double most_bound,
    const Faith& faith = {}) {
    const auto model = parse_model(bytes, options);
    ASSERT_TRUE(model) << model.error().line();
    const auto columns = static_cast<std::uint32_t>(options.features.size());
    const auto codes = random_codes(8, columns);
    std::vector<double> logits(options.classes.size());
    for (std::uint32_t r = 0; r < kRows; ++r) {
        const std::uint8_t* row = codes.data() + std::size_t{r} * columns;
        float_logits(*model, row, logits.data());
        const auto theirs = answer(row);
        for (std::size_t c = 0; c < logits.size(); ++c) {
            ASSERT_NEAR(logits[c], theirs[c], 1e-5) << "row " << r << ", class " << c;
        }
    }
    const auto imported = import_model(*model, options, codes);
    ASSERT_TRUE(imported) << imported.error().line();
    const auto table = table_of(codes, *model, static_cast<std::uint32_t>(logits.size()));
    const auto cost = quantization_cost(
        table,
        imported->bundle,
        imported->logit_per_raw,
        [&](const std::uint8_t* row, double* out) { float_logits(*model, row, out); });
    ASSERT_TRUE(cost) << cost.error().line();
    EXPECT_EQ(cost->rows, kRows);
    EXPECT_LE(cost->worst_logit, imported->logit_error);
    EXPECT_LT(imported->logit_error, most_bound);
    EXPECT_GT(cost->agreement, faith.agreement);
    // The labels are the float model's own answers but for noise: every other answer counts against the bundle.
    EXPECT_NEAR(cost->macro_f1, cost->float_macro_f1, faith.macro_f1);
    EXPECT_NEAR(cost->auc, cost->float_auc, faith.auc);
    EXPECT_TRUE(kernels::build_bundle(imported->bundle, nullptr));
    std::printf(
        "agreement %.4f, logit moved by at most %.4f (bound %.4f), macro-F1 %.4f -> %.4f, AUC %.5f "
        "-> "
        "%.5f\n",
        cost->agreement,
        cost->worst_logit,
        imported->logit_error,
        cost->float_macro_f1,
        cost->macro_f1,
        cost->float_auc,
        cost->auc);
}

inline std::string refusal(const std::string& bytes, const ImportOptions& options) {
    const auto model = parse_model(bytes, options);
    return model ? "taken" : model.error().line();
}

}  // namespace weir::lab
