// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow/huge_map.h"

#include <cerrno>
#include <cstdint>
#include <cstring>

#include <sys/mman.h>

namespace weir::dataplane {

Result<HugeMap> map_huge(
    std::size_t bytes,
    bool populate,
    const std::string& field,
    const std::string& what,
    const std::string& fix) {
    constexpr std::size_t kHugeBytes = std::size_t{2} << 20;
    HugeMap out;
    out.map_bytes = (bytes + 2 * kHugeBytes - 1) / kHugeBytes * kHugeBytes;
    void* map = mmap(
        nullptr,
        out.map_bytes,
        PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
        -1,
        0);
    const std::string size = std::to_string(bytes >> 20) + " MiB of " + what;
    if (map == MAP_FAILED) {
        return fail({}, field, "no memory for " + size + ": " + std::strerror(errno), fix);
    }
    out.map = map;
    const auto start =
        (reinterpret_cast<std::uintptr_t>(map) + kHugeBytes - 1) / kHugeBytes * kHugeBytes;
    out.base = reinterpret_cast<std::byte*>(start);
    madvise(out.base, bytes, MADV_HUGEPAGE);  // a hint: without it the table is slower, not wrong
    if (populate && madvise(out.base, bytes, MADV_POPULATE_WRITE) != 0 && errno != EINVAL) {
        auto error = fail({}, field, "cannot fault in " + size + ": " + std::strerror(errno), fix);
        munmap(map, out.map_bytes);
        return error;
    }
    return out;
}

}  // namespace weir::dataplane
