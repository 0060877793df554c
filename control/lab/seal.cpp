// SPDX-License-Identifier: BSD-3-Clause
// weirlab seal: encrypts a signed bundle to one gateway; with --keygen, makes that gateway's keys.
#include "control/lab/commands.h"
#include "kernels/model/file.h"
#include "kernels/model/sealed.h"

#include <iostream>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

namespace weir::lab {
namespace {

struct Options {
    std::string bundle;
    std::string key;
    std::string out;
    std::string keygen;
};

Exit make_keys(const std::string& stem) {
    if (auto ok = kernels::write_sealing_keys(stem); !ok) {
        return report(ok.error(), Exit::failed);
    }
    std::cout << stem << ".sealkey  put this into the gateway's control.sealing_keys, mode 0600\n"
              << stem << ".sealpub  seal with this\n";
    return Exit::ok;
}

Exit seal(const Options& options) {
    if (!options.keygen.empty()) {
        return make_keys(options.keygen);
    }
    if (options.bundle.empty() || options.key.empty() || options.out.empty()) {
        return report({"seal", {}, "BUNDLE, --to and --out are needed", "see weirlab seal --help"});
    }
    auto key = kernels::load_sealing_public_key(options.key);
    if (!key) {
        return report(key.error());
    }
    auto file = kernels::load_bundle_file(options.bundle);
    if (!file) {
        return report(file.error());
    }
    if (auto signers = kernels::bundle_signers(*file, options.bundle); !signers) {
        return report(signers.error());
    } else if (signers->empty()) {
        return report({options.bundle, "signatures", "not signed", "sign it first, then seal"});
    }
    auto sealed = kernels::seal(*file, *key);
    if (!sealed) {
        return report(sealed.error());
    }
    if (auto ok = kernels::save_bundle_file(options.out, *sealed); !ok) {
        return report(ok.error(), Exit::failed);
    }
    std::cout << options.out << ": sealed to " << options.key << '\n';
    return Exit::ok;
}

}  // namespace

void add_seal(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<Options>();
    CLI::App* cmd =
        app.add_subcommand("seal", "Encrypts a signed bundle so that only one gateway can read it");
    cmd->add_option("BUNDLE", options->bundle, "Signed bundle file");
    cmd->add_option("--to", options->key, "The gateway's public sealing key (NAME.sealpub)");
    cmd->add_option("--out", options->out, "File to write");
    cmd->add_option(
        "--keygen", options->keygen, "Make a pair instead: NAME.sealkey and NAME.sealpub");
    cmd->callback([options, &exit] { exit = seal(*options); });
}

}  // namespace weir::lab
