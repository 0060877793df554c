// SPDX-License-Identifier: BSD-3-Clause
// Small sound bundles, a catalog and keys for the bundle tests.
#pragma once

#include "kernels/model/bundle.h"
#include "kernels/model/keys.h"
#include "kernels/model/verify.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace weir::kernels::test {

inline constexpr std::uint32_t kTestCatalogVersion = 3;

/// Eight features, "feature_0" … "feature_7", encoder "log:924" for even ones and "identity" for odd ones.
[[nodiscard]] CatalogView test_catalog();

/// Keys of fixed seeds.
[[nodiscard]] SecretKey test_key(std::uint8_t seed = 1);
[[nodiscard]] Keyring ring_of(const SecretKey& key);

/// Two inputs, one layer, two classes, one golden vector: the smallest that has a bit of all.
[[nodiscard]] Bundle tiny_bundle();
/// Four inputs, two layers, three classes, thresholds, calibration and histograms.
[[nodiscard]] Bundle mlp_bundle();
/// Four inputs, three trees (one a single leaf), one output, sigmoid.
[[nodiscard]] Bundle forest_bundle();

/// Three inputs, two classes, one output, sigmoid.
[[nodiscard]] Bundle linear_bundle();
/// Four inputs through two, error weights from none to the largest, sigmoid.
[[nodiscard]] Bundle autoencoder_bundle();
/// Four packets, two convolutions (the second pooled), two dense layers, three classes.
[[nodiscard]] Bundle sequence_bundle();

/// Four inputs whose shares of the row's sum go through two layers, three classes.
[[nodiscard]] Bundle normalized_bundle();
/// The forest on shares of the row's largest value.
[[nodiscard]] Bundle normalized_forest_bundle();

/// Four inputs, a layer of 300 neurons, three classes, int8 by oneDNN.
[[nodiscard]] Bundle wide_bundle();
/// Four inputs, a layer of 20 neurons, three classes, f32 by oneDNN.
[[nodiscard]] Bundle float_bundle();

/// One of each native family and the smallest: oneDNN takes too long to build for tests of every bit.
[[nodiscard]] std::vector<Bundle> all_bundles();

/// sign_bundle() by test_key(); failure to sign fails the test.
[[nodiscard]] Bytes signed_bytes(const Bundle& bundle);
/// Verifies against test_catalog() and a keyring of test_key().
[[nodiscard]] Result<VerifiedBundle> verify_signed(
    const Bytes& file, const VerifyOptions& options = {});
/// A file with any payload, signed by test_key().
[[nodiscard]] Bytes signed_payload(std::string payload);
/// The payload bytes of a file.
[[nodiscard]] std::string payload_of(const Bytes& file);

/// A directory that lives as long as the object.
class TempDir {
  public:
    TempDir();
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir();
    [[nodiscard]] std::string file(std::string_view name) const;
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    void write(std::string_view name, std::string_view text) const;

  private:
    std::string path_;
};

}  // namespace weir::kernels::test
