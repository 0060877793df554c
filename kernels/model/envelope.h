// SPDX-License-Identifier: BSD-3-Clause
// The outer message of a bundle file: a payload, and signatures over its bytes.
#pragma once

#include "config/error.h"
#include "kernels/model/verify.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::kernels {

/// No bundle is larger than this, whatever the options say.
inline constexpr std::size_t kHardMaxBundleBytes = std::size_t{1} << 30;

/// Signatures cover this prefix and then the payload, so that no other signed thing can pass for a bundle.
inline constexpr std::string_view kSignatureDomain{"weir.model.v1.SignedBundle.payload\0", 35};

struct EnvelopeSignature {
    std::string key_id;     ///< 16 hex digits
    std::string signature;  ///< 64 bytes
};

struct Envelope {
    std::string payload;  ///< a serialized model.v1.Bundle, unchecked
    std::vector<EnvelopeSignature> signatures;
};

/// Checks size and encoding of the outer message only.
[[nodiscard]] Result<Envelope> parse_envelope(
    std::span<const std::byte> file, const std::string& where, std::size_t max_bytes);

/// The payload's bundle, strictly parsed.
[[nodiscard]] Result<Bundle> parse_payload(std::string_view payload, const std::string& where);

/// Id of the trusted key that signed. Signatures by unknown and revoked keys are passed over, and, where `now_unix` is
/// given, those by keys outside of their validity then; one by a trusted key that does
/// not hold is a refusal, whatever the others say.
[[nodiscard]] Result<std::string> check_signatures(
    const Envelope& envelope,
    const std::string& where,
    const Keyring& keyring,
    std::optional<std::int64_t> now_unix = std::nullopt);

/// Signs the payload, in place of an earlier signature by the same key.
[[nodiscard]] Result<void> sign_envelope(
    Envelope& envelope, const std::string& where, std::span<const std::uint8_t, 64> secret);

/// The file's bytes.
[[nodiscard]] Result<Bytes> serialize_envelope(Envelope envelope, const std::string& where);

}  // namespace weir::kernels
