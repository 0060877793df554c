// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/model/sealed.h"

#include "kernels/model/crypto.h"
#include "kernels/model/file.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include <sys/stat.h>

#include <sodium.h>
#include <unistd.h>

namespace weir::kernels {
namespace {

constexpr std::size_t kMaxKeyFileBytes = 4096;
constexpr std::size_t kMaxKeys = 64;

// Locked, undumpable, wiped when freed.
struct SodiumFree {
    void operator()(void* p) const noexcept { sodium_free(p); }
};
using Locked = std::unique_ptr<std::uint8_t[], SodiumFree>;

Locked locked(std::size_t bytes) {
    return Locked(static_cast<std::uint8_t*>(sodium_malloc(bytes)));
}

std::string_view last_line(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
        text.remove_suffix(1);
    }
    const auto begin = text.rfind('\n');
    return begin == std::string_view::npos ? text : text.substr(begin + 1);
}

/// Comment lines, then one line of base64 of 32 bytes.
Result<void> read_key(
    const std::string& path, unsigned forbidden_mode, std::span<std::uint8_t, 32> out) {
    Locked text;
    auto size = read_regular_file(
        {.path = path,
         .what = "sealing key file",
         .max_bytes = kMaxKeyFileBytes,
         .forbidden_mode = forbidden_mode},
        [&](std::size_t bytes) {
            text = locked(bytes);
            return reinterpret_cast<std::byte*>(text.get());
        });
    if (!size) {
        return tl::unexpected(std::move(size.error()));
    }
    if (!decode_base64(last_line({reinterpret_cast<const char*>(text.get()), *size}), out)) {
        return fail(
            path,
            {},
            "does not end with one line of base64 of 32 bytes",
            "make it with weirlab seal --keygen");
    }
    return {};
}

Result<void> write_key(
    const std::string& path, const char* comment, const std::uint8_t* key, unsigned mode) {
    const std::size_t encoded = sodium_base64_encoded_len(32, sodium_base64_VARIANT_ORIGINAL);
    const std::size_t header = std::strlen(comment);
    auto text = locked(header + encoded);
    if (!text) {
        return fail(path, {}, "no locked memory for a secret key", "raise ulimit -l");
    }
    std::memcpy(text.get(), comment, header);
    char* body = reinterpret_cast<char*>(text.get()) + header;
    sodium_bin2base64(body, encoded, key, 32, sodium_base64_VARIANT_ORIGINAL);
    body[encoded - 1] = '\n';
    return write_new_file(
        path, {reinterpret_cast<const std::byte*>(text.get()), header + encoded}, mode);
}

Result<std::vector<std::string>> key_files(const std::string& dir) {
    std::vector<std::string> paths;
    std::error_code error;
    for (std::filesystem::directory_iterator it(dir, error), end; !error && it != end;
         it.increment(error)) {
        if (it->path().extension() == ".sealkey") {
            paths.push_back(it->path().string());
        }
    }
    if (error || paths.size() > kMaxKeys) {
        return fail(
            dir,
            "control.sealing_keys",
            error ? "cannot be read: " + error.message() : "holds more than 64 keys",
            "make the directory and put the gateway's .sealkey files there");
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

}  // namespace

bool is_sealed(std::span<const std::byte> file) noexcept {
    return file.size() >= kSealedMark.size() &&
           std::memcmp(file.data(), kSealedMark.data(), kSealedMark.size()) == 0;
}

Result<void> write_sealing_keys(const std::string& stem) {
    if (!sodium_ready()) {
        return fail(stem, {}, "libsodium cannot start");
    }
    auto secret = locked(crypto_box_SECRETKEYBYTES);
    if (!secret) {
        return fail(stem, {}, "no locked memory for a secret key", "raise ulimit -l");
    }
    SealingPublicKey pub{};
    crypto_box_keypair(pub.data(), secret.get());
    auto written = write_key(
        stem + ".sealkey",
        "# weir sealing key, secret: keep it on its gateway\n",
        secret.get(),
        0600);
    if (!written) {
        return written;
    }
    written = write_key(stem + ".sealpub", "# weir sealing key, public\n", pub.data(), 0644);
    if (!written) {
        static_cast<void>(::unlink((stem + ".sealkey").c_str()));
    }
    return written;
}

Result<SealingPublicKey> load_sealing_public_key(const std::string& path) {
    if (!sodium_ready()) {
        return fail(path, {}, "libsodium cannot start");
    }
    SealingPublicKey key{};
    if (auto ok = read_key(path, 0, key); !ok) {
        return tl::unexpected(std::move(ok.error()));
    }
    return key;
}

Result<Bytes> seal(std::span<const std::byte> bundle, const SealingPublicKey& key) {
    if (!sodium_ready()) {
        return fail("seal", {}, "libsodium cannot start");
    }
    Bytes out(kSealedMark.size() + crypto_box_SEALBYTES + bundle.size());
    std::memcpy(out.data(), kSealedMark.data(), kSealedMark.size());
    auto* box = reinterpret_cast<std::uint8_t*>(out.data() + kSealedMark.size());
    const auto* plain = reinterpret_cast<const std::uint8_t*>(bundle.data());
    if (crypto_box_seal(box, plain, bundle.size(), key.data()) != 0) {
        return fail("seal", "key", "is no usable public key", "copy the .sealpub file again");
    }
    return out;
}

Result<Bytes> unseal(
    std::span<const std::byte> file,
    const std::string& where,
    const std::string& dir,
    std::size_t max_bytes) {
    if (dir.empty()) {
        return fail(
            where,
            "sealing",
            "is sealed, and this gateway has no sealing key",
            "set control.sealing_keys, or push the bundle unsealed");
    }
    constexpr std::size_t kOverhead = kSealedMark.size() + crypto_box_SEALBYTES;
    if (!sodium_ready() || file.size() < kOverhead || file.size() - kOverhead > max_bytes) {
        return fail(where, "size", "is no sealed bundle of a size that is accepted");
    }
    auto paths = key_files(dir);
    if (!paths) {
        return tl::unexpected(std::move(paths.error()));
    }
    const auto* box = reinterpret_cast<const std::uint8_t*>(file.data() + kSealedMark.size());
    auto secret = locked(crypto_box_SECRETKEYBYTES);
    if (!secret) {
        return fail(where, "sealing", "no locked memory for a secret key", "raise ulimit -l");
    }
    for (const auto& path : *paths) {
        const std::span<std::uint8_t, 32> key(secret.get(), 32);
        if (auto ok = read_key(path, S_IRWXG | S_IRWXO, key); !ok) {
            return tl::unexpected(std::move(ok.error()));
        }
        SealingPublicKey pub{};
        crypto_scalarmult_base(pub.data(), secret.get());
        Bytes plain(file.size() - kOverhead);
        if (crypto_box_seal_open(
                reinterpret_cast<std::uint8_t*>(plain.data()),
                box,
                file.size() - kSealedMark.size(),
                pub.data(),
                secret.get()) == 0) {
            return plain;
        }
    }
    return fail(
        where,
        "sealing",
        "is sealed to none of this gateway's " + std::to_string(paths->size()) +
            " keys, or was changed since",
        "seal it to the gateway's .sealpub");
}

}  // namespace weir::kernels
