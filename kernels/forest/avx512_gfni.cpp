// SPDX-License-Identifier: BSD-3-Clause
// Forest on AVX-512 with GFNI and VBMI: an 8×8 bit matrix is transposed by one affine step, 64 leaves are looked up by
// one byte shuffle. Few rows are scored row by row: one byte shuffle fetches the codes of all nodes of a tree.
#include "kernels/forest/costs.h"
#include "kernels/forest/pack.h"
#include "kernels/forest/variants.h"
#include "kernels/forest/walk.h"
#include "kernels/target_region.h"

#include <array>
#include <span>

#if defined(__x86_64__)

#include "kernels/x86_intrinsics.h"

namespace weir::kernels {
WEIR_TARGET_REGION_BEGIN("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512vbmi,gfni")
namespace {

#include "kernels/forest/avx512_bits.inc"

// Byte i of each result qword gathers bit i (or 7 − i) of the bytes of the data's qword; gf2p8affineqb takes the matrix
// rows from the last to the first.
constexpr long long kBitOfByte = static_cast<long long>(0x8040201008040201ULL);
constexpr long long kBitOfByteReversed = 0x0102040810204080LL;

template <std::size_t kWidth>
struct Gfni {
    using T = __m128i;
    static WEIR_INLINE T bits(T v, long long order) {
        return _mm_gf2p8affine_epi64_epi8(_mm_set1_epi64x(order), v, 0);
    }
    static WEIR_INLINE T lo8(T a, T b) { return _mm_unpacklo_epi8(a, b); }
    static WEIR_INLINE T hi8(T a, T b) { return _mm_unpackhi_epi8(a, b); }
};
template <>
struct Gfni<256> {
    using T = __m256i;
    static WEIR_INLINE T bits(T v, long long order) {
        return _mm256_gf2p8affine_epi64_epi8(_mm256_set1_epi64x(order), v, 0);
    }
    static WEIR_INLINE T lo8(T a, T b) { return _mm256_unpacklo_epi8(a, b); }
    static WEIR_INLINE T hi8(T a, T b) { return _mm256_unpackhi_epi8(a, b); }
};
template <>
struct Gfni<512> {
    using T = __m512i;
    static WEIR_INLINE T bits(T v, long long order) {
        return _mm512_gf2p8affine_epi64_epi8(_mm512_set1_epi64(order), v, 0);
    }
    static WEIR_INLINE T lo8(T a, T b) { return _mm512_unpacklo_epi8(a, b); }
    static WEIR_INLINE T hi8(T a, T b) { return _mm512_unpackhi_epi8(a, b); }
};

/// Eight registers as bytes [3 bits of register][4 bits of byte]: the seven bits turn left by one.
template <std::size_t kWidth>
WEIR_INLINE void turn(const typename Gfni<kWidth>::T* from, typename Gfni<kWidth>::T* to) {
    WEIR_UNROLL for (std::size_t i = 0; i < 4; ++i) {
        to[2 * i] = Gfni<kWidth>::lo8(from[i], from[i + 4]);
        to[2 * i + 1] = Gfni<kWidth>::hi8(from[i], from[i + 4]);
    }
}

struct Ops : Avx512Ops {
    static constexpr Isa kIsa = Isa::avx512_gfni;
    static constexpr const ForestPackShape& kShape = kForestAvx512Gfni;

    // Within a block of 8·8·registers rows: register g, part L, half h of it holds the codes of octet 8g + 2L + h (of 64
    // rows a register). Turned four times, the register number is the plane and the byte of part L is (g, h).
    template <std::size_t kWidth>
    static WEIR_INLINE void planes(const std::uint8_t* column, typename Bits<kWidth>::T* planes) {
        using G = Gfni<kWidth>;
        using T = typename G::T;
        if constexpr (kWidth == 64) {
            const __m512i octets = _mm512_gf2p8affine_epi64_epi8(
                _mm512_set1_epi64(kBitOfByte), _mm512_load_si512(column), 0);
            alignas(64) static constexpr std::array<std::uint8_t, 64> kTranspose = [] {
                std::array<std::uint8_t, 64> order{};
                for (std::uint8_t i = 0; i < 64; ++i) {
                    order[i] = static_cast<std::uint8_t>(i % 8 * 8 + i / 8);
                }
                return order;
            }();
            alignas(64) std::byte rows[64];
            _mm512_store_si512(
                rows, _mm512_permutexvar_epi8(_mm512_load_si512(kTranspose.data()), octets));
            WEIR_UNROLL for (std::size_t p = 0; p < 8; ++p) {
                planes[p] = Bits<64>::load(rows + 8 * p);
            }
        } else {
            T a[8];
            T b[8];
            WEIR_UNROLL for (std::size_t g = 0; g < 8; ++g) {
                a[g] = G::bits(*reinterpret_cast<const T*>(column + g * sizeof(T)), kBitOfByte);
            }
            turn<kWidth>(a, b);
            turn<kWidth>(b, a);
            turn<kWidth>(a, b);
            turn<kWidth>(b, planes);
        }
    }

    // The reverse: planes turned three times. Bytes hold their rows from the last to the first, as planes() left them.
    template <std::size_t kWidth, int kLevels, bool kMasked>
    static WEIR_INLINE void store_numbers(
        const typename Bits<kWidth>::T* path, typename Bits<kWidth>::T mask, std::uint8_t* to) {
        using G = Gfni<kWidth>;
        using T = typename G::T;
        // Matrix row 7 − i gives bit i: the last path bit is bit 0; the mask is bit 7.
        T a[8];
        T b[8];
        WEIR_UNROLL for (std::size_t i = 0; i < 8; ++i) {
            a[i] = i >= 8 - kLevels ? path[i - (8 - kLevels)] : mask;
        }
        if constexpr (kWidth == 64) {
            // The upper half of each register is of no matter.
            T c[4];
            T d[4];
            WEIR_UNROLL for (std::size_t i = 0; i < 4; ++i) {
                c[i] = _mm_unpacklo_epi8(a[i], a[i + 4]);
            }
            WEIR_UNROLL for (std::size_t i = 0; i < 2; ++i) {
                d[2 * i] = _mm_unpacklo_epi8(c[i], c[i + 2]);
                d[2 * i + 1] = _mm_unpackhi_epi8(c[i], c[i + 2]);
            }
            WEIR_UNROLL for (std::size_t i = 0; i < 2; ++i) {
                b[2 * i] = _mm_unpacklo_epi8(d[i], d[i + 2]);
                b[2 * i + 1] = _mm_unpackhi_epi8(d[i], d[i + 2]);
            }
        } else {
            turn<kWidth>(a, b);
            turn<kWidth>(b, a);
            turn<kWidth>(a, b);
        }
        constexpr int kRegisters = kWidth == 64 ? 4 : 8;
        WEIR_UNROLL for (std::size_t k = 0; k < kRegisters; ++k) {
            *reinterpret_cast<T*>(to + k * sizeof(T)) = G::bits(b[k], kBitOfByteReversed);
        }
    }

    static constexpr std::uint32_t kTogether = 4;
    // Of even and odd rows' low and high bytes.
    struct Sum {
        __v32hu low_all = {};
        __v32hu low_odd = {};
        __v32hu high_all = {};
        __v32hu high_odd = {};
    };

    struct Tables {
        Vec low;
        Vec high;
    };
    static WEIR_INLINE Tables tables(const ForestPiece& piece) {
        return {_mm512_load_si512(piece.low.data()), _mm512_load_si512(piece.high.data())};
    }

    template <bool kMasked>
    static WEIR_INLINE void add(Sum& sum, const std::uint8_t* numbers, const Tables& tables) {
        const Vec number = _mm512_load_si512(numbers);
        Vec low;
        Vec high;
        if constexpr (kMasked) {
            const __mmask64 mask = _mm512_movepi8_mask(number);
            low = _mm512_maskz_permutexvar_epi8(mask, number, tables.low);
            high = _mm512_maskz_permutexvar_epi8(mask, number, tables.high);
        } else {
            low = _mm512_permutexvar_epi8(number, tables.low);
            high = _mm512_permutexvar_epi8(number, tables.high);
        }
        sum.low_all += __v32hu(low);
        sum.low_odd += __v32hu(low) >> 8;
        sum.high_all += __v32hu(high);
        sum.high_odd += __v32hu(high) >> 8;
    }

    static WEIR_INLINE void flush(const Sum& sum, std::int32_t* to) {
        const auto low_even = Vec(low_sum(sum.low_all, sum.low_odd));
        const auto high_even = Vec(low_sum(sum.high_all, sum.high_odd));
        const Vec low0 = _mm512_unpacklo_epi16(low_even, Vec(sum.low_odd));
        const Vec low1 = _mm512_unpackhi_epi16(low_even, Vec(sum.low_odd));
        const Vec high0 = _mm512_unpacklo_epi16(high_even, Vec(sum.high_odd));
        const Vec high1 = _mm512_unpackhi_epi16(high_even, Vec(sum.high_odd));
        add_pairs(to, _mm512_unpacklo_epi16(low0, high0));
        add_pairs(to + 16, _mm512_unpackhi_epi16(low0, high0));
        add_pairs(to + 32, _mm512_unpacklo_epi16(low1, high1));
        add_pairs(to + 48, _mm512_unpackhi_epi16(low1, high1));
    }

#include "kernels/forest/few_rows_vbmi.inc"
};

#include "kernels/forest/sliced.inc"

}  // namespace
WEIR_TARGET_REGION_END

std::unique_ptr<Classifier> make_forest_avx512_gfni(const ForestSpec& spec) {
    return std::make_unique<SlicedForest>(spec);
}

}  // namespace weir::kernels

#endif
