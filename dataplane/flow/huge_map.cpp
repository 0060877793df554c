// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow/huge_map.h"

#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include <sys/mman.h>

namespace weir::dataplane {

namespace {

[[nodiscard]] std::size_t round_up(std::size_t bytes) noexcept {
    return (bytes + HugeMap::kPageBytes - 1) / HugeMap::kPageBytes * HugeMap::kPageBytes;
}

[[nodiscard]] std::uint64_t pages_of(const char* what) {
    std::ifstream file(std::string("/sys/kernel/mm/hugepages/hugepages-2048kB/") + what);
    std::uint64_t pages = 0;
    file >> pages;
    return pages;
}

[[nodiscard]] bool enough_reserved(std::size_t bytes) {
    return pages_of("free_hugepages") >=
           bytes / HugeMap::kPageBytes + pages_of("resv_hugepages") + HugeMap::kLeftPages;
}

[[nodiscard]] void* map_pages(std::size_t bytes, int flags) noexcept {
    void* const map =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    return map == MAP_FAILED ? nullptr : map;
}

}  // namespace

Result<HugeMap> HugeMap::create(
    std::size_t bytes,
    TablePages pages,
    const std::string& field,
    const std::string& what,
    const std::string& fix) {
    HugeMap out;
    out.bytes_ = bytes;
    if (pages == TablePages::reserved && enough_reserved(round_up(bytes))) {
        // Set apart by mmap or refused by it: a page that is missing later would end the program.
        out.map_bytes_ = round_up(bytes);
        out.map_ =
            map_pages(out.map_bytes_, MAP_HUGETLB | std::countr_zero(kPageBytes) << MAP_HUGE_SHIFT);
        out.base_ = static_cast<std::byte*>(out.map_);
        out.reserved_ = out.map_ != nullptr;
    }
    const std::string size = std::to_string(bytes >> 20) + " MiB of " + what;
    if (!out.reserved_) {
        out.map_bytes_ = round_up(bytes) + HugeMap::kPageBytes;
        out.map_ = map_pages(out.map_bytes_, MAP_NORESERVE);
        if (out.map_ == nullptr) {
            return fail({}, field, "no memory for " + size + ": " + std::strerror(errno), fix);
        }
        out.base_ =
            reinterpret_cast<std::byte*>(round_up(reinterpret_cast<std::uintptr_t>(out.map_)));
        madvise(out.base_, bytes, MADV_HUGEPAGE);  // without it the table is slower, not wrong
    }
    if (pages != TablePages::when_touched && madvise(out.base_, bytes, MADV_POPULATE_WRITE) != 0 &&
        errno != EINVAL) {
        return fail({}, field, "cannot fault in " + size + ": " + std::strerror(errno), fix);
    }
    return out;
}

HugeMap::~HugeMap() {
    if (map_ != nullptr) {
        munmap(map_, map_bytes_);
    }
}

HugeMap::HugeMap(HugeMap&& other) noexcept {
    *this = std::move(other);
}

HugeMap& HugeMap::operator=(HugeMap&& other) noexcept {
    std::swap(map_, other.map_);
    std::swap(map_bytes_, other.map_bytes_);
    std::swap(base_, other.base_);
    std::swap(bytes_, other.bytes_);
    std::swap(reserved_, other.reserved_);
    return *this;
}

}  // namespace weir::dataplane
