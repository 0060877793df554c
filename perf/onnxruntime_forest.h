// SPDX-License-Identifier: BSD-3-Clause
// A forest as an ONNX TreeEnsembleRegressor, run by ONNX Runtime's C interface on float rows.
// Built only with -Donnxruntime=FOLDER.
#pragma once

#include "kernels/forest/forest.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace weir::perf {

class OnnxRuntimeForest {
  public:
    /// One thread, all graph optimizations. The leaves are the quantized ones. Throws std::runtime_error.
    explicit OnnxRuntimeForest(const kernels::ForestSpec& spec);
    ~OnnxRuntimeForest();
    OnnxRuntimeForest(const OnnxRuntimeForest&) = delete;
    OnnxRuntimeForest& operator=(const OnnxRuntimeForest&) = delete;

    /// The rows that run() reads, row-major: they must outlive it.
    void set_rows(const float* values, std::size_t rows);
    void run();
    /// Rows × outputs of the last run(), in units of our raw outputs.
    [[nodiscard]] std::span<const float> output() const noexcept;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace weir::perf
