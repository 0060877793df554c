// SPDX-License-Identifier: BSD-3-Clause
// The models' heads over a tile: 16 rows at a time where the machine can.
#pragma once

#include "kernels/head/head.h"

#include <cstdint>

namespace weir::dataplane {

/// What kernels::apply_head() says, row for row and bit for bit; arguments are its. Thread: any.
void apply_heads(
    const kernels::HeadSpec& spec,
    const std::int32_t* raw,
    std::uint32_t outputs,
    std::uint32_t n,
    int benign,
    kernels::HeadVerdict* out) noexcept;

/// The same, for machines with AVX-512 (F, BW, VL, DQ).
void apply_heads_avx512(
    const kernels::HeadSpec& spec,
    const std::int32_t* raw,
    std::uint32_t outputs,
    std::uint32_t n,
    int benign,
    kernels::HeadVerdict* out) noexcept;

}  // namespace weir::dataplane
