// SPDX-License-Identifier: BSD-3-Clause
#include "control/export/crypto_pan.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <optional>
#include <system_error>

#include <sys/stat.h>

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <unistd.h>

namespace weir::control {

namespace {

constexpr const char* kField = "export.pseudonym_key";
constexpr std::size_t kMostBits = 128;
constexpr std::size_t kBlockBytes = 16;

[[nodiscard]] int digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

[[nodiscard]] std::optional<CryptoPan::Key> from_hex(std::span<const char> text) {
    CryptoPan::Key key{};
    if (text.size() < 2 * key.size()) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < key.size(); ++i) {
        const int high = digit(text[2 * i]);
        const int low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        key[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
    for (const char c : text.subspan(2 * key.size())) {
        if (std::isspace(static_cast<unsigned char>(c)) == 0) {
            return std::nullopt;
        }
    }
    return key;
}

[[nodiscard]] std::optional<CryptoPan::Key> parse_key(std::span<const char> text) {
    if (text.size() != CryptoPan::kKeyBytes) {
        return from_hex(text);
    }
    CryptoPan::Key key{};
    for (std::size_t i = 0; i < key.size(); ++i) {
        key[i] = static_cast<std::uint8_t>(text[i]);
    }
    return key;
}

}  // namespace

void CryptoPan::Free::operator()(evp_cipher_ctx_st* context) const noexcept {
    EVP_CIPHER_CTX_free(context);
}

Result<CryptoPan> CryptoPan::from_file(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        const std::string why = std::generic_category().message(errno);
        return fail(
            path, kField, why, "make one: (umask 077; head -c 32 /dev/urandom > " + path + ")");
    }
    struct stat status {};
    std::array<char, 256> text{};
    const bool known = ::fstat(fd, &status) == 0;
    const ssize_t got = ::read(fd, text.data(), text.size());
    ::close(fd);
    if (!known || !S_ISREG(status.st_mode) || got < 0) {
        OPENSSL_cleanse(text.data(), text.size());
        return fail(path, kField, "is not a readable regular file", "name a file of 32 bytes");
    }
    if ((status.st_mode & 0177) != 0) {
        OPENSSL_cleanse(text.data(), text.size());
        return fail(path, kField, "others than its owner may use the key", "chmod 0600 " + path);
    }
    auto key = parse_key({text.data(), static_cast<std::size_t>(got)});
    OPENSSL_cleanse(text.data(), text.size());
    if (!key) {
        return fail(
            path,
            kField,
            "holds neither 32 bytes nor 64 hexadecimal digits",
            "make one: (umask 077; head -c 32 /dev/urandom > " + path + ")");
    }
    auto made = from_key(*key);
    OPENSSL_cleanse(key->data(), key->size());
    return made;
}

Result<CryptoPan> CryptoPan::from_key(const Key& key) {
    CryptoPan pan;
    pan.aes_.reset(EVP_CIPHER_CTX_new());
    if (!pan.aes_ ||
        EVP_EncryptInit_ex(pan.aes_.get(), EVP_aes_128_ecb(), nullptr, key.data(), nullptr) != 1 ||
        EVP_CIPHER_CTX_set_padding(pan.aes_.get(), 0) != 1 ||
        !pan.encrypt(std::span(key).last<kBlockBytes>(), pan.pad_)) {
        return fail({}, kField, "libcrypto offers no AES-128", "check OpenSSL's configuration");
    }
    return pan;
}

bool CryptoPan::encrypt(std::span<const std::uint8_t> in, std::span<std::uint8_t> out) {
    int written = 0;
    return EVP_EncryptUpdate(
               aes_.get(), out.data(), &written, in.data(), static_cast<int>(in.size())) == 1 &&
           static_cast<std::size_t>(written) == in.size();
}

bool CryptoPan::replace(std::span<std::uint8_t> address) {
    if (address.size() != 4 && address.size() != kBlockBytes) {
        return false;
    }
    // Block n: the address's first n bits, the pad's others. All go through AES at once.
    const std::size_t bits = address.size() * 8;
    std::array<std::uint8_t, kMostBits * kBlockBytes> blocks;
    std::array<std::uint8_t, kMostBits * kBlockBytes> ciphers;
    Block block = pad_;
    for (std::size_t n = 0; n < bits; ++n) {
        std::copy(block.begin(), block.end(), blocks.begin() + static_cast<long>(n * kBlockBytes));
        const auto bit = static_cast<std::uint8_t>(0x80U >> (n % 8));
        block[n / 8] = static_cast<std::uint8_t>((block[n / 8] & ~bit) | (address[n / 8] & bit));
    }
    const std::size_t bytes = bits * kBlockBytes;
    if (!encrypt(std::span(blocks).first(bytes), std::span(ciphers).first(bytes))) {
        return false;
    }
    for (std::size_t n = 0; n < bits; ++n) {
        const auto flip = static_cast<std::uint8_t>((ciphers[n * kBlockBytes] & 0x80U) >> (n % 8));
        address[n / 8] = static_cast<std::uint8_t>(address[n / 8] ^ flip);
    }
    return true;
}

}  // namespace weir::control
