// SPDX-License-Identifier: BSD-3-Clause
// A network behind a row normalizer: the contract. reference.cpp beside this file defines the answer.
#pragma once

#include "config/error.h"
#include "kernels/forest/forest.h"
#include "kernels/mlp/mlp.h"

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

namespace weir::kernels {

inline constexpr std::uint32_t kNormMaxColumns = 256;
/// A column's |value| is at most this, so 256 squares sum to at most 2^52 and are exact in a double.
inline constexpr std::int64_t kNormMaxValue = std::int64_t{1} << 22;

/// What a row is divided by: Σ|v|, √Σv², or the largest v.
enum class RowNorm : std::uint8_t { l1, l2, max };

/// One column in fixed point. Of code x the value is v = (scale·x + offset) >> 8, in a unit that all columns share: a
/// row divided by its norm has none. Its quotient y in −1…1 becomes the code clamp(zero + ⌊y·gain_q8/256⌋, 0, 255).
struct NormColumn {
    std::int32_t scale = 0;
    std::int32_t offset = 0;    ///< |scale·x + offset| ≤ 2^30 for x = 0 and x = 255
    std::uint32_t gain_q8 = 0;  ///< 1…2^28
    std::int32_t zero = 0;      ///< |zero| ≤ 2^21
};

/// For a row x of u8 codes, all in integers but the quotient:
///   v[k] = (scale[k]·x[k] + offset[k]) >> 8                  |v| ≤ 2^22
///   N    = Σ|v|, √Σv² or max v, as a double                  (the sums are whole numbers below 2^53, exact in any order)
///   r    = 1 / N; 0 where N = 0: then every y is 0           (ONNX: "if the divisor is zero, Y == X", and X is 0)
///   c[k] = clamp(zero[k] + ⌊(v[k]·r)·(gain_q8[k]/256)⌋, 0, 255)
/// and the raw outputs are the network's of c. √, 1/N and each of the two products are rounded to the nearest double,
/// once and in this order; no sum follows a product, so nothing may be fused and every variant gives the same code.
struct NormalizedSpec {
    RowNorm norm = RowNorm::l2;
    std::vector<NormColumn>
        columns;  ///< one an input; for RowNorm::max no value of any code is below 0
    std::variant<MlpSpec, ForestSpec> network;  ///< takes c

    [[nodiscard]] std::uint32_t inputs() const noexcept {
        return static_cast<std::uint32_t>(columns.size());
    }
    [[nodiscard]] std::uint32_t outputs() const noexcept;
};

/// Checks the columns' bounds, the network by itself, and that it has as many inputs as there are columns. Names the
/// field at fault ("normalized.columns[3].gain_q8").
[[nodiscard]] Result<void> validate(const NormalizedSpec& spec);

/// The codes c of `n` rows; spec.inputs() ≤ both strides. Thread: any; allocates nothing.
void normalize_rows(
    const NormalizedSpec& spec,
    const std::uint8_t* rows,
    std::size_t stride,
    std::uint32_t n,
    std::uint8_t* out,
    std::size_t out_stride) noexcept;

}  // namespace weir::kernels
