// SPDX-License-Identifier: BSD-3-Clause
// The variants of what is done to 16 packets at once: lanes.inc's codes of a block's rows, column by column; and the
// flows' state before.
#pragma once

#include "dataplane/features/features.h"

#include <cstddef>
#include <cstdint>

namespace weir::dataplane {

[[nodiscard]] constexpr bool has_group(std::uint32_t groups, FeatureGroup group) noexcept {
    return (groups >> static_cast<std::uint32_t>(group) & 1U) != 0;
}

/// Codes of the features of `groups` (but sequence and ports) of rows 0 … rows−1 to codes[feature · kRows + row].
/// Beyond `rows`, up to the next multiple of 16, codes are left undefined.
using LanesFunction =
    void (*)(std::uint32_t groups, const Measures& measures, std::size_t rows, std::uint8_t* codes);

void lanes_scalar(
    std::uint32_t groups, const Measures& measures, std::size_t rows, std::uint8_t* codes) noexcept;
/// Needs kernels::Isa::avx512; the same answer.
void lanes_avx512(
    std::uint32_t groups, const Measures& measures, std::size_t rows, std::uint8_t* codes) noexcept;

/// update_flows() on one instruction set.
using UpdateFunction = void (*)(std::uint32_t groups, FlowPackets& packets, Measures& measures);

void update_flows_scalar(std::uint32_t groups, FlowPackets& packets, Measures& measures) noexcept;
/// Needs kernels::Isa::avx512; the same answer.
void update_flows_avx512(std::uint32_t groups, FlowPackets& packets, Measures& measures) noexcept;

}  // namespace weir::dataplane
