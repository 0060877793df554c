// SPDX-License-Identifier: BSD-3-Clause
#include "control/app/models.h"

#include "control/app/embedded.h"
#include "dataplane/features/catalog.h"
#include "dataplane/snapshot_build.h"
#include "kernels/isa.h"
#include "kernels/model/file.h"

#include <filesystem>
#include <map>

namespace weir::app {

namespace {

[[nodiscard]] Result<kernels::Keyring> trusted_keys(
    const config::Config& config, const std::string& extra) {
    kernels::Keyring keys = embedded_keys();
    std::vector<std::string> dirs;
    std::error_code error;
    if (std::filesystem::is_directory(config.control.keyring, error)) {
        dirs.push_back(config.control.keyring);
    }
    if (!extra.empty()) {
        dirs.push_back(extra);
    }
    for (const std::string& dir : dirs) {
        auto more = kernels::Keyring::load_dir(dir);
        if (!more) {
            return tl::unexpected(more.error());
        }
        for (const kernels::PublicKey& key : more->keys()) {
            keys.add(key);
        }
    }
    return keys;
}

// "slot=FILE" pairs, each for a slot that exists and once only.
[[nodiscard]] Result<std::map<std::string, std::string>> parse_overrides(
    const config::Config& config, const std::vector<std::string>& overrides) {
    std::map<std::string, std::string> by_slot;
    for (const std::string& text : overrides) {
        const std::size_t equals = text.find('=');
        const std::string slot = text.substr(0, equals);
        if (equals == std::string::npos || equals + 1 == text.size()) {
            return fail(
                "--model",
                {},
                "'" + text + "' is not SLOT=BUNDLE",
                "write for instance --model qos=my.weir");
        }
        bool known = false;
        std::string names;
        for (const config::Slot& candidate : config.slots) {
            known = known || candidate.name == slot;
            names += (names.empty() ? "" : ", ") + candidate.name;
        }
        if (!known) {
            return fail("--model", {}, "no slot '" + slot + "'", "use one of: " + names);
        }
        if (!by_slot.emplace(slot, text.substr(equals + 1)).second) {
            return fail("--model", {}, "slot '" + slot + "' is named twice", "name it once");
        }
    }
    return by_slot;
}

[[nodiscard]] Result<kernels::Bytes> default_bundle(const std::string& slot) {
    for (kernels::Bytes& bytes : embedded_models()) {
        const auto bundle = kernels::parse_bundle(bytes, "embedded model");
        if (bundle && bundle->slot == slot) {
            return std::move(bytes);
        }
    }
    return kernels::Bytes{};
}

[[nodiscard]] Result<std::shared_ptr<const dataplane::SlotModel>> load_model(
    const std::string& slot,
    const std::string& source,
    std::size_t max_bytes,
    const kernels::Keyring& keys,
    const kernels::VerifyOptions& options,
    const config::Features& features) {
    if (source == "none") {
        return std::shared_ptr<const dataplane::SlotModel>{};
    }
    const bool embedded = source == "default";
    auto bytes = embedded ? default_bundle(slot) : kernels::load_bundle_file(source, max_bytes);
    if (!bytes) {
        return tl::unexpected(bytes.error());
    }
    if (bytes->empty() && embedded) {
        return std::shared_ptr<const dataplane::SlotModel>{};  // a slot of the operator's own
    }
    const std::string where = embedded ? "default " + slot + " model" : source;
    auto verified = kernels::verify_bundle(*bytes, where, keys, dataplane::catalog_view(), options);
    if (!verified) {
        return tl::unexpected(verified.error());
    }
    if (auto had = dataplane::check_features(*verified, where, features); !had) {
        return tl::unexpected(had.error());
    }
    return dataplane::make_slot_model(std::move(*verified));
}

}  // namespace

Result<std::vector<std::shared_ptr<const dataplane::SlotModel>>> load_models(
    const config::Config& config,
    const std::vector<std::string>& overrides,
    const std::string& keyring,
    const std::string& isa) {
    const auto keys = trusted_keys(config, keyring);
    if (!keys) {
        return tl::unexpected(keys.error());
    }
    const auto by_slot = parse_overrides(config, overrides);
    if (!by_slot) {
        return tl::unexpected(by_slot.error());
    }
    kernels::VerifyOptions options;
    options.max_bytes = std::size_t{config.control.max_bundle_mb} << 20;
    if (!isa.empty()) {
        options.isa = kernels::isa_from_name(isa);
        if (!options.isa) {
            return fail(
                "--isa",
                {},
                "no instruction set '" + isa + "'",
                "use scalar, avx2, avx512, avx512_vnni or avx512_gfni");
        }
    }
    std::vector<std::shared_ptr<const dataplane::SlotModel>> models;
    for (const config::Slot& slot : config.slots) {
        const auto found = by_slot->find(slot.name);
        options.expected_slot = slot.name;
        auto model = load_model(
            slot.name,
            found != by_slot->end() ? found->second : slot.model,
            options.max_bytes,
            *keys,
            options,
            config.features);
        if (!model) {
            return tl::unexpected(model.error());
        }
        models.push_back(std::move(*model));
    }
    return models;
}

}  // namespace weir::app
