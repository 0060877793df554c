// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "control/app/commands.h"
#include "control/app/extract_rows.h"

#include <string>
#include <vector>

namespace weir::app {

struct ExtractArguments {
    std::vector<std::string> in;  ///< captures
    std::string out;              ///< CSV; "-": stdout
    std::string labels;           ///< flow labels; empty: none
    std::string config;           ///< weir.yaml for the flow table; empty: the defaults
    ExtractColumns columns;
};

/// Extracts all captures into one file, which appears whole or not at all. Says what went wrong on stderr.
/// One capture at a time, in the order given; deterministic. Starts EAL. Thread: main.
[[nodiscard]] Exit extract_main(const ExtractArguments& arguments);

}  // namespace weir::app
