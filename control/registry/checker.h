// SPDX-License-Identifier: BSD-3-Clause
// From bytes to a verified bundle, with the gateway's keys and limits.
#pragma once

#include "control/registry/failure.h"
#include "control/registry/types.h"
#include "kernels/model/verify.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace weir::control {

/// Bundle bytes that passed every check, ready to be stored or activated.
struct Candidate {
    kernels::Bytes bytes;
    kernels::VerifiedBundle verified;
};

/// Immutable. Thread: any; a check may take long (golden vectors of a large model), so pushes are checked beside the
/// control thread.
class BundleChecker {
  public:
    BundleChecker(
        std::string keyring_dir,
        kernels::Keyring default_keys,
        kernels::CatalogView catalog,
        std::size_t max_bytes);

    /// Reads the key directory anew each time, so keys come and go without a restart. `slot` empty: any.
    [[nodiscard]] Outcome<Candidate> check(
        kernels::Bytes bytes, const std::string& where, const std::string& slot) const;

    /// A bundle embedded in the program: its keys are embedded, too.
    [[nodiscard]] Outcome<Candidate> check_default(
        kernels::Bytes bytes, const std::string& where) const;

    [[nodiscard]] std::size_t max_bytes() const noexcept { return max_bytes_; }

  private:
    [[nodiscard]] Outcome<Candidate> run(
        kernels::Bytes bytes,
        const std::string& where,
        const std::string& slot,
        const kernels::Keyring& keys) const;

    std::string keyring_dir_;
    kernels::Keyring default_keys_;
    kernels::CatalogView catalog_;
    std::size_t max_bytes_;
};

/// What the registry keeps of a candidate. Stage verified; times 0.
[[nodiscard]] ModelInfo describe(const Candidate& candidate, Source source);

}  // namespace weir::control
