// SPDX-License-Identifier: BSD-3-Clause
// weirlab sign: vouches for a bundle, once it is known to be sound.
#include "control/lab/commands.h"
#include "dataplane/features/catalog.h"
#include "kernels/model/build.h"
#include "kernels/model/file.h"
#include "kernels/model/verify.h"

#include <iostream>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace weir::lab {
namespace {

struct Options {
    std::string bundle;
    std::string key;
    std::string out;
    std::string name;           ///< empty: as it is
    std::uint32_t version = 0;  ///< 0: as it is
    bool json = false;
};

// What a gateway of this version would find wrong, signature apart.
Result<void> sound(const kernels::Bytes& file, const std::string& where) {
    auto bundle = kernels::parse_bundle(file, where);
    if (!bundle) {
        return tl::unexpected(std::move(bundle.error()));
    }
    auto classifier = kernels::check_bundle(*bundle, where);
    if (!classifier) {
        return tl::unexpected(std::move(classifier.error()));
    }
    return kernels::match_catalog(*bundle, where, dataplane::catalog_view()).map([](const auto&) {
    });
}

// The same model under another name or version: other bytes, so the signatures it had are gone.
Result<kernels::Bytes> reissue(
    const kernels::Bytes& file, const Options& options, const kernels::SecretKey& key) {
    auto bundle = kernels::parse_bundle(file, options.bundle);
    if (!bundle) {
        return tl::unexpected(std::move(bundle.error()));
    }
    if (!options.name.empty()) {
        bundle->name = options.name;
    }
    if (options.version != 0) {
        bundle->version = options.version;
    }
    return kernels::build_bundle(std::move(*bundle), &key);
}

Exit sign(const Options& options) {
    const auto refuse = [&](const Error& error) { return report_json(error, options.json); };
    auto key = kernels::load_secret_key(options.key);
    if (!key) {
        return refuse(key.error());
    }
    auto file = kernels::load_bundle_file(options.bundle);
    if (!file) {
        return refuse(file.error());
    }
    if (auto ok = sound(*file, options.bundle); !ok) {
        return refuse(ok.error());
    }
    const bool renamed = !options.name.empty() || options.version != 0;
    auto signed_file = renamed ? reissue(*file, options, *key)
                               : kernels::add_signature(*file, options.bundle, key->bytes());
    if (!signed_file) {
        return refuse(signed_file.error());
    }
    const std::string& to = options.out.empty() ? options.bundle : options.out;
    if (auto ok = kernels::save_bundle_file(to, *signed_file); !ok) {
        return report_json(ok.error(), options.json, Exit::failed);
    }
    const std::string id = key->public_key().id;
    if (options.json) {
        nlohmann::ordered_json out;
        out["ok"] = true;
        out["bundle"] = to;
        out["key_id"] = id;
        out["digest"] = kernels::bundle_digest(*signed_file);
        std::cout << out.dump(2) << '\n';
    } else {
        std::cout << to << ": signed by key " << id << '\n';
    }
    return Exit::ok;
}

}  // namespace

void add_sign(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<Options>();
    CLI::App* cmd = app.add_subcommand(
        "sign", "Checks a bundle's contents as a gateway would, and adds a signature");
    cmd->add_option("BUNDLE", options->bundle, "Bundle file")->required();
    cmd->add_option("--key", options->key, "Secret key file (NAME.key)")->required();
    cmd->add_option("--out", options->out, "File to write; without it BUNDLE is replaced");
    cmd->add_option(
        "--name",
        options->name,
        "Issue the model anew under this name; signatures it had are dropped");
    cmd->add_option(
           "--version",
           options->version,
           "Issue the model anew with this version; signatures it had are dropped")
        ->check(CLI::PositiveNumber);
    cmd->add_flag("--json", options->json, "Print JSON");
    cmd->callback([options, &exit] { exit = sign(*options); });
}

}  // namespace weir::lab
