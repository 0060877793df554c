// SPDX-License-Identifier: BSD-3-Clause
// weirlab verify: what a gateway of this version would say to a bundle.
#include "kernels/model/verify.h"

#include "control/lab/commands.h"
#include "dataplane/features/catalog.h"
#include "kernels/model/file.h"

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace weir::lab {
namespace {

struct Options {
    std::string bundle;
    std::string keyring;
    std::vector<std::string> pubs;
    std::string slot;
    std::uint32_t newer_than = 0;
    double max_cycles = 0;
    std::string isa;
    std::size_t max_mb = kernels::kDefaultMaxBundleBytes >> 20;
    bool json = false;
};

Result<kernels::Keyring> trusted(const Options& options) {
    kernels::Keyring ring;
    if (!options.keyring.empty()) {
        auto dir = kernels::Keyring::load_dir(options.keyring);
        if (!dir) {
            return dir;
        }
        ring = std::move(*dir);
    }
    for (const std::string& path : options.pubs) {
        auto key = kernels::load_public_key(path);
        if (!key) {
            return tl::unexpected(std::move(key.error()));
        }
        ring.add(std::move(*key));
    }
    return ring;
}

Result<kernels::VerifyOptions> verify_options(const Options& options) {
    kernels::VerifyOptions out;
    out.max_bytes = options.max_mb << 20;
    out.expected_slot = options.slot;
    out.newer_than = options.newer_than;
    if (options.max_cycles > 0) {
        out.max_cycles_per_row = options.max_cycles;
    }
    if (!options.isa.empty()) {
        out.isa = kernels::isa_from_name(options.isa);
        if (!out.isa) {
            std::string names;
            for (const kernels::Isa isa : kernels::supported_isas()) {
                names += (names.empty() ? "" : ", ") + std::string(kernels::isa_name(isa));
            }
            return fail("--isa", {}, "unknown '" + options.isa + "'", "use one of " + names);
        }
    }
    return out;
}

Result<kernels::VerifiedBundle> load_and_verify(const Options& options) {
    auto ring = trusted(options);
    if (!ring) {
        return tl::unexpected(std::move(ring.error()));
    }
    auto limits = verify_options(options);
    if (!limits) {
        return tl::unexpected(std::move(limits.error()));
    }
    return kernels::load_bundle_file(options.bundle, limits->max_bytes)
        .and_then([&](const kernels::Bytes& file) {
            return kernels::verify_bundle(
                file, options.bundle, *ring, dataplane::catalog_view(), *limits);
        });
}

void print(const Options& options, const kernels::VerifiedBundle& verified) {
    const kernels::Bundle& b = verified.bundle;
    const auto isa = verified.classifier->isa();
    if (options.json) {
        nlohmann::ordered_json out;
        out["ok"] = true;
        out["bundle"] = options.bundle;
        out["name"] = b.name;
        out["slot"] = b.slot;
        out["version"] = b.version;
        out["signer"] = verified.signer;
        out["digest"] = verified.digest;
        out["isa"] = kernels::isa_name(isa);
        out["predicted_cycles_per_row"] = kernels::predicted_cycles_per_row(b.network, isa);
        std::cout << out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
                  << '\n';
        return;
    }
    std::cout << options.bundle << ": good\n"
              << "  model   " << b.name << " version " << b.version << ", slot " << b.slot << '\n'
              << "  signer  " << verified.signer << '\n'
              << "  digest  " << verified.digest << '\n'
              << "  kernel  " << kernels::isa_name(isa) << ", " << b.golden.size()
              << " golden vectors equal, about "
              << kernels::predicted_cycles_per_row(b.network, isa) << " cycles a row\n";
}

Exit verify(const Options& options) {
    const auto verified = load_and_verify(options);
    if (!verified) {
        return report_json(verified.error(), options.json);
    }
    print(options, *verified);
    return Exit::ok;
}

}  // namespace

void add_verify(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<Options>();
    CLI::App* cmd = app.add_subcommand("verify", "Makes every check that a gateway makes at load");
    cmd->add_option("BUNDLE", options->bundle, "Bundle file")->required();
    CLI::Option* ring =
        cmd->add_option("--keyring", options->keyring, "Directory of trusted .pub files");
    CLI::Option* pub = cmd->add_option("--pub", options->pubs, "Trusted .pub file; may repeat");
    cmd->add_option("--slot", options->slot, "Slot that the bundle must be for");
    cmd->add_option("--newer-than", options->newer_than, "Refuse this version and older ones");
    cmd->add_option("--max-cycles", options->max_cycles, "Cycle budget a row")
        ->check(CLI::PositiveNumber);
    cmd->add_option("--isa", options->isa, "Kernel variant to run; default the best here");
    cmd->add_option("--max-mb", options->max_mb, "Largest file, MiB")->check(CLI::Range(1, 1024));
    cmd->add_flag("--json", options->json, "Print JSON");
    cmd->callback([options, ring, pub, &exit] {
        if (ring->empty() && pub->empty()) {
            throw CLI::RequiredError("--keyring or --pub");
        }
        exit = verify(*options);
    });
}

}  // namespace weir::lab
