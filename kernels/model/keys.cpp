// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/model/keys.h"

#include "kernels/model/crypto.h"
#include "kernels/model/file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <new>
#include <optional>

#include <sys/stat.h>

#include <sodium.h>
#include <unistd.h>

namespace weir::kernels {
namespace {

constexpr std::size_t kMaxKeyFileBytes = 4096;
constexpr std::size_t kMaxKeys = 1024;
constexpr std::size_t kKeyIdBytes = 8;

// Locked, undumpable, wiped when freed.
struct SodiumFree {
    void operator()(void* p) const noexcept { sodium_free(p); }
};

std::string_view trim(std::string_view text) {
    const auto from = text.find_first_not_of(" \t\r");
    const auto to = text.find_last_not_of(" \t\r");
    return from == std::string_view::npos ? std::string_view{} : text.substr(from, to + 1 - from);
}

// The one line that is neither empty nor a comment; nullopt if there are none or several.
std::optional<std::string_view> only_line(std::string_view text) {
    std::optional<std::string_view> found;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = trim(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || line.front() == '#') {
            continue;
        }
        if (found) {
            return std::nullopt;
        }
        found = line;
    }
    return found;
}

// Reads a key file's base64 into `out`. The text passes only through locked memory: it may be a secret.
Result<void> read_key(
    const std::string& path,
    std::string_view kind,
    unsigned forbidden_mode,
    std::span<std::uint8_t> out) {
    if (!sodium_ready()) {
        return fail(path, {}, "libsodium cannot start");
    }
    std::unique_ptr<void, SodiumFree> text;
    auto size = read_regular_file(
        {.path = path,
         .what = std::string(kind) + " key file",
         .max_bytes = kMaxKeyFileBytes,
         .forbidden_mode = forbidden_mode},
        [&](std::size_t bytes) {
            text.reset(sodium_malloc(bytes));
            return static_cast<std::byte*>(text.get());
        });
    if (!size) {
        return tl::unexpected(std::move(size.error()));
    }
    const auto line = only_line({static_cast<const char*>(text.get()), *size});
    if (!line || !decode_base64(*line, out)) {
        return fail(
            path,
            {},
            "not one line of base64 of " + std::to_string(out.size()) + " bytes",
            "make key files with weirlab keygen");
    }
    return {};
}

std::string base64(std::span<const std::uint8_t> bytes) {
    std::string text(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
    sodium_bin2base64(
        text.data(), text.size(), bytes.data(), bytes.size(), sodium_base64_VARIANT_ORIGINAL);
    text.pop_back();
    return text;
}

std::span<const std::byte> as_bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
}

// "2026-01-31" or "2026-01-31T12:00:00Z", UTC.
std::optional<std::int64_t> parse_date(const std::string& text) {
    for (const char* format : {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"}) {
        std::tm tm{};
        const char* end = ::strptime(text.c_str(), format, &tm);
        if (end != nullptr && *end == '\0') {
            return static_cast<std::int64_t>(::timegm(&tm));
        }
    }
    return std::nullopt;
}

// Of a public key's file, which is no secret.
Result<void> read_validity(const std::string& path, PublicKey& key) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const std::string_view text = trim(line);
        const std::array<std::pair<std::string_view, std::int64_t*>, 2> fields{
            {{"# valid-from:", &key.valid_from_unix}, {"# valid-until:", &key.valid_until_unix}}};
        for (const auto& [name, value] : fields) {
            if (!text.starts_with(name)) {
                continue;
            }
            const auto date = parse_date(std::string(trim(text.substr(name.size()))));
            if (!date) {
                return fail(
                    path,
                    std::string(name.substr(2, name.size() - 3)),
                    "is no date",
                    "write 2026-01-31 or 2026-01-31T12:00:00Z");
            }
            *value = *date;
        }
    }
    return {};
}

Result<void> read_revoked(const std::string& path, Keyring& ring) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const std::string_view id = trim(std::string_view(line).substr(0, line.find('#')));
        if (id.empty()) {
            continue;
        }
        const bool hex = id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
        if (id.size() != 2 * kKeyIdBytes || !hex) {
            return fail(
                path,
                {},
                "'" + std::string(id.substr(0, 64)) + "' is no key id",
                "write one id of 16 hex digits a line");
        }
        ring.revoke(std::string(id));
    }
    return {};
}

}  // namespace

void SecretKey::Free::operator()(std::uint8_t* p) const noexcept {
    sodium_free(p);
}

SecretKey::SecretKey() {
    if (!sodium_ready()) {
        throw std::bad_alloc();
    }
    bytes_.reset(static_cast<std::uint8_t*>(sodium_malloc(crypto_sign_SECRETKEYBYTES)));
    if (bytes_ == nullptr) {
        throw std::bad_alloc();
    }
}

std::span<std::uint8_t, 64> SecretKey::bytes() noexcept {
    return std::span<std::uint8_t, 64>(bytes_.get(), 64);
}

std::span<const std::uint8_t, 64> SecretKey::bytes() const noexcept {
    return std::span<const std::uint8_t, 64>(bytes_.get(), 64);
}

PublicKey SecretKey::public_key(std::string name) const {
    PublicKey key;
    crypto_sign_ed25519_sk_to_pk(key.bytes.data(), bytes_.get());
    key.id = key_id(key.bytes);
    key.name = std::move(name);
    return key;
}

std::string key_id(std::span<const std::uint8_t, 32> public_key) {
    return blake2b_hex(std::as_bytes(public_key)).substr(0, 2 * kKeyIdBytes);
}

SecretKey generate_key() {
    SecretKey key;
    std::array<std::uint8_t, crypto_sign_PUBLICKEYBYTES> pub{};
    crypto_sign_keypair(pub.data(), key.bytes().data());
    return key;
}

SecretKey key_from_seed(std::span<const std::uint8_t, 32> seed) {
    SecretKey key;
    std::array<std::uint8_t, crypto_sign_PUBLICKEYBYTES> pub{};
    crypto_sign_seed_keypair(pub.data(), key.bytes().data(), seed.data());
    return key;
}

Result<PublicKey> load_public_key(const std::string& path) {
    PublicKey key;
    if (auto ok = read_key(path, "public", 0, key.bytes); !ok) {
        return tl::unexpected(std::move(ok.error()));
    }
    if (crypto_core_ed25519_is_valid_point(key.bytes.data()) != 1) {
        return fail(
            path, {}, "not a usable ed25519 public key", "copy the .pub of weirlab keygen again");
    }
    key.id = key_id(key.bytes);
    key.name = std::filesystem::path(path).stem().string();
    if (auto ok = read_validity(path, key); !ok) {
        return tl::unexpected(std::move(ok.error()));
    }
    return key;
}

Result<SecretKey> load_secret_key(const std::string& path) {
    try {
        SecretKey key;
        if (auto ok = read_key(path, "secret", S_IRWXG | S_IRWXO, key.bytes()); !ok) {
            return tl::unexpected(std::move(ok.error()));
        }
        // The second half is the public key; a mismatch would leak the secret through its signatures.
        const SecretKey same = key_from_seed(key.bytes().first<32>());
        if (sodium_memcmp(same.bytes().data(), key.bytes().data(), key.bytes().size()) != 0) {
            return fail(
                path, {}, "the halves of the key do not belong together", "restore the key file");
        }
        return key;
    } catch (const std::bad_alloc&) {
        return fail(path, {}, "no locked memory for a secret key", "raise ulimit -l");
    }
}

Result<void> write_key_files(const SecretKey& key, const std::string& stem) {
    const PublicKey pub = key.public_key();
    const std::string secret_path = stem + ".key";
    std::string encoded = base64(key.bytes());
    std::string secret_text;
    secret_text.reserve(256);  // never moved, so wiped whole below
    secret_text += "# weir ed25519 secret key, id " + pub.id + ": keep it secret\n";
    secret_text += encoded;
    secret_text += '\n';
    auto written = write_new_file(secret_path, as_bytes(secret_text), 0600);
    sodium_memzero(secret_text.data(), secret_text.size());
    sodium_memzero(encoded.data(), encoded.size());
    if (!written) {
        return written;
    }
    const std::string public_text =
        "# weir ed25519 public key, id " + pub.id + "\n" + base64(pub.bytes) + '\n';
    written = write_new_file(stem + ".pub", as_bytes(public_text), 0644);
    if (!written) {
        static_cast<void>(::unlink(secret_path.c_str()));
    }
    return written;
}

Result<Keyring> Keyring::load_dir(const std::string& dir) {
    namespace fs = std::filesystem;
    std::vector<std::string> paths;
    std::error_code error;
    for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
        if (it->path().extension() == ".pub") {
            paths.push_back(it->path().string());
        }
    }
    if (error) {
        return fail(
            dir,
            {},
            "cannot read the keyring: " + error.message(),
            "make the directory and put the signers' .pub files there");
    }
    if (paths.size() > kMaxKeys) {
        return fail(dir, {}, "more than " + std::to_string(kMaxKeys) + " keys");
    }
    std::sort(paths.begin(), paths.end());
    Keyring ring;
    for (const std::string& path : paths) {
        auto key = load_public_key(path);
        if (!key) {
            return tl::unexpected(std::move(key.error()));
        }
        if (const PublicKey* known = ring.find(key->id);
            known != nullptr && known->bytes != key->bytes) {
            return fail(path, {}, "has the key id of '" + known->name + "'", "replace one of them");
        }
        ring.add(std::move(*key));
    }
    const std::string revoked = dir + "/revoked";
    if (fs::exists(revoked, error)) {
        if (auto ok = read_revoked(revoked, ring); !ok) {
            return tl::unexpected(std::move(ok.error()));
        }
    }
    return ring;
}

void Keyring::add(PublicKey key) {
    key.id = key_id(key.bytes);
    if (find(key.id) == nullptr) {
        keys_.push_back(std::move(key));
    }
}

bool Keyring::is_revoked(std::string_view id) const noexcept {
    return std::find(revoked_.begin(), revoked_.end(), id) != revoked_.end();
}

const PublicKey* Keyring::find(std::string_view id) const noexcept {
    const auto it = std::find_if(
        keys_.begin(), keys_.end(), [&](const PublicKey& key) { return key.id == id; });
    return it == keys_.end() ? nullptr : &*it;
}

}  // namespace weir::kernels
