// SPDX-License-Identifier: BSD-3-Clause
// weir: the gateway and its tools.
#include "control/app/commands.h"
#include "control/app/version.h"

#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>

namespace weir::app {

Exit report(const Error& error, Exit exit) {
    std::fprintf(stderr, "weir: %s\n", error.line().c_str());
    return exit;
}

Exit report(const std::vector<Error>& errors, Exit exit) {
    for (const Error& error : errors) {
        report(error, exit);
    }
    return exit;
}

namespace {

constexpr Register kCommands[] = {add_run, add_check, add_replay, add_extract, add_features};

int run_main(int argc, char** argv) {
    CLI::App app{"Weir: in-path inference on bare-metal gateways.", "weir"};
    app.set_version_flag("--version", std::string("weir ") + kVersion);
    app.require_subcommand(1);
    Exit exit = Exit::ok;
    for (const Register add : kCommands) {
        add(app, exit);
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) {  // help, or the version
            return app.exit(error);
        }
        std::fprintf(stderr, "weir: %s; see `weir --help`\n", error.what());
        return static_cast<int>(Exit::bad_input);
    }
    return static_cast<int>(exit);
}

}  // namespace
}  // namespace weir::app

int main(int argc, char** argv) {
    try {
        return weir::app::run_main(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "weir: internal error: %s\n", error.what());
        return static_cast<int>(weir::app::Exit::failed);
    }
}
