// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/normalized/normalized.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace weir::kernels {
namespace {

constexpr int kValueShift = 8;
constexpr double kGainUnit = 256.0;
constexpr std::int32_t kTopCode = 255;

std::int64_t value(const NormColumn& column, std::uint8_t code) noexcept {
    return (std::int64_t{column.scale} * code + column.offset) >> kValueShift;
}

double reciprocal_norm(const NormalizedSpec& spec, const std::uint8_t* row) noexcept {
    std::int64_t sum = 0;
    for (std::size_t k = 0; k < spec.columns.size(); ++k) {
        const std::int64_t v = value(spec.columns[k], row[k]);
        switch (spec.norm) {
            case RowNorm::l1:
                sum += std::abs(v);
                break;
            case RowNorm::l2:
                sum += v * v;
                break;
            case RowNorm::max:
                sum = std::max(sum, v);
                break;
        }
    }
    const auto exact = static_cast<double>(sum);
    const double norm = spec.norm == RowNorm::l2 ? std::sqrt(exact) : exact;
    return norm > 0.0 ? 1.0 / norm : 0.0;
}

}  // namespace

void normalize_rows(
    const NormalizedSpec& spec,
    const std::uint8_t* rows,
    std::size_t stride,
    std::uint32_t n,
    std::uint8_t* out,
    std::size_t out_stride) noexcept {
    for (std::uint32_t r = 0; r < n; ++r) {
        const std::uint8_t* row = rows + r * stride;
        const double reciprocal = reciprocal_norm(spec, row);
        for (std::size_t k = 0; k < spec.columns.size(); ++k) {
            const NormColumn& column = spec.columns[k];
            const double quotient = static_cast<double>(value(column, row[k])) * reciprocal;
            const double steps = std::floor(quotient * (column.gain_q8 / kGainUnit));
            const std::int32_t code = column.zero + static_cast<std::int32_t>(steps);
            out[r * out_stride + k] = static_cast<std::uint8_t>(std::clamp(code, 0, kTopCode));
        }
    }
}

}  // namespace weir::kernels
