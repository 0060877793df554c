// SPDX-License-Identifier: BSD-3-Clause
// Captures into a table of features, several at once.
#pragma once

#include "config/config.h"
#include "config/error.h"
#include "control/app/extract_rows.h"

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace weir::app {

enum class ExtractFormat : std::uint8_t {
    csv,     ///< one file
    columns  ///< a folder of arrays
};

struct ExtractArguments {
    std::vector<std::string> in;  ///< captures
    std::string out;              ///< CSV or folder to write; "-": CSV on stdout
    std::string labels;           ///< flow labels; empty: none
    std::string config;           ///< weir.yaml for the flow table; empty: the defaults
    ExtractColumns columns;
    ExtractFormat format = ExtractFormat::csv;
    std::uint32_t jobs = 1;  ///< captures at once
};

struct ExtractSummary {
    std::uint64_t rows = 0;
    std::uint64_t labelled = 0;
    std::uint64_t packets = 0;
    std::size_t kept = 0;  ///< captures whose rows an earlier run had left
};

/// Extracts all captures; the table appears whole or not at all, its rows in the order of `arguments.in`, the same for
/// any number of jobs. Each finished capture's rows wait in `out`.parts, so that the same command goes on where one was
/// interrupted; the parts are removed once the table stands. Memory: that of `jobs` flow tables, whatever the size of the
/// captures. `terminal`: where to draw progress; null: nowhere. EAL must have been started for `jobs` replays.
/// Errors name file, finding and fix; of several, the first capture's. Thread: main.
[[nodiscard]] Result<ExtractSummary> extract_run(const ExtractArguments& arguments, FILE* terminal);

}  // namespace weir::app
