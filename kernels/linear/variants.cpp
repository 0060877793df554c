// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/linear/variants.h"

#include "kernels/mlp/cost.h"
#include "kernels/mlp/variants.h"

#include <array>

namespace weir::kernels {
namespace {

// Predicted cycles, from the shape: one layer alone, where the MLP's figures are those of a layer among others. Fitted
// to measurements at batch 64 on an undisturbed core of a Zen 5 server: 60 shapes an ISA (non-negative least squares of
// the relative error). `./dev bench kernels` prints predicted against measured.
struct Costs {
    Isa isa;
    std::uint32_t lanes;  // outputs a register
    std::uint32_t taps;   // inputs a dot step
    std::uint32_t
        copied;   // inputs copied at once; 1: a row of any length, where its last step is not full
    double step;  // a register's dot step beside another register
    double step_alone;  // without
    double output;      // a register made raw outputs
    double copy;        // each of the copies
    double row;         // whatever remains
};

constexpr std::array kCosts{
    Costs{Isa::scalar, 1, 1, 16, 1.57, 1.57, 0.0, 0.0, 6.2},
    Costs{Isa::avx2, 8, 2, 16, 0.63, 0.69, 1.8, 0.3, 3.1},
    Costs{Isa::avx512, 16, 2, 32, 0.57, 0.58, 1.6, 1.8, 2.8},
    Costs{Isa::avx512_vnni, 16, 4, 1, 0.51, 0.56, 1.5, 1.5, 0.0},
};

std::uint32_t parts(std::uint32_t whole, std::uint32_t part) noexcept {
    return (whole + part - 1) / part;
}

}  // namespace

std::span<const Isa> linear_isas() noexcept {
    return mlp_isas();
}

std::unique_ptr<Classifier> make_linear_classifier(const LinearSpec& spec, Isa isa) {
    return make_mlp_classifier(MlpSpec{{spec.layer}}, isa);
}

double linear_cycles_per_row(const LinearSpec& spec, Isa isa) noexcept {
    if (isa == Isa::neon_dotprod) {  // not measured: the MLP's estimate
        return dense_call_cycles(spec.inputs(), isa) +
               dense_layer_cycles(spec.inputs(), spec.outputs(), true, isa);
    }
    const Costs* costs = &kCosts.front();
    for (const Costs& of_isa : kCosts) {
        if (of_isa.isa <= isa) {
            costs = &of_isa;
        }
    }
    const std::uint32_t registers = parts(spec.outputs(), costs->lanes);
    const std::uint32_t alone = registers % 2;
    const std::uint32_t copies =
        costs->copied != 1 ? parts(spec.inputs(), costs->copied) : spec.inputs() % costs->taps != 0;
    return costs->row + costs->copy * copies + costs->output * registers +
           parts(spec.inputs(), costs->taps) *
               ((registers - alone) * costs->step + alone * costs->step_alone);
}

}  // namespace weir::kernels
