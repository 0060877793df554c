// SPDX-License-Identifier: BSD-3-Clause
// Bundles encrypted to a gateway: a mark, then a libsodium sealed box (X25519, XSalsa20-Poly1305) around a signed bundle.
#pragma once

#include "config/error.h"
#include "kernels/model/verify.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weir::kernels {

/// No protobuf message of ours begins with it.
inline constexpr std::string_view kSealedMark{"weir-sealed-1\n"};

using SealingPublicKey = std::array<std::uint8_t, 32>;

[[nodiscard]] bool is_sealed(std::span<const std::byte> file) noexcept;

/// Writes a fresh pair: `stem`.sealkey (mode 0600) and `stem`.sealpub (0644); refuses if either exists.
[[nodiscard]] Result<void> write_sealing_keys(const std::string& stem);
/// Reads one .sealpub file.
[[nodiscard]] Result<SealingPublicKey> load_sealing_public_key(const std::string& path);

/// Anybody may seal; what counts inside is still the signature.
[[nodiscard]] Result<Bytes> seal(std::span<const std::byte> bundle, const SealingPublicKey& key);

/// Opens with the first key of `dir` (*.sealkey, in order of name) that fits. Keys are read anew each time, pass through
/// locked memory only and are wiped; a file that group or others may read is refused. `dir` empty: sealed bundles are not
/// taken. Thread: any that may block.
[[nodiscard]] Result<Bytes> unseal(
    std::span<const std::byte> file,
    const std::string& where,
    const std::string& dir,
    std::size_t max_bytes);

}  // namespace weir::kernels
