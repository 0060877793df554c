// SPDX-License-Identifier: BSD-3-Clause
// An MLP as oneDNN int8 inner products: what a user would link instead, and the yardstick of the benchmark.
#pragma once

#include "kernels/mlp/mlp.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace weir::perf {

/// One batch size of one network: primitives, weights and scratch are made once, run() only executes.
/// Requantization rounds to nearest where ours shifts, so answers agree closely, not bit for bit.
/// Thread: one at a time. Throws dnnl::error.
class OnednnMlp {
  public:
    OnednnMlp(const kernels::MlpSpec& spec, std::uint32_t rows);
    ~OnednnMlp();
    OnednnMlp(const OnednnMlp&) = delete;
    OnednnMlp& operator=(const OnednnMlp&) = delete;

    /// The input buffer: rows × inputs u8, row-major.
    [[nodiscard]] std::uint8_t* input() noexcept;
    /// The output buffer: rows × outputs f32, row-major; the scaled sums before rounding.
    [[nodiscard]] const float* output() const noexcept;
    void run();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace weir::perf
