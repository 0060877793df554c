// SPDX-License-Identifier: BSD-3-Clause
// Forest on AVX2: bits become bytes by spreading and testing them, four nibble shuffles look up 64 leaves.
#include "kernels/forest/costs.h"
#include "kernels/forest/pack.h"
#include "kernels/forest/variants.h"
#include "kernels/forest/walk.h"
#include "kernels/target_region.h"

#include <span>

#if defined(__x86_64__)

#include "kernels/x86_intrinsics.h"

namespace weir::kernels {
WEIR_TARGET_REGION_BEGIN("avx2")
namespace {

template <std::size_t kWidth>
struct Avx2Bits {
    using T = __m128i;
    static WEIR_INLINE T load(const std::byte* p) {
        if constexpr (kWidth == 64) {
            return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
        } else {
            return *reinterpret_cast<const __m128i*>(p);
        }
    }
    static WEIR_INLINE void store(std::byte* p, T v) {
        if constexpr (kWidth == 64) {
            _mm_storel_epi64(reinterpret_cast<__m128i*>(p), v);
        } else {
            *reinterpret_cast<__m128i*>(p) = v;
        }
    }
    static WEIR_INLINE T zero() { return T{}; }
    static WEIR_INLINE T ones() { return ~T{}; }
    static WEIR_INLINE T mux(T s, T a, T b) { return a ^ (s & (a ^ b)); }
    static WEIR_INLINE T either(T a, T b) { return a | b; }
    static WEIR_INLINE T both(T a, T b) { return a & b; }
    static WEIR_INLINE T rest(T s, T a) { return ~s & a; }
    static WEIR_INLINE T or_and(T a, T b, T c) { return a | (b & c); }
};
template <>
struct Avx2Bits<256> {
    using T = __m256i;
    static WEIR_INLINE T load(const std::byte* p) { return *reinterpret_cast<const T*>(p); }
    static WEIR_INLINE void store(std::byte* p, T v) { *reinterpret_cast<T*>(p) = v; }
    static WEIR_INLINE T zero() { return T{}; }
    static WEIR_INLINE T ones() { return ~T{}; }
    static WEIR_INLINE T mux(T s, T a, T b) { return a ^ (s & (a ^ b)); }
    static WEIR_INLINE T either(T a, T b) { return a | b; }
    static WEIR_INLINE T both(T a, T b) { return a & b; }
    static WEIR_INLINE T rest(T s, T a) { return ~s & a; }
    static WEIR_INLINE T or_and(T a, T b, T c) { return a | (b & c); }
};

struct Ops : WalkFewRows {
    using Vec = __m256i;
    template <std::size_t kWidth>
    using Bits = Avx2Bits<kWidth>;
    static constexpr Isa kIsa = Isa::avx2;
    static constexpr std::uint32_t kLanes = 2;
    static constexpr std::uint32_t kGroup = 32;
    static constexpr const ForestPackShape& kShape = kForestAvx2;

    static WEIR_INLINE Vec join(__m128i a, __m128i b) {
        return _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1);
    }
    static WEIR_INLINE Vec load_parts(const std::uint8_t* const* p) {
        return join(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(p[0])),
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(p[1])));
    }
    static WEIR_INLINE __m128i load_some(const std::uint8_t* p, std::uint32_t count) {
        alignas(16) std::uint8_t copy[kForestColumns] = {};
        for (std::size_t i = 0; i < count; ++i) {
            copy[i] = p[i];
        }
        return _mm_load_si128(reinterpret_cast<const __m128i*>(copy));
    }
    static WEIR_INLINE Vec load_some_parts(const std::uint8_t* const* p, std::uint32_t count) {
        return join(load_some(p[0], count), load_some(p[1], count));
    }
    static WEIR_INLINE Vec load(const std::uint8_t* p) {
        return _mm256_load_si256(reinterpret_cast<const Vec*>(p));
    }
    static WEIR_INLINE void store(std::uint8_t* p, Vec v) {
        _mm256_store_si256(reinterpret_cast<Vec*>(p), v);
    }
    static WEIR_INLINE Vec unpacklo8(Vec a, Vec b) { return _mm256_unpacklo_epi8(a, b); }
    static WEIR_INLINE Vec unpackhi8(Vec a, Vec b) { return _mm256_unpackhi_epi8(a, b); }

    template <std::size_t kWidth>
    static constexpr bool kPermutes = false;
    static constexpr std::size_t kSpill = 64;

    template <std::size_t kWidth>
    static WEIR_INLINE void planes(const std::uint8_t* column, typename Bits<kWidth>::T* planes) {
        alignas(32) std::byte rows[8 * kWidth / 8];
        WEIR_UNROLL for (std::size_t g = 0; g < kWidth / 32; ++g) {
            Vec codes = load(column + g * 32);
            WEIR_UNROLL for (std::size_t i = 0; i < 8; ++i) {
                const std::size_t p = 7 - i;
                const int bits = _mm256_movemask_epi8(codes);
                __builtin_memcpy(rows + p * kWidth / 8 + g * 4, &bits, sizeof bits);
                codes = _mm256_add_epi8(codes, codes);
            }
        }
        WEIR_UNROLL for (std::size_t p = 0; p < 8; ++p) {
            planes[p] = Bits<kWidth>::load(rows + p * kWidth / 8);
        }
    }

    /// 0xff for each of the 32 bits at p that is set.
    static WEIR_INLINE Vec spread(const std::byte* p) {
        int bits = 0;
        __builtin_memcpy(&bits, p, sizeof bits);
        const Vec byte_of_row =
            _mm256_setr_epi64x(0, 0x0101010101010101LL, 0x0202020202020202LL, 0x0303030303030303LL);
        const Vec bit_of_row = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201ULL));
        const Vec bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(bits), byte_of_row);
        return _mm256_cmpeq_epi8(bytes & bit_of_row, bit_of_row);
    }

    // Bit 7 is set where the mask is clear: a byte shuffle looks up 0 there.
    template <std::size_t kWidth, int kLevels, bool kMasked>
    static WEIR_INLINE void store_numbers(
        const typename Bits<kWidth>::T* path, typename Bits<kWidth>::T mask, std::uint8_t* to) {
        constexpr std::size_t kBytes = kWidth / 8;
        alignas(32) std::byte rows[(kLevels + 1) * kBytes];
        WEIR_UNROLL for (std::size_t i = 0; i < kLevels; ++i) {
            Bits<kWidth>::store(rows + i * kBytes, path[i]);
        }
        if constexpr (kMasked) {
            Bits<kWidth>::store(rows + kLevels * kBytes, ~mask);
        }
        WEIR_UNROLL for (std::size_t g = 0; g < kWidth / 32; ++g) {
            Vec number = _mm256_setzero_si256();
            WEIR_UNROLL for (std::size_t i = 0; i < kLevels;
                             ++i) {  // twice the number, one more where the bit is set
                number = _mm256_sub_epi8(
                    _mm256_add_epi8(number, number), spread(rows + i * kBytes + g * 4));
            }
            if constexpr (kMasked) {
                const Vec bit = _mm256_set1_epi8(static_cast<char>(0x80));
                number = number | (spread(rows + kLevels * kBytes + g * 4) & bit);
            }
            store(to + g * 32, number);
        }
    }

    static constexpr std::uint32_t kTogether = 1;
    /// Of all rows and of odd rows, of the leaves' low and high bytes.
    struct Sum {
        __v16hu low_all = {};
        __v16hu low_odd = {};
        __v16hu high_all = {};
        __v16hu high_odd = {};
    };
    struct Tables {
        const ForestPiece& piece;
    };
    static WEIR_INLINE Tables tables(const ForestPiece& piece) { return {piece}; }

    static WEIR_INLINE Vec sixteen(const std::uint8_t* table) {
        return _mm256_broadcastsi128_si256(*reinterpret_cast<const __m128i*>(table));
    }

    /// Four tables of 16 bytes; a shuffle minds the lowest four bits, and bit 7.
    static WEIR_INLINE Vec look_up(const std::uint8_t* table, Vec number) {
        const Vec bit4 = _mm256_slli_epi16(number, 3);  // as bit 7
        const Vec bit5 = _mm256_slli_epi16(number, 2);
        const Vec a = _mm256_blendv_epi8(
            _mm256_shuffle_epi8(sixteen(table), number),
            _mm256_shuffle_epi8(sixteen(table + 16), number),
            bit4);
        const Vec b = _mm256_blendv_epi8(
            _mm256_shuffle_epi8(sixteen(table + 32), number),
            _mm256_shuffle_epi8(sixteen(table + 48), number),
            bit4);
        return _mm256_blendv_epi8(a, b, bit5);
    }

    template <bool kMasked>
    static WEIR_INLINE void add(Sum& sum, const std::uint8_t* numbers, const Tables& tables) {
        const Vec number = load(numbers);
        const auto low = __v16hu(look_up(tables.piece.low.data(), number));
        const auto high = __v16hu(look_up(tables.piece.high.data(), number));
        sum.low_all += low;
        sum.low_odd += low >> 8;
        sum.high_all += high;
        sum.high_odd += high >> 8;
    }

    // to[] += low + 256·high, two words each in a lane of `pair`.
    static WEIR_INLINE void add_pairs(std::int32_t* to, Vec pair) {
        auto* const at = reinterpret_cast<Vec*>(to);
        const Vec low = pair & _mm256_set1_epi32(0xffff);
        const Vec high = _mm256_slli_epi32(_mm256_srli_epi32(pair, 16), 8);
        *at = _mm256_add_epi32(*at, _mm256_add_epi32(low, high));
    }

    // The sum of even rows' bytes fits 16 bits, so it is all − 256·odd modulo 2^16.
    static WEIR_INLINE void flush(const Sum& sum, std::int32_t* to) {
        const auto low_even = Vec(sum.low_all - (sum.low_odd << 8));
        const auto high_even = Vec(sum.high_all - (sum.high_odd << 8));
        const Vec low0 = _mm256_unpacklo_epi16(low_even, Vec(sum.low_odd));
        const Vec low1 = _mm256_unpackhi_epi16(low_even, Vec(sum.low_odd));
        const Vec high0 = _mm256_unpacklo_epi16(high_even, Vec(sum.high_odd));
        const Vec high1 = _mm256_unpackhi_epi16(high_even, Vec(sum.high_odd));
        add_pairs(to, _mm256_unpacklo_epi16(low0, high0));
        add_pairs(to + 8, _mm256_unpackhi_epi16(low0, high0));
        add_pairs(to + 16, _mm256_unpacklo_epi16(low1, high1));
        add_pairs(to + 24, _mm256_unpackhi_epi16(low1, high1));
    }

    // Register q's part L holds rows 16L + 4q to 16L + 4q + 3.
    static WEIR_INLINE void settle(std::int32_t* sums, std::int32_t base) {
        auto* const at = reinterpret_cast<Vec*>(sums);
        Vec q[4];
        WEIR_UNROLL for (std::size_t i = 0; i < 4; ++i) {
            q[i] = _mm256_add_epi32(at[i], _mm256_set1_epi32(base));
        }
        at[0] = _mm256_permute2x128_si256(q[0], q[1], 0x20);
        at[1] = _mm256_permute2x128_si256(q[2], q[3], 0x20);
        at[2] = _mm256_permute2x128_si256(q[0], q[1], 0x31);
        at[3] = _mm256_permute2x128_si256(q[2], q[3], 0x31);
    }
};

#include "kernels/forest/sliced.inc"

}  // namespace
WEIR_TARGET_REGION_END

std::unique_ptr<Classifier> make_forest_avx2(const ForestSpec& spec) {
    return std::make_unique<SlicedForest>(spec);
}

}  // namespace weir::kernels

#endif
