// SPDX-License-Identifier: BSD-3-Clause
// Instruction sets a kernel variant may need, and what this CPU has.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace weir::kernels {

/// Ordered from the least to the most capable on each architecture.
enum class Isa : unsigned char {
    scalar,  ///< plain C++, the definition of every answer
    avx2,
    avx512,       ///< F, BW, VL, DQ
    avx512_vnni,  ///< avx512 + VNNI
    avx512_gfni,  ///< avx512_vnni + GFNI + VBMI (bit-sliced forests)
    neon_dotprod  ///< aarch64 with the dot-product extension
};

/// Name as used on the command line and in metrics ("avx512_vnni").
[[nodiscard]] std::string_view isa_name(Isa isa) noexcept;

/// Reverse of isa_name; nullopt for an unknown name.
[[nodiscard]] std::optional<Isa> isa_from_name(std::string_view name) noexcept;

/// True if this CPU and operating system can run code for `isa`. Thread: any.
[[nodiscard]] bool isa_supported(Isa isa) noexcept;

/// All that this machine supports, ascending; never empty (scalar).
[[nodiscard]] std::span<const Isa> supported_isas() noexcept;

}  // namespace weir::kernels
