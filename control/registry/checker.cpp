// SPDX-License-Identifier: BSD-3-Clause
#include "control/registry/checker.h"

#include <filesystem>
#include <system_error>
#include <utility>

namespace weir::control {

BundleChecker::BundleChecker(
    std::string keyring_dir,
    kernels::Keyring default_keys,
    kernels::CatalogView catalog,
    std::size_t max_bytes)
    : keyring_dir_(std::move(keyring_dir)),
      default_keys_(std::move(default_keys)),
      catalog_(catalog),
      max_bytes_(max_bytes) {}

Outcome<Candidate> BundleChecker::check(
    kernels::Bytes bytes, const std::string& where, const std::string& slot) const {
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
    return run(std::move(bytes), where, slot, *keys);
}

Outcome<Candidate> BundleChecker::check_default(
    kernels::Bytes bytes, const std::string& where) const {
    return run(std::move(bytes), where, "", default_keys_);
}

Outcome<Candidate> BundleChecker::run(
    kernels::Bytes bytes,
    const std::string& where,
    const std::string& slot,
    const kernels::Keyring& keys) const {
    kernels::VerifyOptions options;
    options.max_bytes = max_bytes_;
    options.expected_slot = slot;
    auto verified = kernels::verify_bundle(bytes, where, keys, catalog_, options);
    if (!verified) {
        return refuse(FailureKind::invalid, std::move(verified.error()));
    }
    return Candidate{std::move(bytes), std::move(*verified)};
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
    return info;
}

}  // namespace weir::control
