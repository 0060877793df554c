// SPDX-License-Identifier: BSD-3-Clause
// The subcommands of weirlab: one file each, listed once in main.cpp.
#pragma once

#include "config/error.h"

namespace CLI {
class App;
}  // namespace CLI

namespace weir::lab {

/// What the shell gets to know.
enum class Exit : int {
    ok = 0,
    failed = 1,    ///< the machine refused: a file could not be written, memory ran out
    bad_input = 2  ///< usage, or an input file that is not what it should be
};

/// Registers one subcommand on `app`. Its callback runs while the command line is parsed and stores the outcome
/// in `exit`; both outlive the callback.
using Register = void (*)(CLI::App& app, Exit& exit);

void add_keygen(CLI::App& app, Exit& exit);
void add_seal(CLI::App& app, Exit& exit);
void add_sign(CLI::App& app, Exit& exit);
void add_verify(CLI::App& app, Exit& exit);
void add_inspect(CLI::App& app, Exit& exit);
void add_labels(CLI::App& app, Exit& exit);
void add_train(CLI::App& app, Exit& exit);
void add_import(CLI::App& app, Exit& exit);
void add_evaluate(CLI::App& app, Exit& exit);
void add_perturb(CLI::App& app, Exit& exit);
void add_tune(CLI::App& app, Exit& exit);
void add_generate(CLI::App& app, Exit& exit);

/// Writes "weirlab: <error>" to stderr and gives `exit` back.
[[nodiscard]] Exit report(const Error& error, Exit exit = Exit::bad_input);

/// The same where a command prints JSON: {"ok":false,"error":{…}} on stdout beside the line on stderr.
[[nodiscard]] Exit report_json(const Error& error, bool json, Exit exit = Exit::bad_input);

}  // namespace weir::lab
