// SPDX-License-Identifier: BSD-3-Clause
// Autoencoder on AVX-512 VNNI, four rows a register (quads.h).
#include "kernels/autoencoder/quads.h"
#include "kernels/autoencoder/variants.h"
#include "kernels/mlp/pack.h"
#include "kernels/target_region.h"

#if defined(__x86_64__)

#include "kernels/x86_intrinsics.h"

namespace weir::kernels {
WEIR_TARGET_REGION_BEGIN("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")
namespace {

#include "kernels/mlp/ops_avx512_vnni.inc"

using Vec = __m512i;
using Sum = __v16si;

constexpr std::uint32_t kBlockQuads = 16;  // of a block of rows
constexpr std::uint32_t kBlockRows = kBlockQuads * kQuadRows;
constexpr std::uint32_t kTileQuads = 4;
/// Scratch holds codes as [16 of a layer's neurons][quad]: so much from one to the next.
constexpr std::size_t kBlockBytes = kBlockQuads * sizeof(Vec);
constexpr std::size_t kCodesBytes = kMlpMaxWidth / kQuadCodes * kBlockBytes;

WEIR_INLINE Vec in_all_lanes(const std::byte* p) {
    return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
}

/// `kStep`: which 4 of the 16 codes.
template <int kQuads, int kGroups, int kStep>
WEIR_INLINE void dot_step(const Vec* codes, const std::byte* weights, Sum* sums) noexcept {
    Vec inputs[kQuads];
    WEIR_UNROLL for (int q = 0; q < kQuads; ++q) {
        inputs[q] = _mm512_shuffle_epi32(codes[q], static_cast<_MM_PERM_ENUM>(kStep * 0x55));
    }
    WEIR_UNROLL for (int g = 0; g < kGroups; ++g) {
        const Vec w = in_all_lanes(weights + (kStep * kGroups + g) * kLaneBytes);
        WEIR_UNROLL for (int q = 0; q < kQuads; ++q) {
            sums[q * kGroups + g] = Ops::dot(sums[q * kGroups + g], inputs[q], w);
        }
    }
}

/// `kSteps`: 2, or 4 at a time.
template <int kQuads, int kGroups, int kSteps>
WEIR_INLINE void accumulate(
    const QuadBlock& block, std::uint32_t steps, const std::byte* x, Sum* sums) noexcept {
    WEIR_UNROLL for (int i = 0; i < kQuads * kGroups; ++i) {
        sums[i] = Sum(in_all_lanes(block.bias + i % kGroups * kLaneBytes));
    }
    const std::byte* w = block.weights;
    const std::byte* const end = w + std::size_t{steps} * kGroups * kLaneBytes;
    do {
        Vec codes[kQuads];
        WEIR_UNROLL for (int q = 0; q < kQuads; ++q) {
            codes[q] = Ops::load(x + q * sizeof(Vec));
        }
        dot_step<kQuads, kGroups, 0>(codes, w, sums);
        dot_step<kQuads, kGroups, 1>(codes, w, sums);
        if constexpr (kSteps == 4) {
            dot_step<kQuads, kGroups, 2>(codes, w, sums);
            dot_step<kQuads, kGroups, 3>(codes, w, sums);
        }
        x += kBlockBytes;
        w += kSteps * kGroups * kLaneBytes;
    } while (kSteps == 4 && w < end);
}

WEIR_INLINE Vec words(Sum a, Sum b, Vec shift, Vec multipliers) {
    const Vec packed =
        _mm512_packs_epi32(_mm512_srav_epi32(Vec(a), shift), _mm512_srav_epi32(Vec(b), shift));
    return _mm512_mulhrs_epi16(packed, multipliers);
}

template <int kQuads, int kGroups, int kSteps>
void tile(
    const QuadLayer& layer, const QuadBlock& block, const std::byte* x, std::byte* y) noexcept {
    Sum sums[kQuads * kGroups];
    accumulate<kQuads, kGroups, kSteps>(block, layer.steps, x, sums);
    const Vec shift = _mm512_set1_epi32(layer.shift);
    const Vec first = in_all_lanes(block.multiplier);
    const Vec second = in_all_lanes(block.multiplier + (kGroups == 4 ? kLaneBytes : 0));
    WEIR_UNROLL for (int q = 0; q < kQuads; ++q) {
        const Sum* const s = sums + q * kGroups;
        const Vec low = words(s[0], s[kGroups > 1 ? 1 : 0], shift, first);
        const Vec high = kGroups == 4 ? words(s[kGroups - 2], s[kGroups - 1], shift, second) : low;
        _mm512_store_si512(y + q * sizeof(Vec), _mm512_packus_epi16(low, high));
    }
}

template <int kGroups, int kSteps>
void block_of_layer(
    const QuadLayer& layer,
    const QuadBlock& block,
    const std::byte* x,
    std::byte* y,
    std::uint32_t quads) noexcept {
    std::uint32_t q = 0;
    for (; q + 1 < quads; q += kTileQuads) {
        tile<kTileQuads, kGroups, kSteps>(layer, block, x + q * sizeof(Vec), y + q * sizeof(Vec));
    }
    if (q < quads) {
        tile<1, kGroups, kSteps>(layer, block, x + q * sizeof(Vec), y + q * sizeof(Vec));
    }
}

template <int kSteps>
void run_blocks(
    const QuadLayer& layer, const std::byte* x, std::byte* y, std::uint32_t quads) noexcept {
    for (const QuadBlock& block : layer.blocks) {
        if (block.groups == 4) {
            block_of_layer<4, kSteps>(layer, block, x, y, quads);
        } else if (block.groups == 2) {
            block_of_layer<2, kSteps>(layer, block, x, y, quads);
        } else {
            block_of_layer<1, kSteps>(layer, block, x, y, quads);
        }
        y += kBlockBytes;
    }
}

void run_layer(
    const QuadLayer& layer, const std::byte* x, std::byte* y, std::uint32_t quads) noexcept {
    if (layer.steps == 2) {
        run_blocks<2>(layer, x, y, quads);
    } else {
        run_blocks<4>(layer, x, y, quads);
    }
}

// Four rows' next 16 codes. The last quad repeats the last row.
WEIR_INLINE Vec whole_quad(const std::uint8_t* const* rows, std::uint32_t at) {
    const auto lane = [at](const std::uint8_t* row) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + at));
    };
    Vec quad = _mm512_castsi128_si512(lane(rows[0]));
    quad = _mm512_mask_broadcast_i32x4(quad, 0x00f0, lane(rows[1]));
    quad = _mm512_mask_broadcast_i32x4(quad, 0x0f00, lane(rows[2]));
    return _mm512_mask_broadcast_i32x4(quad, 0xf000, lane(rows[3]));
}
WEIR_INLINE Vec part_quad(const std::uint8_t* const* rows, std::uint32_t at, __mmask16 some) {
    const auto lane = [at, some](const std::uint8_t* row) {
        return _mm_maskz_loadu_epi8(some, row + at);
    };
    Vec quad = _mm512_castsi128_si512(lane(rows[0]));
    quad = _mm512_inserti32x4(quad, lane(rows[1]), 1);
    quad = _mm512_inserti32x4(quad, lane(rows[2]), 2);
    return _mm512_inserti32x4(quad, lane(rows[3]), 3);
}

void load_rows(
    const std::uint8_t* rows,
    std::size_t stride,
    std::uint32_t n,
    std::uint32_t inputs,
    std::byte* to) noexcept {
    const auto some = static_cast<__mmask16>((1U << inputs % kQuadCodes) - 1);
    for (std::uint32_t r = 0; r < n; r += kQuadRows, to += sizeof(Vec)) {
        const std::uint8_t* from[kQuadRows];
        WEIR_UNROLL for (std::uint32_t i = 0; i < kQuadRows; ++i) {
            from[i] = rows + (r + i < n ? r + i : n - 1) * stride;
        }
        std::byte* next = to;
        std::uint32_t at = 0;
        for (; at + kQuadCodes <= inputs; at += kQuadCodes, next += kBlockBytes) {
            _mm512_store_si512(next, whole_quad(from, at));
        }
        if (at < inputs) {
            _mm512_store_si512(next, part_quad(from, at, some));
        }
    }
}

/// Sums of (d² − 2^15)·weight, by the weights' low and high bytes: 256 terms of at most 2^15·255, so above −2^31.
struct ErrorSums {
    Vec low;
    Vec high;
};

WEIR_INLINE void add_words(ErrorSums& sums, Vec off, const std::byte* weights) {
    const Vec square = _mm512_xor_si512(_mm512_mullo_epi16(off, off), _mm512_set1_epi16(-32768));
    sums.low = _mm512_dpwssd_epi32(sums.low, square, in_all_lanes(weights));
    sums.high = _mm512_dpwssd_epi32(sums.high, square, in_all_lanes(weights + 2 * kLaneBytes));
}

// Four rows in each of four registers, each of four parts: their sums, row after row.
WEIR_INLINE Vec sums_of_rows(Vec a, Vec b, Vec c, Vec d) {
    const Vec ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    const Vec cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    const Vec all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    const Vec order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(order, all);
}

WEIR_INLINE __m256i raw_of(__m256i low, __m256i high, const AutoencoderQuads& packed) {
    const Vec more = _mm512_slli_epi64(_mm512_cvtepi32_epi64(high), 8);
    const Vec taken_off = _mm512_set1_epi64(static_cast<std::int64_t>(packed.weight_sum() << 15));
    const Vec sum = _mm512_add_epi64(_mm512_add_epi64(_mm512_cvtepi32_epi64(low), more), taken_off);
    const __m128i shift = _mm_cvtsi32_si128(static_cast<std::int32_t>(packed.shift()));
    const __m256i error = _mm512_cvtepi64_epi32(_mm512_srl_epi64(sum, shift));
    return _mm256_sub_epi32(error, _mm256_set1_epi32(packed.offset()));
}

// Of 16 rows, `n` of which are there.
void tile_errors(
    const AutoencoderQuads& packed,
    const std::byte* x,
    const std::byte* y,
    std::uint32_t n,
    std::int32_t* out) noexcept {
    const Vec zero = _mm512_setzero_si512();
    ErrorSums sums[kTileQuads] = {};
    const std::byte* weights = packed.error_weights();
    for (std::uint32_t at = 0; at < packed.inputs(); at += kQuadCodes) {
        WEIR_UNROLL for (std::uint32_t q = 0; q < kTileQuads; ++q) {
            const Vec given = Ops::load(x + q * sizeof(Vec));
            const Vec made = Ops::load(y + q * sizeof(Vec));
            const Vec off =
                _mm512_or_si512(_mm512_subs_epu8(given, made), _mm512_subs_epu8(made, given));
            add_words(sums[q], _mm512_unpacklo_epi8(off, zero), weights);
            add_words(sums[q], _mm512_unpackhi_epi8(off, zero), weights + kLaneBytes);
        }
        x += kBlockBytes;
        y += kBlockBytes;
        weights += 4 * kLaneBytes;
    }
    const Vec low = sums_of_rows(sums[0].low, sums[1].low, sums[2].low, sums[3].low);
    const Vec high = sums_of_rows(sums[0].high, sums[1].high, sums[2].high, sums[3].high);
    const __m256i front = raw_of(_mm512_castsi512_si256(low), _mm512_castsi512_si256(high), packed);
    const __m256i back =
        raw_of(_mm512_extracti64x4_epi64(low, 1), _mm512_extracti64x4_epi64(high, 1), packed);
    _mm512_mask_storeu_epi32(
        out, Ops::some(n), _mm512_inserti64x4(_mm512_castsi256_si512(front), back, 1));
}

class QuadAutoencoder final : public Classifier {
  public:
    explicit QuadAutoencoder(const AutoencoderSpec& spec) : packed_(spec) {}

    std::uint32_t inputs() const noexcept override { return packed_.inputs(); }
    std::uint32_t outputs() const noexcept override { return AutoencoderSpec::outputs(); }
    std::size_t scratch_bytes() const noexcept override { return 3 * kCodesBytes; }
    Isa isa() const noexcept override { return Isa::avx512_vnni; }

    void score(
        const std::uint8_t* rows,
        std::size_t stride,
        std::uint32_t n,
        std::int32_t* out,
        std::byte* scratch) const noexcept override {
        for (std::uint32_t r = 0; r < n; r += kBlockRows) {
            const std::uint32_t count = n - r < kBlockRows ? n - r : kBlockRows;
            score_block(rows + r * stride, stride, count, out + r, scratch);
        }
    }

  private:
    // The input stays in scratch till it is compared with what the last layer made of it.
    void score_block(
        const std::uint8_t* rows,
        std::size_t stride,
        std::uint32_t n,
        std::int32_t* out,
        std::byte* given) const noexcept {
        load_rows(rows, stride, n, packed_.inputs(), given);
        const std::uint32_t quads = (n + kQuadRows - 1) / kQuadRows;
        const std::byte* x = given;
        std::byte* free = given + kCodesBytes;
        std::byte* taken = free + kCodesBytes;
        for (const QuadLayer& layer : packed_.layers()) {
            run_layer(layer, x, free, quads);
            x = free;
            std::byte* const swapped = free;
            free = taken;
            taken = swapped;
        }
        for (std::uint32_t r = 0; r < n; r += kTileQuads * kQuadRows) {
            const std::size_t at = r / kQuadRows * sizeof(Vec);
            tile_errors(packed_, given + at, x + at, n - r, out + r);
        }
    }

    AutoencoderQuads packed_;
};

}  // namespace
WEIR_TARGET_REGION_END

std::unique_ptr<Classifier> make_autoencoder_avx512_vnni(const AutoencoderSpec& spec) {
    return std::make_unique<QuadAutoencoder>(spec);
}

}  // namespace weir::kernels

#endif
