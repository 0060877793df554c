// SPDX-License-Identifier: BSD-3-Clause
// A buffer that ends (or begins) exactly at a page that no one may touch.
#pragma once

#include <cstddef>
#include <cstdlib>

#include <sys/mman.h>

#include <unistd.h>

namespace weir::testing {

/// `size` bytes between two PROT_NONE pages. at_end: the last byte is the last of its page, so reading one further
/// faults; else the first byte is the first of its page.
class GuardedBuffer {
  public:
    GuardedBuffer(std::size_t size, bool at_end) {
        const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        const std::size_t inner = (size + page - 1) / page * page;
        mapped_ = inner + 2 * page;
        base_ = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (base_ == MAP_FAILED) {
            std::abort();
        }
        auto* first = static_cast<std::byte*>(base_) + page;
        if (inner > 0 && mprotect(first, inner, PROT_READ | PROT_WRITE) != 0) {
            std::abort();
        }
        data_ = at_end ? first + inner - size : first;
    }
    ~GuardedBuffer() { munmap(base_, mapped_); }
    GuardedBuffer(const GuardedBuffer&) = delete;
    GuardedBuffer& operator=(const GuardedBuffer&) = delete;

    template <typename T>
    [[nodiscard]] T* as() const noexcept {
        return reinterpret_cast<T*>(data_);
    }

  private:
    void* base_ = nullptr;
    std::size_t mapped_ = 0;
    std::byte* data_ = nullptr;
};

}  // namespace weir::testing
