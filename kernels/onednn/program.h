// SPDX-License-Identifier: BSD-3-Clause
// A network's layers as oneDNN primitives, for each batch size that calls are cut into.
#pragma once

#include "kernels/onednn/variants.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include <oneapi/dnnl/dnnl.hpp>

namespace weir::kernels {

/// One thread for everything that oneDNN does on this thread within a scope, also for how it plans primitives.
class OneThread {
  public:
    OneThread() noexcept;
    ~OneThread();
    OneThread(const OneThread&) = delete;
    OneThread& operator=(const OneThread&) = delete;

  private:
    int before_;
};

/// One layer at one batch size: y = x·weights. int8: u8 rows to s32 sums; f32: bias and ReLU included.
struct OnednnStep {
    dnnl::inner_product_forward primitive;
    dnnl::memory::desc source;
    dnnl::memory::desc target;
    dnnl::memory::desc scratchpad;
    dnnl::memory weights;
    dnnl::memory bias;  ///< empty for int8
};

struct OnednnBatch {
    std::uint32_t rows = 0;
    std::vector<OnednnStep> steps;
};

/// Immutable once built. Movable.
struct OnednnProgram {
    dnnl::engine engine;
    std::vector<OnednnBatch> batches;  ///< ascending by rows
    std::uint32_t widest = 0;          ///< values of the widest layer's row, the input's among them
    std::size_t scratchpad_bytes = 0;  ///< of the neediest step
};

/// Largest batch that keeps activations in a few hundred KiB comes last. Needs validate(spec). Throws dnnl::error.
[[nodiscard]] OnednnProgram build_onednn_program(const OnednnSpec& spec);

/// Memory objects for one call at a time: they hold the addresses of the buffers in use. Throws dnnl::error.
class OnednnSlot {
  public:
    explicit OnednnSlot(const OnednnProgram& program);

    /// Runs step `step` of batch `batch`; false where oneDNN reports failure. Thread: one at a time.
    [[nodiscard]] bool run(
        std::size_t batch,
        std::size_t step,
        const void* source,
        void* target,
        void* scratchpad) noexcept;

  private:
    struct Call {
        const dnnl::inner_product_forward* primitive;
        dnnl::memory source;
        dnnl::memory target;
        dnnl::memory scratchpad;
        bool needs_scratchpad;
        std::vector<dnnl_exec_arg_t> arguments;
    };
    dnnl::stream stream_;
    std::vector<std::vector<Call>> calls_;  // [batch][step]
};

}  // namespace weir::kernels
