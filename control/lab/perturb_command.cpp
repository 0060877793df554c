// SPDX-License-Identifier: BSD-3-Clause
// weirlab perturb: captures as an attacker who knows of the model might have sent them.
#include "control/lab/commands.h"
#include "control/lab/perturb.h"

#include <filesystem>
#include <iostream>
#include <memory>
#include <vector>

#include <CLI/CLI.hpp>

namespace weir::lab {
namespace {

struct Options {
    std::vector<std::string> in;
    std::string out;
    std::string kind;
    PerturbOptions perturb;
};

Exit run(const Options& options) {
    std::error_code error;
    std::filesystem::create_directories(options.out, error);
    PerturbSummary all;
    for (const std::string& in : options.in) {
        const auto out = std::filesystem::path(options.out) / std::filesystem::path(in).filename();
        if (std::filesystem::equivalent(in, out, error)) {
            return report({in, "--out", "would be overwritten", "name another folder"});
        }
        const auto summary = perturb(in, out.string(), options.perturb);
        if (!summary) {
            return report(summary.error());
        }
        all.packets += summary->packets;
        all.changed += summary->changed;
    }
    std::cout << options.out << ": " << options.in.size() << " captures, " << all.changed << " of "
              << all.packets << " packets changed, moved or added\n";
    return Exit::ok;
}

}  // namespace

void add_perturb(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<Options>();
    CLI::App* cmd = app.add_subcommand(
        "perturb", "Changes the initiators' packets of captures as an attacker could");
    cmd->add_option("--in", options->in, "Captures: pcap or pcapng, Ethernet")->required();
    cmd->add_option("--out", options->out, "Folder for the changed captures, under their names")
        ->required();
    cmd->add_option("--kind", options->kind, "padding, delay, dummies, ttl or window")
        ->required()
        ->check(CLI::IsMember({"padding", "delay", "dummies", "ttl", "window"}));
    options->perturb.strength = -1.0;
    cmd->add_option(
           "--strength",
           options->perturb.strength,
           "padding: most bytes (256); delay: mean ms (50); dummies: % of messages (30)")
        ->check(CLI::Range(0.0, 1e6));
    cmd->add_option("--seed", options->perturb.seed, "Equal seeds, equal bytes")
        ->capture_default_str();
    cmd->callback([options, &exit] {
        static_cast<void>(perturb_kind(options->kind, options->perturb.kind));
        if (options->perturb.strength < 0.0) {
            options->perturb.strength = options->kind == "padding" ? 256.0
                                        : options->kind == "delay" ? 50.0
                                                                   : 30.0;
        }
        exit = run(*options);
    });
}

}  // namespace weir::lab
