// SPDX-License-Identifier: BSD-3-Clause
// Gradient boosted trees on u8 codes through XGBoost's C library.
#pragma once

#include "config/error.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weir::lab {

/// Rows of u8 codes, row-major, with a class and a weight each.
struct CodeMatrix {
    std::uint32_t columns = 0;
    std::vector<std::uint8_t> codes;    ///< rows × columns
    std::vector<std::uint32_t> labels;  ///< class per row; empty for prediction only
    std::vector<float> weights;         ///< per row, ≥ 0; empty = all 1

    [[nodiscard]] std::uint32_t rows() const noexcept {
        return columns == 0 ? 0 : static_cast<std::uint32_t>(codes.size() / columns);
    }
};

struct BoostOptions {
    std::uint32_t classes = 0;
    std::uint32_t rounds = 10;  ///< trees a class
    std::uint32_t depth = 6;
    std::uint32_t bins = 64;  ///< distinct thresholds a feature, at most
    double learning_rate = 0.35;
    double l2 = 1.0;
    double min_child_weight = 2.0;
    double min_split_gain = 0.0;
    double column_share = 1.0;  ///< share of the features, drawn anew, that a split may choose from
    std::uint64_t seed = 1;
    /// Above 1: a bagged round of so many trees a class, each on a draw of `row_share` of the rows.
    std::uint32_t parallel_trees = 1;
    double row_share = 0.632;
};

/// A trained multi-class ensemble (softmax over classes). One thread trains it: the same table, options and library
/// give the same bits on every machine.
class Booster {
  public:
    /// Trains `options.rounds` rounds. Fails where the library does, with its own words.
    [[nodiscard]] static Result<Booster> train(const CodeMatrix& data, const BoostOptions& options);
    ~Booster();
    Booster(Booster&&) noexcept;
    Booster& operator=(Booster&&) noexcept;

    /// Margins (logits) after the first `rounds` rounds (0 = all): rows × classes.
    [[nodiscard]] Result<std::vector<float>> margins(
        const CodeMatrix& data, std::uint32_t rounds = 0) const;
    /// Summed loss reduction per column.
    [[nodiscard]] Result<std::vector<double>> gains(std::uint32_t columns) const;
    /// The model as XGBoost's JSON.
    [[nodiscard]] Result<std::string> json() const;

  private:
    struct Impl;
    explicit Booster(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::lab
