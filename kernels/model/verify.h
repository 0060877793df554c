// SPDX-License-Identifier: BSD-3-Clause
// Reading, signing and verifying bundles. Every byte here is hostile until the last check passed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/error.h"
#include "kernels/model/bundle.h"

namespace weir::kernels {

using Bytes = std::vector<std::byte>;

inline constexpr std::size_t kDefaultMaxBundleBytes = std::size_t{64} << 20;

/// An ed25519 public key and its id (first 8 bytes of its BLAKE2b hash, hex).
struct PublicKey {
    std::string id;
    std::string name;                     ///< file stem, for messages
    std::array<std::uint8_t, 32> bytes{};
};

/// The keys a gateway trusts. Thread: control.
class Keyring {
  public:
    /// Reads every *.pub of a directory (base64 ed25519, one key a file, '#' comments). Names the file at fault.
    [[nodiscard]] static Result<Keyring> load_dir(const std::string& dir);
    void add(PublicKey key);
    [[nodiscard]] const PublicKey* find(std::string_view id) const noexcept;
    [[nodiscard]] std::span<const PublicKey> keys() const noexcept { return keys_; }

  private:
    std::vector<PublicKey> keys_;
};

/// Limits and context of one verification.
struct VerifyOptions {
    std::size_t max_bytes = kDefaultMaxBundleBytes;
    std::string expected_slot;                     ///< empty: any
    std::uint32_t newer_than = 0;                  ///< refuse version ≤ this (anti-rollback); 0 = off
    std::optional<double> max_cycles_per_row;      ///< the slot's budget
    std::optional<Isa> isa;                        ///< variant to run the golden vectors on; default the best
};

/// A bundle that passed every check, with the classifier the golden vectors ran on.
struct VerifiedBundle {
    Bundle bundle;
    std::unique_ptr<Classifier> classifier;
    std::vector<std::uint16_t> feature_ids;  ///< catalog id of each input, in input order
    std::string signer;                      ///< key id
    std::string digest;                      ///< hex BLAKE2b-256 of the file
};

/// Size → parse → signature → slot, version → catalog → shapes and bounds → cost → golden vectors, in this order;
/// the first failure is returned with the field named. `where` names the file or push in messages.
/// Thread: control. Allocates at most a small multiple of the file's size.
[[nodiscard]] Result<VerifiedBundle> verify_bundle(
    std::span<const std::byte> file,
    const std::string& where,
    const Keyring& keyring,
    const CatalogView& catalog,
    const VerifyOptions& options);

/// Parses without trusting: for inspection only.
[[nodiscard]] Result<Bundle> parse_bundle(std::span<const std::byte> file, const std::string& where);

/// Serializes and signs. `secret` is the 64-byte libsodium ed25519 secret key.
[[nodiscard]] Result<Bytes> sign_bundle(
    const Bundle& bundle, std::span<const std::uint8_t, 64> secret);

}  // namespace weir::kernels
