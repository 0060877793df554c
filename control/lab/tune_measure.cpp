// SPDX-License-Identifier: BSD-3-Clause
// What a trial's model costs on this machine.
#include "control/lab/tune.h"
#include "kernels/classifier.h"
#include "kernels/head/head.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>

namespace weir::lab {
namespace {

constexpr std::size_t kAlign = 64;
constexpr std::uint32_t kBlocks = 8;  ///< that are scored in turn
constexpr int kRounds = 200;

/// kBlocks blocks of rows spread over the table, in the bundle's columns.
std::vector<std::uint8_t> rows_of(const kernels::Bundle& bundle, const FeatureTable& table) {
    std::vector<std::size_t> columns;
    for (const auto& input : bundle.inputs) {
        columns.push_back(static_cast<std::size_t>(
            std::find(table.features.begin(), table.features.end(), input.feature) -
            table.features.begin()));
    }
    std::vector<std::uint8_t> codes;
    for (std::uint64_t i = 0; i < std::uint64_t{kBlocks} * kTuneRows; ++i) {
        const auto row =
            table.row(static_cast<std::uint32_t>(i * table.rows() / (kBlocks * kTuneRows)));
        for (const std::size_t c : columns) {
            codes.push_back(row[c]);
        }
    }
    return codes;
}

}  // namespace

Result<double> measured_ns_per_row(const kernels::Bundle& bundle, const FeatureTable& table) {
    const auto classifier = kernels::make_classifier(bundle.network);
    if (!classifier) {
        return tl::unexpected(classifier.error());
    }
    const std::size_t inputs = bundle.inputs.size();
    const std::uint32_t outputs = (*classifier)->outputs();
    const auto codes = rows_of(bundle, table);
    std::vector<std::byte> memory((*classifier)->scratch_bytes() + kAlign);
    void* scratch = memory.data();
    std::size_t space = memory.size();
    std::align(kAlign, memory.size() - kAlign, scratch, space);
    std::vector<std::int32_t> raw(std::size_t{kTuneRows} * outputs);
    std::vector<kernels::HeadVerdict> verdicts(kTuneRows);
    double best = std::numeric_limits<double>::max();
    for (int round = 0; round < kRounds; ++round) {
        const auto begin = std::chrono::steady_clock::now();
        for (std::uint32_t block = 0; block < kBlocks; ++block) {
            (*classifier)
                ->score(
                    codes.data() + std::size_t{block} * kTuneRows * inputs,
                    inputs,
                    kTuneRows,
                    raw.data(),
                    static_cast<std::byte*>(scratch));
            kernels::apply_head(
                bundle.head,
                raw.data(),
                outputs,
                kTuneRows,
                bundle.benign_class(),
                verdicts.data());
        }
        const std::chrono::duration<double, std::nano> spent =
            std::chrono::steady_clock::now() - begin;
        best = std::min(best, spent.count() / (kBlocks * kTuneRows));
    }
    return best;
}

}  // namespace weir::lab
