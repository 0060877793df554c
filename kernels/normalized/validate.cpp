// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/normalized/normalized.h"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace weir::kernels {
namespace {

constexpr std::int64_t kMaxScaled = kNormMaxValue << 8;
constexpr std::uint32_t kMaxGain = 1U << 28;
constexpr std::int64_t kMaxZero = std::int64_t{1} << 21;
constexpr std::int64_t kTopCode = 255;

static_assert(kNormMaxValue * kNormMaxValue * kNormMaxColumns <= std::int64_t{1} << 52);
// A quotient of 1, rounded up, times the largest gain, beside the largest zero: a code of 32 bits before it is clamped.
static_assert((std::int64_t{kMaxGain} >> 8) + 1 + kMaxZero < std::int64_t{1} << 31);

tl::unexpected<Error> refuse(
    std::size_t column, const char* field, std::string what, std::string fix) {
    return fail(
        "",
        "normalized.columns[" + std::to_string(column) + "]." + field,
        std::move(what),
        std::move(fix));
}

Result<void> check_column(RowNorm norm, const NormColumn& column, std::size_t k) {
    const std::int64_t first = column.offset;
    const std::int64_t last = column.scale * kTopCode + column.offset;
    if (std::abs(first) > kMaxScaled || std::abs(last) > kMaxScaled) {
        const bool at_first = std::abs(first) > kMaxScaled;
        return refuse(
            k,
            at_first ? "offset" : "scale",
            "makes " + std::to_string(at_first ? first : last) + " of code " +
                (at_first ? "0" : "255") + ", beyond 2^30",
            "take a larger unit for all columns");
    }
    if (norm == RowNorm::max && std::min(first, last) < 0) {
        return refuse(
            k,
            first < 0 ? "offset" : "scale",
            "makes values below 0, whose largest is no norm",
            "use L1 or L2, or an offset that leaves none");
    }
    if (column.gain_q8 < 1 || column.gain_q8 > kMaxGain) {
        return refuse(
            k, "gain_q8", std::to_string(column.gain_q8) + " is out of range", "use 1 to 2^28");
    }
    if (std::abs(std::int64_t{column.zero}) > kMaxZero) {
        return refuse(
            k, "zero", std::to_string(column.zero) + " is out of range", "use -2^21 to 2^21");
    }
    return {};
}

std::uint32_t inputs_of(const MlpSpec& spec) noexcept {
    return spec.inputs();
}
std::uint32_t inputs_of(const ForestSpec& spec) noexcept {
    return spec.inputs;
}

}  // namespace

std::uint32_t NormalizedSpec::outputs() const noexcept {
    if (const auto* forest = std::get_if<ForestSpec>(&network)) {
        return static_cast<std::uint32_t>(forest->base.size());
    }
    return std::get<MlpSpec>(network).outputs();
}

Result<void> validate(const NormalizedSpec& spec) {
    if (spec.columns.empty() || spec.columns.size() > kNormMaxColumns) {
        return fail(
            "",
            "normalized.columns",
            std::to_string(spec.columns.size()) + " columns",
            "use 1 to 256");
    }
    for (std::size_t k = 0; k < spec.columns.size(); ++k) {
        if (auto ok = check_column(spec.norm, spec.columns[k], k); !ok) {
            return ok;
        }
    }
    auto ok = std::visit([](const auto& inner) { return validate(inner); }, spec.network);
    if (!ok) {
        ok.error().field = "normalized." + ok.error().field;
        return ok;
    }
    const std::uint32_t inputs =
        std::visit([](const auto& inner) { return inputs_of(inner); }, spec.network);
    if (inputs != spec.inputs()) {
        return fail(
            "",
            "normalized.columns",
            std::to_string(spec.inputs()) + " columns, but the network takes " +
                std::to_string(inputs),
            "give one a network's input");
    }
    return {};
}

}  // namespace weir::kernels
