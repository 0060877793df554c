// SPDX-License-Identifier: BSD-3-Clause
// A forest as compiled if-else C on float rows: what a user without a library would write, or have generated.
#pragma once

#include "kernels/forest/forest.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::perf {

/// A function a tree, compiled by the machine's C compiler with -O3 and loaded.
/// The leaves are the quantized ones, so answers are equal to ours.
class IfElseForest {
  public:
    /// Takes a minute for tens of thousands of leaves. Throws std::runtime_error where the compiler fails.
    explicit IfElseForest(const kernels::ForestSpec& spec);
    ~IfElseForest();
    IfElseForest(const IfElseForest&) = delete;
    IfElseForest& operator=(const IfElseForest&) = delete;

    /// `rows`: row-major floats, `count` × inputs; to `out`, count × outputs.
    void score(const float* rows, std::size_t count, std::int32_t* out) const noexcept {
        score_(rows, count, out);
    }

  private:
    void* library_ = nullptr;
    void (*score_)(const float*, std::size_t, std::int32_t*) = nullptr;
};

}  // namespace weir::perf
