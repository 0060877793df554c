// SPDX-License-Identifier: BSD-3-Clause
// Prefix-preserving pseudonyms of addresses: Crypto-PAn (Xu, Fan, Ammar, Moon, "Prefix-Preserving IP Address
// Anonymization", ICNP 2002), by AES-128 of libcrypto.
#pragma once

#include "config/error.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

struct evp_cipher_ctx_st;

namespace weir::control {

/// Two addresses that share their first n bits have pseudonyms that share exactly n. Whoever has the key can undo it.
/// Thread: one at a time.
class CryptoPan {
  public:
    static constexpr std::size_t kKeyBytes = 32;
    using Key = std::array<std::uint8_t, kKeyBytes>;

    /// The file holds 32 bytes, or 64 hexadecimal digits and white space after them. It must be a regular file that
    /// nobody but its owner may read or write (0600 or 0400).
    [[nodiscard]] static Result<CryptoPan> from_file(const std::string& path);
    /// Key bytes 0 to 15 are AES's key, 16 to 31 make the pad.
    [[nodiscard]] static Result<CryptoPan> from_key(const Key& key);

    /// The pseudonym of an address of 4 or 16 bytes, in place; other lengths are left alone.
    [[nodiscard]] bool replace(std::span<std::uint8_t> address);

  private:
    struct Free {
        void operator()(evp_cipher_ctx_st* context) const noexcept;
    };
    using Block = std::array<std::uint8_t, 16>;

    CryptoPan() = default;
    [[nodiscard]] bool encrypt(std::span<const std::uint8_t> in, std::span<std::uint8_t> out);

    std::unique_ptr<evp_cipher_ctx_st, Free> aes_;
    Block pad_{};
};

}  // namespace weir::control
