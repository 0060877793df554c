// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/model/crypto.h"

#include <array>

#include <sodium.h>

namespace weir::kernels {

bool sodium_ready() noexcept {
    static const bool kReady = sodium_init() >= 0;
    return kReady;
}

std::string blake2b_hex(std::span<const std::byte> bytes) {
    std::array<unsigned char, 32> hash{};
    crypto_generichash(
        hash.data(),
        hash.size(),
        reinterpret_cast<const unsigned char*>(bytes.data()),
        bytes.size(),
        nullptr,
        0);
    std::string hex(2 * hash.size() + 1, '\0');
    sodium_bin2hex(hex.data(), hex.size(), hash.data(), hash.size());
    hex.pop_back();
    return hex;
}

bool decode_base64(std::string_view text, std::span<std::uint8_t> out) noexcept {
    std::size_t length = 0;
    const char* end = nullptr;
    const int rc = sodium_base642bin(
        out.data(),
        out.size(),
        text.data(),
        text.size(),
        nullptr,
        &length,
        &end,
        sodium_base64_VARIANT_ORIGINAL);
    return rc == 0 && length == out.size() && end == text.data() + text.size();
}

}  // namespace weir::kernels
