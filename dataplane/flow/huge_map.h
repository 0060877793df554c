// SPDX-License-Identifier: BSD-3-Clause
// Memory of a worker's tables: zeroed, of huge pages where there are any.
#pragma once

#include "config/error.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace weir::dataplane {

/// What a table's memory is made of.
enum class TablePages : std::uint8_t {
    when_touched,  ///< huge where the kernel has such at hand, faulted in one by one
    resident,      ///< the same, faulted in now
    /// Of those hugepages that the machine keeps for programs that ask (vm.nr_hugepages), as mbufs are, if enough are
    /// free; resident ones otherwise. What the kernel does to other memory, such as finding out whether it is in use or
    /// moving it together, makes the packets wait that touch it meanwhile.
    reserved
};

/// Gives its memory back at the end. Empty until it is moved to from create().
class HugeMap {
  public:
    static constexpr std::size_t kPageBytes = std::size_t{2} << 20;
    static constexpr std::size_t kLeftPages =
        16;  ///< not taken: rings that DPDK makes later need some

    /// `bytes` of zeros that begin at a huge page. Errors name `field` and `fix`, and say how many MiB of `what` there was no
    /// memory for. Thread: any.
    [[nodiscard]] static Result<HugeMap> create(
        std::size_t bytes,
        TablePages pages,
        const std::string& field,
        const std::string& what,
        const std::string& fix);
    HugeMap() = default;
    ~HugeMap();
    HugeMap(HugeMap&& other) noexcept;
    HugeMap& operator=(HugeMap&& other) noexcept;

    [[nodiscard]] std::byte* base() const noexcept { return base_; }
    /// Bytes that are not of reserved hugepages.
    [[nodiscard]] std::size_t ordinary_bytes() const noexcept { return reserved_ ? 0 : bytes_; }

  private:
    void* map_ = nullptr;
    std::size_t map_bytes_ = 0;
    std::byte* base_ = nullptr;
    std::size_t bytes_ = 0;
    bool reserved_ = false;
};

}  // namespace weir::dataplane
