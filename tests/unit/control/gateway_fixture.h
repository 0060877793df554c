// SPDX-License-Identifier: BSD-3-Clause
// A directory with keys, state and configuration, and signed bundles to push into it.
#pragma once

#include "config/config.h"
#include "kernels/model/build.h"
#include "kernels/model/keys.h"
#include "kernels/model/verify.h"

#include <filesystem>
#include <string>
#include <vector>

namespace weir::control::test {

/// A directory of its own under the system's, removed at the end.
class TempDir {
  public:
    TempDir();
    ~TempDir();
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string operator/(const std::string& name) const {
        return path_ + "/" + name;
    }

  private:
    std::string path_;
};

struct BundleRecipe {
    std::string name = "scan-detector";
    std::string slot = "anomaly";
    std::uint32_t version = 1;
    std::vector<std::string> classes{"benign", "scan"};
    int bias = 0;                   ///< varies the content
    std::size_t padding_bytes = 0;  ///< of description
};

/// A small MLP over the catalog's first two features, with golden vectors, signed by `key`.
[[nodiscard]] kernels::Bytes make_bundle(const BundleRecipe& recipe, const kernels::SecretKey& key);

/// The operator's key (trusted) and the program's (for default models).
[[nodiscard]] const kernels::SecretKey& operator_key();
[[nodiscard]] const kernels::SecretKey& builtin_key();
/// Trusted by nobody.
[[nodiscard]] const kernels::SecretKey& stranger_key();

/// Directory with keyring/operator.pub, and a Config of slots anomaly and qos that points there.
class GatewayDir : public TempDir {
  public:
    GatewayDir();
    [[nodiscard]] config::Config config() const;
    /// Audit lines so far.
    [[nodiscard]] std::vector<std::string> audit_lines() const;
};

[[nodiscard]] std::string read_text(const std::string& path);
void write_text(const std::string& path, const std::string& text);
void write_bytes(const std::string& path, const kernels::Bytes& bytes);

}  // namespace weir::control::test
