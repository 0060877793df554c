// SPDX-License-Identifier: BSD-3-Clause
// Predicted cycles of an MLP, from its shape. Fitted to measurements at batch 64 on an undisturbed core of a Zen 5
// server, 60 shapes an ISA (non-negative least squares of the relative error); `./dev bench kernels` prints predicted against measured. The NEON row is not
// measured: the instructions it takes, two a cycle.
#include "kernels/mlp/cost.h"

#include "kernels/mlp/variants.h"

#include <array>

namespace weir::kernels {
namespace {

struct Costs {
    Isa isa;
    std::uint32_t lanes;          // neurons a register
    std::uint32_t taps;           // inputs a dot step
    std::array<double, 3> step;   // a dot step, beside no, one or three more registers of neurons
    double hidden;                // a register of neurons made codes
    double output;                // a register of neurons made raw outputs
    std::uint32_t copied_inputs;  // inputs copied at once before the first layer; 0: none are
    double copy;                  // each of those copies
    double partial_step;          // rows whose last dot step is not full
    double row;                   // what a row takes beside
    double layer;                 // what a layer takes beside
};

constexpr std::array kCosts{
    Costs{Isa::scalar, 1, 1, {1.53, 1.53, 1.53}, 2.6, 2.8, 0, 0, 0, 30.0, 17.0},
    Costs{Isa::avx2, 8, 2, {0.60, 0.56, 0.64}, 1.9, 2.3, 16, 1.7, 0, 0.0, 0.1},
    Costs{Isa::avx512, 16, 2, {0.62, 0.57, 0.57}, 1.3, 1.8, 32, 2.2, 0, 1.0, 0.6},
    Costs{Isa::avx512_vnni, 16, 4, {0.58, 0.51, 0.49}, 0.7, 1.7, 0, 0, 1.2, 0.1, 0.1},
    Costs{Isa::neon_dotprod, 4, 4, {1.0, 1.0, 1.0}, 2.5, 2.5, 16, 1.0, 0, 8.0, 0.0},
};

std::uint32_t parts(std::uint32_t whole, std::uint32_t part) noexcept {
    return (whole + part - 1) / part;
}

double layer_cycles(std::uint32_t in, std::uint32_t out, bool last, const Costs& costs) noexcept {
    const std::uint32_t groups = parts(out, costs.lanes);
    const double by_fours = groups / 4 * 4;
    const double by_twos = groups % 4 / 2 * 2;
    const double alone = groups % 2;
    const double step = alone * costs.step[0] + by_twos * costs.step[1] + by_fours * costs.step[2];
    return parts(in, costs.taps) * step + (last ? costs.output : costs.hidden) * groups +
           costs.layer;
}

double call_cycles(std::uint32_t inputs, const Costs& costs) noexcept {
    double cycles = costs.row;
    if (costs.copied_inputs != 0) {
        cycles += costs.copy * parts(inputs, costs.copied_inputs);
    }
    if (inputs % costs.taps != 0) {
        cycles += costs.partial_step;
    }
    return cycles;
}

// The variant that would run: the ISA's own, or the best below it on the same architecture.
const Costs& costs_of(Isa isa) noexcept {
    if (isa == Isa::neon_dotprod) {
        return kCosts.back();
    }
    const Costs* best = &kCosts.front();
    for (const Costs& costs : kCosts) {
        if (costs.isa <= isa) {
            best = &costs;
        }
    }
    return *best;
}

}  // namespace

double dense_layer_cycles(std::uint32_t in, std::uint32_t out, bool last, Isa isa) noexcept {
    return layer_cycles(in, out, last, costs_of(isa));
}

double dense_call_cycles(std::uint32_t inputs, Isa isa) noexcept {
    return call_cycles(inputs, costs_of(isa));
}

double mlp_cycles_per_row(const MlpSpec& spec, Isa isa) noexcept {
    double cycles = dense_call_cycles(spec.inputs(), isa);
    for (std::size_t i = 0; i < spec.layers.size(); ++i) {
        const bool last = i + 1 == spec.layers.size();
        cycles += dense_layer_cycles(spec.layers[i].in, spec.layers[i].out, last, isa);
    }
    return cycles;
}

}  // namespace weir::kernels
