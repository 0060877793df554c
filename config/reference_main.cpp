// SPDX-License-Identifier: BSD-3-Clause
// Prints docs/configuration.md; run by `./dev docs`.
#include "config/keys.h"

#include <cstdio>

int main() {
    const std::string page = weir::config::reference_page();
    return std::fwrite(page.data(), 1, page.size(), stdout) == page.size() &&
                   std::fflush(stdout) == 0
               ? 0
               : 1;
}
