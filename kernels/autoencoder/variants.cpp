// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/autoencoder/variants.h"

#include "kernels/autoencoder/quads.h"
#include "kernels/variant_table.h"

#include <array>

namespace weir::kernels {
namespace {

using AutoencoderVariant = Variant<const AutoencoderSpec&>;

constexpr std::array kVariants {
    AutoencoderVariant{Isa::scalar, make_autoencoder_reference},
#if defined(__x86_64__)
        AutoencoderVariant{Isa::avx2, make_autoencoder_avx2},
        AutoencoderVariant{Isa::avx512, make_autoencoder_avx512},
        AutoencoderVariant{Isa::avx512_vnni, make_autoencoder_avx512_vnni},
#elif defined(__aarch64__)
        AutoencoderVariant{Isa::neon_dotprod, make_autoencoder_neon_dotprod},
#endif
};

constexpr auto kIsas = isas_of(kVariants);

// Predicted cycles, from the shape. Fitted to measurements at batch 64 on an undisturbed core of a Zen 5 server, 60
// shapes an ISA (non-negative least squares of the relative error). `./dev bench kernels` prints predicted against measured.
// The NEON row is not measured: the instructions that its loops take, two a cycle.
struct Costs {
    Isa isa;
    std::uint32_t lanes;  // neurons a register
    std::uint32_t taps;   // inputs a dot step
    std::uint32_t words;  // inputs a step of the error
    double step;          // a register's dot step
    double codes;         // a register of neurons made codes
    double error;         // copying a step's inputs, and their errors
    double row;           // whatever remains
};

constexpr std::array kCosts{
    Costs{Isa::scalar, 1, 1, 1, 1.43, 6.9, 0.0, 11.2},
    Costs{Isa::avx2, 8, 2, 16, 0.65, 0.8, 5.5, 8.1},
    Costs{Isa::avx512, 16, 2, 32, 0.58, 1.2, 5.2, 12.2},
    Costs{Isa::neon_dotprod, 4, 4, 16, 1.0, 2.8, 13.0, 28.0},
};

// Four rows a register: what a block of 16 neurons takes for each row.
struct QuadCosts {
    double dot = 0.092;    // of one accumulator
    double step = 0.111;   // what its accumulators share
    double group = 0.183;  // an accumulator made codes
    double error = 1.7;    // 16 inputs
    double row = 3.9;      // whatever remains
};

std::uint32_t parts(std::uint32_t whole, std::uint32_t part) noexcept {
    return (whole + part - 1) / part;
}

// The variant that would run: the ISA's own, or the best below it on the same architecture.
const Costs& costs_of(Isa isa) noexcept {
    const Costs* best = &kCosts.front();
    for (const Costs& costs : kCosts) {
        if (costs.isa <= isa && (costs.isa == isa || isa != Isa::neon_dotprod)) {
            best = &costs;
        }
    }
    return *best;
}

double quad_cycles(const AutoencoderSpec& spec) noexcept {
    constexpr QuadCosts kQuad;
    double cycles = kQuad.row + kQuad.error * parts(spec.inputs(), kQuadCodes);
    for (const MlpLayer& layer : spec.layers) {
        const double steps = quad_steps(layer.in);
        for (std::uint32_t first = 0; first < layer.out; first += kQuadCodes) {
            const double groups = quad_groups(layer.out - first);
            cycles += steps * (groups * kQuad.dot + kQuad.step) + groups * kQuad.group;
        }
    }
    return cycles;
}

}  // namespace

std::span<const Isa> autoencoder_isas() noexcept {
    return kIsas;
}

std::unique_ptr<Classifier> make_autoencoder_classifier(const AutoencoderSpec& spec, Isa isa) {
    return make_variant(kVariants, isa, spec);
}

double autoencoder_cycles_per_row(const AutoencoderSpec& spec, Isa isa) noexcept {
    if (isa == Isa::avx512_vnni || isa == Isa::avx512_gfni) {
        return quad_cycles(spec);
    }
    const Costs& costs = costs_of(isa);
    double cycles = costs.row + costs.error * parts(spec.inputs(), costs.words);
    for (const MlpLayer& layer : spec.layers) {
        cycles += parts(layer.out, costs.lanes) *
                  (parts(layer.in, costs.taps) * costs.step + costs.codes);
    }
    return cycles;
}

}  // namespace weir::kernels
