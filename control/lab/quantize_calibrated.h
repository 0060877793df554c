// SPDX-License-Identifier: BSD-3-Clause
// Within quantize(): a float network rounded with the help of calibration rows.
#pragma once

#include "control/lab/quantize_mlp.h"

#include <cstdint>
#include <span>

namespace weir::lab {

/// Layer by layer, each against what the layers before it really give: every hidden neuron gets its own u8 scale, every
/// neuron the s8 scale (of some that leave its multiplier whole) and the roundings of its weights that leave the least
/// squared error over the rows, and a bias without mean error. `codes`: rows × the network's inputs, at least one row; few
/// rows decide less: scales of a layer, weights to the nearest. Where more than 3 rows in 1,000 change their class, hidden
/// neurons become up to `most_pieces` (a power of two) ramps each, with finer codes. Values are finite. Thread: any.
[[nodiscard]] Result<QuantizedMlp> quantize_calibrated(
    const FloatMlp& network, std::span<const std::uint8_t> codes, std::uint32_t most_pieces);

}  // namespace weir::lab
