// SPDX-License-Identifier: BSD-3-Clause
// Prints docs/configuration.md, or with --schema config/weir.schema.json; run by `./dev docs`.
#include "config/keys.h"

#include <cstdio>
#include <string_view>

int main(int argc, char** argv) {
    const bool schema = argc > 1 && std::string_view(argv[1]) == "--schema";
    const std::string page = schema ? weir::config::json_schema() : weir::config::reference_page();
    return std::fwrite(page.data(), 1, page.size(), stdout) == page.size() &&
                   std::fflush(stdout) == 0
               ? 0
               : 1;
}
