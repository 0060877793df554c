// SPDX-License-Identifier: BSD-3-Clause
// Which of many indices were named lately, roughly: half a kilobyte, whatever their range.
#pragma once

#include "dataplane/zeroed.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::dataplane {

/// Indices by twelve bits of a hash: none that was added is missed, another one may seem to have been. Hashed, as victims
/// of one flood stand in few ways of their buckets.
class IndexFilter {
  public:
    void clear() noexcept { begin_zeroed<Bits>(reinterpret_cast<std::byte*>(&bits_)); }
    void add(std::uint32_t index) noexcept {
        const std::uint32_t bit = bit_of(index);
        bits_[bit / kWordBits] |= std::uint64_t{1} << (bit % kWordBits);
    }
    [[nodiscard]] bool may_have(std::uint32_t index) const noexcept {
        const std::uint32_t bit = bit_of(index);
        return (bits_[bit / kWordBits] >> (bit % kWordBits) & 1U) != 0;
    }

  private:
    static constexpr std::uint32_t kWordBits = 64;
    static constexpr std::size_t kWords = 64;
    static constexpr std::uint32_t kBits = 12;
    using Bits = std::array<std::uint64_t, kWords>;

    /// Multiplicative: odd, near 2^32 divided by the golden ratio.
    [[nodiscard]] static std::uint32_t bit_of(std::uint32_t index) noexcept {
        return index * 0x9e3779b1U >> (32U - kBits);
    }

    alignas(64) Bits bits_{};
};

}  // namespace weir::dataplane
