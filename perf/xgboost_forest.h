// SPDX-License-Identifier: BSD-3-Clause
// XGBoost's C library as the yardstick: an ensemble trained on made-up rows, and its prediction of float rows in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::perf {

/// Library parameters by name; see XGBoost's documentation.
using XgboostParameters = std::vector<std::pair<std::string, std::string>>;

class XgboostForest {
  public:
    /// Trains `rounds` rounds on rows × columns floats with a label each. Fails by throwing std::runtime_error.
    XgboostForest(
        const XgboostParameters& parameters,
        int rounds,
        const std::vector<float>& values,
        std::size_t columns,
        const std::vector<float>& labels);
    ~XgboostForest();
    XgboostForest(const XgboostForest&) = delete;
    XgboostForest& operator=(const XgboostForest&) = delete;

    /// The rows that predict() reads: they must outlive it.
    void set_rows(const float* values, std::size_t rows, std::size_t columns);
    /// Margins of all rows, rows × outputs, valid until the next call. XGBoosterPredictFromDense: no matrix is built.
    const float* predict();
    /// The model in XGBoost's own JSON.
    [[nodiscard]] std::string json() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace weir::perf
