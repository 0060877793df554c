// SPDX-License-Identifier: BSD-3-Clause
// Predicted cycles of a sequence network, from its shape. Fitted to measurements at batch 64 on two cores of a Zen 5
// server, one undisturbed, one that a neighbour slows down by a third: 80 shapes an ISA, each lowered both ways (least
// squares of the relative error). `./dev bench kernels` prints predicted against measured. The NEON row is not measured: the
// instructions that its loops take, two a cycle.
#include "kernels/sequence/cost.h"

#include "kernels/mlp/cost.h"
#include "kernels/sequence/variants.h"

#include <algorithm>
#include <array>

namespace weir::kernels {
namespace {

struct Costs {
    Isa isa;
    std::uint32_t lanes;       // channels a register
    std::uint32_t taps;        // codes a dot step
    std::uint32_t code_bytes;  // in scratch
    std::uint32_t tile;        // registers of a full tile
    std::uint32_t small_tile;  // rows of a small one
    double full_step;          // a register's dot step in a full tile
    double small_step;         // in a small one
    double tile_register;      // a register of accumulators made codes
    double small;              // a small tile, beside its steps
    double direct;             // a convolution's call for a row
    double margin;             // writing the padding of a row
    double expanded_step;      // as full_step
    double expanded_register;  // as tile_register
    double expanded;           // a convolution, a row
    double pool;               // per 16 bytes read
    double max;                // per 16 bytes read
    double average;            // per 16 bytes read
    double mean;               // per 16 bytes written
    double step_alone;         // arranging a step where there are fewer than 16
    double row;                // whatever remains
};

constexpr std::array kCosts{
    // clang-format off
    Costs{Isa::avx2, 8, 2, 2, 8, 2,
          0.66, 0.75, 1.5, 5.5, 19.6, 9.0, 0.68, 2.2, 3.7, 3.6, 1.5, 1.5, 3.3, 1.0, 0.0},
    Costs{Isa::avx512, 16, 2, 2, 16, 2,
          0.61, 0.91, 1.4, 12.1, 18.0, 7.4, 0.61, 1.6, 8.6, 3.5, 1.3, 1.6, 2.6, 1.4, 0.4},
    Costs{Isa::avx512_vnni, 16, 4, 1, 16, 4,
          0.49, 0.55, 0.9, 6.3, 23.3, 5.7, 0.51, 0.9, 8.7, 3.3, 1.7, 2.5, 3.8, 2.0, 0.0},
    Costs{Isa::neon_dotprod, 4, 4, 1, 16, 4,
          1.0, 1.0, 3.6, 10.0, 40.0, 12.0, 1.0, 3.6, 8.0, 6.0, 2.5, 5.0, 25.0, 6.0, 60.0},
    // clang-format on
};

// Plain code, beside its dense layers.
struct ScalarCosts {
    double product = 1.75;
    double code = 14;
};

std::uint32_t parts(std::uint32_t whole, std::uint32_t part) noexcept {
    return (whole + part - 1) / part;
}

// The vector variant that would run, if any: the ISA's own, or the best below it on the same architecture.
const Costs* costs_of(Isa isa) noexcept {
    const Costs* best = nullptr;
    for (const Costs& costs : kCosts) {
        if (costs.isa <= isa && (costs.isa == isa || isa != Isa::neon_dotprod)) {
            best = &costs;
        }
    }
    return best;
}

double pooling_cycles(
    const SequenceSpec& spec, std::uint32_t positions, std::uint32_t sixteens, const Costs& c) {
    switch (spec.pooling) {
        case SequencePooling::flatten:
            return 0;
        case SequencePooling::max:
            return c.max * positions * sixteens;
        case SequencePooling::average:
            return (c.average * positions + c.mean) * sixteens;
    }
    return 0;
}

double dense_cycles(const SequenceSpec& spec, std::uint32_t flat, Isa isa) noexcept {
    double cycles = 0;
    for (std::size_t i = 0; i < spec.dense.size(); ++i) {
        const bool last = i + 1 == spec.dense.size();
        cycles +=
            dense_layer_cycles(i == 0 ? flat : spec.dense[i].in, spec.dense[i].out, last, isa);
    }
    return cycles;
}

double scalar_cycles(const SequenceSpec& spec, Isa isa) noexcept {
    constexpr ScalarCosts kScalar;
    double cycles = 0;
    std::uint32_t positions = spec.steps;
    for (const Convolution& layer : spec.convolutions) {
        const double products = layer.kernel * layer.in;
        cycles +=
            layer.convolved(positions) * layer.out * (products * kScalar.product + kScalar.code);
        positions = layer.pooled(positions);
    }
    return cycles + dense_cycles(spec, spec.dense.front().in, isa);
}

double vector_cycles(const SequenceSpec& spec, const Costs& costs) noexcept {
    double cycles = costs.row;
    if (spec.steps < kSequenceMaxSteps) {
        cycles += costs.step_alone * spec.steps;
    }
    std::uint32_t positions = spec.steps;
    std::uint32_t channels = kSequenceChannels;
    std::uint32_t sixteens = 0;
    for (const Convolution& layer : spec.convolutions) {
        cycles += std::min(
            direct_cycles(layer, positions, channels, costs.isa),
            expanded_cycles(layer, positions, channels, costs.isa));
        channels = padded_channels(layer.out, costs.lanes);
        sixteens = channels * costs.code_bytes / 16;
        positions = layer.pooled(positions);
        if (layer.pool > 1) {
            // Where a position is whole registers of 32 bytes, two at once.
            const std::uint32_t reads = sixteens % 2 == 0 ? sixteens / 2 : sixteens;
            cycles += costs.pool * positions * layer.pool * reads;
        }
    }
    const bool flatten = spec.pooling == SequencePooling::flatten;
    return cycles + pooling_cycles(spec, positions, sixteens, costs) +
           dense_cycles(spec, flatten ? positions * channels : channels, costs.isa);
}

}  // namespace

std::uint32_t padded_channels(std::uint32_t channels, std::uint32_t lanes) noexcept {
    const std::uint32_t registers = parts(channels, lanes);
    const bool fill_bytes = lanes >= 8;
    return lanes * (registers <= 2 && fill_bytes ? registers : parts(registers, 4) * 4);
}

std::uint32_t patches_to_run(std::uint32_t positions, std::uint32_t full) noexcept {
    return positions % full > full / 2 ? parts(positions, full) * full : positions;
}

double direct_cycles(
    const Convolution& layer, std::uint32_t given, std::uint32_t channels, Isa isa) noexcept {
    const Costs& c = *costs_of(isa);
    const std::uint32_t registers = padded_channels(layer.out, c.lanes) / c.lanes;
    const std::uint32_t full = c.tile / std::min(registers, 4U);
    const std::uint32_t run = patches_to_run(layer.convolved(given), full);
    const double small_tiles = parts(run % full, c.small_tile);
    const double full_registers = run / full * full * registers;
    const double small_registers = small_tiles * c.small_tile * registers;
    const std::uint32_t steps = parts(layer.kernel * channels, c.taps);
    return c.direct + (layer.padding != 0 ? c.margin : 0) + small_tiles * c.small +
           steps * (full_registers * c.full_step + small_registers * c.small_step) +
           (full_registers + small_registers) * c.tile_register;
}

double expanded_cycles(
    const Convolution& layer, std::uint32_t given, std::uint32_t channels, Isa isa) noexcept {
    const Costs& c = *costs_of(isa);
    const double registers =
        layer.convolved(given) * (padded_channels(layer.out, c.lanes) / c.lanes);
    return c.expanded +
           registers * (parts(given * channels, c.taps) * c.expanded_step + c.expanded_register);
}

double sequence_cycles_per_row(const SequenceSpec& spec, Isa isa) noexcept {
    const Costs* const costs = costs_of(isa);
    return costs == nullptr ? scalar_cycles(spec, isa) : vector_cycles(spec, *costs);
}

}  // namespace weir::kernels
