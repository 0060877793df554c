// SPDX-License-Identifier: BSD-3-Clause
#include "control/ctl/commands.h"

int main(int argc, char** argv) {
    return static_cast<int>(weir::ctl::run_weirctl(argc, argv));
}
