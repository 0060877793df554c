// SPDX-License-Identifier: BSD-3-Clause
// Memory of a worker's tables: zeroed, aligned to huge pages and hinted to be of them.
#pragma once

#include "config/error.h"

#include <cstddef>
#include <string>

namespace weir::dataplane {

/// To be given back by munmap(map, map_bytes).
struct HugeMap {
    void* map = nullptr;
    std::size_t map_bytes = 0;
    std::byte* base = nullptr;  ///< the first huge page's start within it
};

/// `bytes` from base on. `populate`: faults all pages in now. Errors name `field` and `fix`, and say how many MiB of `what`
/// there was no memory for. Thread: any.
[[nodiscard]] Result<HugeMap> map_huge(
    std::size_t bytes,
    bool populate,
    const std::string& field,
    const std::string& what,
    const std::string& fix);

}  // namespace weir::dataplane
