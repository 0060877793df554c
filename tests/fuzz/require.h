// SPDX-License-Identifier: BSD-3-Clause
// How every fuzz target says that something does not hold.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace weir::fuzz {

/// Aborts unless `holds`, with the caller's place on standard error. By builtins: clang 14 has no std::source_location.
inline void require(
    bool holds, const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) {
    if (!holds) {
        (void)std::fprintf(stderr, "%s:%u: does not hold\n", file, line);
        std::abort();
    }
}

}  // namespace weir::fuzz
