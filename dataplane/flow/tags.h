// SPDX-License-Identifier: BSD-3-Clause
// What the flow table and the host table share: a keyed hash, and buckets of tags that fit one cache line.
#pragma once

#include <array>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace weir::dataplane {

/// 64 × 64 → 128 bits, folded. The multiplication is what makes a hash of it non-linear: collisions cannot be built
/// without its secrets.
[[nodiscard]] inline std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) noexcept {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

/// splitmix64 (Steele, Lea, Flood, 2014): spreads one seed over a hash's secrets. Advances `state`.
[[nodiscard]] inline std::uint64_t next_secret(std::uint64_t& state) noexcept {
    state += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/// The hash's upper 16 bits; never 0, which marks a free way.
[[nodiscard]] inline std::uint16_t tag_of(std::uint64_t hash) noexcept {
    const auto tag = static_cast<std::uint16_t>(hash >> 48);
    return tag == 0 ? 1 : tag;
}

/// Sixteen ways: their tags, and an age word each whose meaning is the table's.
struct alignas(64) TagBucket {
    static constexpr std::uint32_t kWays = 16;
    std::array<std::uint16_t, kWays> tag;
    std::array<std::uint16_t, kWays> age;

    /// Bit w: way w has this tag.
    [[nodiscard]] std::uint32_t match(std::uint16_t wanted) const noexcept {
#if defined(__SSE2__)
        const __m128i want = _mm_set1_epi16(static_cast<short>(wanted));
        const auto* lanes = reinterpret_cast<const __m128i*>(tag.data());
        const __m128i low = _mm_cmpeq_epi16(_mm_load_si128(lanes), want);
        const __m128i high = _mm_cmpeq_epi16(_mm_load_si128(lanes + 1), want);
        return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
#else
        std::uint32_t mask = 0;
        for (std::uint32_t way = 0; way < kWays; ++way) {
            mask |= static_cast<std::uint32_t>(tag[way] == wanted) << way;
        }
        return mask;
#endif
    }
};
static_assert(sizeof(TagBucket) == 64);

}  // namespace weir::dataplane
