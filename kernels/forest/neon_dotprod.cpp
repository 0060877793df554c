// SPDX-License-Identifier: BSD-3-Clause
// Forest on aarch64: one table look-up finds 16 of 64 leaves' bytes, shifts that insert turn bits to bytes and back.
#include "kernels/forest/costs.h"
#include "kernels/forest/pack.h"
#include "kernels/forest/variants.h"
#include "kernels/forest/walk.h"
#include "kernels/target_region.h"

#include <span>

#if defined(__aarch64__)

#include <arm_neon.h>

namespace weir::kernels {
namespace {

// No target region: these are instructions of every aarch64. The variant's name is that of its neighbours.

/// 128 rows; bit k of byte j is row 16k + j.
template <std::size_t kWidth>
struct NeonBits {
    using T = uint8x16_t;
    static WEIR_INLINE T load(const std::byte* p) {
        return vld1q_u8(reinterpret_cast<const std::uint8_t*>(p));
    }
    static WEIR_INLINE void store(std::byte* p, T v) {
        vst1q_u8(reinterpret_cast<std::uint8_t*>(p), v);
    }
    static WEIR_INLINE T zero() { return vdupq_n_u8(0); }
    static WEIR_INLINE T ones() { return vdupq_n_u8(255); }
    static WEIR_INLINE T mux(T s, T a, T b) { return vbslq_u8(s, b, a); }
    static WEIR_INLINE T either(T a, T b) { return vorrq_u8(a, b); }
    static WEIR_INLINE T both(T a, T b) { return vandq_u8(a, b); }
    static WEIR_INLINE T rest(T s, T a) { return vbicq_u8(a, s); }
    static WEIR_INLINE T or_and(T a, T b, T c) { return vbslq_u8(c, b, a); }
};
/// 64 rows; bit k of byte j is row 8k + j.
template <>
struct NeonBits<64> {
    using T = uint8x8_t;
    static WEIR_INLINE T load(const std::byte* p) {
        return vld1_u8(reinterpret_cast<const std::uint8_t*>(p));
    }
    static WEIR_INLINE void store(std::byte* p, T v) {
        vst1_u8(reinterpret_cast<std::uint8_t*>(p), v);
    }
    static WEIR_INLINE T zero() { return vdup_n_u8(0); }
    static WEIR_INLINE T ones() { return vdup_n_u8(255); }
    static WEIR_INLINE T mux(T s, T a, T b) { return vbsl_u8(s, b, a); }
    static WEIR_INLINE T either(T a, T b) { return vorr_u8(a, b); }
    static WEIR_INLINE T both(T a, T b) { return vand_u8(a, b); }
    static WEIR_INLINE T rest(T s, T a) { return vbic_u8(a, s); }
    static WEIR_INLINE T or_and(T a, T b, T c) { return vbsl_u8(c, b, a); }
};
/// 128 rows and the next 128.
template <>
struct NeonBits<256> {
    using Half = NeonBits<128>;
    struct T {
        uint8x16_t half[2];
    };
    static WEIR_INLINE T load(const std::byte* p) { return {{Half::load(p), Half::load(p + 16)}}; }
    static WEIR_INLINE void store(std::byte* p, const T& v) {
        Half::store(p, v.half[0]);
        Half::store(p + 16, v.half[1]);
    }
    static WEIR_INLINE T zero() { return {{Half::zero(), Half::zero()}}; }
    static WEIR_INLINE T ones() { return {{Half::ones(), Half::ones()}}; }
    static WEIR_INLINE T mux(const T& s, const T& a, const T& b) {
        return {
            {Half::mux(s.half[0], a.half[0], b.half[0]),
             Half::mux(s.half[1], a.half[1], b.half[1])}};
    }
    static WEIR_INLINE T either(const T& a, const T& b) {
        return {{Half::either(a.half[0], b.half[0]), Half::either(a.half[1], b.half[1])}};
    }
    static WEIR_INLINE T both(const T& a, const T& b) {
        return {{Half::both(a.half[0], b.half[0]), Half::both(a.half[1], b.half[1])}};
    }
    static WEIR_INLINE T rest(const T& s, const T& a) {
        return {{Half::rest(s.half[0], a.half[0]), Half::rest(s.half[1], a.half[1])}};
    }
    static WEIR_INLINE T or_and(const T& a, const T& b, const T& c) {
        return {
            {Half::or_and(a.half[0], b.half[0], c.half[0]),
             Half::or_and(a.half[1], b.half[1], c.half[1])}};
    }
};

// In every byte, the high kBits of each 2·kBits of `a` change places with the low ones of `b`.
template <int kBits>
WEIR_INLINE void swap_bits(uint8x16_t& a, uint8x16_t& b) {
    if constexpr (kBits == 4) {
        const uint8x16_t low = vsliq_n_u8(a, b, 4);
        b = vsriq_n_u8(b, a, 4);
        a = low;
    } else {
        const uint8x16_t lows = vdupq_n_u8(kBits == 2 ? 0x33 : 0x55);
        const uint8x16_t low = vbslq_u8(lows, a, vshlq_n_u8(b, kBits));
        b = vbslq_u8(lows, vshrq_n_u8(a, kBits), b);
        a = low;
    }
}

/// Bit k of byte j of register p and bit p of byte j of register k change places.
WEIR_INLINE void turn_bits(uint8x16_t* r) {
    WEIR_UNROLL for (std::size_t i = 0; i < 4; ++i) {
        swap_bits<4>(r[i], r[i + 4]);
    }
    WEIR_UNROLL for (std::size_t i = 0; i < 4; ++i) {
        swap_bits<2>(r[i / 2 * 4 + i % 2], r[i / 2 * 4 + i % 2 + 2]);
    }
    WEIR_UNROLL for (std::size_t i = 0; i < 4; ++i) {
        swap_bits<1>(r[2 * i], r[2 * i + 1]);
    }
}

WEIR_INLINE uint8x16_t low_halves(uint8x16_t a, uint8x16_t b) {
    return vreinterpretq_u8_u64(vzip1q_u64(vreinterpretq_u64_u8(a), vreinterpretq_u64_u8(b)));
}
WEIR_INLINE uint8x16_t high_halves(uint8x16_t a, uint8x16_t b) {
    return vreinterpretq_u8_u64(vzip2q_u64(vreinterpretq_u64_u8(a), vreinterpretq_u64_u8(b)));
}

/// The same of 8 half registers, 2i and 2i + 1 in register i.
WEIR_INLINE void turn_half_bits(uint8x16_t* r) {
    swap_bits<4>(r[0], r[2]);
    swap_bits<4>(r[1], r[3]);
    swap_bits<2>(r[0], r[1]);
    swap_bits<2>(r[2], r[3]);
    WEIR_UNROLL for (std::size_t i = 0; i < 4; i += 2) {
        uint8x16_t even = low_halves(r[i], r[i + 1]);
        uint8x16_t odd = high_halves(r[i], r[i + 1]);
        swap_bits<1>(even, odd);
        r[i] = low_halves(even, odd);
        r[i + 1] = high_halves(even, odd);
    }
}

struct Ops : WalkFewRows {
    using Vec = uint8x16_t;
    template <std::size_t kWidth>
    using Bits = NeonBits<kWidth>;
    static constexpr Isa kIsa = Isa::neon_dotprod;
    static constexpr std::uint32_t kLanes = 1;
    static constexpr std::uint32_t kGroup = 16;
    static constexpr const ForestPackShape& kShape = kForestNeonDotprod;

    static WEIR_INLINE Vec load_parts(const std::uint8_t* const* p) { return vld1q_u8(p[0]); }
    static WEIR_INLINE Vec load_some_parts(const std::uint8_t* const* p, std::uint32_t count) {
        std::uint8_t copy[kForestColumns] = {};
        for (std::size_t i = 0; i < count; ++i) {
            copy[i] = p[0][i];
        }
        return vld1q_u8(copy);
    }
    static WEIR_INLINE void store(std::uint8_t* p, Vec v) { vst1q_u8(p, v); }
    static WEIR_INLINE Vec unpacklo8(Vec a, Vec b) { return vzip1q_u8(a, b); }
    static WEIR_INLINE Vec unpackhi8(Vec a, Vec b) { return vzip2q_u8(a, b); }

    template <std::size_t kWidth>
    static constexpr bool kPermutes = false;
    static constexpr std::size_t kSpill = 64;

    template <std::size_t kWidth>
    static WEIR_INLINE void planes(const std::uint8_t* column, typename Bits<kWidth>::T* planes) {
        constexpr std::size_t kRegisters = kWidth == 64 ? 4 : 8;
        WEIR_UNROLL for (std::size_t half = 0; half < kWidth / 16; half += kRegisters) {
            Vec r[kRegisters];
            WEIR_UNROLL for (std::size_t i = 0; i < kRegisters; ++i) {
                r[i] = vld1q_u8(column + (half + i) * 16);
            }
            if constexpr (kWidth == 64) {
                turn_half_bits(r);
                WEIR_UNROLL for (std::size_t i = 0; i < 4; ++i) {
                    planes[2 * i] = vget_low_u8(r[i]);
                    planes[2 * i + 1] = vget_high_u8(r[i]);
                }
            } else {
                turn_bits(r);
                WEIR_UNROLL for (std::size_t p = 0; p < 8; ++p) {
                    put(planes[p], half / 8, r[p]);
                }
            }
        }
    }
    static WEIR_INLINE Vec part(Vec bits, std::size_t /*half*/) { return bits; }
    static WEIR_INLINE Vec part(const Bits<256>::T& bits, std::size_t half) {
        return bits.half[half];
    }
    static WEIR_INLINE void put(Vec& bits, std::size_t /*half*/, Vec to) { bits = to; }
    static WEIR_INLINE void put(Bits<256>::T& bits, std::size_t half, Vec to) {
        bits.half[half] = to;
    }

    // Bit 7 is set where the mask is clear: a table look-up gives 0 there.
    template <std::size_t kWidth, int kLevels, bool kMasked>
    static WEIR_INLINE void store_numbers(
        const typename Bits<kWidth>::T* path, typename Bits<kWidth>::T mask, std::uint8_t* to) {
        if constexpr (kWidth == 64) {
            uint8x8_t bits[8] = {};
            WEIR_UNROLL for (std::size_t i = 0; i < kLevels; ++i) {
                bits[kLevels - 1 - i] = path[i];
            }
            if constexpr (kMasked) {
                bits[7] = vmvn_u8(mask);
            }
            Vec r[4];
            WEIR_UNROLL for (std::size_t i = 0; i < 4; ++i) {
                r[i] = vcombine_u8(bits[2 * i], bits[2 * i + 1]);
            }
            turn_half_bits(r);
            WEIR_UNROLL for (std::size_t i = 0; i < 4; ++i) {
                store(to + i * 16, r[i]);
            }
        } else {
            WEIR_UNROLL for (std::size_t half = 0; half < kWidth / 128; ++half) {
                Vec r[8] = {};
                WEIR_UNROLL for (std::size_t i = 0; i < kLevels; ++i) {
                    r[kLevels - 1 - i] = part(path[i], half);
                }
                if constexpr (kMasked) {
                    r[7] = vmvnq_u8(part(mask, half));
                }
                turn_bits(r);
                WEIR_UNROLL for (std::size_t i = 0; i < 8; ++i) {
                    store(to + half * 128 + i * 16, r[i]);
                }
            }
        }
    }

    static constexpr std::uint32_t kTogether = 4;
    /// Of the leaves' low and high bytes, 8 rows a register.
    struct Sum {
        uint16x8_t low[2] = {};
        uint16x8_t high[2] = {};
    };
    struct Tables {
        uint8x16x4_t low;
        uint8x16x4_t high;
    };
    static WEIR_INLINE Tables tables(const ForestPiece& piece) {
        return {vld1q_u8_x4(piece.low.data()), vld1q_u8_x4(piece.high.data())};
    }

    static WEIR_INLINE void add_bytes(uint16x8_t* sum, Vec bytes) {
        sum[0] = vaddw_u8(sum[0], vget_low_u8(bytes));
        sum[1] = vaddw_high_u8(sum[1], bytes);
    }
    template <bool kMasked>
    static WEIR_INLINE void add(Sum& sum, const std::uint8_t* numbers, const Tables& tables) {
        const Vec number = vld1q_u8(numbers);
        add_bytes(sum.low, vqtbl4q_u8(tables.low, number));
        add_bytes(sum.high, vqtbl4q_u8(tables.high, number));
    }

    // Sums are of s32, and wrap as u32.
    static WEIR_INLINE uint32x4_t load_sums(const std::int32_t* p) {
        return vreinterpretq_u32_s32(vld1q_s32(p));
    }
    static WEIR_INLINE void store_sums(std::int32_t* p, uint32x4_t v) {
        vst1q_s32(p, vreinterpretq_s32_u32(v));
    }
    static WEIR_INLINE void flush(const Sum& sum, std::int32_t* to) {
        WEIR_UNROLL for (std::size_t h = 0; h < 2; ++h) {
            std::int32_t* const at = to + 8 * h;
            const uint32x4_t first = vaddw_u16(load_sums(at), vget_low_u16(sum.low[h]));
            const uint32x4_t last = vaddw_high_u16(load_sums(at + 4), sum.low[h]);
            store_sums(at, vaddq_u32(first, vshll_n_u16(vget_low_u16(sum.high[h]), 8)));
            store_sums(at + 4, vaddq_u32(last, vshll_high_n_u16(sum.high[h], 8)));
        }
    }

    // Sums are in the rows' own order.
    static WEIR_INLINE void settle(std::int32_t* sums, std::int32_t base) {
        const uint32x4_t added = vreinterpretq_u32_s32(vdupq_n_s32(base));
        WEIR_UNROLL for (std::size_t i = 0; i < kGroup; i += 4) {
            store_sums(sums + i, vaddq_u32(load_sums(sums + i), added));
        }
    }
};

#include "kernels/forest/sliced.inc"

}  // namespace

std::unique_ptr<Classifier> make_forest_neon_dotprod(const ForestSpec& spec) {
    return std::make_unique<SlicedForest>(spec);
}

}  // namespace weir::kernels

#endif
