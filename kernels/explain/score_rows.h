// SPDX-License-Identifier: BSD-3-Clause
// Rows through a classifier off the packet path, however many.
#pragma once

#include "kernels/classifier.h"

#include <cstdint>
#include <span>
#include <vector>

namespace weir::kernels {

/// Raw outputs of rows that lie one behind the other: rows × outputs(). Thread: any; allocates.
[[nodiscard]] std::vector<std::int32_t> raw_of_rows(
    const Classifier& classifier, std::span<const std::uint8_t> rows);

/// Σ weights[o]·raw[o] of each row.
[[nodiscard]] std::vector<std::int64_t> score_rows(
    const Classifier& classifier,
    std::span<const std::uint8_t> rows,
    std::span<const std::int32_t> weights);

}  // namespace weir::kernels
