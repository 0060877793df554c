// SPDX-License-Identifier: BSD-3-Clause
#include "control/registry/checker.h"

#include "dataplane/snapshot_build.h"
#include "kernels/model/sealed.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <limits>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include <rte_cycles.h>

namespace weir::control {

BundleChecker::BundleChecker(
    std::string keyring_dir,
    kernels::Keyring default_keys,
    kernels::CatalogView catalog,
    std::size_t max_bytes,
    std::string sealing_dir,
    config::Features features)
    : keyring_dir_(std::move(keyring_dir)),
      sealing_dir_(std::move(sealing_dir)),
      default_keys_(std::move(default_keys)),
      catalog_(catalog),
      max_bytes_(max_bytes),
      features_(features) {}

void BundleChecker::set_budgets(std::map<std::string, double> budgets) const {
    const std::lock_guard lock(mutex_);
    budgets_ = std::move(budgets);
}

Outcome<Candidate> BundleChecker::check(
    kernels::Bytes bytes, const std::string& where, const std::string& slot, bool stored) const {
    std::error_code error;
    if (!std::filesystem::is_directory(keyring_dir_, error)) {
        return refuse(
            FailureKind::precondition,
            {keyring_dir_,
             "control.keyring",
             "is no directory, so no bundle can be trusted",
             "create it and put the signer's public key there as <name>.pub"});
    }
    auto keys = kernels::Keyring::load_dir(keyring_dir_);
    if (!keys) {
        return refuse(FailureKind::precondition, std::move(keys.error()));
    }
    return run(std::move(bytes), where, slot, *keys, !stored, !stored);
}

Outcome<Candidate> BundleChecker::check_default(
    kernels::Bytes bytes, const std::string& where) const {
    return run(std::move(bytes), where, "", default_keys_, false, false);
}

Outcome<Candidate> BundleChecker::run(
    kernels::Bytes bytes,
    const std::string& where,
    const std::string& slot,
    const kernels::Keyring& keys,
    bool measure,
    bool now) const {
    kernels::VerifyOptions options;
    options.max_bytes = max_bytes_;
    options.expected_slot = slot;
    if (now) {
        options.now_unix = std::time(nullptr);
    }
    {
        const std::lock_guard lock(mutex_);
        options.budgets = budgets_;
    }
    const bool sealed = kernels::is_sealed(bytes);
    kernels::Bytes opened;
    if (sealed) {
        auto plain = kernels::unseal(bytes, where, sealing_dir_, max_bytes_);
        if (!plain) {
            return refuse(FailureKind::invalid, std::move(plain.error()));
        }
        opened = std::move(*plain);
    }
    auto verified = kernels::verify_bundle(sealed ? opened : bytes, where, keys, catalog_, options);
    if (!verified) {
        return refuse(FailureKind::invalid, std::move(verified.error()));
    }
    if (auto had = dataplane::check_features(*verified, where, features_); !had) {
        return refuse(FailureKind::invalid, std::move(had.error()));
    }
    Candidate candidate{std::move(bytes), std::move(*verified), 0.0, sealed};
    if (measure) {
        const auto& bundle = candidate.verified.bundle;
        candidate.measured_cycles = measure_cycles_per_row(
            *candidate.verified.classifier, static_cast<std::uint32_t>(bundle.inputs.size()));
        const auto budget = options.budgets.find(bundle.slot);
        if (budget != options.budgets.end() && candidate.measured_cycles > budget->second) {
            return refuse(
                FailureKind::invalid,
                {where,
                 "network",
                 "took " + std::to_string(std::llround(candidate.measured_cycles)) +
                     " cycles a row when measured here, the slot's budget is " +
                     std::to_string(std::llround(budget->second)),
                 "make the model smaller, or raise slots." + bundle.slot + ".max_cycles_per_row"});
        }
    }
    return candidate;
}

double measure_cycles_per_row(const kernels::Classifier& classifier, std::uint32_t inputs) {
    constexpr std::uint32_t kRows = 64;
    constexpr int kBatches = 9;
    constexpr std::size_t kAlignment = 64;
    std::vector<std::uint8_t> codes(std::size_t{kRows} * inputs);
    for (std::size_t i = 0; i < codes.size(); ++i) {
        codes[i] = static_cast<std::uint8_t>(i * 37U + i / 251U);
    }
    std::vector<std::int32_t> raw(std::size_t{kRows} * classifier.outputs());
    std::vector<std::byte> scratch(classifier.scratch_bytes() + kAlignment);
    void* aligned = scratch.data();
    std::size_t space = scratch.size();
    aligned = std::align(kAlignment, classifier.scratch_bytes(), aligned, space);
    auto best = std::numeric_limits<double>::infinity();
    for (int batch = 0; batch < kBatches; ++batch) {
        const std::uint64_t start = rte_rdtsc();
        classifier.score(codes.data(), inputs, kRows, raw.data(), static_cast<std::byte*>(aligned));
        best = std::min(best, static_cast<double>(rte_rdtsc() - start) / kRows);
    }
    return best;
}

ModelInfo describe(const Candidate& candidate, Source source) {
    const auto& verified = candidate.verified;
    const auto& bundle = verified.bundle;
    ModelInfo info;
    info.key = ModelKey{bundle.slot, bundle.name, bundle.version};
    info.source = source;
    info.signer = verified.signer;
    info.digest = verified.digest;
    info.description = bundle.description;
    info.size_bytes = candidate.bytes.size();
    info.created_unix = bundle.created_unix;
    info.classes = bundle.classes;
    info.inputs = static_cast<std::uint32_t>(bundle.inputs.size());
    const auto isa = verified.classifier->isa();
    info.cycles_per_row = kernels::predicted_cycles_per_row(bundle.network, isa);
    info.isa = kernels::isa_name(isa);
    info.measured_cycles = candidate.measured_cycles;
    info.sealed = candidate.sealed;
    return info;
}

}  // namespace weir::control
