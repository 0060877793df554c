// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/mlp/pack.h"

#include <algorithm>
#include <cstring>

namespace weir::kernels {
namespace {

constexpr std::uint32_t kLanesOfWords =
    4;  // neurons that a 128-bit part of a packing step takes of each register

std::size_t register_bytes(const MlpPackShape& shape) {
    return std::size_t{shape.lanes} * sizeof(std::int32_t);
}

std::uint32_t multiplier_registers(std::uint32_t groups) {
    return groups == 4 ? 2 : 1;
}

struct UnitSizes {
    std::size_t bias;
    std::size_t multiplier;
    std::size_t weights;
    [[nodiscard]] std::size_t total() const { return bias + multiplier + weights; }
};

UnitSizes unit_sizes(const MlpPackShape& shape, std::uint32_t groups, std::uint32_t steps) {
    const std::size_t reg = register_bytes(shape);
    const std::size_t padded_steps =
        (std::size_t{steps} + 3) / 4 * 4;  // tiles take up to 4 at once
    return {groups * reg, multiplier_registers(groups) * reg, padded_steps * groups * reg};
}

// Widest units first, so a layer has at most one unit of 2 and one of 1.
std::vector<MlpUnit> split(std::uint32_t neurons, std::uint32_t lanes) {
    std::vector<MlpUnit> units;
    std::uint32_t groups = (neurons + lanes - 1) / lanes;
    std::uint32_t first = 0;
    while (groups > 0) {
        const std::uint32_t take = groups >= 4 ? 4 : groups >= 2 ? 2 : 1;
        MlpUnit unit;
        unit.first = first;
        unit.groups = take;
        units.push_back(unit);
        first += take * lanes;
        groups -= take;
    }
    return units;
}

template <typename T>
void put(std::byte* to, std::size_t index, T value) {
    std::memcpy(to + index * sizeof(T), &value, sizeof(T));
}

std::int32_t weight_sum(const MlpLayer& layer, std::uint32_t neuron) {
    std::int32_t sum = 0;
    for (std::uint32_t k = 0; k < layer.in; ++k) {
        sum += layer.weights[std::size_t{neuron} * layer.in + k];
    }
    return sum;
}

}  // namespace

MlpPacked::MlpPacked(const MlpSpec& spec, const MlpPackShape& shape) : inputs_(spec.inputs()) {
    std::size_t bytes = 0;
    for (const MlpLayer& layer : spec.layers) {
        MlpPackedLayer packed;
        packed.steps = (layer.in + shape.taps - 1) / shape.taps;
        packed.out = layer.out;
        packed.shift = layer.shift;
        packed.units = split(layer.out, shape.lanes);
        for (const MlpUnit& unit : packed.units) {
            bytes += unit_sizes(shape, unit.groups, packed.steps).total();
        }
        layers_.push_back(std::move(packed));
    }
    arena_.resize((bytes + sizeof(Line) - 1) / sizeof(Line));
    auto* to = reinterpret_cast<std::byte*>(arena_.data());
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        for (MlpUnit& unit : layers_[i].units) {
            const UnitSizes sizes = unit_sizes(shape, unit.groups, layers_[i].steps);
            unit.bias = to;
            unit.multiplier = unit.bias + sizes.bias;
            unit.weights = unit.multiplier + sizes.multiplier;
            pack_unit(spec.layers[i], shape, unit, to);
            to += sizes.total();
        }
    }
}

void MlpPacked::pack_unit(
    const MlpLayer& layer, const MlpPackShape& shape, const MlpUnit& unit, std::byte* to) const {
    const std::uint32_t steps = (layer.in + shape.taps - 1) / shape.taps;
    const UnitSizes sizes = unit_sizes(shape, unit.groups, steps);
    std::byte* multipliers = to + sizes.bias;
    std::byte* weights = multipliers + sizes.multiplier;
    const std::uint32_t count = std::min(unit.groups * shape.lanes, layer.out - unit.first);
    // Neurons that fill at most half a register stand in both halves, so that two rows may share one.
    const std::uint32_t half_lanes = shape.lanes / 2;
    const std::uint32_t slots = count <= half_lanes ? half_lanes + count : count;
    for (std::uint32_t n = 0; n < slots; ++n) {
        if (n >= count && n < half_lanes) {
            continue;
        }
        const std::uint32_t neuron = unit.first + (n < count ? n : n - half_lanes);
        const std::uint32_t group = n / shape.lanes;
        const std::uint32_t lane = n % shape.lanes;
        put(to, n, layer.bias[neuron] + shape.code_offset * weight_sum(layer, neuron));

        // Packing two registers of s32 puts 4 words of the first beside 4 of the second in each 128-bit part.
        // A unit of one group packs with itself: its multipliers stand in both places.
        for (std::uint32_t half = 0; half < (unit.groups == 1 ? 2U : 1U); ++half) {
            const std::uint32_t pair = group / 2;
            const std::uint32_t side = unit.groups == 1 ? half : group % 2;
            const std::uint32_t word = pair * shape.lanes * 2 +
                                       lane / kLanesOfWords * 2 * kLanesOfWords +
                                       side * kLanesOfWords + lane % kLanesOfWords;
            put(multipliers, word, layer.multiplier[neuron]);
        }
        for (std::uint32_t k = 0; k < layer.in; ++k) {
            const std::int8_t weight = layer.weights[std::size_t{neuron} * layer.in + k];
            const std::size_t at =
                ((std::size_t{k / shape.taps} * unit.groups + group) * shape.lanes + lane) *
                    shape.taps +
                k % shape.taps;
            if (shape.tap_bytes == 1) {
                put(weights, at, weight);
            } else {
                put(weights, at, std::int16_t{weight});
            }
        }
    }
}

}  // namespace weir::kernels
