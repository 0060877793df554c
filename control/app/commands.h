// SPDX-License-Identifier: BSD-3-Clause
// The subcommands of weir: one file each, listed once in main.cpp.
#pragma once

#include "config/error.h"

#include <vector>

namespace CLI {
class App;
}  // namespace CLI

namespace weir::app {

/// What the shell gets to know.
enum class Exit : int {
    ok = 0,
    failed = 1,    ///< the machine refused
    bad_input = 2  ///< usage, or a file that is not what it should be
};

/// Registers one subcommand; its callback runs while the command line is parsed and stores the outcome in `exit`.
using Register = void (*)(CLI::App& app, Exit& exit);

void add_run(CLI::App& app, Exit& exit);
void add_check(CLI::App& app, Exit& exit);
void add_replay(CLI::App& app, Exit& exit);
void add_extract(CLI::App& app, Exit& exit);
void add_features(CLI::App& app, Exit& exit);

/// Writes "weir: <error>" to stderr, one line, and gives `exit` back.
Exit report(const Error& error, Exit exit = Exit::bad_input);
Exit report(const std::vector<Error>& errors, Exit exit = Exit::bad_input);

}  // namespace weir::app
