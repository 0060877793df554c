// SPDX-License-Identifier: BSD-3-Clause
// From bytes to a verified bundle, with the gateway's keys and limits.
#pragma once

#include "config/config.h"
#include "control/registry/failure.h"
#include "control/registry/types.h"
#include "kernels/model/verify.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>

namespace weir::control {

/// Bundle bytes that passed every check, ready to be stored or activated.
struct Candidate {
    kernels::Bytes bytes;
    kernels::VerifiedBundle verified;
    double measured_cycles = 0.0;  ///< a row; 0: not measured
    bool sealed = false;           ///< `bytes` are encrypted to this gateway
};

/// Cycles a row of the classifier at its best, on the calling thread's CPU: the least of several batches of `inputs`
/// codes a row, so that an interruption does not count. Takes a few milliseconds for any honest model.
[[nodiscard]] double measure_cycles_per_row(
    const kernels::Classifier& classifier, std::uint32_t inputs);

/// Immutable. Thread: any; a check may take long (golden vectors of a large model), so pushes are checked beside the
/// control thread.
class BundleChecker {
  public:
    BundleChecker(
        std::string keyring_dir,
        kernels::Keyring default_keys,
        kernels::CatalogView catalog,
        std::size_t max_bytes,
        std::string sealing_dir = {},
        config::Features features = {});

    /// Cycles a row that a model of each slot may cost. Thread: any.
    void set_budgets(std::map<std::string, double> budgets) const;

    /// Reads the key directory anew each time, so keys come and go without a restart. `slot` empty: any.
    /// Signing and sealing keys alike. A bundle that is `stored` was admitted once: its key may have expired since, and
    /// its cost is not measured again; a revoked key counts for it, too.
    [[nodiscard]] Outcome<Candidate> check(
        kernels::Bytes bytes,
        const std::string& where,
        const std::string& slot,
        bool stored = false) const;

    /// A bundle embedded in the program: its keys are embedded, too.
    [[nodiscard]] Outcome<Candidate> check_default(
        kernels::Bytes bytes, const std::string& where) const;

    [[nodiscard]] std::size_t max_bytes() const noexcept { return max_bytes_; }

  private:
    [[nodiscard]] Outcome<Candidate> run(
        kernels::Bytes bytes,
        const std::string& where,
        const std::string& slot,
        const kernels::Keyring& keys,
        bool measure,
        bool now) const;

    std::string keyring_dir_;
    std::string sealing_dir_;
    mutable std::mutex mutex_;
    mutable std::map<std::string, double> budgets_;
    kernels::Keyring default_keys_;
    kernels::CatalogView catalog_;
    std::size_t max_bytes_;
    config::Features features_;
};

/// What the registry keeps of a candidate. Stage verified; times 0.
[[nodiscard]] ModelInfo describe(const Candidate& candidate, Source source);

}  // namespace weir::control
