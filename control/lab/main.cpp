// SPDX-License-Identifier: BSD-3-Clause
// weirlab: makes, signs and examines models.
#include "control/lab/commands.h"

#include <array>
#include <exception>
#include <iostream>

#include <CLI/CLI.hpp>

namespace weir::lab {
namespace {

constexpr std::array kCommands{
    add_labels,
    add_train,
    add_tune,
    add_import,
    add_evaluate,
    add_keygen,
    add_seal,
    add_sign,
    add_verify,
    add_inspect,
    add_perturb,
    add_generate};

Exit run(int argc, char** argv) {
    CLI::App app{"Makes, signs and examines Weir models", "weirlab"};
    app.require_subcommand(1);
    app.footer("Exit codes: 0 ok, 1 failed, 2 bad input. Each command has its own --help.");
    Exit exit = Exit::ok;
    for (const Register add : kCommands) {
        add(app, exit);
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        if (e.get_exit_code() == 0) {  // help
            (void)app.exit(e);
            return Exit::ok;
        }
        std::cerr << "weirlab: " << e.what() << "; see `weirlab --help`\n";
        return Exit::bad_input;
    }
    return exit;
}

}  // namespace
}  // namespace weir::lab

int main(int argc, char** argv) {
    using weir::lab::Exit;
    Exit exit = Exit::failed;
    try {
        exit = weir::lab::run(argc, argv);
        std::cout.flush();
        if (!std::cout && exit == Exit::ok) {
            exit = weir::lab::report({"stdout", {}, "cannot be written", {}}, Exit::failed);
        }
    } catch (const std::exception& e) {
        std::cerr << "weirlab: " << e.what() << '\n';
    }
    return static_cast<int>(exit);
}
