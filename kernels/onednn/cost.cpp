// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/onednn/variants.h"

namespace weir::kernels {
namespace {

struct Costs {
    double product;  // a multiply-add
    double layer;    // what oneDNN takes to start one, shared by the rows
};

template <typename Layer>
double cycles_of(const std::vector<Layer>& layers, const Costs& costs) noexcept {
    double cycles = 0;
    for (const Layer& layer : layers) {
        cycles += costs.product * layer.in * layer.out + costs.layer;
    }
    return cycles;
}

}  // namespace

// Measured at batch 64 on Zen 5.
double onednn_cycles_per_row(const OnednnSpec& spec, Isa isa) noexcept {
    constexpr Costs kScalar{1.75, 5};
    constexpr Costs kInt8{1.0 / 105, 45};
    constexpr Costs kF32{1.0 / 30, 90};
    const bool scalar = isa == Isa::scalar;
    if (const auto* int8 = std::get_if<OnednnInt8>(&spec.network)) {
        return cycles_of(int8->layers, scalar ? kScalar : kInt8);
    }
    const auto* f32 = std::get_if<OnednnF32>(&spec.network);
    return f32 == nullptr ? 0 : cycles_of(f32->layers, scalar ? kScalar : kF32);
}

}  // namespace weir::kernels
