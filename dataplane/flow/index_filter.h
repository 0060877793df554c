// SPDX-License-Identifier: BSD-3-Clause
// Which of many indices were named lately, roughly: half a kilobyte, whatever their range.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::dataplane {

/// Indices by their lower twelve bits: none that was added is missed, another one may seem to have been.
class IndexFilter {
  public:
    void clear() noexcept { bits_ = {}; }
    void add(std::uint32_t index) noexcept {
        bits_[index / kWordBits % kWords] |= std::uint64_t{1} << (index % kWordBits);
    }
    [[nodiscard]] bool may_have(std::uint32_t index) const noexcept {
        return (bits_[index / kWordBits % kWords] >> (index % kWordBits) & 1U) != 0;
    }

  private:
    static constexpr std::uint32_t kWordBits = 64;
    static constexpr std::size_t kWords = 64;
    alignas(64) std::array<std::uint64_t, kWords> bits_{};
};

}  // namespace weir::dataplane
