// SPDX-License-Identifier: BSD-3-Clause
// Prints docs/man/weirctl.1.
#include "control/ctl/commands.h"

#include <cstdio>

int main() {
    return std::fputs(weir::ctl::man_page().c_str(), stdout) < 0 ? 1 : 0;
}
