// SPDX-License-Identifier: BSD-3-Clause
// libsodium, initialised, with the few forms of it that bundles use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::kernels {

/// Must precede every other use of libsodium; cheap after the first call. False if the library cannot start
/// (no source of randomness).
[[nodiscard]] bool sodium_ready() noexcept;

/// Lower-case hex of BLAKE2b-256.
[[nodiscard]] std::string blake2b_hex(std::span<const std::byte> bytes);

/// Decodes exactly out.size() bytes of standard, padded base64; false if `text` is anything else.
[[nodiscard]] bool decode_base64(std::string_view text, std::span<std::uint8_t> out) noexcept;

}  // namespace weir::kernels
