// SPDX-License-Identifier: BSD-3-Clause
// MLP specs and rows for tests: random, extreme, and of every shape.
#pragma once

#include "kernels/mlp/mlp.h"

#include <cstdint>
#include <random>
#include <vector>

namespace weir::testing {

enum class Values {
    random,   ///< everything drawn evenly
    trained,  ///< as quantization leaves them: small weights, activations in range
    highest,  ///< every product as large as it gets
    lowest,   ///< every product as small as it gets
    mixed     ///< ±127 and end values at random: saturates wherever a kernel could
};

inline constexpr Values kAllValues[] = {
    Values::random, Values::trained, Values::highest, Values::lowest, Values::mixed};

inline kernels::MlpSpec make_spec(
    const std::vector<std::uint32_t>& widths, Values values, std::mt19937& random) {
    const auto draw = [&](int low, int high) {
        return std::uniform_int_distribution<int>(low, high)(random);
    };
    kernels::MlpSpec spec;
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
        kernels::MlpLayer layer;
        layer.in = widths[i];
        layer.out = widths[i + 1];
        const bool coin = draw(0, 1) != 0;
        layer.shift = static_cast<std::uint8_t>(
            values == Values::random    ? draw(0, 16)
            : values == Values::trained ? draw(4, 7)
                                        : (coin ? 0 : 10));
        for (std::uint32_t n = 0; n < layer.in * layer.out; ++n) {
            const int weight = values == Values::random    ? draw(-127, 127)
                               : values == Values::trained ? (draw(-60, 60) + draw(-60, 60)) / 2
                               : values == Values::highest ? 127
                               : values == Values::lowest  ? -127
                                                           : (draw(0, 1) != 0 ? 127 : -127);
            layer.weights.push_back(static_cast<std::int8_t>(weight));
        }
        for (std::uint32_t n = 0; n < layer.out; ++n) {
            const int end = draw(0, 1) != 0 ? 1 << 24 : -(1 << 24);
            layer.bias.push_back(
                values == Values::random    ? draw(-(1 << 24), 1 << 24)
                : values == Values::trained ? draw(-4000, 4000)
                : values == Values::highest ? 1 << 24
                : values == Values::lowest  ? -(1 << 24)
                                            : end);
            layer.multiplier.push_back(static_cast<std::int16_t>(
                values == Values::random    ? draw(0, 32767)
                : values == Values::trained ? draw(800, 6000)
                : values == Values::mixed   ? (draw(0, 1) != 0 ? 32767 : draw(0, 2))
                                            : 32767));
        }
        spec.layers.push_back(std::move(layer));
    }
    return spec;
}

inline std::uint8_t make_code(Values values, std::mt19937& random) {
    switch (values) {
        case Values::highest:
        case Values::lowest:
            return 255;
        case Values::mixed:
            return (random() & 1U) != 0 ? 255 : static_cast<std::uint8_t>(random() & 1U);
        default:
            return static_cast<std::uint8_t>(random());
    }
}

}  // namespace weir::testing
