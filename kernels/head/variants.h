// SPDX-License-Identifier: BSD-3-Clause
// The head by instruction set. Every variant gives the scalar one's verdicts to the bit.
#pragma once

#include "kernels/head/head.h"
#include "kernels/isa.h"

#include <span>

namespace weir::kernels {

/// What a variant of apply_head is. Same contract.
using ApplyHead = void (*)(
    const HeadSpec& spec,
    const std::int32_t* raw,
    std::uint32_t outputs,
    std::uint32_t n,
    int benign,
    HeadVerdict* out) noexcept;

/// The ISAs that have a variant of their own, ascending.
[[nodiscard]] std::span<const Isa> head_isas() noexcept;

/// The variant for `isa`; nullptr if there is none. The machine must support it.
[[nodiscard]] ApplyHead head_variant(Isa isa) noexcept;

#if defined(__x86_64__)
void apply_head_avx512(
    const HeadSpec& spec,
    const std::int32_t* raw,
    std::uint32_t outputs,
    std::uint32_t n,
    int benign,
    HeadVerdict* out) noexcept;
#endif

}  // namespace weir::kernels
