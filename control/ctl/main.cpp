// SPDX-License-Identifier: BSD-3-Clause
#include "control/ctl/commands.h"

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
    try {
        return static_cast<int>(weir::ctl::run_weirctl(argc, argv));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "weirctl: internal error: %s\n", error.what());
        return static_cast<int>(weir::ctl::Exit::failed);
    }
}
