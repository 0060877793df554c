// SPDX-License-Identifier: BSD-3-Clause
// Reading, signing and verifying bundles. Every byte here is hostile until the last check passed.
#pragma once

#include "config/error.h"
#include "kernels/model/bundle.h"
#include "kernels/model/keys.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::kernels {

using Bytes = std::vector<std::byte>;

inline constexpr std::size_t kDefaultMaxBundleBytes = std::size_t{64} << 20;

/// Limits and context of one verification.
struct VerifyOptions {
    std::size_t max_bytes = kDefaultMaxBundleBytes;
    std::string expected_slot;                 ///< empty: any
    std::uint32_t newer_than = 0;              ///< refuse version ≤ this (anti-rollback); 0 = off
    std::optional<double> max_cycles_per_row;  ///< the slot's budget
    std::map<std::string, double> budgets;     ///< the same by slot, for bundles of any
    std::optional<std::int64_t> now_unix;  ///< keys must be valid then; none: they may have expired
    std::optional<Isa> isa;  ///< variant to run the golden vectors on; default the best
};

/// A bundle that passed every check, with the classifier the golden vectors ran on.
struct VerifiedBundle {
    Bundle bundle;
    std::unique_ptr<Classifier> classifier;
    std::vector<std::uint16_t> feature_ids;  ///< catalog id of each input, in input order
    std::string signer;                      ///< key id
    std::string digest;                      ///< hex BLAKE2b-256 of the file
};

/// Size → envelope → signature → contents → slot, version → catalog → shapes and bounds → cost → golden vectors,
/// in this order (the contents are parsed only once a trusted key vouches for them); the first failure is
/// returned with the field named. `where` names the file or push in messages.
/// Thread: control. Allocates at most a small multiple of the file's size.
[[nodiscard]] Result<VerifiedBundle> verify_bundle(
    std::span<const std::byte> file,
    const std::string& where,
    const Keyring& keyring,
    const CatalogView& catalog,
    const VerifyOptions& options);

/// Parses without trusting: for inspection only. Limits and encoding are checked, meaning and signatures are not.
[[nodiscard]] Result<Bundle> parse_bundle(
    std::span<const std::byte> file, const std::string& where);

/// Ids of the keys that signed, in file order, without checking the signatures.
[[nodiscard]] Result<std::vector<std::string>> bundle_signers(
    std::span<const std::byte> file, const std::string& where);

/// Hex BLAKE2b-256 of a file.
[[nodiscard]] std::string bundle_digest(std::span<const std::byte> file);

/// All checks of a bundle's own contents, needing neither key nor catalog: manifest, shapes and bounds, golden
/// vectors on `isa` (default: the best). Returns the classifier.
[[nodiscard]] Result<std::unique_ptr<Classifier>> check_bundle(
    const Bundle& bundle, const std::string& where, std::optional<Isa> isa = std::nullopt);

/// Every input's catalog id, or why the catalog cannot give what the bundle wants.
[[nodiscard]] Result<std::vector<std::uint16_t>> match_catalog(
    const Bundle& bundle, const std::string& where, const CatalogView& catalog);

/// Serializes without a signature. Checks nothing but the size.
[[nodiscard]] Result<Bytes> serialize_bundle(const Bundle& bundle);

/// Serializes and signs. `secret` is the 64-byte libsodium ed25519 secret key. Checks nothing but the size.
[[nodiscard]] Result<Bytes> sign_bundle(
    const Bundle& bundle, std::span<const std::uint8_t, 64> secret);

/// Adds a signature to a file, in place of one by the same key. Checks the envelope only.
[[nodiscard]] Result<Bytes> add_signature(
    std::span<const std::byte> file,
    const std::string& where,
    std::span<const std::uint8_t, 64> secret);

}  // namespace weir::kernels
