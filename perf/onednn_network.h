// SPDX-License-Identifier: BSD-3-Clause
// Int8 networks as oneDNN primitives: what a user would link instead, and the yardstick of the benchmark.
#pragma once

#include "kernels/autoencoder/autoencoder.h"
#include "kernels/sequence/sequence.h"

#include <cstdint>
#include <memory>
#include <span>

namespace weir::perf {

/// One batch size of one network: primitives, weights and scratch are made once, run() only executes.
/// Requantization rounds to nearest where ours shifts, so answers agree closely, not bit for bit.
/// Thread: one at a time. Throws dnnl::error.
class OnednnNetwork {
  public:
    /// Inner products; the outputs are scaled f32 sums.
    OnednnNetwork(std::span<const kernels::MlpLayer> layers, std::uint32_t rows);
    /// Inner products, outputs as u8 codes, then the weighted squared error of a row in plain vectorized code.
    OnednnNetwork(const kernels::AutoencoderSpec& spec, std::uint32_t rows);
    /// Convolutions and poolings, then inner products. The input is the padded positions × channels that they read.
    OnednnNetwork(const kernels::SequenceSpec& spec, std::uint32_t rows);
    ~OnednnNetwork();
    OnednnNetwork(const OnednnNetwork&) = delete;
    OnednnNetwork& operator=(const OnednnNetwork&) = delete;

    /// Takes rows of codes as our kernels do, rows × inputs, into the layout that run() reads; not part of run().
    void set_rows(const std::uint8_t* codes);
    void run();
    /// Rows × outputs, row-major, in units of our raw outputs.
    [[nodiscard]] std::span<const float> output() const noexcept;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace weir::perf
