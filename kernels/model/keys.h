// SPDX-License-Identifier: BSD-3-Clause
// Signing keys in memory and on disk. Files are text: '#' comment lines and one line of base64.
#pragma once

#include "config/error.h"

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::kernels {

/// An ed25519 public key and its id (first 8 bytes of its BLAKE2b-256 hash, hex).
struct PublicKey {
    std::string id;
    std::string name;  ///< file stem, for messages
    std::array<std::uint8_t, 32> bytes{};
    /// Seconds when it may be used, from the file's "# valid-from: DATE" and "# valid-until: DATE" lines; 0: no bound.
    std::int64_t valid_from_unix = 0;
    std::int64_t valid_until_unix = 0;
};

/// The keys a gateway trusts. Thread: control.
class Keyring {
  public:
    /// Reads every *.pub of a directory, in order of name, and the file `revoked`: key ids, one a line, '#' comments.
    /// Names the file at fault; an empty directory is an empty keyring (which verifies nothing).
    [[nodiscard]] static Result<Keyring> load_dir(const std::string& dir);
    /// Adds a key; its id is computed here. A key that is already there stays as it is.
    void add(PublicKey key);
    [[nodiscard]] const PublicKey* find(std::string_view id) const noexcept;
    [[nodiscard]] std::span<const PublicKey> keys() const noexcept { return keys_; }
    /// A key whose signatures count for nothing, whether it is there or not.
    void revoke(std::string id) { revoked_.push_back(std::move(id)); }
    [[nodiscard]] bool is_revoked(std::string_view id) const noexcept;

  private:
    std::vector<PublicKey> keys_;
    std::vector<std::string> revoked_;
};

/// A 64-byte libsodium ed25519 secret key in locked, undumpable memory, wiped when freed.
class SecretKey {
  public:
    SecretKey();
    [[nodiscard]] std::span<std::uint8_t, 64> bytes() noexcept;
    [[nodiscard]] std::span<const std::uint8_t, 64> bytes() const noexcept;
    /// The public half.
    [[nodiscard]] PublicKey public_key(std::string name = {}) const;

  private:
    struct Free {
        void operator()(std::uint8_t* p) const noexcept;
    };
    std::unique_ptr<std::uint8_t[], Free> bytes_;
};

/// Key id of a public key: 16 hex digits.
[[nodiscard]] std::string key_id(std::span<const std::uint8_t, 32> public_key);

/// A fresh random key.
[[nodiscard]] SecretKey generate_key();
/// The key of a 32-byte seed; for tests and reproducible builds.
[[nodiscard]] SecretKey key_from_seed(std::span<const std::uint8_t, 32> seed);

/// Reads one .pub file. The key must be a point of the main subgroup.
[[nodiscard]] Result<PublicKey> load_public_key(const std::string& path);
/// Reads one .key file; refuses one that group or others may read.
[[nodiscard]] Result<SecretKey> load_secret_key(const std::string& path);

/// Writes `stem`.key (mode 0600) and `stem`.pub (0644); refuses if either exists, and leaves nothing half-written.
[[nodiscard]] Result<void> write_key_files(const SecretKey& key, const std::string& stem);

}  // namespace weir::kernels
