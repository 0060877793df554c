// SPDX-License-Identifier: BSD-3-Clause
// Prints docs/metrics.md.
#include "control/metrics/table.h"

#include <cstdio>

int main() {
    return std::fputs(weir::control::metrics_page().c_str(), stdout) < 0 ? 1 : 0;
}
