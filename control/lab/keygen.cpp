// SPDX-License-Identifier: BSD-3-Clause
// weirlab keygen: a signing key and its public half.
#include "control/lab/commands.h"
#include "kernels/model/keys.h"

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace weir::lab {
namespace {

struct Options {
    std::string name;
    bool json = false;
};

Exit keygen(const Options& options) {
    for (const char* suffix : {".key", ".pub"}) {
        const std::string path = options.name + suffix;
        std::error_code ignored;
        // A dangling link counts: the key must not appear where it points.
        if (std::filesystem::symlink_status(path, ignored).type() !=
            std::filesystem::file_type::not_found) {
            return report_json(
                {path, {}, "is there already", "choose another name, or remove it"}, options.json);
        }
    }
    const kernels::SecretKey key = kernels::generate_key();
    if (auto ok = kernels::write_key_files(key, options.name); !ok) {
        return report_json(ok.error(), options.json, Exit::failed);
    }
    const std::string id = key.public_key().id;
    if (options.json) {
        nlohmann::ordered_json out;
        out["ok"] = true;
        out["key_id"] = id;
        out["secret"] = options.name + ".key";
        out["public"] = options.name + ".pub";
        std::cout << out.dump(2) << '\n';
    } else {
        std::cout << "key " << id << '\n'
                  << "  " << options.name << ".key  sign with this, keep it secret\n"
                  << "  " << options.name << ".pub  copy this into each gateway's keyring\n";
    }
    return Exit::ok;
}

}  // namespace

void add_keygen(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<Options>();
    CLI::App* cmd = app.add_subcommand("keygen", "Makes an ed25519 key: NAME.key and NAME.pub");
    cmd->add_option("NAME", options->name, "Path of the key files without suffix")->required();
    cmd->add_flag("--json", options->json, "Print JSON");
    cmd->callback([options, &exit] { exit = keygen(*options); });
}

}  // namespace weir::lab
